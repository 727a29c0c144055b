package router

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"signalbox/shared/audit"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"
)

// elapsed is how much older than a change of number the history of the new number is at least if it is another person's: clocks of
// providers differ.
const elapsed = 10 * time.Minute

// join makes the thread of an event part of another: what is held of its person, and one entry of the audit chain, in one write. A
// thread that has nothing yet is only another name of that one.
func (r *Router) join(ctx context.Context, j *job, pepper canonical.Pepper, held store.Record, head conversation.Head, to lead) error {
	e := &j.event
	records, err := r.Store.Get(ctx, conversation.Key(e.TenantID, to.thread))
	if err != nil {
		return err
	}
	root, err := conversation.Decode(records[0].Data)
	if err != nil {
		return err
	}
	if root.Joined != nil { // a moment ago
		return &store.ConflictError{Held: records[0]}
	}
	began, err := r.began(ctx, e.TenantID, e.ThreadID)
	if err != nil {
		return err
	}
	if holdsPhone(e, pepper) && e.Type == canonical.TypeIdentity && !began.IsZero() && began.Before(e.Timestamp.Add(-elapsed)) {
		return r.takeNumber(ctx, e, held, head, to.thread)
	}
	root.PersonKey = cmp.Or(root.PersonKey, to.personKey)
	head.PersonKey = person(e, j.tenant, pepper, head).Key
	var changes []store.Change
	if held.Version > 0 || !began.IsZero() {
		switch busy, err := r.underWay(ctx, e.TenantID, e.ThreadID); {
		case err != nil:
			return err
		case busy:
			return &queue.HeldError{For: joinWait}
		}
		if changes, err = r.absorb(ctx, e, head, &root, to.thread); err != nil {
			return err
		}
	}
	if phone := e.Customer().Phone; phone != "" {
		root.AddAliases(canonical.AliasID(pepper, canonical.Identifier{Kind: canonical.KindPhone, Value: phone}))
	}
	head.Joined = &conversation.Joined{Thread: to.thread, At: time.Now().UTC().Truncate(time.Millisecond), Event: e.EventID}
	for _, h := range []struct {
		record store.Record
		head   conversation.Head
	}{{held, head}, {records[0], root}} {
		data, err := conversation.Encode(h.head)
		if err != nil {
			return err
		}
		changes = append(changes, store.Change{Kind: store.Put, Record: store.Record{Key: h.record.Key, Version: h.record.Version, Data: data}})
	}
	_, err = r.Store.Write(ctx, changes...)
	return err
}

// absorb brings what is held of one person to another, and returns the entry of it in the tenant's audit chain. The person's key is that of
// whom CRMs were asked to hold first, so that no further record is made by the other's.
func (r *Router) absorb(ctx context.Context, e *canonical.Event, head conversation.Head, root *conversation.Head, to canonical.ThreadID) ([]store.Change, error) {
	if len(root.Links) == 0 {
		known := len(head.Links) > 0
		if !known {
			theirs, err1 := r.asked(ctx, e.TenantID, e.ThreadID)
			ours, err2 := r.asked(ctx, e.TenantID, to)
			if err := errors.Join(err1, err2); err != nil {
				return nil, err
			}
			known = theirs && !ours
		}
		if known {
			root.PersonKey, head.PersonKey = head.PersonKey, root.PersonKey
		}
	}
	if head.PersonKey != root.PersonKey {
		if err := consent.JoinPersons(ctx, r.Store, e.TenantID, head.PersonKey, root.PersonKey); err != nil {
			return nil, err
		}
	}
	root.Absorb(e.ThreadID, head)
	return audit.Of(r.Store, e.TenantID, "identity").Changes(ctx, audit.Entry{
		At: time.Now().UTC().Truncate(time.Millisecond), Action: "join", By: "router", Reason: "one event proves both to be one person",
		Subjects: []string{string(to), string(e.ThreadID), string(e.EventID)},
	})
}

// Bounds of looking at what was decided in a thread.
const (
	maxAsked = 25              // events, of which most asked a CRM for the person
	joinWait = time.Second     // until a delivery that is under way is looked at again
	joinMost = 5 * time.Minute // after it was decided, a delivery is waited for no longer: its CRM may be down
)

