package router_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/audit"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

// stage is a router that routed one event, and a replayer of what it keeps.
type stage struct {
	*world
	event    canonical.Event
	records  *memstore.Store
	replayer *router.Replayer
	replayed []queue.Message
	refuses  bool
	log      bytes.Buffer
}

func newStage(t *testing.T, attempt int, faulty func(memstore.Call) memstore.Fault) *stage {
	t.Helper()
	s := &stage{world: newWorld(), event: event("hello", nil), records: memstore.New(memstore.Faulty(faulty))}
	s.router.Store, s.router.Claims = s.records, idempotency.New(s.records, 35*time.Second)
	m := message(t, s.event)
	m.Attempt = attempt
	if err := s.route(t, m); err != nil {
		t.Fatal(err)
	}
	id := telemetry.Identity{Function: "Replay", Version: "1"}
	s.replayer = router.NewReplayer(s.ring, s.records, bindings{"demo", "empty"}, publish(func(all []queue.Message) error {
		if s.refuses {
			return fault.New(fault.Retryable, "queue_down", nil)
		}
		s.replayed = append(s.replayed, all...)
		return nil
	}), 3*time.Second, telemetry.NewLogger(&s.log, id), telemetry.NewMeter(&s.log, id))
	return s
}

func sound(memstore.Call) memstore.Fault { return memstore.None }

type publish func([]queue.Message) error

func (p publish) Publish(_ context.Context, all ...queue.Message) error { return p(all) }

func (s *stage) request() redrive.ReplayRequest {
	return redrive.ReplayRequest{Common: redrive.Common{
		Action: redrive.Replay, Tenant: "demo", IDs: []string{string(s.event.EventID)}, By: "ops", Reason: "ticket 7",
	}}
}

// TestAReplayIsRoutedWhateverTheRoutersClaimSays is what a claim that counts crashes must not do: swallow a replay that failed twice.
func TestAReplayIsRoutedWhateverTheRoutersClaimSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 3, sound) // with a claim, which is completed
		answer, err := s.replayer.Replay(t.Context(), s.request())
		if err != nil || answer.Counts[redrive.Redriven] != 1 || len(s.replayed) != 1 {
			t.Fatalf("%v %+v", err, answer)
		}
		m := queue.Received{Message: s.replayed[0], Attempt: 3, FirstSent: time.Now()}
		m.Body = s.opened(t, m.Body)
		if err := s.route(t, m); err != nil {
			t.Fatal(err)
		}
		if len(s.sent) != 2 || s.sent[1].ID != s.sent[0].ID+":1" {
			t.Errorf("sent %+v", s.sent)
		}
		if d := s.deliveries(t)[1]; !d.Event.Flags.Replayed || d.Generation != 1 {
			t.Errorf("flags %+v, generation %d", d.Event.Flags, d.Generation)
		}
		if bytes.Contains(m.Body, []byte("raw-body")) {
			t.Error("what the provider sent travels")
		}
	})
}

func TestWhatIsNotReplayed(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(t *testing.T, s *stage, q *redrive.ReplayRequest)
		outcome redrive.Outcome
		code    string
	}{
		"an event nobody knows": {func(_ *testing.T, _ *stage, q *redrive.ReplayRequest) { q.IDs = []string{"nowhere"} }, redrive.Missing, ""},
		"another tenant's":      {func(_ *testing.T, _ *stage, q *redrive.ReplayRequest) { q.Tenant = "other" }, redrive.Missing, ""},
		"one that is too old": {func(*testing.T, *stage, *redrive.ReplayRequest) {
			time.Sleep(34*24*time.Hour + time.Minute)
		}, redrive.TooOld, ""},
		"one that is being routed": {func(t *testing.T, s *stage, _ *redrive.ReplayRequest) {
			key := store.Key{Partition: "demo/event/" + string(s.event.EventID), Sort: "claim/route"}
			if _, err := idempotency.New(s.records, 35*time.Second).Claim(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}, redrive.Busy, ""},
		"one that the queue refuses": {func(_ *testing.T, s *stage, _ *redrive.ReplayRequest) { s.refuses = true }, redrive.Failed, "queue_down"},
		"one that cannot be read": {func(t *testing.T, s *stage, _ *redrive.ReplayRequest) {
			held, err := s.records.Get(t.Context(), router.Key("demo", s.event.EventID))
			if err != nil {
				t.Fatal(err)
			}
			held[0].Data = []byte("not a record")
			if _, err := s.records.Write(t.Context(), store.Change{Kind: store.Put, Record: held[0]}); err != nil {
				t.Fatal(err)
			}
		}, redrive.Failed, router.CodeRecord},
		"a plan": {func(_ *testing.T, _ *stage, q *redrive.ReplayRequest) { q.Action = redrive.Plan }, redrive.Ready, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 1, sound)
				q := s.request()
				c.change(t, s, &q)
				answer, err := s.replayer.Replay(t.Context(), q)
				if err != nil || len(answer.Items) != 1 || answer.Items[0].Outcome != c.outcome || answer.Items[0].Code != c.code || len(s.replayed) > 0 {
					t.Errorf("%v %+v, sent %d", err, answer, len(s.replayed))
				}
			})
		})
	}
}

func TestAReplayThatCannotBe(t *testing.T) {
	s := newStage(t, 1, sound)
	for name, change := range map[string]func(*redrive.ReplayRequest){
		"a redrive":         func(q *redrive.ReplayRequest) { q.Action = redrive.Redrive },
		"ids and a thread":  func(q *redrive.ReplayRequest) { q.Thread = "t1_a" },
		"too large a limit": func(q *redrive.ReplayRequest) { q.Limit = 101 },
		"without a reason":  func(q *redrive.ReplayRequest) { q.Reason = "" },
	} {
		q := s.request()
		change(&q)
		if answer, err := s.replayer.Replay(t.Context(), q); err != nil || len(answer.Problems) != 1 || len(s.replayed) > 0 {
			t.Errorf("%s: %v %+v", name, err, answer)
		}
	}
}

// TestAReplayOfATenantThatIsNot: a typing error is not the same as nothing to do.
func TestAReplayOfATenantThatIsNot(t *testing.T) {
	s := newStage(t, 1, sound)
	for tenant, want := range map[string][]string{"empty": nil, "demmo": {"there is no tenant demmo in this deployment"}} {
		q := s.request()
		q.Tenant, q.IDs = tenant, nil
		answer, err := s.replayer.Replay(t.Context(), q)
		if diff := cmp.Diff(want, answer.Problems); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got): %s", tenant, err, diff)
		}
	}
}

// bindings are of tenants without CRMs.
type bindings []string

func (b bindings) Kinds(_ context.Context, tenant string) (map[string]string, error) {
	if !slices.Contains(b, tenant) {
		return nil, nil
	}
	return map[string]string{}, nil
}

func TestAReplayNobodyCanAccountForDoesNotHappen(t *testing.T) {
	s := newStage(t, 1, func(c memstore.Call) memstore.Fault {
		if c.Operation == memstore.Write && strings.Contains(c.Keys[0].Partition, "/audit/") {
			return memstore.Before
		}
		return memstore.None
	})
	if _, err := s.replayer.Replay(t.Context(), s.request()); err == nil || len(s.replayed) > 0 {
		t.Errorf("%v, sent %d", err, len(s.replayed))
	}
	if entries, err := audit.Of(s.records, "demo", redrive.AuditChain).Entries(t.Context()); err != nil || len(entries) > 0 {
		t.Errorf("%v %+v", err, entries)
	}
}
