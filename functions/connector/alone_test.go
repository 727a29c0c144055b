package connector_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/store"
)

func TestAPanicTakesNothingButItsOwnDeliveryWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.crm.do = func(_ context.Context, id string, _ step) outcome {
			if id == "e2" {
				panic("Secret words")
			}
			return outcome{}
		}
		all := []delivery.Delivery{deliveryOf("e1"), deliveryOf("e2"), deliveryOf("e3")}
		for i, want := range []string{"done, retryable panic, done", "done, retryable panic, done", "done, retryable panic, done", "done, permanent crashed, done"} {
			if got := words(p.connector().Handle(t.Context(), heads(all...))); got != want {
				t.Errorf("receive %d: %s, want %s", i+1, got, want)
			}
		}
		if strings.Contains(p.out.String(), "Secret") {
			t.Errorf("the panic's value was logged: %s", p.out)
		}
	})
}

func TestAPanicInABatchIsPinnedDownByWorkingAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.width = 3
		p.crm.do = func(_ context.Context, id string, _ step) outcome {
			if id == "e2" {
				panic("boom")
			}
			return outcome{}
		}
		all := heads(deliveryOf("e1"), deliveryOf("e2"), deliveryOf("e3"))
		for i, want := range []string{"retryable panic, retryable panic, retryable panic", "done, retryable panic, done"} {
			if got := words(p.connector().Handle(t.Context(), all)); got != want {
				t.Errorf("receive %d: %s, want %s", i+1, got, want)
			}
		}
	})
}

// TestWhatItsWorkersWereKilledOverIsWorkedOnAlone: once is an accident, and then a call of its own; twice is not.
func TestWhatItsWorkersWereKilledOverIsWorkedOnAlone(t *testing.T) {
	for _, width := range []int{1, 6} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlace(step{Name: "a"})
			p.width = width
			for _, ids := range [][]string{{"e1", "e3"}, {"e1", "e3", "e5", "e6"}} {
				for _, id := range ids { // their worker was killed
					if _, err := p.claims().Claim(t.Context(), store.Key{Partition: "demo/event/" + id, Sort: "delivery/toy"}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(35 * time.Second)
			}
			running, most := map[string]bool{}, map[string]int{}
			var mu sync.Mutex
			p.crm.do = func(_ context.Context, id string, _ step) outcome {
				mu.Lock()
				running[id] = true
				for other := range running {
					most[other] = max(most[other], len(running))
				}
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				delete(running, id)
				mu.Unlock()
				return outcome{}
			}
			batch := heads(deliveryOf("e1"), deliveryOf("e2"), deliveryOf("e3"), deliveryOf("e4"), deliveryOf("e5"), deliveryOf("e6"))
			if got := words(p.connector().Handle(t.Context(), batch)); got != "done, done, done, done, done, done" {
				t.Error(got)
			}
			if most["e1"] != 1 || most["e3"] != 1 || most["e5"] < 2 || most["e6"] < 2 || width == 1 && most["e2"] != 4 {
				t.Errorf("width %d: side by side at most %v", width, most)
			}
			for _, line := range p.crm.journal {
				if strings.HasPrefix(line, "do ") && strings.Contains(line, ",") && line != "do e2 a, e4 a" {
					t.Errorf("width %d: one call was %s", width, line)
				}
			}
		})
	}
}

func TestACallHoldsDeliveriesOfOneBindingAndAtMostTheWidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a", Last: true})
		p.width = 2
		var ds []delivery.Delivery
		for i, to := range []connector.BindingKey{{"x", "one"}, {"y", "one"}, {"x", "one"}, {"x", "one"}, {"y", "one"}, {"x", "two"}} {
			d := deliveryOf(fmt.Sprint("e", i))
			d.Event.TenantID, d.CRM = to.Tenant, to.CRM
			ds = append(ds, d)
		}
		if got := words(p.connector().Handle(t.Context(), heads(ds...))); got != "done, done, done, done, done, done" {
			t.Error(got)
		}
		var calls []string
		for _, line := range p.crm.journal {
			if strings.HasPrefix(line, "do ") {
				calls = append(calls, line)
			}
		}
		slices.Sort(calls)
		if diff := cmp.Diff([]string{"do e0 a, e2 a", "do e1 a, e4 a", "do e3 a", "do e5 a"}, calls); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOneHangingTenantHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.crm.do = func(ctx context.Context, id string, _ step) outcome {
			if id == "e1" {
				<-ctx.Done()
				return outcome{Err: ctx.Err()}
			}
			time.Sleep(100 * time.Millisecond)
			return outcome{}
		}
		began := time.Now()
		if got := words(p.connector().Handle(t.Context(), heads(deliveryOf("e1"), deliveryOf("e2"), deliveryOf("e3")))); got != "retryable unsorted, done, done" {
			t.Error(got)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %s: one attempt is 10 s", took)
		}
		if n := strings.Count(p.out.String(), `"EventToCRM":1600`); n != 2 {
			t.Errorf("%d neighbours arrived after 1.6 s: %s", n, p.out)
		}
	})
}
