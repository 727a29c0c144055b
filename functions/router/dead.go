package router

import (
	"context"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/receipt"
	"signalbox/shared/rules"
	"signalbox/shared/store"
)

// isDeadAddress reports whether an event tells that the address of a message takes none. What a history says of it may be long over.
func isDeadAddress(e *canonical.Event) bool {
	return isFailure(e) && e.Receipt.Reason == receipt.InvalidNumber && !e.Flags.Historical
}

// noteReach notes in the head of a thread that the address of a message takes none, for whoever is going to send, or that it does: something
// came from it, or a message arrived there after all. Known is what was read of the head. What was said before the verdict, and comes later, takes
// nothing back; of what was said after it, and came earlier, the verdict is no news. Whether another message arrives that is sent there is looked
// for later: to the router nobody tells of those.
func (r *Router) noteReach(ctx context.Context, j *job, pepper canonical.Pepper, person string, held *store.Record) error {
	e := &j.event
	name := deadName(e, pepper)
	since, known := j.known.Dead[name]
	dead := isDeadAddress(e)
	switch {
	case dead && !known:
		wrote, err := r.wroteSince(ctx, j, pepper)
		if err != nil || wrote {
			return err
		}
	case dead || known && (e.Direction == canonical.Inbound || isArrival(e)):
	case known && e.Direction == canonical.Outbound && e.Type == canonical.TypeMessage && e.Timestamp.After(since.At):
		return r.addTimer(ctx, j, e, person, reach, time.Now().Add(reachAfter))
	default:
		return nil
	}
	j.threadHead = nil
	return conversation.Update(ctx, r.Store, held.Key, held, func(h *conversation.Head) bool {
		j.dead = nil
		if !dead {
			return h.Revive(name, e.Timestamp)
		}
		noted, changed := h.AddDead(name, conversation.Dead{At: e.Timestamp.UTC(), Event: e.EventID})
		if noted.Event == e.EventID { // a repeat tells again: whoever noted it may have told nobody
			j.dead = new(*h)
		}
		return changed
	})
}

// reachAfter is when it is looked whether a message arrived, and reachFor how long. A timer comes later than five minutes after the one before of
// its id, which the queue would take for the same.
const (
	reachAfter = time.Hour
	reachFor   = 3 * 24 * time.Hour
)

// deadName returns the name in a head of the address of an event's person.
func deadName(e *canonical.Event, pepper canonical.Pepper) string {
	return conversation.DeadName(e.Channel, canonical.NewThreadID(pepper, identifier(e.Customer())))
}

// wroteSince reports whether something came from the address of a job's event after it.
func (r *Router) wroteSince(ctx context.Context, j *job, pepper canonical.Pepper) (bool, error) {
	name := deadName(&j.event, pepper)
	for _, thread := range append([]canonical.ThreadID{j.event.ThreadID}, j.known.Members...) {
		for e, err := range r.later(ctx, &j.event, thread) {
			if err != nil || e.Direction == canonical.Inbound && deadName(&e, pepper) == name {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// lookForArrival looks whether the message arrived that a timer was set by, to an address that takes none. It leaves no record: a copy finds the
// same.
func (r *Router) lookForArrival(ctx context.Context, j *job, person string) error {
	record, err := r.causeOf(ctx, j)
	if err != nil || record == nil {
		return err
	}
	e, err := record.decode()
	if err != nil {
		return err
	}
	pepper, err := r.Peppers.Pepper(ctx, e.TenantID)
	if err != nil {
		return err
	}
	held, err := receipt.Read(ctx, r.Store, e.TenantID, []string{canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, e.ProviderMessageID)})
	switch {
	case err != nil:
		return err
	case receipt.Arrived(held[0].State):
		return conversation.Update(ctx, r.Store, j.headKey(), nil, func(h *conversation.Head) bool { return h.Revive(deadName(&e, pepper), held[0].At) })
	case receipt.IsEnd(held[0].State) || time.Since(e.ReceivedAt) > reachFor:
		return nil
	}
	timer, err := r.newTimer(ctx, &e, person, reach, time.Now().Add(12*reachAfter))
	if err != nil {
		return err
	}
	return r.Store.Note(ctx, timer)
}

// tellDead adds to what rules decided a task for each CRM that is known to hold the person.
func tellDead(j *job, decided *rules.Decision) {
	for _, name := range j.tenant.CRMNames() {
		if !j.dead.LinkedTo(name) {
			continue
		}
		i := slices.IndexFunc(decided.CRMs, func(c rules.CRMDecision) bool { return c.CRM == name })
		if i < 0 {
			decided.CRMs = append(decided.CRMs, rules.CRMDecision{CRM: name})
			i = len(decided.CRMs) - 1
		}
		c := &decided.CRMs[i]
		c.Actions = append(slices.Clone(c.Actions), deadAddress(&j.event))
		c.Why = append(slices.Clone(c.Why), delivery.RuleReference{Rule: receipt.InvalidNumber, Version: j.tenant.Version})
	}
}

// deadAddress returns the task that says that an address takes no messages.
func deadAddress(e *canonical.Event) delivery.Action {
	return delivery.Action{Kind: delivery.Notify, Value: map[string]string{
		"about":   "address/" + string(e.EventID),
		"subject": "Messages do not reach this person by " + string(e.Channel),
		"text": "The provider says that " + receipt.Explain(e.Receipt.Reason, e.Receipt.Error) + ". It may be a landline, or be given up. " +
			"Ask for another one, and correct this record.",
		delivery.OfWhom: delivery.Held,
	}}
}
