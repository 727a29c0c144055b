package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

const lease = 35 * time.Second

var key = store.Key{Partition: "demo/event/e1", Sort: "delivery/hubspot"}

type progress = map[string]map[string]string

// wordOf returns a short word for what Claim answered.
func wordOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, idempotency.ErrCompleted):
		return "done"
	default:
		f := fault.Of(err)
		return f.Kind.String() + " " + f.Code
	}
}

func mustClaim(t *testing.T, c *idempotency.Claims) *idempotency.Claim {
	t.Helper()
	claim, err := c.Claim(t.Context(), key)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return claim
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClaimIsHeldMovedOnAndCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := idempotency.New(memstore.New(), lease)
		claim := mustClaim(t, claims)
		claim.Progress["contact"] = map[string]string{"id": "7"}
		must(t, claims.Checkpoint(t.Context(), claim))

		time.Sleep(5 * time.Second)
		_, err := claims.Claim(t.Context(), key)
		if f := fault.Of(err); f.Kind != fault.Retryable || f.Code != idempotency.CodeHeld || f.Wait != 30*time.Second {
			t.Errorf("a second claim: %v, waits %s", err, f.Wait)
		}
		claim.Progress["activity"] = map[string]string{"id": "8"}
		must(t, claims.Complete(t.Context(), claim))
		for range 2 {
			if _, err := claims.Claim(t.Context(), key); !errors.Is(err, idempotency.ErrCompleted) {
				t.Errorf("after completion: %v", err)
			}
			time.Sleep(idempotency.Retention - time.Minute)
		}
	})
}

func TestAReleasedClaimKeepsItsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := idempotency.New(memstore.New(), lease)
		claim := mustClaim(t, claims)
		claim.Progress["contact"] = map[string]string{"id": "7"}
		must(t, claims.Release(t.Context(), claim, "hubspot_unavailable", false))
		again := mustClaim(t, claims)
		if diff := cmp.Diff(progress{"contact": {"id": "7"}}, again.Progress); diff != "" || again.Unfinished != 0 {
			t.Error(again.Unfinished, diff)
		}
	})
}

func TestAHolderThatWasTakenOverCannotWriteAnyMore(t *testing.T) {
	moves := map[string]func(context.Context, *idempotency.Claims, *idempotency.Claim) error{
		"checkpoint": func(ctx context.Context, c *idempotency.Claims, k *idempotency.Claim) error {
			return c.Checkpoint(ctx, k)
		},
		"complete": func(ctx context.Context, c *idempotency.Claims, k *idempotency.Claim) error {
			return c.Complete(ctx, k)
		},
		"release": func(ctx context.Context, c *idempotency.Claims, k *idempotency.Claim) error {
			return c.Release(ctx, k, "late", false)
		},
		"give up": func(ctx context.Context, c *idempotency.Claims, k *idempotency.Claim) error {
			return c.GiveUp(ctx, k, fault.New(fault.Permanent, "x", nil))
		},
	}
	for name, move := range moves {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, released and claimed again %v", name, reopened), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					claims := idempotency.New(memstore.New(memstore.Sweeping()), lease)
					stale := mustClaim(t, claims)
					time.Sleep(lease)
					next := mustClaim(t, claims)
					if reopened { // the state is claimed again, as the stale holder saw it: only the fence tells
						must(t, claims.Release(t.Context(), next, "x", false))
						next = mustClaim(t, claims)
					}
					if got := wordOf(move(t.Context(), claims, stale)); got != "retryable claim_lost" {
						t.Errorf("the stale holder: %s", got)
					}
					must(t, claims.Complete(t.Context(), next))
				})
			})
		}
	}
}

// TestUnfinishedClaims lets claims end one after another and looks at what the next one answers: c is a claim that ends
// without a word; k one that adds a checkpoint and then ends so; p one that is released after a panic; r one that is
// released after an error.
func TestUnfinishedClaims(t *testing.T) {
	cases := map[string]struct {
		ends       string
		want       string
		unfinished int
	}{
		"none":                                  {"", "ok", 0},
		"one":                                   {"c", "ok", 1},
		"two":                                   {"cc", "ok", 2},
		"the third is a crash":                  {"ccc", "permanent crashed", 0},
		"panics count":                          {"pcp", "permanent crashed", 0},
		"errors do not":                         {"rrrrr", "ok", 0},
		"errors do not forget":                  {"crcr", "ok", 2},
		"errors in between do not save":         {"crcrc", "permanent crashed", 0},
		"one that got further does not count":   {"k", "ok", 0},
		"getting further starts the count anew": {"cckcc", "ok", 2},
		"and then three count again":            {"cckccc", "permanent crashed", 0},
		"getting further each time goes on":     {"kkkkkk", "ok", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				claims := idempotency.New(memstore.New(), lease)
				for i, end := range c.ends {
					claim := mustClaim(t, claims)
					switch end {
					case 'k':
						claim.Progress[fmt.Sprint("step", i)] = map[string]string{}
						must(t, claims.Checkpoint(t.Context(), claim))
						time.Sleep(lease)
					case 'p':
						must(t, claims.Release(t.Context(), claim, "panic", true))
					case 'r':
						must(t, claims.Release(t.Context(), claim, "x", false))
					default:
						time.Sleep(lease)
					}
				}
				for range 2 { // a crash stays one
					claim, err := claims.Claim(t.Context(), key)
					if got := wordOf(err); got != c.want {
						t.Fatalf("%s, want %s", got, c.want)
					}
					if claim != nil {
						if claim.Unfinished != c.unfinished {
							t.Errorf("%d unfinished, want %d", claim.Unfinished, c.unfinished)
						}
						must(t, claims.Release(t.Context(), claim, "x", false))
					}
				}
			})
		})
	}
}

