package idempotency_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

// TestAnOlderReleaseKeepsWhatANewerOneWroteInAClaim: whatever it does to the claim.
func TestAnOlderReleaseKeepsWhatANewerOneWroteInAClaim(t *testing.T) {
	key := store.Key{Partition: "demo/event/e1", Sort: "delivery/hubspot"}
	for name, do := range map[string]func(t *testing.T, c *idempotency.Claims, s *memstore.Store, claim *idempotency.Claim) error{
		"claimed": func(*testing.T, *idempotency.Claims, *memstore.Store, *idempotency.Claim) error { return nil },
		"checkpointed": func(t *testing.T, c *idempotency.Claims, _ *memstore.Store, claim *idempotency.Claim) error {
			return c.Checkpoint(t.Context(), claim)
		},
		"completed": func(t *testing.T, c *idempotency.Claims, _ *memstore.Store, claim *idempotency.Claim) error {
			return c.Complete(t.Context(), claim)
		},
		"released": func(t *testing.T, c *idempotency.Claims, _ *memstore.Store, claim *idempotency.Claim) error {
			return c.Release(t.Context(), claim, "x", true)
		},
		"reopened": func(t *testing.T, c *idempotency.Claims, s *memstore.Store, claim *idempotency.Claim) error {
			if err := c.GiveUp(t.Context(), claim, fault.New(fault.Permanent, "x", nil)); err != nil {
				return err
			}
			_, err := idempotency.NewReopener(s).Reopen(t.Context(), key, 1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				newer := `{"state":"open","owner":"o","progress":{"person":{"id":"1"}},"gate":{"closed":true},"shard":3}`
				if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Data: []byte(newer)}}); err != nil {
					t.Fatal(err)
				}
				claims := idempotency.New(s, 35*time.Second)
				claim, err := claims.Claim(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				if err := do(t, claims, s, claim); err != nil {
					t.Fatal(err)
				}
				held, err := s.Get(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				var members map[string]json.RawMessage
				if err := json.Unmarshal(held[0].Data, &members); err != nil {
					t.Fatal(err)
				}
				maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
					return name != "gate" && name != "shard" && name != "progress"
				})
				if diff := cmp.Diff([]string{"gate", "progress", "shard"}, slices.Sorted(maps.Keys(members))); diff != "" {
					t.Errorf("%s\n%s", diff, held[0].Data)
				}
			})
		})
	}
}