// underWay reports whether a CRM has not yet what was decided last in a thread. A delivery of what comes next, in another group of the
// CRM's queue, could overtake that. The order of deliveries within a group makes the last one of each CRM tell of all before it.
func (r *Router) underWay(ctx context.Context, tenant string, thread canonical.ThreadID) (bool, error) {
	records, err := r.decided(ctx, tenant, thread, true)
	if err != nil {
		return false, err
	}
	// The log is in the order of event times: what was decided last may be of an earlier one, or of the same.
	latest, last := map[string]time.Time{}, map[string][]decided{} // by CRM
	for _, record := range records {
		for _, c := range record.Decision.CRMs {
			switch at := record.RoutedAt; {
			case time.Since(at) >= joinMost || at.Before(latest[c.CRM]):
			case at.After(latest[c.CRM]):
				latest[c.CRM], last[c.CRM] = at, []decided{record}
			default:
				last[c.CRM] = append(last[c.CRM], record)
			}
		}
	}
	for crm, records := range last {
		for _, record := range records {
			if done, err := r.carriedOut(ctx, tenant, thread, crm, record); err != nil || !done {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// carriedOut reports whether a CRM has what was decided: by the claim of its delivery, which there is none of where another one showed
// the session.
func (r *Router) carriedOut(ctx context.Context, tenant string, thread canonical.ThreadID, crm string, d decided) (bool, error) {
	keys := []store.Key{eventKey(tenant, d.event, idempotency.DeliveryClaims+crm)}
	if name := d.Decision.Session; name != "" {
		keys = append(keys, session.MarkKey(tenant, thread, crm, name), session.StoreKey(tenant, thread, name))
	}
	held, err := r.Store.Get(ctx, keys...)
	if err != nil {
		return false, err
	}
	if held[0].Version == 0 && len(held) > 1 && held[2].Version > 0 {
		return session.Shown(held[1]) >= held[2].Version, nil
	}
	return idempotency.Ended(held[0])
}

// asked reports whether a CRM was asked to hold the person of a thread.
func (r *Router) asked(ctx context.Context, tenant string, thread canonical.ThreadID) (bool, error) {
	records, err := r.decided(ctx, tenant, thread, false)
	return slices.ContainsFunc(records, func(record decided) bool {
		return slices.ContainsFunc(record.Decision.CRMs, func(c CRMDecision) bool {
			return slices.ContainsFunc(c.Actions, delivery.Action.MakesPerson)
		})
	}), err
}

// decided is an event's record.
type decided struct {
	Record
	event canonical.EventID
}

// decided returns the records of the first events of a thread, or of the last ones, the last first. Those of an erased person are gone.
func (r *Router) decided(ctx context.Context, tenant string, thread canonical.ThreadID, last bool) ([]decided, error) {
	page, _, err := r.Log.List(ctx, store.Range{Partition: conversation.Key(tenant, thread).Partition, Prefix: logPrefix, Limit: maxAsked, Descending: last})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	var all []decided
	for record, err := range r.records(ctx, tenant, page) {
		if err != nil {
			return nil, err
		}
		all = append(all, record)
	}
	return all, nil
}

// records returns the records of events that are in a thread's log.
func (r *Router) records(ctx context.Context, tenant string, page []store.Record) iter.Seq2[decided, error] {
	return func(yield func(decided, error) bool) {
		keys := make([]store.Key, len(page))
		for i, pointer := range page {
			keys[i] = Key(tenant, loggedEvent(pointer))
		}
		records, err := r.Store.Get(ctx, keys...)
		if err != nil {
			yield(decided{}, err)
			return
		}
		for i, held := range records {
			if held.Version == 0 {
				continue
			}
			record, err := OpenRecord(ctx, r.sealer, held.Key, held.Data)
			if !fault.Is(err, keyring.CodeErased) && !yield(decided{record, loggedEvent(page[i])}, err) {
				return
			}
		}
	}
}

// takeNumber gives a phone number that was another person's to a thread, from an event on. What that person had said by it stays theirs.
func (r *Router) takeNumber(ctx context.Context, e *canonical.Event, held store.Record, head conversation.Head, to canonical.ThreadID) error {
	if !head.AddSuccessor(conversation.Successor{Thread: to, At: e.Timestamp.UTC(), Event: e.EventID}) {
		return nil
	}
	data, err := conversation.Encode(head)
	if err == nil {
		_, err = r.Store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: held.Key, Version: held.Version, Data: data}})
	}
	return err
}

// closeNumbers ends the time in which phone numbers were the person's from whom an event takes them: whoever writes by one of them
// later is somebody else, who has a thread and a key of their own and nothing of what was before. What comes late is of its own time.
func (r *Router) closeNumbers(ctx context.Context, e *canonical.Event, pepper canonical.Pepper) error {
	if e.Identity == nil || e.Identity.Reason == canonical.Rotated {
		return nil
	}
	for _, i := range e.Identity.Previous {
		if !isPhone(i) || i.Claimed || slices.Contains(e.Identity.Current, i) {
			continue
		}
		if err := r.closeNumber(ctx, e, pepper, canonical.NewThreadID(pepper, i.Value)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) closeNumber(ctx context.Context, e *canonical.Event, pepper canonical.Pepper, thread canonical.ThreadID) error {
	next, personKey := canonical.NextThreadID(pepper, thread, e.EventID)
	keys := []store.Key{conversation.Key(e.TenantID, thread), conversation.Key(e.TenantID, next)}
	held, err := r.Store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	head, err := conversation.Decode(held[0].Data)
	if err != nil || !head.AddSuccessor(conversation.Successor{Thread: next, At: e.Timestamp.UTC(), Event: e.EventID}) {
		return err
	}
	successor := conversation.Head{PersonKey: personKey, Identity: conversation.Identity{Reassigned: true}}
	var changes []store.Change
	for n, h := range []conversation.Head{head, successor} {
		data, err := conversation.Encode(h)
		if err != nil {
			return err
		}
		changes = append(changes, store.Change{Kind: store.Put, Record: store.Record{Key: keys[n], Version: held[n].Version, Data: data}})
	}
	pointer := canonical.Event{TenantID: e.TenantID, ThreadID: next}
	if err := r.Store.Note(ctx, threadPointer(&pointer)); err != nil {
		return err
	}
	_, err = r.Store.Write(ctx, changes...)
	return err
}

// forward makes the message by which a job goes on in the group of the thread that it is of. It has an id of its own there: the queue
// drops what it was sent in the last five minutes.
func (r *Router) forward(ctx context.Context, j *job) error {
	e := j.event
	e.ThreadID = j.moved
	body, err := canonical.Encode(e)
	if err == nil {
		body, err = envelope.Event(ctx, r.sealer, &e, body)
	}
	if err != nil {
		return err
	}
	id := string(e.EventID) + "." + strings.TrimPrefix(string(e.ThreadID), "t1_")[:16]
	j.forwarded = &queue.Message{ID: regenerated(id, j.generation), Group: string(e.ThreadID), Body: body, Trace: cmp.Or(j.head.Trace, e.Trace.Traceparent)}
	return nil
}

// publishForwarded sends what is of other threads than it came in.
func (r *Router) publishForwarded(ctx context.Context, jobs []*job) {
	var messages []queue.Message
	var of []*job
	for _, j := range open(jobs) {
		if j.forwarded != nil {
			messages, of = append(messages, *j.forwarded), append(of, j)
		}
	}
	if len(messages) == 0 {
		return
	}
	for i, err := range queue.Errors(r.Events.Publish(ctx, messages...), len(messages)) {
		of[i].err = err
	}
}

// sameThread reports whether an event that came in one thread may be the one that is recorded in another: both are part of one, or a
// number went from the one's person to the other's, and a copy of a webhook has a later time.
func (r *Router) sameThread(ctx context.Context, tenant string, recorded, came canonical.ThreadID) (bool, error) {
	a, err1 := r.root(ctx, tenant, recorded)
	b, err2 := r.root(ctx, tenant, came)
	if err := errors.Join(err1, err2); err != nil || a == b {
		return err == nil, err
	}
	held, err := r.Store.Get(ctx, conversation.Key(tenant, recorded))
	if err != nil {
		return false, err
	}
	head, err := conversation.Decode(held[0].Data)
	return slices.ContainsFunc(head.Successors, func(s conversation.Successor) bool { return s.Thread == came || s.Thread == b }), err
}
