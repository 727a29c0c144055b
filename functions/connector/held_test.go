package connector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// TestAReceiveThatALeaseRefusesIsNoAttempt: a worker is killed, the message comes back while its claim is held, and then the
// CRM fails.
func TestAReceiveThatALeaseRefusesIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.crm.do = func(context.Context, string, step) outcome { return outcome{Err: fault.New(fault.Retryable, "x", nil)} }
		if _, err := p.claims().Claim(t.Context(), store.Key{Partition: "demo/event/e", Sort: "delivery/toy"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		receive := func() error { return p.connector().Handle(t.Context(), heads(deliveryOf("e")))[0] }
		err := receive()
		held, ok := errors.AsType[*queue.HeldError](err)
		if !ok || held.For != 25*time.Second || !errors.Is(err, queue.ErrNotStarted) {
			t.Fatalf("while it is held: %v", err)
		}
		if strings.Contains(p.out.String(), "DeliveryFailed") {
			t.Errorf("it is counted as a failure: %s", p.out)
		}
		time.Sleep(held.For)
		for want := 2; want < 5; want++ { // the first was killed
			failing, ok := errors.AsType[*queue.FailingError](receive())
			if !ok || failing.Attempt != want {
				t.Errorf("%+v, want attempt %d", failing, want)
			}
		}
	})
}
