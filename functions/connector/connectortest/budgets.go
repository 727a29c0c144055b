package connectortest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/queue"
	"signalbox/shared/tenant"
)

// budgets lets the requests of a day run out.
func budgets[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	for name, run := range map[string]func(*world[R]){
		"a day that is spent parks messages and still takes an opt-out": spentDay[R],
		"receipts wait first, and the last shows after the day":         shedReceipts[R],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
}

// dailyRequests is the limit of the tenant's file.
const dailyRequests = 100

// limited is a tenant whose file limits the requests to its CRM.
type limited struct{ name string }

// Tenant implements connector.Tenants.
func (l limited) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	return tenant.Tenant{ID: id, CRMs: []tenant.CRM{{Name: l.name, Kind: l.name, Limits: tenant.Limits{Daily: dailyRequests}}}}, nil
}

// newBudget returns the budget of a process.
func (w *world[R]) newBudget() *connector.Budget {
	logger, meter := w.logs()
	return connector.NewBudget(connector.BudgetOptions{Kind: w.Name, Store: w.store, Tenants: limited{w.Name}, Logger: logger, Meter: meter})
}

// spend has other processes lease what a day has for work of a priority.
func (w *world[R]) spend(p connector.Priority) {
	w.t.Helper()
	for range dailyRequests {
		if w.newBudget().Admit(w.t.Context(), connector.BindingKey{Tenant: w.Tenant, CRM: w.Name}, p, 1) != nil {
			return
		}
	}
	w.t.Fatal("the requests of the day never end")
}

// nextDay waits until the day is over, which is midnight UTC.
func nextDay() { time.Sleep(time.Until(time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour))) }

func spentDay[R any](w *world[R]) {
	first := []delivery.Delivery{w.unknown(1, 1), w.unknown(2, 1)}
	w.finish(first...)
	w.budget = w.newBudget()
	l := newLane(w)
	w.spend(connector.ForMessages)
	before := w.wire.count()
	l.receive(w.known(1, 2))
	if n := w.wire.count() - before; n > 0 || l.parked() != 1 {
		w.t.Fatalf("%d requests for a message of a day that is spent, and %d are parked", n, l.parked())
	}
	stop := says(w.known(2, 2), "opted_out")
	stop.Actions = append(w.known(2, 2).Actions, stop.Actions...)
	l.receive(stop)
	w.consent(map[string]string{"Person 01": "", "Person 02": "opted_out"})
	if n := len(w.Held().Activities); n != 2 || l.parked() != 2 {
		w.t.Errorf("%d activities, want 2, and %d are parked", n, l.parked())
	}
	nextDay()
	l.minutes(1)
	if n := l.parked(); n > 0 {
		w.t.Errorf("%d are parked on the next day", n)
	}
	w.holds(2, append(first, w.known(1, 2), stop)...)
	w.consent(map[string]string{"Person 01": "", "Person 02": "opted_out"})
}

func shedReceipts[R any](w *world[R]) {
	if w.Statuses == nil {
		w.t.Skip("this CRM, or this binding of it, shows no statuses")
	}
	d := w.sent(1, 1)
	w.finish(d)
	w.budget = w.newBudget()
	l := newLane(w)
	w.spend(connector.ForReceipts)
	before := w.wire.count()
	for _, state := range []string{"sent", "delivered"} {
		for _, err := range w.writeTo(w.receipts(l.gates), w.update(d, state, "")) {
			if err != nil {
				w.t.Error(err)
			}
		}
	}
	if n := w.wire.count() - before; n > 0 || l.parked() != 1 {
		w.t.Errorf("%d requests for receipts of a day that is low, and %d messages wait", n, l.parked())
	}
	other := w.unknown(2, 1)
	l.receive(other)
	w.holdsMessageOf(2, other)
	nextDay()
	l.minutes(1)
	if n := l.parked(); n > 0 {
		w.t.Errorf("%d wait on the next day", n)
	}
	w.holds(2, d, other)
}

// shower returns the worker that shows what receipts told meanwhile, nil for a CRM that shows no statuses.
func (w *world[R]) shower() *queue.Worker {
	if w.Statuses == nil {
		return nil
	}
	worker := w.worker(1, nil)
	worker.Unordered, worker.Handler = true, w.receipts(nil)
	return worker
}

// holdsMessageOf fails the test unless the CRM holds so many messages, one of them that of a delivery.
func (w *world[R]) holdsMessageOf(messages int, d delivery.Delivery) {
	w.t.Helper()
	held := w.Held()
	if len(held.Activities) != messages {
		w.t.Errorf("%d activities, want %d", len(held.Activities), messages)
	}
	w.holdsMessage(held, d)
}

// aheadOf returns what a lane's gates hand opt-outs that are parked.
func (w *world[R]) aheadOf(g *connector.Gates) queue.Handler {
	logger, meter := w.logs()
	worker := &queue.Worker{Logger: logger, Meter: meter}
	envelope.OpenFor(worker, unsealed{}, w.connector(&process{}, connector.Width, g).Ahead())
	return worker.Handler
}
