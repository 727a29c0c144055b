package connector

import (
	"context"
	"slices"
	"time"

	"signalbox/shared/store"
)

// BudgetState is how the requests of a tenant's CRM stand on a day.
type BudgetState struct {
	Limit   int64     `json:"limit"`            // of the day, the CRM's or ours
	Used    int64     `json:"used"`             // or leased
	Ours    int64     `json:"byUs"`             // of those
	Ends    time.Time `json:"ends"`             // when the day does
	RunsOut time.Time `json:"runsOut,omitzero"` // when all are used at the pace of the last hour, if that is before
	State   string    `json:"state"`            // ok, low: they do not last, or receipts wait; or spent: messages wait
}

// Budgets returns how the requests of tenants' CRMs stand, nil of one of which nothing is known today.
func Budgets(ctx context.Context, s GateReader, all ...BindingKey) ([]*BudgetState, error) {
	states := make([]*BudgetState, 0, len(all))
	now := time.Now()
	for some := range slices.Chunk(all, store.MaxGet) {
		keys := make([]store.Key, len(some))
		for i, of := range some {
			keys[i] = budgetKey(of, "day")
		}
		held, err := s.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for _, r := range held {
			l := readLedger(r)
			states = append(states, l.state(r.Number, now))
		}
	}
	return states, nil
}

// state returns how a day stands, nil if it is over.
func (l *ledger) state(number int64, now time.Time) *BudgetState {
	if !now.Before(l.Ends) || l.Limit == 0 && l.Cap == 0 {
		return nil
	}
	s := &BudgetState{Limit: l.most(ForOptOuts), Used: number, Ours: number - l.Others, Ends: l.Ends, RunsOut: l.runsOut(number, now), State: "ok"}
	switch {
	case number >= l.most(ForMessages):
		s.State = "spent"
	case number >= l.most(ForReceipts) || !s.RunsOut.IsZero():
		s.State = "low"
	}
	return s
}
