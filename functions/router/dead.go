package router

import (
	"context"
	"slices"

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
// came from it, or a message arrived there after all. Known is what was read of the head. What was said before the verdict, and comes later, takes nothing back.
func (r *Router) noteReach(ctx context.Context, j *job, pepper canonical.Pepper, held *store.Record) error {
	e := &j.event
	name := conversation.DeadName(e.Channel, canonical.NewThreadID(pepper, identifier(e.Customer())))
	_, known := j.known.Dead[name]
	dead := isDeadAddress(e)
	if !dead && (!known || e.Direction != canonical.Inbound && !isArrival(e)) {
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