func TestWhatWasGivenUpAnswersItsFaultAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := idempotency.New(memstore.New(), lease)
		claim := mustClaim(t, claims)
		must(t, claims.GiveUp(t.Context(), claim, fault.New(fault.Permanent, "hubspot_bad_row", nil)))
		for range 2 {
			if _, err := claims.Claim(t.Context(), key); wordOf(err) != "permanent hubspot_bad_row" {
				t.Errorf("%v", err)
			}
			time.Sleep(lease)
		}
	})
}

func TestOneOfManyGetsTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := idempotency.New(memstore.New(), lease)
		for range 3 { // absent, then lapsed
			var mu sync.Mutex
			won := map[string]int{}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					_, err := claims.Claim(t.Context(), key)
					mu.Lock()
					defer mu.Unlock()
					won[wordOf(err)]++
				})
			}
			all.Wait()
			if diff := cmp.Diff(map[string]int{"ok": 1, "retryable claim_held": 19}, won); diff != "" {
				t.Error(diff)
			}
			time.Sleep(lease)
		}
	})
}

// faulty makes call n (from 1) fail. A deadly one lets nothing through after it.
type faulty struct {
	n, seen int
	how     memstore.Fault
	deadly  bool
}

func (f *faulty) choose(memstore.Call) memstore.Fault {
	f.seen++
	switch {
	case f.seen == f.n:
		return f.how
	case f.deadly && f.seen > f.n:
		return memstore.Before
	default:
		return memstore.None
	}
}

// run claims, checkpoints and completes as a worker does, and releases what went wrong. It returns the steps it carried out.
func run(ctx context.Context, c *idempotency.Claims, effects map[string]int) error {
	claim, err := c.Claim(ctx, key)
	if errors.Is(err, idempotency.ErrCompleted) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, step := range []string{"one", "two"} {
		if _, ok := claim.Progress[step]; ok {
			continue
		}
		effects[step]++
		claim.Progress[step] = map[string]string{}
		if err := c.Checkpoint(ctx, claim); err != nil {
			return errors.Join(err, ignore(c.Release(ctx, claim, "x", false)))
		}
	}
	if err := c.Complete(ctx, claim); err != nil {
		return errors.Join(err, ignore(c.Release(ctx, claim, "x", false)))
	}
	return nil
}

func ignore(error) error { return nil }

func TestOneFailedCallNeverCountsAsACrash(t *testing.T) {
	for _, how := range []memstore.Fault{memstore.Throttled, memstore.Before, memstore.After} {
		for n := 1; n <= 4; n++ {
			t.Run(fmt.Sprintf("fault %d at call %d", how, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &faulty{n: n, how: how}
					claims := idempotency.New(memstore.New(memstore.Faulty(f.choose)), lease)
					effects := map[string]int{}
					err := run(t.Context(), claims, effects)
					if how != memstore.Throttled && err != nil {
						t.Errorf("one lost reply is not noticed by the worker: %v", err)
					}
					if err != nil { // the next one may go on at once: nothing was left behind
						if err := run(t.Context(), claims, effects); err != nil {
							t.Errorf("the next worker: %v", err)
						}
					}
					if _, err := claims.Claim(t.Context(), key); !errors.Is(err, idempotency.ErrCompleted) {
						t.Errorf("in the end: %v", err)
					}
					if effects["one"] > 2 || effects["two"] > 2 || effects["one"]*effects["two"] == 0 {
						t.Errorf("effects %v", effects)
					}
				})
			})
		}
	}
}

// TestAWorkerThatDiesAtAnyCall kills a worker before and after each of its calls, up to two times, and lets the next one end
// the work.
func TestAWorkerThatDiesAtAnyCall(t *testing.T) {
	for _, how := range []memstore.Fault{memstore.Before, memstore.After} {
		for first := 1; first <= 4; first++ {
			for second := 1; second <= 4; second++ {
				t.Run(fmt.Sprintf("fault %d at call %d, then %d", how, first, second), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := &faulty{}
						claims := idempotency.New(memstore.New(memstore.Faulty(f.choose)), lease)
						effects := map[string]int{}
						for _, n := range []int{first, second} {
							*f = faulty{n: n, how: how, deadly: true}
							_ = run(t.Context(), claims, effects)
							*f = faulty{}
							time.Sleep(lease)
						}
						if err := run(t.Context(), claims, effects); err != nil {
							t.Fatalf("after two deaths: %v", err)
						}
						if effects["one"] > 3 || effects["two"] > 3 {
							t.Errorf("effects %v", effects)
						}
					})
				})
			}
		}
	}
}
