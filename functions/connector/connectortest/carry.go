package connectortest

import (
	"context"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
)

// Carry drives deliveries side by side to their ends, as a Connector does but without claims, and returns what each achieved and
// its error. One that fails is not tried again.
func Carry[R any](ctx context.Context, crm connector.CRM[R], ds ...delivery.Delivery) ([]connector.Progress, []error) {
	done := make([]connector.Progress, len(ds))
	for i := range done {
		done[i] = connector.Progress{}
	}
	return done, Resume(ctx, crm, ds, done, make([]error, len(ds)))
}

// Resume is Carry of deliveries that have achieved something, which it adds to done. Those that have an error are left alone.
func Resume[R any](ctx context.Context, crm connector.CRM[R], ds []delivery.Delivery, done []connector.Progress, errs []error) []error {
	for {
		var steps []connector.Step[R]
		var at []int
		for i, d := range ds {
			if errs[i] != nil {
				continue
			}
			step, more, err := crm.Next(d, done[i])
			if errs[i] = err; err == nil && more {
				steps, at = append(steps, step), append(at, i)
			}
		}
		if len(steps) == 0 {
			return errs
		}
		for k, outcome := range together(ctx, crm, steps) {
			errs[at[k]] = outcome.Err
			if outcome.Err == nil {
				done[at[k]][steps[k].Name] = outcome.Result
			}
		}
	}
}

// together carries out steps, those of one name in one Do, and returns one outcome a step.
func together[R any](ctx context.Context, crm connector.CRM[R], steps []connector.Step[R]) []connector.Outcome {
	outcomes := make([]connector.Outcome, len(steps))
	for k, first := range steps {
		var same []connector.Step[R]
		var at []int
		for i, step := range steps {
			if step.Name == first.Name {
				same, at = append(same, step), append(at, i)
			}
		}
		if at[0] != k {
			continue
		}
		for i, outcome := range crm.Do(ctx, same) {
			outcomes[at[i]] = outcome
		}
	}
	return outcomes
}
