package connector_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

// late is a store, and what keeps links, that returns nothing to who asks after some time but once the asker gives up.
type late struct {
	*memstore.Store
	from time.Time
}

func (l late) hang(ctx context.Context) error {
	if time.Now().Before(l.from) {
		return nil
	}
	<-ctx.Done()
	return fault.New(fault.Retryable, "store_failed", ctx.Err())
}

func (l late) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	if err := l.hang(ctx); err != nil {
		return store.Failed(len(changes), err)
	}
	return l.Store.WriteEach(ctx, changes...)
}

func (l late) Get(ctx context.Context, keys ...store.Key) ([]store.Record, error) {
	if err := l.hang(ctx); err != nil {
		return nil, err
	}
	return l.Store.Get(ctx, keys...)
}

func (l late) Link(ctx context.Context, _ string, _ canonical.ThreadID, _ string, _, _ map[string]string) error {
	return l.hang(ctx)
}

// TestABatchIsFinishedWithinOneWriteTime: a worker has its soft margin for all of a batch, not for each of it.
func TestABatchIsFinishedWithinOneWriteTime(t *testing.T) {
	ofOne := make([]delivery.Delivery, 10)
	for i := range ofOne {
		ofOne[i] = deliveryOf(fmt.Sprint("e", i))
	}
	const message = 5 * time.Second
	timesOut := func(ctx context.Context, _ string, _ step) outcome {
		<-ctx.Done()
		return outcome{Err: fault.New(fault.Retryable, "x", ctx.Err())}
	}
	atTheEnd := func(of outcome) func(context.Context, string, step) outcome {
		return func(ctx context.Context, _ string, _ step) outcome {
			if deadline, _ := ctx.Deadline(); time.Until(deadline) > time.Millisecond {
				time.Sleep(time.Until(deadline) - time.Millisecond)
			}
			return of
		}
	}
	for name, c := range map[string]struct {
		ds                 []delivery.Delivery
		do                 func(context.Context, string, step) outcome
		storeHangs, linked time.Duration // from then on
		done               bool
	}{
		"the releases of a call that timed out": {ofOne, timesOut, message, time.Hour, false},
		"the refusals of a call":                {ofOne, atTheEnd(outcome{Err: fault.New(fault.Permanent, "x", nil)}), message / 2, time.Hour, false},
		"what could not be completed":           {tenants(), atTheEnd(result("contact", "c")), message / 2, time.Hour, false},
		"the links of ten tenants":              {tenants(), atTheEnd(result("contact", "c")), time.Hour, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, began := newPlace(step{Name: "resolve", Last: true}), time.Now()
				p.crm.do = c.do
				s, id := late{p.store, began.Add(c.storeHangs)}, telemetry.Identity{}
				out := &lockedWriter{w: p.out}
				handler := connector.New(p.crm, connector.Options{
					Claims: idempotency.New(s, 35*time.Second), Store: s, Links: late{from: began.Add(c.linked)}, Width: 10, Attempt: 10 * time.Second,
					Logger: telemetry.NewLogger(out, id), Meter: telemetry.NewMeter(out, id),
				})
				ctx, cancel := context.WithTimeout(t.Context(), message)
				defer cancel()
				for i, err := range handler.Handle(ctx, heads(c.ds...)) {
					if (err == nil) != c.done {
						t.Errorf("delivery %d: %v", i, err)
					}
				}
				if took := time.Since(began); took > message+2*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestRefusalsOfOneCallAreEachCounted although they are settled side by side.
func TestRefusalsOfOneCallAreEachCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.width = 10
		p.crm.do = func(context.Context, string, step) outcome { return outcome{Err: fault.New(fault.Permanent, "x", nil)} }
		c, permanent := p.connector(), 0
		for round := range 3 {
			ds := make([]delivery.Delivery, 10)
			for i := range ds {
				ds[i] = deliveryOf(fmt.Sprint("e", round, i))
			}
			for _, err := range c.Handle(t.Context(), heads(ds...)) {
				if fault.Of(err).Kind == fault.Permanent {
					permanent++
				}
			}
		}
		if permanent != connector.Streak-1 {
			t.Errorf("%d were given up before the others were blocked, want %d", permanent, connector.Streak-1)
		}
	})
}
