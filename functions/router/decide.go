package router

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/deadletter"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/eventrecord"
	"signalbox/shared/fault"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// prepare makes the deliveries of a message by its decision, which is recorded, by this receive or an earlier one.
func (r *Router) prepare(ctx context.Context, j *job) error {
	event := j.event
	if j.moved != "" {
		return r.forward(ctx, j)
	}
	if j.recorded != nil {
		var err error
		if event, err = r.recordedEvent(ctx, j); err != nil || j.completed {
			return err
		}
		if err := r.restore(ctx, j, &event); err != nil {
			return err
		}
	}
	err := r.catchUp(ctx, j, &event)
	if err == nil {
		err = r.addReply(ctx, j, &event, &j.record.Decision)
	}
	if err == nil {
		err = r.markTold(ctx, event.TenantID, event.ThreadID, &j.record.Decision)
	}
	if err == nil {
		j.outgoing, err = r.deliveries(ctx, j, event)
	}
	return err
}

// recordedEvent reads a job's record and returns the event that it holds, which stands: a copy of a webhook may have another time.
func (r *Router) recordedEvent(ctx context.Context, j *job) (event canonical.Event, err error) {
	if j.record, err = OpenRecord(ctx, r.sealer, Key(j.event.TenantID, j.event.EventID), j.recorded.Data); err != nil {
		return event, err
	}
	if event, err = j.record.decode(); err != nil {
		return event, err
	}
	if event.ThreadID != j.event.ThreadID {
		same, err := r.sameThread(ctx, event.TenantID, event.ThreadID, j.event.ThreadID)
		if err != nil {
			return event, err
		}
		if !same {
			return event, fault.New(fault.Permanent, CodeReused, nil)
		}
	}
	event.LineID = j.tenant.MainLine(event.LineID)
	if told := j.record.Decision.Told; told != nil {
		event.Timestamp = told.At
	}
	nameReaction(&event, j.record.Decision.TookBack)
	return event, nil
}

// decode reads the event of a message.
func decode(head queue.Received) (canonical.Event, error) {
	e, err := canonical.Decode(head.Body)
	if sorted := fault.Of(err); sorted != nil {
		return e, canonical.Awaited(sorted, head.FirstSent)
	}
	if e.TenantID == "" || e.ThreadID == "" {
		return e, fault.New(fault.Permanent, canonical.CodeInvalid, errors.New("tenantId and threadId are required here"))
	}
	return e, nil
}

// keys returns the keys of what is read before deciding: the thread's head and, for a change of consent and an outreach, the
// event's record. A provider that gives no time makes a late copy of a webhook look new. What was recorded of the first one
// stands, so that such a copy changes no consent, and no outreach waits again that was answered. Of an event that was routed
// completely it shows whether that was this one. Of a message of ours that is known by another event, what is kept of it shows that.
//
// Where what is said is shown together, that and the record are read, too: a copy with another time must not be shown twice.
func (j *job) keys() []store.Key {
	keys := []store.Key{j.headKey()}
	shown := j.shownKeys()
	sent, ours := sentKey(&j.event)
	if j.consent != nil || j.yes || j.completed || ours || isOutreach(&j.event) || len(shown) > 0 {
		keys = append(keys, Key(j.event.TenantID, j.event.EventID))
	}
	if ours {
		keys = append(keys, sent)
	}
	return append(keys, shown...)
}

func (j *job) headKey() store.Key { return conversation.Key(j.event.TenantID, j.event.ThreadID) }

// hold keeps what was read for a job.
func (j *job) hold(records []store.Record) {
	j.held = make(map[store.Key]store.Record, len(records))
	for _, record := range records {
		j.held[record.Key] = record
	}
}

// findTenant finds the tenant of a job.
func (r *Router) findTenant(ctx context.Context, j *job) (err error) {
	j.tenant, err = r.Tenants.Tenant(ctx, j.event.TenantID)
	if errors.Is(err, tenant.ErrUnknown) {
		return fault.New(fault.Blocked, CodeTenantUnknown, nil)
	}
	j.line, j.event.LineID = j.event.LineID, j.tenant.MainLine(j.event.LineID)
	return err
}

