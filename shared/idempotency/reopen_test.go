package idempotency_test

import (
	"errors"
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

const partition = "demo/event/e1"

var _ idempotency.ReopenStore = (*memstore.Store)(nil)

// end is how a claim that achieved one step ended.
type end func(t *testing.T, c *idempotency.Claims, claim *idempotency.Claim)

func ends() map[string]end {
	return map[string]end{
		"given up": func(t *testing.T, c *idempotency.Claims, claim *idempotency.Claim) {
			must(t, c.GiveUp(t.Context(), claim, fault.New(fault.Permanent, "bad_row", nil)))
		},
		"released": func(t *testing.T, c *idempotency.Claims, claim *idempotency.Claim) {
			claim.RecordFailure(fault.New(fault.Retryable, "timeout", nil))
			must(t, c.Release(t.Context(), claim, "timeout", false))
		},
		"completed": func(t *testing.T, c *idempotency.Claims, claim *idempotency.Claim) {
			must(t, c.Complete(t.Context(), claim))
		},
		"held": func(*testing.T, *idempotency.Claims, *idempotency.Claim) {},
		"lease over": func(*testing.T, *idempotency.Claims, *idempotency.Claim) {
			time.Sleep(time.Minute)
		},
	}
}

func TestReopen(t *testing.T) {
	for name, c := range map[string]struct {
		end   string
		state idempotency.State
		again bool // the work can be claimed afterwards
	}{
		"what was given up can be claimed again":  {"given up", idempotency.Dead, true},
		"what was released stays open":            {"released", idempotency.Open, true},
		"what a dead worker held stays open":      {"lease over", idempotency.Open, true},
		"what is complete stays complete":         {"completed", idempotency.Completed, false},
		"what a worker holds is left to it":       {"held", idempotency.Claimed, false},
		"what was never claimed can be, as ever":  {"", idempotency.Absent, true},
		"what was given up is kept for 90 days":   {"given up", idempotency.Dead, true},
		"what was released is kept for long, too": {"released", idempotency.Open, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				claims, reopener := idempotency.New(s, 35*time.Second), idempotency.NewReopener(s)
				key := store.Key{Partition: partition, Sort: "delivery/hubspot"}
				if c.end != "" {
					claim, err := claims.Claim(t.Context(), key)
					must(t, err)
					claim.Progress["lead"] = map[string]string{"id": "7"}
					must(t, claims.Checkpoint(t.Context(), claim))
					ends()[c.end](t, claims, claim)
				}
				if c.state == idempotency.Dead || c.end == "released" {
					time.Sleep(90 * 24 * time.Hour)
				}
				before, err := reopener.State(t.Context(), key)
				must(t, err)
				state, err := reopener.Reopen(t.Context(), key, 3)
				must(t, err)
				if state != c.state || before != c.state {
					t.Errorf("its state was %q, then %q", before, state)
				}
				claim, err := claims.Claim(t.Context(), key)
				if (err == nil) != c.again {
					t.Fatalf("claimed: %v", err)
				}
				if c.again && c.end != "" {
					if diff := cmp.Diff(map[string]map[string]string{"lead": {"id": "7"}}, claim.Progress); diff != "" {
						t.Errorf("progress (-want +got): %s", diff)
					}
					if claim.Generation != 3 || claim.Unfinished != 0 || !claim.FailingSince.IsZero() {
						t.Errorf("generation %d, unfinished %d, failing since %v", claim.Generation, claim.Unfinished, claim.FailingSince)
					}
				}
			})
		})
	}
}

func TestWhatCrashedThriceCanBeClaimedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		claims, reopener := idempotency.New(s, 35*time.Second), idempotency.NewReopener(s)
		key := store.Key{Partition: partition, Sort: idempotency.RouteClaim}
		for range idempotency.MaxUnfinished {
			_, err := claims.Claim(t.Context(), key)
			must(t, err)
			time.Sleep(time.Minute)
		}
		if _, err := claims.Claim(t.Context(), key); fault.Of(err) == nil || fault.Of(err).Code != idempotency.CodeCrashed {
			t.Fatalf("the fourth claim: %v", err)
		}
		if state, err := reopener.ReopenRoute(t.Context(), partition, 1); err != nil || state != idempotency.Dead {
			t.Fatal(state, err)
		}
		if _, err := claims.Claim(t.Context(), key); err != nil {
			t.Error(err)
		}
	})
}

func TestRoutingReopensTheRoutersClaimAndDeadDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		claims, reopener := idempotency.New(s, 35*time.Second), idempotency.NewReopener(s)
		want := map[string]bool{ // whether it can be claimed afterwards
			idempotency.RouteClaim: true, "delivery/a": true, "delivery/b": false, "delivery/c": true,
		}
		for sort, how := range map[string]string{idempotency.RouteClaim: "completed", "delivery/a": "given up", "delivery/b": "completed", "delivery/c": "released"} {
			claim, err := claims.Claim(t.Context(), store.Key{Partition: partition, Sort: sort})
			must(t, err)
			ends()[how](t, claims, claim)
		}
		if _, err := reopener.ReopenRoute(t.Context(), partition, 1); err != nil {
			t.Fatal(err)
		}
		for sort, again := range want {
			_, err := claims.Claim(t.Context(), store.Key{Partition: partition, Sort: sort})
			if (err == nil) != again || !again && !errors.Is(err, idempotency.ErrCompleted) {
				t.Errorf("%s: %v", sort, err)
			}
		}
	})
}

func TestNoGenerationIsTakenTwice(t *testing.T) {
	s := memstore.New()
	reopener := idempotency.NewReopener(s)
	first, err := reopener.NextGeneration(t.Context(), partition, 4)
	if err != nil || first != 5 {
		t.Fatalf("after generation 4: %d, %v", first, err)
	}
	var mu sync.Mutex
	var running sync.WaitGroup
	taken := map[int]bool{}
	for range 4 {
		running.Go(func() {
			n, err := reopener.NextGeneration(t.Context(), partition, 0)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || taken[n] || n <= first {
				t.Errorf("%d: %v", n, err)
			}
			taken[n] = true
		})
	}
	running.Wait()
}
