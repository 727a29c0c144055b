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
)

// failure is that a message of ours was not delivered.
type failure struct{ provider, account, id, code string }

// isFailure reports whether an event tells that a message of ours was not delivered.
func isFailure(e *canonical.Event) bool {
	return e.Type == canonical.TypeReceipt && e.Receipt != nil && isEnd(e.Receipt.State)
}

// isEnd reports whether a state is that of a message that will not be delivered.
func isEnd(state string) bool {
	rank, ok := receipt.Rank(state)
	failed, _ := receipt.Rank("failed")
	return ok && rank == failed
}

// failureOf returns what an event tells of.
func failureOf(e *canonical.Event) failure {
	return failure{e.Provider, e.AccountID, messageOf(e), cmp.Or(e.Receipt.Error, e.Receipt.State)}
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

// fail marks the message that the event of a job is about as failed, in the session that has it. Where none has, CRMs show nothing.
func (s *shelf) fail(ctx context.Context, j *job) error {
	s.hold(j)
	what := failureOf(&j.event)
	if _, err := s.list(ctx, &j.event, j, j.event.ReceivedAt.Add(time.Millisecond)); err != nil {
		return err
	}
	timeline := j.tenant.TimelineOf(j.event.LineID)
	for _, v := range s.volumes {
		sealed := len(v.record.Entries) > 0 && j.event.ReceivedAt.After(v.last().Add(timeline.SealAfter))
		if !sealed && v.record.Fails(what.provider, what.account, what.id) {
			s.mark(j, v, what)
			j.decision.Session = v.place.Name()
			return nil
		}
	}
	j.decision.CRMs = nil
	return nil
}

// mark makes a failure part of a volume.
func (*shelf) mark(j *job, v *volume, what failure) {
	v.failures = append(v.failures, what)
	j.volume, j.merged = v, append(j.merged, &v.merged)
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
	if v := j.volume; v != nil && isEnd(status.State) {
		v.failures = append(v.failures, failure{e.Provider, e.AccountID, e.ProviderMessageID, cmp.Or(status.Error, status.State)})
		v.meet(ctx, v.held)
		r.write(ctx, nil, []*merged{&v.merged})
		return v.err
	}
	return nil
}
