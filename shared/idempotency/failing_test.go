package idempotency_test

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/store/memstore"
)

func TestAClaimRemembersSinceWhenItsWorkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims, began := idempotency.New(memstore.New(), lease), time.Now()
		failing := func(kind fault.Kind) time.Duration {
			claim := mustClaim(t, claims)
			since := claim.RecordFailure(fault.New(kind, "x", nil))
			must(t, claims.Release(t.Context(), claim, "x", false))
			return since.Sub(began)
		}
		for i, c := range []struct {
			kind fault.Kind
			want float64 // in hours from the beginning
		}{
			{fault.Retryable, 0},
			{fault.Throttled, 0},
			{fault.Blocked, 2},
			{fault.Blocked, 3},
			{fault.Retryable, 4},
			{fault.Retryable, 4},
		} {
			if got := failing(c.kind); got.Hours() != c.want {
				t.Errorf("try %d: failing since hour %v, want %v", i, got.Hours(), c.want)
			}
			time.Sleep(time.Hour)
		}
		var none *idempotency.Claim
		if since := none.RecordFailure(fault.New(fault.Retryable, "x", nil)); !since.Equal(time.Now()) {
			t.Errorf("what was not claimed fails since %v", since)
		}
	})
}

func TestWorkWhoseCompletionFailsGoesOnFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		claims := idempotency.New(memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault {
			if broken {
				return memstore.Before
			}
			return memstore.None
		})), lease)
		began := time.Now()
		for range 3 {
			claim := mustClaim(t, claims)
			broken = true
			err := claims.Complete(t.Context(), claim)
			broken = false
			if since := claim.RecordFailure(fault.Of(err)); !since.Equal(began) {
				t.Errorf("failing since %s after it began to", since.Sub(began))
			}
			must(t, claims.Release(t.Context(), claim, "x", false))
			time.Sleep(time.Hour)
		}
		claim := mustClaim(t, claims)
		must(t, claims.Complete(t.Context(), claim))
		if !claim.FailingSince.IsZero() {
			t.Errorf("what is complete fails since %s", claim.FailingSince)
		}
	})
}
