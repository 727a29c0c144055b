package deadletter

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// The codes of what cannot be put back.
const (
	CodeStage = "stage_unknown"     // nobody can tell which queue it came from
	CodeQueue = "queue_not_known"   // no queue belongs to its stage
	CodeBody  = "body_incomplete"   // a part of its body is gone
	CodeID    = "message_id_long"   // no generation fits behind its id
	maxID     = 128                 // of a message
	trailing  = `:[1-9][0-9]{0,8}$` // a generation at the end of an id
)

// Redriver puts dead letters back on the queues they came from. What its work was given up for is reopened first, with
// everything it had achieved, and the message goes out under an id that was never used: `<id>:<generation>`. It is safe to be
// asked twice: two generations of a message have one effect.
type Redriver struct {
	store    idempotency.ReopenStore
	claims   *idempotency.Reopener
	bindings redrive.Bindings
	queues   map[string]queue.Publisher
	margin   time.Duration
	logger   *slog.Logger
	reporter redrive.Reporter
}

// NewRedriver returns a Redriver over the state table. Queues are by the stage whose messages come from them: route,
// route-receipts, media, and for each kind of CRM deliver-<kind> and receipts-<kind>. Nothing is begun with less than margin left of an
// invocation.
func NewRedriver(s idempotency.ReopenStore, b redrive.Bindings, queues map[string]queue.Publisher, margin time.Duration, logger *slog.Logger, meter *telemetry.Meter) *Redriver {
	return &Redriver{
		store: s, claims: idempotency.NewReopener(s), bindings: b, queues: queues, margin: margin, logger: logger,
		reporter: redrive.Reporter{Done: "redrive", Failed: "not redriven", Metric: "Redriven", Logger: logger, Meter: meter},
	}
}

// Redrive carries out a request. A request that is invalid is a Result with Problems; the error is what is not its fault, by
// its code alone: the same request may be sent again.
func (r *Redriver) Redrive(ctx context.Context, q redrive.Request) (redrive.Result, error) {
	problems := append(q.Check(redrive.Plan, redrive.Redrive), choiceProblems(q, time.Now())...)
	if len(problems) > 0 {
		return redrive.Result{Problems: problems}, nil
	}
	result, err := r.redrive(ctx, q)
	return r.reporter.Report(ctx, q.Common, result, err)
}

func (r *Redriver) redrive(ctx context.Context, q redrive.Request) (redrive.Result, error) {
	chosen, err := r.selectLetters(ctx, q)
	if err != nil {
		return redrive.Result{}, err
	}
	result := redrive.Result{More: chosen.more, Next: chosen.next}
	for _, id := range chosen.missing {
		result.Add(redrive.Item{ID: id, Outcome: redrive.Missing})
	}
	if len(chosen.letters) == 0 {
		if !chosen.more && q.After == "" && q.Tenant != deadletter.NoTenant {
			kinds, err := r.bindings.Kinds(ctx, q.Tenant)
			result.Problems = unknownNames(q, kinds)
			return result, err
		}
		return result, nil
	}
	if q.Action == redrive.Redrive {
		subjects := make([]string, len(chosen.letters))
		for i, l := range chosen.letters {
			subjects[i] = l.rec.Stage + " " + name(l.rec)
		}
		if err := q.Audit(ctx, r.store, subjects); err != nil {
			return redrive.Result{}, err
		}
	}
	kinds, err := r.bindings.Kinds(ctx, q.Tenant)
	if err != nil {
		return redrive.Result{}, err
	}
	all := make([]*outgoing, len(chosen.letters))
	for i, l := range chosen.letters {
		all[i] = &outgoing{letter: l, kinds: kinds, item: redrive.Item{ID: name(l.rec), Stage: l.rec.Stage}}
		r.prepare(ctx, q, all[i])
	}
	if q.Action == redrive.Redrive {
		r.send(ctx, all)
	}
	for _, p := range all {
		result.Add(p.item)
		if p.item.Outcome == redrive.Parse {
			if result.Parse == nil {
				result.Parse = map[string][]string{}
			}
			result.Parse[p.letter.rec.Provider] = append(result.Parse[p.letter.rec.Provider], p.item.ID)
		}
	}
	return result, nil
}

// name returns what a dead letter is asked for by.
func name(rec deadletter.Record) string {
	if rec.EventID != "" {
		return rec.EventID
	}
	return rec.ID
}

// outgoing is one dead letter that is put back.
type outgoing struct {
	letter  letter
	kinds   map[string]string // of the tenant's CRMs
	to      string            // the stage whose queue it goes to
	held    store.Record
	body    []byte
	item    redrive.Item
	message *queue.Message // nil while nothing is to be sent
}

func (p *outgoing) fail(err error) {
	p.item.Outcome, p.item.Code = redrive.Failed, fault.Of(err).Code
	p.body, p.message = nil, nil
}

