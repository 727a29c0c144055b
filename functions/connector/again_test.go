package connector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/store"
)

// TestARepeatIsTold: a CRM leaves what an earlier try may have written as users edited it, and pays for looking only then.
func TestARepeatIsTold(t *testing.T) {
	cases := map[string]struct {
		before func(t *testing.T, p *place, d delivery.Delivery)
		change func(d *delivery.Delivery)
		again  bool
	}{
		"the first try": {again: false},
		"after a fault": {again: true, before: func(t *testing.T, p *place, d delivery.Delivery) {
			p.crm.do = func(context.Context, string, step) outcome { return outcome{Err: fault.New(fault.Retryable, "x", nil)} }
			p.connector().Handle(t.Context(), heads(d))
		}},
		"after a step that is done": {again: true, before: func(t *testing.T, p *place, d delivery.Delivery) {
			p.crm.do = func(_ context.Context, _ string, s step) outcome {
				if s.Name == "b" {
					return outcome{Err: fault.New(fault.Retryable, "x", nil)}
				}
				return result("id", "1")
			}
			p.connector().Handle(t.Context(), heads(d))
		}},
		"after a kill": {again: true, before: func(t *testing.T, p *place, d delivery.Delivery) {
			if _, err := p.claims().Claim(t.Context(), store.Key{Partition: "demo/event/e", Sort: "delivery/toy"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}},
		"after a redrive": {again: true, before: func(t *testing.T, p *place, d delivery.Delivery) {
			p.crm.do = func(context.Context, string, step) outcome { return outcome{Err: fault.New(fault.Permanent, "x", nil)} }
			p.connector().Handle(t.Context(), heads(d))
			if _, err := idempotency.NewReopener(p.store).Reopen(t.Context(), store.Key{Partition: "demo/event/e", Sort: "delivery/toy"}, 1); err != nil {
				t.Fatal(err)
			}
		}},
		"when claims are forgotten": {again: true, change: func(d *delivery.Delivery) { d.Event.ReceivedAt = time.Now().Add(-40 * 24 * time.Hour) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d := newPlace(step{Name: "a", Seen: true}, step{Name: "b"}), deliveryOf("e")
				if c.change != nil {
					c.change(&d)
				}
				if c.before != nil {
					c.before(t, p, d)
				}
				var told bool
				p.crm.do = func(_ context.Context, _ string, s step) outcome {
					told = s.Again
					return result("id", "1")
				}
				if got := words(p.connector().Handle(t.Context(), heads(d))); got != "done" || told != c.again {
					t.Errorf("%s, a repeat: %t, want %t", got, told, c.again)
				}
			})
		})
	}
}
