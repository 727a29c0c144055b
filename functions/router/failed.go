package router

import (
	"cmp"
	"context"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/receipt"
	"signalbox/shared/rules"
	"signalbox/shared/session"
)

// verdict is that a message of ours was not delivered, or was after all.
type verdict struct {
	provider, account, id string
	failure               session.Failure // zero if it arrived
}

// isFailure reports whether an event tells that a message of ours was not delivered.
func isFailure(e *canonical.Event) bool {
	return e.Type == canonical.TypeReceipt && e.Receipt != nil && receipt.IsEnd(e.Receipt.State)
}

// isArrival reports whether an event tells that a message of ours was delivered.
func isArrival(e *canonical.Event) bool {
	return e.Type == canonical.TypeReceipt && e.Receipt != nil && receipt.Arrived(e.Receipt.State)
}

// isVerdict reports whether an event tells whether a message of ours was delivered.
func isVerdict(e *canonical.Event) bool { return isFailure(e) || isArrival(e) }

// verdictOf returns what a status says of the message of a receipt.
func verdictOf(provider, account, id string, s receipt.Status) verdict {
	v := verdict{provider: provider, account: account, id: id}
	if receipt.IsEnd(s.State) {
		v.failure = session.Failure{Failed: cmp.Or(s.Error, s.State), Reason: s.Reason}
	}
	return v
}

// asActivities returns what rules decided of a receipt as what makes CRMs that are to show it show the session of its message.
func asActivities(decided rules.Decision) rules.Decision {
	for i, c := range decided.CRMs {
		decided.CRMs[i].Actions = slices.Clone(c.Actions)
		for k, a := range c.Actions {
			if a.Kind == delivery.RaiseStatus {
				decided.CRMs[i].Actions[k] = delivery.Action{Kind: delivery.LogActivity}
			}
		}
	}
	return decided
}

// verdict returns what is known of the message that an event is about: it may have arrived before it is told that it failed.
func (r *Router) verdict(ctx context.Context, e *canonical.Event) (verdict, error) {
	id, status := messageOf(e), receipt.Of(e)
	held, err := receipt.Read(ctx, r.Store, e.TenantID, []string{canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, id)})
	if err != nil {
		return verdict{}, err
	}
	if held[0].Rank() > status.Rank() {
		status = held[0]
	}
	return verdictOf(e.Provider, e.AccountID, id, status), nil
}

// judge marks the message that the event of a job is about as failed or not, in the session that has it. Where none has, no session is shown.
func (s *shelf) judge(ctx context.Context, j *job) error {
	s.hold(j)
	what, err := s.verdict(ctx, &j.event)
	if err != nil {
		return err
	}
	if _, err := s.list(ctx, &j.event, j, j.event.ReceivedAt.Add(time.Millisecond)); err != nil {
		return err
	}
	timeline := j.tenant.TimelineOf(j.event.LineID)
	for _, v := range s.volumes {
		sealed := len(v.record.Entries) > 0 && j.event.ReceivedAt.After(v.last().Add(timeline.SealAfter))
		if !sealed && v.record.HoldsSent(what.provider, what.account, what.id) {
			s.mark(j, v, what)
			j.decision.Session = v.place.Name()
			return nil
		}
	}
	j.decision.CRMs = withoutActivities(j.decision.CRMs)
	return nil
}

// mark makes a verdict part of a volume.
func (*shelf) mark(j *job, v *volume, what verdict) {
	v.verdicts = append(v.verdicts, what)
	j.volume, j.merged = v, append(j.merged, &v.merged)
}

// withoutActivities returns what is left for CRMs to do where nothing is shown.
func withoutActivities(of []CRMDecision) (left []CRMDecision) {
	for _, c := range of {
		c.Actions = slices.DeleteFunc(slices.Clone(c.Actions), func(a delivery.Action) bool { return a.Kind == delivery.LogActivity })
		if len(c.Actions) > 0 {
			left = append(left, c)
		}
	}
	return left
}

// catchUp shows what receipts said of a message of ours before it came: they found nobody who had told of it.
func (r *Router) catchUp(ctx context.Context, j *job, e *canonical.Event) error {
	d := &j.record.Decision
	if _, ours := sentKey(e); !ours || d.Session == "" && !d.Conversation {
		return nil
	}
	id := canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, e.ProviderMessageID)
	held, err := receipt.Read(ctx, r.Store, e.TenantID, []string{id})
	if err != nil || held[0].Rank() < 0 {
		return err
	}
	status := held[0]
	if d.Conversation {
		if _, err := conversation.UpdateStates(ctx, r.Store, e.TenantID, e.ThreadID, nil, func(c *conversation.Conversations) bool {
			_, changed := c.RaiseReceipt(id, status)
			return changed
		}); err != nil {
			return err
		}
	}
	if v := j.volume; v != nil && receipt.IsEnd(status.State) {
		v.verdicts = append(v.verdicts, verdictOf(e.Provider, e.AccountID, e.ProviderMessageID, status))
		v.meet(ctx, v.held)
		r.write(ctx, nil, []*merged{&v.merged})
		return v.err
	}
	return nil
}