// decide finds the event's record where one was written before, or makes one.
func (r *Router) decide(ctx context.Context, j *job) error {
	e := &j.event
	pepper, err := r.lookUp(ctx, j)
	if err != nil {
		return err
	}
	if recorded := j.held[Key(e.TenantID, e.EventID)]; recorded.Version > 0 {
		j.recorded = &recorded
		j.known, err = conversation.Decode(j.held[j.headKey()].Data)
		return err
	}
	threadHead, head, err := r.findThread(ctx, j, pepper, j.held[j.headKey()])
	if err != nil || j.moved != "" {
		return err
	}
	j.newThread, j.known = threadHead.Version == 0, head
	d := Decision{Rules: j.tenant.Version, Person: person(e, j.tenant, pepper, head), Consent: j.consent}
	subject := consent.NewSubject(pepper, e.TenantID, identifier(e.Customer()), d.Person.Key, head.Reassigned)
	if timerOf(e) != "" {
		return r.decideTimer(ctx, j, head, d)
	}
	if j.yes {
		if d.Consent, err = r.pendingOptIn(ctx, e, j.tenant.Consent, subject); err != nil {
			return err
		}
	}
	if d.Consent == nil {
		j.threadHead = &threadHead
	}
	d.Owed = owed(e, d.Consent, j.tenant.Answers[j.line])
	if d.Told, err = r.findTold(ctx, j); err != nil {
		return err
	}
	if d.TookBack, err = r.findReaction(ctx, e); err != nil {
		return err
	}
	d.AutoReply = e.Direction == canonical.Inbound && automatic(e)
	if d.Reply, err = r.findReply(ctx, e, d.Told, &head); err != nil {
		return err
	}
	if d.Superseded, err = r.applyConsent(ctx, e, d.Consent, change{j.tenant, pepper, subject, head, threadHead}); err != nil {
		return err
	}
	if err := r.noteReach(ctx, j, pepper, d.Person.Key, &threadHead); err != nil {
		return err
	}
	if err := r.noteTurn(ctx, j, &d, threadHead); err != nil {
		return err
	}
	return r.conclude(ctx, j, pepper, head, d)
}

// conclude decides by the tenant's rules what CRMs are to do; of whom they would make somebody new, when new people are counted.
func (r *Router) conclude(ctx context.Context, j *job, pepper canonical.Pepper, head conversation.Head, d Decision) error {
	e := &j.event
	decided := r.askRules(j, pepper, head, &d)
	if makesLead(decided, head) {
		if d.NoLead = noLead(e, &d, j.tenant); d.NoLead == "" && counts(e) {
			j.newcomer = &newcomer{decision: d, decided: decided, head: head}
			return nil
		}
	}
	if err := r.tellNumber(ctx, j, pepper, head, &d); err != nil {
		return err
	}
	if j.dead != nil {
		head = *j.dead
		tellDead(j, &decided)
	}
	applyRules(j.tenant, head, decided, given{}, &d)
	j.decision = &d
	return nil
}

// lookUp returns the pepper of the job's tenant, and reads what is held under the job's keys unless that was done.
func (r *Router) lookUp(ctx context.Context, j *job) (canonical.Pepper, error) {
	pepper, err := r.Peppers.Pepper(ctx, j.event.TenantID)
	if err != nil || j.held != nil {
		return pepper, err
	}
	held, err := r.Store.Get(ctx, j.keys()...)
	j.hold(held)
	return pepper, err
}

// askRules returns what the tenant's rules say.
func (r *Router) askRules(j *job, pepper canonical.Pepper, head conversation.Head, d *Decision) rules.Decision {
	e, t := &j.event, j.tenant
	facts := rules.Facts{
		Type: e.Type, Direction: e.Direction, Channel: e.Channel, At: e.Timestamp, Known: map[string]bool{},
		ByHand: writtenByPerson(e) && !e.Flags.Historical, // what is filled in later says nothing of what runs now
	}
	said := *e
	if t.TimelineOf(e.LineID).Words == tenant.WordsDigest {
		said = withoutWords(said, pepper)
	}
	facts.Summary = description(&said)
	if d.Reply != nil {
		facts.Replied = d.Reply.At
	}
	if d.Consent != nil {
		facts.Keyword = d.Consent.Keyword
		if !ofMarketing(d.Consent) && (!d.Superseded || e.Direction == canonical.Status) { // what a provider repeats may be news to a CRM
			facts.Consent = d.Consent.State
		}
	}
	names := t.CRMNames()
	for _, name := range names {
		facts.Known[name] = head.LinkedTo(name)
	}
	if imported(e) {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !facts.Known[name] })
	}
	if e.Type == canonical.TypeIdentity { // nobody said anything
		names = nil
	}
	decided := r.Engine.Decide(t.Rules, t.Version, names, facts)
	if e.Flags.Historical { // what is filled in later is nobody's work now
		decided = without(decided, delivery.Kind.Works)
	}
	if isVerdict(e) && !byMessage(t.TimelineOf(e.LineID)) {
		decided = asActivities(decided)
	}
	for i, c := range decided.CRMs {
		if makesNobody(e, c.Actions) {
			decided.CRMs[i].Actions = withoutLead(c.Actions, given{}, c.CRM)
		}
	}
	return d.Told.withoutRepetition(decided)
}