// prepare finds out what can be done about a dead letter and, unless it is a plan, does everything but sending it.
func (r *Redriver) prepare(ctx context.Context, q redrive.Request, p *outgoing) {
	rec := p.letter.rec
	ctx = telemetry.WithEvent(telemetry.WithTrace(ctx, rec.Trace), name(rec))
	state, err := r.state(ctx, p)
	switch {
	case rec.Stage == deadletter.StageReceive && rec.Provider != "":
		p.item.Outcome, p.item.Code = redrive.Parse, rec.Code
	case err != nil:
		p.fail(err)
	case state == idempotency.Completed:
		p.item.Outcome = redrive.Completed
		if q.Action == redrive.Redrive {
			if err := deadletter.Settle(ctx, r.store, p.held, deadletter.Completed, rec.RedrivenAs); err != nil {
				p.fail(err)
			}
		}
	case state == idempotency.Claimed:
		p.item.Outcome, p.item.Code = redrive.Busy, idempotency.CodeHeld
	case q.Action == redrive.Plan:
		p.item.Outcome, p.item.Code = redrive.Ready, rec.Code
	default:
		r.reopen(ctx, p)
	}
}

// state returns the state of the work of a dead letter. An error says why it cannot be put back.
func (r *Redriver) state(ctx context.Context, p *outgoing) (state idempotency.State, err error) {
	stage := p.letter.rec.Stage
	if redrive.OutOfTime(ctx, r.margin) {
		return state, fault.New(fault.Retryable, fault.CodeOutOfTime, nil)
	}
	if stage == deadletter.StageReceive || stage == deadletter.StageUnknown {
		return state, fault.New(fault.Permanent, CodeStage, nil)
	}
	if p.held, p.body, err = r.load(ctx, &p.letter); err != nil {
		return state, err
	}
	if p.to, err = destination(stage, p.letter.crm, p.kinds); err != nil {
		return state, err
	}
	if r.queues[p.to] == nil {
		return state, fault.New(fault.Permanent, CodeQueue, nil)
	}
	key := p.letter.claim()
	if key.Sort == "" {
		return idempotency.Absent, nil
	}
	state, err = r.claims.State(ctx, key)
	if state == idempotency.Completed && stage == deadletter.StageRoute {
		return idempotency.Open, err // the router's claim counts its crashes: it says nothing about what was sent
	}
	return state, err
}

// destination returns the stage whose queue a message goes to. The stage of a dead letter, or its body, names a binding; queues
// are those of kinds, and of which kind a binding is the configuration in force says.
func destination(stage, crm string, kinds map[string]string) (string, error) {
	of, name, ok := deadletter.CutStage(stage)
	if !ok {
		return stage, nil
	}
	kind, bound := kinds[cmp.Or(crm, name)]
	if !bound {
		return "", fault.New(fault.Permanent, deadletter.CodeUnbound, nil)
	}
	return of(kind), nil
}

// reopen takes a generation, reopens the claims and makes the message.
func (r *Redriver) reopen(ctx context.Context, p *outgoing) {
	rec := p.letter.rec
	partition := deadletter.Key(rec).Partition
	generation, err := r.claims.NextGeneration(ctx, partition, max(rec.Generation, rec.RedrivenAs))
	if err != nil {
		p.fail(err)
		return
	}
	state := idempotency.Absent
	switch key := p.letter.claim(); {
	case key.Sort == "":
	case rec.Stage == deadletter.StageRoute:
		state, err = r.claims.ReopenRoute(ctx, partition, generation)
	default:
		state, err = r.claims.Reopen(ctx, key, generation)
	}
	id := fmt.Sprintf("%s:%d", regexp.MustCompile(trailing).ReplaceAllString(rec.ID, ""), generation)
	switch {
	case err != nil:
		p.fail(err)
	case state == idempotency.Claimed:
		p.item.Outcome, p.item.Code = redrive.Busy, idempotency.CodeHeld
	case len(id) > maxID:
		p.fail(fault.New(fault.Permanent, CodeID, nil))
	default:
		p.item.Generation = generation
		p.message = &queue.Message{ID: id, Group: rec.Group, Trace: rec.Trace, Body: withGeneration(p.body, rec.Stage, generation)}
	}
}

// send publishes what was prepared, in order, and settles what was accepted. A dead letter is settled only afterwards: should
// this end in between, it is redriven again, which has no second effect.
func (r *Redriver) send(ctx context.Context, all []*outgoing) {
	byStage := map[string][]*outgoing{}
	for _, p := range all {
		if p.message != nil {
			byStage[p.to] = append(byStage[p.to], p)
		}
	}
	for _, stage := range slices.Sorted(maps.Keys(byStage)) {
		messages := make([]queue.Message, len(byStage[stage]))
		for i, p := range byStage[stage] {
			messages[i] = *p.message
		}
		for i, err := range queue.Errors(r.queues[stage].Publish(ctx, messages...), len(messages)) {
			r.settle(ctx, byStage[stage][i], err)
		}
	}
}

// settle records what became of a message that was published.
func (r *Redriver) settle(ctx context.Context, p *outgoing, err error) {
	rec := p.letter.rec
	ctx = telemetry.WithEvent(telemetry.WithTrace(ctx, rec.Trace), name(rec))
	if err != nil {
		p.fail(err)
		return
	}
	p.item.Outcome = redrive.Redriven
	r.logger.InfoContext(ctx, "dead letter put back", slog.String("stage", rec.Stage), slog.Int("generation", p.item.Generation))
	if err := deadletter.Settle(ctx, r.store, p.held, deadletter.Redriven, p.item.Generation); err != nil {
		r.logger.WarnContext(ctx, "dead letter was put back and is not marked so", slog.String("code", fault.Of(err).Code))
	}
}
