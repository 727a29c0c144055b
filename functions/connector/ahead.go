package connector

import (
	"context"
	"log/slog"
	"slices"

	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// aheadSteps bounds the steps of an opt-out: who it is, and the writes.
const aheadSteps = 10

// Ahead returns a handler that writes the opt-outs of deliveries which are parked, and nothing else of them: they stay parked, and write the same
// once more in their turn. That breaks no order, for a change of consent is written where it is newer than what is there. Nothing is claimed, and nobody
// is made.
func (c *Connector[R]) Ahead() queue.Handler { return &ahead[R]{c} }

type ahead[R any] struct{ *Connector[R] }

// Handle returns one error a head.
func (a *ahead[R]) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	queue.SideBySide(heads, func(i int, head queue.Received) {
		defer func() {
			if value := recover(); value != nil {
				errs[i] = queue.Recovered(ctx, a.options.Logger, a.options.Meter, value)
			}
		}()
		it := &item{trace: head.Trace}
		if errs[i] = decode(head, &it.delivery); errs[i] == nil {
			errs[i] = a.write(it.context(ctx), it)
		}
	})
	return errs
}

// write carries out what is left of a delivery without all that is no opt-out.
func (a *ahead[R]) write(ctx context.Context, it *item) error {
	d := &it.delivery
	d.Actions = slices.DeleteFunc(d.Actions, func(action delivery.Action) bool { return action.Kind != delivery.SetConsent })
	d.Session, d.Conversation = nil, false
	if err := a.options.Budget.Admit(ctx, KeyOf(*d), ForOptOuts, callsFor(1, a.options.Width)); err != nil {
		return err
	}
	done := Progress{}
	for range aheadSteps {
		step, ok, err := a.crm.Next(*d, done)
		if err != nil || !ok {
			return err
		}
		outcomes := a.do(ctx, &call[R]{items: []*item{it}, steps: []Step[R]{step}})
		if outcomes[0].Err != nil {
			return outcomes[0].Err
		}
		done[step.Name] = outcomes[0].Result
	}
	return fault.New(fault.Permanent, CodePlan, nil)
}

// Ahead sets what is handed the deliveries of opt-outs that are parked because the requests of a day are spent: those go on.
func (g *Gates) Ahead(h queue.Handler) { g.ahead = h }

// hurry hands on the opt-outs of those heads that were parked for want of requests. What fails is written in its turn.
func (g *Gates) hurry(ctx context.Context, heads []queue.Received, waiting map[place][]int, errs []error) {
	if g.ahead == nil {
		return
	}
	var urgent []queue.Received
	for at, all := range waiting {
		all = slices.DeleteFunc(slices.Clone(all), func(i int) bool { return errs[i] != nil || !optsOut(heads[i]) })
		if len(all) == 0 || !g.unaffordable(ctx, at.BindingKey) {
			continue
		}
		for _, i := range all {
			urgent = append(urgent, heads[i])
		}
	}
	if len(urgent) == 0 {
		return
	}
	failed := 0
	for _, err := range g.ahead.Handle(ctx, urgent) {
		if err != nil {
			failed++
		}
	}
	g.options.Logger.InfoContext(ctx, "opt-outs went ahead", slog.Int("messages", len(urgent)), slog.Int("failed", failed))
}

// optsOut reports whether a sealed delivery says in the clear that it holds an opt-out.
func optsOut(head queue.Received) bool {
	a, ok := envelope.AddressOf(head.Body)
	return ok && a.OptsOut
}

// unaffordable reports whether a tenant's gates are closed because the requests of the day are spent, as far as the budget keeps none for
// opt-outs alone.
func (g *Gates) unaffordable(ctx context.Context, of BindingKey) bool {
	held, err := g.options.Store.Get(ctx, closedKey(g.options.Kind, of))
	if err != nil || held[0].Version == 0 {
		return false
	}
	_, c, err := readClosure(held[0])
	return err == nil && c.Code == g.options.Kind+codeSpent
}
