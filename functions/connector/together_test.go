package connector_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/store/memstore"
)

// tenants returns a delivery of each of ten tenants.
func tenants() []delivery.Delivery {
	var ds []delivery.Delivery
	for i := range 10 {
		d := deliveryOf(fmt.Sprint("e", i))
		d.Event.TenantID = fmt.Sprint("tenant", i)
		ds = append(ds, d)
	}
	return ds
}

// written returns a function that tells how many records each write of claims held so far, in turn.
func (p *place) written() func() string {
	var mu sync.Mutex
	var sizes []int
	p.fault = func(c memstore.Call) memstore.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Operation == memstore.Write && strings.HasPrefix(c.Keys[0].Sort, "delivery/") {
			sizes = append(sizes, len(c.Keys))
		}
		return memstore.None
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return fmt.Sprint(sizes)
	}
}

func TestABatchClaimsByOneCallAndCompletesByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"}, step{Name: "b", Last: true})
		sizes := p.written()
		for range 2 {
			if got := words(p.connector().Handle(t.Context(), heads(tenants()...))); strings.Count(got, "done") != 10 {
				t.Error(got)
			}
		}
		if got := sizes(); got != "[10 10 10]" {
			t.Errorf("claims, completions, and claims of copies: %s", got)
		}
	})
}

// TestWhatIsDoneIsCompletedWhileATenantHangs: a kill in the meantime finds one claim unfinished, not ten.
func TestWhatIsDoneIsCompletedWhileATenantHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		sizes := p.written()
		p.crm.do = func(ctx context.Context, id string, _ step) outcome {
			if id != "e3" {
				return outcome{}
			}
			time.Sleep(600 * time.Millisecond)
			if got := sizes(); got != "[10 9]" {
				t.Errorf("the others are not completed: %s", got)
			}
			<-ctx.Done()
			return outcome{Err: ctx.Err()}
		}
		if got := words(p.connector().Handle(t.Context(), heads(tenants()...))); strings.Count(got, "done") != 9 {
			t.Error(got)
		}
	})
}

// TestKillsAfterTheClaimsCallMakeNoInnocentDeadLetter kills a process right after it claimed a batch of ten tenants, three times and
// more; afterwards all ten arrive. What kills its process by itself is found out, and takes none of the others with it.
func TestKillsAfterTheClaimsCallMakeNoInnocentDeadLetter(t *testing.T) {
	for name, c := range map[string]struct {
		kills  int    // after a write of several claims
		guilty string // its call kills, whatever goes on beside it
		want   string
	}{
		"three kills":                          {3, "", "done x10"},
		"six kills":                            {6, "", "done x10"},
		"a delivery that kills":                {0, "e4", "permanent crashed x1, done x9"},
		"both":                                 {1, "e4", "permanent crashed x1, done x9"},
		"both, and the batch was killed twice": {2, "e4", "permanent crashed x1, done x9"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "a"})
				results := map[string]string{}
				left := tenants()
				for receive := 0; len(left) > 0 && receive < 12; receive++ {
					errs := p.life(t, left, receive < c.kills, c.guilty)
					var rest []delivery.Delivery
					for i, err := range errs {
						if got := words(errs[i : i+1]); err == nil || fault.Of(err).Kind == fault.Permanent {
							results[string(left[i].ID)] = got
						} else {
							rest = append(rest, left[i])
						}
					}
					left = rest
					time.Sleep(42 * time.Second)
				}
				counts := map[string]int{}
				for _, got := range results {
					counts[got]++
				}
				got := fmt.Sprintf("done x%d", counts["done"])
				if n := counts["permanent crashed"]; n > 0 {
					got = fmt.Sprintf("permanent crashed x%d, ", n) + got
				}
				if got != c.want || c.guilty != "" && results[c.guilty] != "permanent crashed" {
					t.Errorf("%s, want %s: %v", got, c.want, results)
				}
			})
		})
	}
}

// life is one receive by a process of its own, which is killed after it claimed several at once, or in the guilty one's call: nothing
// it does from then on has an effect, and the queue gets no answer.
func (p *place) life(t *testing.T, ds []delivery.Delivery, afterClaims bool, guilty string) []error {
	t.Helper()
	var mu sync.Mutex
	dead := false
	p.fault = func(call memstore.Call) memstore.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case dead:
			return memstore.Before
		case afterClaims && len(call.Keys) > 1:
			dead = true
			return memstore.After
		default:
			return memstore.None
		}
	}
	p.crm.do = func(ctx context.Context, id string, _ step) outcome {
		mu.Lock()
		defer mu.Unlock()
		dead = dead || id == guilty
		if dead {
			return outcome{Err: fault.New(fault.Retryable, "killed", nil)}
		}
		return outcome{}
	}
	errs := p.connector().Handle(t.Context(), heads(ds...))
	if dead {
		for i := range errs {
			errs[i] = fault.New(fault.Retryable, "killed", nil)
		}
	}
	return errs
}
