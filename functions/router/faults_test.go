package router_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	body := func(m queue.Received, body string) queue.Received {
		m.Body = []byte(body)
		return m
	}
	later := func(m queue.Received) string {
		return strings.Replace(string(m.Body), `"schemaVersion":2`, `"schemaVersion":3`, 1)
	}
	tests := map[string]struct {
		change func(*world, queue.Received) queue.Received
		kind   fault.Kind
		code   string
	}{
		"a tenant that nobody configured blocks": {func(w *world, m queue.Received) queue.Received {
			w.tenant.ID = "else"
			return m
		}, fault.Blocked, "tenant_unknown"},
		"a newer writer's event is waited for": {func(_ *world, m queue.Received) queue.Received {
			m.FirstSent = m.FirstSent.Add(-59 * time.Minute)
			return body(m, later(m))
		}, fault.Retryable, "schema_version_unknown"},
		"for an hour": {func(_ *world, m queue.Received) queue.Received {
			m.FirstSent = m.FirstSent.Add(-time.Hour)
			return body(m, later(m))
		}, fault.Permanent, "schema_version_unknown"},
		"what is no event never will be": {func(_ *world, m queue.Received) queue.Received { return body(m, `{"text":"hunter2"`) }, fault.Permanent, "event_malformed"},
		"an event without a thread cannot be ordered": {func(_ *world, m queue.Received) queue.Received {
			return body(m, strings.Replace(string(m.Body), `"threadId":"`+m.Group+`",`, "", 1))
		}, fault.Permanent, "event_invalid"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			err := w.route(t, tt.change(w, message(t, event("hunter2", nil))))
			if sorted := fault.Of(err); sorted == nil || sorted.Kind != tt.kind || sorted.Code != tt.code {
				t.Fatalf("got %v, want %s %s", err, tt.kind, tt.code)
			}
			if strings.Contains(err.Error()+w.log.String(), "hunter2") {
				t.Errorf("the message is told: %v", err)
			}
			if len(w.sent) > 0 {
				t.Error("something was sent")
			}
		})
	}
}

func TestOneMessagesTroubleIsNotAnothers(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.tenant.CRMs = append(w.tenant.CRMs, tenant.CRM{Name: "salesforce", Kind: "salesforce"})
	refused := fault.New(fault.Throttled, "queue_throttled", nil)
	var heads []queue.Received
	for _, phone := range []string{"+15550000001", "+15550000002", "+15550000003"} {
		heads = append(heads, message(t, event("hello", func(e *canonical.Event) {
			e.Sender.Phone, e.EventID = phone, canonical.NewEventID("demo", "twilio", "demo-twilio", "message", phone)
		})))
	}
	heads[1].Body = []byte("{}")
	w.fail = func(m queue.Message) error {
		if m.Group == heads[2].Group && strings.HasSuffix(m.ID, ".salesforce") {
			return refused
		}
		return nil
	}
	errs := w.router.Handle(t.Context(), heads)
	if errs[0] != nil || fault.Of(errs[1]).Kind != fault.Permanent || !errors.Is(errs[2], refused) {
		t.Errorf("got %v", errs)
	}
	if publishes := strings.Count(strings.Join(w.calls, " "), "publish"); publishes != 2 {
		t.Errorf("%d publishes for two queues", publishes)
	}
}

// panicking is an engine that cannot bear one channel.
type panicking struct{ rules.Ordered }

func (p panicking) Decide(s rules.Set, version int, crms []string, f rules.Facts) rules.Decision {
	if f.Channel == canonical.Web {
		panic("hunter2")
	}
	return p.Ordered.Decide(s, version, crms, f)
}

func TestAPanicIsCountedAndKeepsNobodyBack(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.router.Engine = panicking{}
	poison := event("hello", func(e *canonical.Event) {
		e.Channel, e.ConversationID = canonical.Web, "web:demo-twilio:conv:1"
		e.Sender, e.EventID = canonical.Participant{ID: "web:1"}, canonical.NewEventID("demo", "twilio", "demo-twilio", "message", "SM2")
	})
	var codes []string
	for attempt := 1; attempt <= 6; attempt++ {
		m := message(t, poison)
		m.Attempt = attempt
		errs := w.router.Handle(t.Context(), []queue.Received{m, message(t, event("hello", nil))})
		if errs[1] != nil {
			t.Fatal(errs[1])
		}
		codes = append(codes, fault.Of(errs[0]).Kind.String()+" "+fault.Of(errs[0]).Code)
	}
	want := []string{"retryable panic", "retryable panic", "retryable panic", "retryable panic", "retryable panic", "permanent crashed"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(w.log.String(), "hunter2") {
		t.Error("the log holds what the panic said")
	}
	if n := strings.Count(w.meter.String(), `"Failures":1`); n < 5 {
		t.Errorf("%d panics are counted as failures, which roll a version back", n)
	}
}

func TestAClaimThatIsCompleteSendsNothing(t *testing.T) {
	t.Parallel()
	w, m := newWorld(), message(t, event("hello", nil))
	for m.Attempt = 3; m.Attempt <= 4; m.Attempt++ {
		if err := w.route(t, m); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.sent) != 1 {
		t.Errorf("%d deliveries", len(w.sent))
	}
}

func TestAClaimIsReleasedAfterTheTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := newWorld(), message(t, event("hello", nil))
		m.Attempt = 3
		ctx, cancel := context.WithCancel(t.Context())
		w.fault = func(call int) memstore.Fault {
			if call == 1 { // the claim is taken
				cancel()
			}
			return memstore.None
		}
		w.router.Handle(ctx, []queue.Received{m})
		m.Attempt = 4
		if err := w.route(t, m); err != nil {
			t.Errorf("the next receive waits for the lease: %v", err)
		}
	})
}

func TestAReceiveThatALeaseRefusesIsNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.router.Engine = panicking{}
		poison := event("hello", func(e *canonical.Event) {
			e.Channel, e.ConversationID, e.Sender = canonical.Web, "web:demo-twilio:conv:1", canonical.Participant{ID: "web:1"}
		})
		m := message(t, poison)
		m.Attempt = 3
		claims := idempotency.New(w.router.Store, 35*time.Second)
		if _, err := claims.Claim(t.Context(), store.Key{Partition: router.Key("demo", poison.EventID).Partition, Sort: idempotency.RouteClaim}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		err := w.route(t, m)
		held, ok := errors.AsType[*queue.HeldError](err)
		if !ok || held.For != 25*time.Second || !errors.Is(err, queue.ErrNotStarted) {
			t.Fatalf("while it is held: %v", err)
		}
		time.Sleep(held.For)
		m.Attempt = 5
		if failing, ok := errors.AsType[*queue.FailingError](w.route(t, m)); !ok || failing.Attempt != 4 {
			t.Errorf("%+v: of five receives one was refused", failing)
		}
	})
}
