// Package router decides what becomes of each canonical event and tells the connectors. It decides once: the decision is
// kept with the event in one record, which is written before anything is sent, and a message that comes again is sent on by
// that record's decision, whatever the rules say by then. A change of consent is written before everything else.
package router

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/eventrecord"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// The codes of the faults that the router finds itself; those of package canonical come from reading the event.
const (
	CodeTenantUnknown = "tenant_unknown"   // no configuration names the event's tenant
	CodeCRM           = "crm_not_deployed" // a tenant's binding is of a kind that nothing here serves
	CodeRecord        = eventrecord.CodeMalformed
	CodeReused        = "event_id_reused" // an event of this id is recorded, of another thread: its sender uses one id for two people
)

// Retention is how long an event's record is kept: longer than any copy of its message can come back. The pointer in the thread's
// log is kept a day longer, since a record without its pointer would escape an erasure.
const Retention = 90 * 24 * time.Hour

// claimFrom is the receive from which on a message is claimed: a router that keeps dying over one is found out, and the
// first two receives pay nothing for it.
const claimFrom = 3

// Store is what the router keeps its records in.
type Store interface {
	conversation.Store
	WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome
	Note(ctx context.Context, pointers ...store.Record) error
}

// Tenants looks tenants up; *tenant.Directory is one. What is not configured is tenant.ErrUnknown.
type Tenants interface {
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// Peppers returns a tenant's pepper; *tenant.Peppers is one.
type Peppers interface {
	Pepper(ctx context.Context, tenant string) (canonical.Pepper, error)
}

// Engine decides; rules.Ordered is one. It must be pure, and is the seam for richer rules.
type Engine interface {
	Decide(set rules.Set, version int, crms []string, facts rules.Facts) rules.Decision
}

// Claims counts the messages that a router died over; *idempotency.Claims is one.
type Claims interface {
	ClaimAll(ctx context.Context, wanted []idempotency.Wanted) ([]*idempotency.Claim, []error)
	Complete(ctx context.Context, claim *idempotency.Claim) error
	Release(ctx context.Context, claim *idempotency.Claim, reason string, crashed bool) error
}

// Sealer seals under persons' and tenants' keys and opens; *keyring.Ring is one.
type Sealer interface {
	SealPerson(ctx context.Context, at keyring.Place, person string, plain []byte) ([]byte, error)
	SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error)
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// Parts is what a Router is made of. All but Files are needed.
type Parts struct {
	Outbox

	Store   Store
	Log     Log // of the same records
	Tenants Tenants
	Peppers Peppers
	Engine  Engine
	Claims  Claims
	Events  queue.Publisher // to the queue that events come from
	Files   Files
	// Standings are, by kind of CRM, where what has them show how conversations stand goes: to their receipts queues.
	Standings map[string]queue.Publisher
}

// Router implements queue.Handler. It is safe for concurrent use.
type Router struct {
	Parts
	sealer  Sealer
	encoder eventrecord.Encoder
}

// New returns a Router that seals records and deliveries with s. Without one it fails: nothing is kept or sent in the clear.
func New(s Sealer, p Parts) *Router { return &Router{Parts: p, sealer: s} }

// job is one message in a Router's hands. It takes part in a stage while it has no err.
type job struct {
	head       queue.Received
	event      canonical.Event
	tenant     tenant.Tenant
	line       string                     // that it came to; the event has the main one of that address
	consent    *canonical.Consent         // that the event asks for
	yes        bool                       // the event is a yes, which opens what is pending
	held       map[store.Key]store.Record // under the keys wanted, nil while nobody has looked
	generation int
	claim      *idempotency.Claim
	recorded   *store.Record      // the event's, as an earlier receive wrote it
	newcomer   *newcomer          // whom a lead is made of if there are not too many
	known      conversation.Head  // what is known of whose thread it is
	dead       *conversation.Head // of whose address the event says that it takes no messages, nil if that is known or it does not
	decision   *Decision          // that is made now, nil where one is recorded already
	record     Record
	volume     *volume       // the session that the event is shown in, if it is in one
	merged     []*merged     // what it is written into beside its record
	change     *store.Change // of the record, nil where one is recorded already
	pointers   []store.Record
	outgoing   []*outgoing
	states     *states            // in which the event is counted, if it is
	files      *filesJob          // for whoever fetches files
	standings  []*outgoing        // to the lane that shows how conversations stand
	moved      canonical.ThreadID // the thread that it is of, if it came in another's group
	forwarded  *queue.Message     // to that one's group
	completed  bool               // by an earlier receive of an event of this id
	newThread  bool               // the thread has no head yet
	proves     bool               // it may change whose its thread is
	threadHead *store.Record      // the thread's head, as far as it was read and is still so
	err        error
}

// logContext returns ctx with what log lines about the message carry.
func (j *job) logContext(ctx context.Context) context.Context {
	ctx = telemetry.WithTrace(ctx, cmp.Or(j.head.Trace, j.event.Trace.Traceparent))
	return telemetry.WithEvent(ctx, string(j.event.EventID))
}

// Handle routes messages in stages: what a stage writes for all of them is one call, and what it does for each goes on side by side.
// Of one thread they are in their order, and none is sent on before those before it are recorded. One over which routers died is
// routed alone afterwards.
func (r *Router) Handle(ctx context.Context, heads []queue.Received) []error {
	jobs := make([]*job, len(heads))
	for i, head := range heads {
		jobs[i] = &job{head: head, generation: queue.Generation(head.ID)}
		if jobs[i].event, jobs[i].err = decode(head); jobs[i].err == nil {
			jobs[i].consent, jobs[i].yes = asked(&jobs[i].event), !jobs[i].event.Flags.Historical && consent.IsYes(&jobs[i].event)
		}
	}
	holdBack(jobs)
	for _, stage := range []func(context.Context, []*job){
		putOff(apart), r.claim, r.each(r.findTenant), r.readHeld, putOff(changesHead), r.each(r.decide), r.countLeads, r.show, r.each(r.makeRecord),
		r.writePointers, r.writeRecords, r.each(r.prepare), r.publish, r.publishForwarded, r.publishStandings, r.publishFiles,
	} {
		stage(ctx, jobs)
		holdBack(jobs)
	}
	finishing, cancel := queue.Finishing(ctx)
	defer cancel()
	r.sideBySide(finishing, jobs, r.finish)
	errs := make([]error, len(jobs))
	for i, j := range jobs {
		errs[i] = j.err
	}
	for i, err := range errs {
		switch {
		case !errors.Is(err, idempotency.ErrUnfinished):
		case ctx.Err() != nil:
			errs[i] = queue.ErrNotStarted
		default:
			errs[i] = r.Handle(ctx, heads[i:i+1])[0]
		}
	}
	return errs
}

// holdBack leaves the jobs unbegun that are behind one of their thread that failed.
func holdBack(jobs []*job) {
	heads, errs := make([]queue.Received, len(jobs)), make([]error, len(jobs))
	for i, j := range jobs {
		heads[i], errs[i] = j.head, j.err
	}
	queue.HoldBack(heads, errs)
	for i, j := range jobs {
		j.err = errs[i]
	}
}

// open returns the jobs that take part in the next stage.
func open(jobs []*job) (found []*job) {
	for _, j := range jobs {
		if j.err == nil {
			found = append(found, j)
		}
	}
	return found
}

// putOff returns a stage that leaves a job unbegun that is behind another of its thread if the two must not be decided side by side.
// What is decided of one depends on those before it by the thread's head alone.
func putOff(must func(before, j *job) bool) func(context.Context, []*job) {
	return func(_ context.Context, jobs []*job) {
		last := map[string]*job{}
		for _, j := range open(jobs) {
			if before := last[j.head.Group]; before != nil && (before.err != nil || must(before, j)) {
				j.err = queue.ErrNotStarted
			}
			last[j.head.Group] = j
		}
	}
}

// apart reports whether one of two jobs of a thread changes the head by what it is, asks what came before it, or is claimed.
func apart(before, j *job) bool {
	return slices.ContainsFunc([]*job{before, j}, func(j *job) bool {
		_, ours := sentKey(&j.event)
		return j.consent != nil || j.yes || ours || isOutreach(&j.event) || timerOf(&j.event) != "" || j.head.Attempt >= claimFrom
	})
}

// changesHead reports whether one of two jobs of a thread may change the head: because an outreach waits for its answer, or by what it
// proves.
func changesHead(before, j *job) bool {
	if j.held == nil || before.proves || j.proves {
		return true
	}
	head, err := conversation.Decode(j.held[j.headKey()].Data)
	return err != nil || len(head.Outreach) > 0 || len(head.Duplicates) > 0
}

// each returns a stage that does its part for every open job, in half of the time that is left.
func (r *Router) each(do func(context.Context, *job) error) func(context.Context, []*job) {
	return func(ctx context.Context, jobs []*job) {
		ctx, cancel := queue.Half(ctx)
		defer cancel()
		r.sideBySide(ctx, open(jobs), do)
	}
}

// sideBySide gives each job the error that do returns. A panic is its job's own.
func (r *Router) sideBySide(ctx context.Context, jobs []*job, do func(context.Context, *job) error) {
	queue.SideBySide(jobs, func(_ int, j *job) {
		ctx := j.logContext(ctx)
		defer func() {
			if value := recover(); value != nil {
				j.err = queue.Recovered(ctx, r.Logger, r.Meter, value)
			}
		}()
		j.err = do(ctx, j)
	})
}

// claim takes the claims of messages that were received before.
func (r *Router) claim(ctx context.Context, jobs []*job) {
	spare := 0
	if len(jobs) == 1 {
		spare = idempotency.MaxUnfinished
	}
	jobs = slices.DeleteFunc(open(jobs), func(j *job) bool { return j.head.Attempt < claimFrom })
	if len(jobs) == 0 {
		return
	}
	wanted := make([]idempotency.Wanted, len(jobs))
	for i, j := range jobs {
		wanted[i] = idempotency.Wanted{Key: eventKey(j.event.TenantID, j.event.EventID, idempotency.RouteClaim), MaxUnfinished: spare}
	}
	claims, errs := r.Claims.ClaimAll(ctx, wanted)
	for i, j := range jobs {
		j.claim, j.err = claims[i], errs[i]
		switch f := fault.Of(errs[i]); {
		case errors.Is(errs[i], idempotency.ErrCompleted):
			j.completed, j.err = true, nil
		case f != nil && f.Code == idempotency.CodeHeld:
			j.err = &queue.HeldError{For: f.Wait}
		}
	}
}

// readHeld reads what is held for all jobs by one call. A job that gets nothing by it reads for itself, and so does a single one.
func (r *Router) readHeld(ctx context.Context, jobs []*job) {
	jobs = open(jobs)
	var keys []store.Key
	for _, j := range jobs {
		keys = append(keys, j.keys()...)
	}
	if len(jobs) < 2 {
		return
	}
	held, err := r.Store.Get(ctx, keys...)
	if err != nil {
		return
	}
	for _, j := range jobs {
		n := len(j.keys())
		j.hold(held[:n])
		held = held[n:]
		j.proves = r.proves(ctx, j)
	}
}

// publish sends the deliveries of all jobs that are prepared.
func (r *Router) publish(ctx context.Context, jobs []*job) {
	var all []*outgoing
	for _, j := range open(jobs) {
		all = append(all, j.outgoing...)
	}
	r.send(ctx, all)
	for _, j := range jobs {
		for _, x := range j.outgoing {
			j.err = cmp.Or(j.err, x.err)
		}
	}
}

// finish completes or releases the claim, if there is one, and returns the error of the message.
func (r *Router) finish(ctx context.Context, j *job) error {
	since, tries := time.Now(), 0
	if j.err != nil {
		since = j.claim.RecordFailure(fault.Of(j.err))
	}
	if j.claim != nil {
		tries = claimFrom - 1 + j.claim.Attempt
	}
	switch {
	case j.claim == nil:
	case j.err == nil && j.moved == "":
		j.err = r.Claims.Complete(ctx, j.claim)
	case j.err == nil: // it goes on in the group of another thread
		j.err = r.Claims.Release(ctx, j.claim, "moved", false)
	default:
		sorted := fault.Of(j.err)
		if err := r.Claims.Release(ctx, j.claim, sorted.Code, sorted.Code == queue.CodePanic); err != nil {
			r.Logger.WarnContext(ctx, "claim was not released", slog.String("code", fault.Of(err).Code))
		}
	}
	switch {
	case j.err != nil:
		return &queue.FailingError{Since: since, Attempt: tries, Err: j.err}
	case j.completed:
		return nil
	}
	r.Logger.InfoContext(ctx, "routed", slog.String("tenant", j.event.TenantID), slog.String("type", string(j.event.Type)),
		slog.String("channel", string(j.event.Channel)), slog.Int("deliveries", len(j.outgoing)), slog.Bool("repeated", j.recorded != nil), slog.Bool("moved", j.moved != ""))
	return nil
}
