package connector_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

func TestADeliveryIsCarriedOutWithAsFewWritesAsItsStepsAllow(t *testing.T) {
	cases := map[string]struct {
		steps []step
		want  []string
	}{
		"nothing to do":                         {nil, []string{"write", "write"}},
		"one last step":                         {[]step{{Name: "a", Last: true}}, []string{"write", "do e a", "write"}},
		"upserts share the completion":          {[]step{{Name: "a"}, {Name: "b"}}, []string{"write", "do e a", "do e b", "write"}},
		"a step that is seen is written":        {[]step{{Name: "a", Seen: true}, {Name: "b", Last: true}}, []string{"write", "do e a", "write", "do e b", "write"}},
		"a once step is written before":         {[]step{{Name: "a", Once: true, Last: true}}, []string{"write", "write", "do e a", "write"}},
		"a once step is written before, after":  {[]step{{Name: "a", Once: true}}, []string{"write", "write", "do e a", "write", "write"}},
		"last and seen are one write, the last": {[]step{{Name: "a", Seen: true, Last: true}}, []string{"write", "do e a", "write"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(c.steps...)
				handler := p.connector()
				if got := words(handler.Handle(t.Context(), heads(deliveryOf("e")))); got != "done" {
					t.Fatal(got)
				}
				if diff := cmp.Diff(c.want, p.crm.journal); diff != "" {
					t.Error(diff)
				}
				p.crm.journal = nil
				if got := words(handler.Handle(t.Context(), heads(deliveryOf("e")))); got != "done" {
					t.Errorf("a copy: %s", got)
				}
				if diff := cmp.Diff([]string{"write"}, p.crm.journal); diff != "" {
					t.Errorf("a copy: %s", diff)
				}
			})
		})
	}
}

func TestAFailedStepLetsGoOfItsClaimAndKeepsWhatWasAchieved(t *testing.T) {
	kinds := map[fault.Kind]string{
		fault.Retryable: "retryable x", fault.Throttled: "throttled x", fault.Blocked: "blocked x", fault.Rejected: "rejected x",
	}
	for kind, want := range kinds {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "a"}, step{Name: "b"})
				fails := true
				p.crm.do = func(_ context.Context, _ string, s step) outcome {
					if s.Name == "b" && fails {
						return outcome{Err: fmt.Errorf("wrapped: %w", fault.New(kind, "x", nil))}
					}
					return result("id", "1")
				}
				if got := words(p.connector().Handle(t.Context(), heads(deliveryOf("e")))); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				fails, p.crm.journal = false, nil
				if got := words(p.connector().Handle(t.Context(), heads(deliveryOf("e")))); got != "done" {
					t.Errorf("afterwards: %s", got)
				}
				if diff := cmp.Diff([]string{"write", "write", "do e b", "write"}, p.crm.journal); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAPermanentFaultIsAnsweredAgainWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.crm.do = func(context.Context, string, step) outcome { return outcome{Err: fault.New(fault.Permanent, "x", nil)} }
		for range 2 {
			if got := words(p.connector().Handle(t.Context(), heads(deliveryOf("e")))); got != "permanent x" {
				t.Error(got)
			}
		}
		if diff := cmp.Diff([]string{"write", "do e a", "write", "write"}, p.crm.journal); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnOutcomeNobodyKnowsIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "send", Once: true, Last: true})
		p.crm.do = func(_ context.Context, _ string, s step) outcome {
			if !s.Intended {
				return outcome{Err: fault.New(fault.Retryable, "timeout", nil)}
			}
			return result("id", "1")
		}
		first := words(p.connector().Handle(t.Context(), heads(deliveryOf("e"))))
		second := words(p.connector().Handle(t.Context(), heads(deliveryOf("e"))))
		if first != "retryable timeout" || second != "done" {
			t.Error(first, second)
		}
		want := []string{"write", "write", "do e send", "write", "write", "write", "do e send?", "write"}
		if diff := cmp.Diff(want, p.crm.journal); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatCannotBeCarriedOutNeverClaims(t *testing.T) {
	unknownAction, newer, nameless, older := deliveryOf("e"), deliveryOf("e"), deliveryOf("e"), deliveryOf("e")
	unknownAction.Actions = []delivery.Action{{Kind: "send_flowers"}}
	newer.Event.SchemaVersion = 3
	nameless.Event.TenantID = ""
	older.Event.SchemaVersion = 1
	cases := map[string]struct {
		head queue.Received
		age  time.Duration
		want string
	}{
		"no JSON":                              {head: queue.Received{Message: queue.Message{Body: []byte("Secret words")}}, want: "permanent delivery_invalid"},
		"JSON of another shape":                {head: queue.Received{Message: queue.Message{Body: []byte(`{"actions":"Secret words"}`)}}, want: "permanent delivery_invalid"},
		"an event of another shape":            {head: queue.Received{Message: queue.Message{Body: []byte(`{"event":{"eventId":"e","schemaVersion":2,"sender":"Secret"}}`)}}, want: "permanent event_invalid"},
		"no tenant":                            {head: heads(nameless)[0], want: "permanent delivery_invalid"},
		"an action of a newer release":         {head: heads(unknownAction)[0], want: "permanent action_unknown"},
		"an event of a newer release":          {head: heads(newer)[0], age: time.Hour - time.Second, want: "retryable schema_version_unknown"},
		"the same an hour later":               {head: heads(newer)[0], age: time.Hour, want: "permanent schema_version_unknown"},
		"an event of an older release is fine": {head: heads(older)[0], want: "done"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "a"})
				c.head.FirstSent = time.Now().Add(-c.age)
				errs := p.connector().Handle(t.Context(), []queue.Received{c.head})
				if got := words(errs); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				if c.want != "done" && len(p.crm.journal) > 0 {
					t.Errorf("calls %q", p.crm.journal)
				}
				if strings.Contains(fmt.Sprint(errs)+p.out.String(), "Secret") {
					t.Errorf("text leaks: %v %s", errs, p.out)
				}
			})
		})
	}
}