// applyRules completes a decision by what the tenant's rules say and what becomes of whom they make.
func applyRules(t tenant.Tenant, head conversation.Head, decided rules.Decision, made given, d *Decision) {
	d.Matched, d.Owner = decided.Matched, made.owner.Name
	for _, c := range decided.CRMs {
		// Receipts have a lane of their own. One that is here changes no status: connectors take that from their receipts queue.
		c.Actions = slices.DeleteFunc(c.Actions, func(a delivery.Action) bool {
			return a.Kind == delivery.RaiseStatus || a.Kind == delivery.SetConsent && d.Superseded
		})
		switch {
		case head.LinkedTo(c.CRM):
		case d.NoLead != "":
			c.Actions = withoutLead(c.Actions, made, c.CRM)
		default:
			c.Actions = withOwner(c.Actions, made, c.CRM)
		}
		closeTogether(c.Actions, t)
		c.Actions = withOptOuts(c.Actions, c.CRM, t.Rules, head)
		if len(c.Actions) == 0 {
			continue
		}
		crm, _ := t.CRM(c.CRM)
		d.CRMs = append(d.CRMs, CRMDecision{CRM: c.CRM, Kind: crm.Kind, Links: head.Links[c.CRM], Actions: c.Actions, Why: c.Why})
	}
	tellDuplicates(t, head, d)
}

func shorten(s string, most int) string {
	count := 0
	for i := range s {
		if count == most {
			return s[:i]
		}
		count++
	}
	return s
}

// makeRecord makes the record of what was decided now and its pointers, which are written before it.
func (r *Router) makeRecord(ctx context.Context, j *job) error {
	if j.decision == nil {
		return nil
	}
	d, now := *j.decision, time.Now().UTC()
	j.record = Record{Format: recordFormat, RoutedAt: now.Truncate(time.Millisecond), Event: j.head.Body, Decision: d}
	key := Key(j.event.TenantID, j.event.EventID)
	data, err := r.encoder.Encode(&j.record)
	if err == nil {
		data, err = r.sealer.SealPerson(ctx, eventrecord.Place(key), d.Person.Key, data)
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(d.CRMs, ownedLater) {
		if err := r.addTimer(ctx, j, &j.event, d.Person.Key, owning, now.Add(j.tenant.Leads.OwnerWithin())); err != nil {
			return err
		}
	}
	if err := r.addClosing(ctx, j); err != nil {
		return err
	}
	j.pointers = append(pointers(j, now.Add(Retention+24*time.Hour)), j.pointers...)
	j.change = &store.Change{Record: store.Record{Key: key, Expires: now.Add(Retention), Data: data}}
	return nil
}

// kind returns the kind of the binding that a decision names: by the configuration in force, so that correcting a tenant's file
// frees what waits, and by the decision where this process has read no configuration as new as the one that decided. "" is a
// binding that was removed.
func (d *Decision) kind(c CRMDecision, t tenant.Tenant) string {
	if t.Version < d.Rules {
		return c.Kind
	}
	crm, _ := t.CRM(c.CRM)
	return crm.Kind
}

// regenerated returns the id of a message of a generation.
func regenerated(id string, generation int) string {
	if generation == 0 {
		return id
	}
	return id + ":" + strconv.Itoa(generation)
}

// deliveries makes a message of what each CRM is to do about the event.
func (r *Router) deliveries(ctx context.Context, j *job, event canonical.Event) ([]*outgoing, error) {
	decision := &j.record.Decision
	pepper, err := r.Peppers.Pepper(ctx, event.TenantID)
	if err != nil {
		return nil, err
	}
	before, timeline := event, j.tenant.TimelineOf(event.LineID)
	if err := r.askForFiles(ctx, j, &event, decision); err != nil {
		return nil, err
	}
	files := 0
	if timeline.Files == tenant.FilesInCRM && r.keepsFiles(&event, decision, j.tenant) {
		files = len(media.Files(event.Message))
	}
	event = r.told(event, decision, j.tenant, pepper)
	event.Flags.Replayed = event.Flags.Replayed || j.event.Flags.Replayed
	var out []*outgoing
	for _, c := range decision.CRMs {
		d := delivery.Delivery{
			ID: delivery.NewID(event.EventID, c.CRM), CRM: c.CRM, Generation: j.generation, Event: event,
			Person: decision.Person, Actions: c.Actions, Why: c.Why,
		}
		d.Person.Links = c.Links
		if timeline.Words == tenant.WordsDigest {
			d.Actions = describedBy(c.Actions, &before, &event)
		}
		if logs(c.Actions) {
			d.Session, d.Conversation = j.volume.reference(timeline.Window), decision.Conversation
		}
		body, err := envelope.Delivery(ctx, r.sealer, &d, delivery.Encode(&d))
		if err != nil {
			return nil, err
		}
		kind, stage := decision.kind(c, j.tenant), deadletter.StageDeliver(c.CRM)
		out = append(out, &outgoing{kind: kind, stage: stage, from: &j.head, message: queue.Message{
			ID: regenerated(string(d.ID), j.generation), Group: string(event.ThreadID), Body: body, Trace: cmp.Or(j.head.Trace, event.Trace.Traceparent),
		}})
		if logs(c.Actions) {
			put, err := r.attached(ctx, j, d, files, kind)
			if err != nil {
				return nil, err
			}
			out = append(out, put...)
		}
	}
	return out, nil
}