func TestWhenTimeIsOverClaimsAreReleasedAndTheRestIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"}, step{Name: "b"}, step{Name: "c"})
		p.crm.do = func(context.Context, string, step) outcome {
			time.Sleep(4 * time.Second)
			return outcome{}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		handler := p.connector()
		if got := words(handler.Handle(ctx, heads(deliveryOf("e1")))); got != "retryable out_of_time" {
			t.Error(got)
		}
		if got := words(handler.Handle(ctx, heads(deliveryOf("e2")))); got != "not begun" {
			t.Error(got)
		}
		p.crm.journal = nil
		if got := words(handler.Handle(t.Context(), heads(deliveryOf("e1")))); got != "done" {
			t.Errorf("at once afterwards: %s", got)
		}
		if diff := cmp.Diff([]string{"write", "write", "do e1 c", "write"}, p.crm.journal); diff != "" {
			t.Error(diff)
		}
	})
}

type misbehaving struct{ scripted }

func (*misbehaving) Do(context.Context, []step) []outcome { return nil }

func TestACRMThatBreaksItsContractIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a", Request: "again"})
		if got := words(p.connector().Handle(t.Context(), heads(deliveryOf("e")))); got != "permanent crm_plan_repeats" {
			t.Error(got)
		}
		p = newPlace()
		id := telemetry.Identity{}
		c := connector.New(&misbehaving{scripted{steps: []step{{Name: "a"}}}}, connector.Options{
			Claims: p.claims(), Store: p.store, Width: 1, Attempt: time.Second, Logger: telemetry.NewLogger(p.out, id), Meter: telemetry.NewMeter(p.out, id),
		})
		if got := words(c.Handle(t.Context(), heads(deliveryOf("e")))); got != "retryable crm_answers" {
			t.Error(got)
		}
	})
}

func TestAStoreThatFailsOnceFailsNoDelivery(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for _, how := range []memstore.Fault{memstore.Before, memstore.After} {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "a", Seen: true}, step{Name: "b"})
				calls := 0
				p.fault = func(memstore.Call) memstore.Fault {
					if calls++; calls == n {
						return how
					}
					return memstore.None
				}
				if got := words(p.connector().Handle(t.Context(), heads(deliveryOf("e")))); got != "done" {
					t.Errorf("fault %d at call %d: %s", how, n, got)
				}
			})
		}
	}
}

func TestMetricsAndLogsSayWhatBecameOfADelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		p.crm.do = func(_ context.Context, id string, _ step) outcome {
			if id == "e2" {
				return outcome{Err: fault.New(fault.Throttled, "slow_down", nil)}
			}
			return outcome{}
		}
		handler := p.connector()
		handler.Handle(t.Context(), heads(deliveryOf("e1")))
		handler.Handle(t.Context(), heads(deliveryOf("e2")))
		for _, want := range []string{
			`"Delivered":1`, `"EventToCRM":1500`, `"DeliveryFailed":1`, `"kind":"throttled"`, `"code":"slow_down"`, `"tenant":"demo"`,
			`"eventId":"e1"`, `"traceparent":"00-trace-01"`,
		} {
			if !strings.Contains(p.out.String(), want) {
				t.Errorf("no %s in %s", want, p.out)
			}
		}
		perMessage := p.out.Len() / 2
		if perMessage > 1000 {
			t.Errorf("%d bytes of logs a message", perMessage)
		}
	})
}
