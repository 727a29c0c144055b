package router_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// world is a router with everything around it in memory.
type world struct {
	store  *memstore.Store
	ring   router.Sealer
	tenant tenant.Tenant
	router *router.Router
	log    bytes.Buffer
	meter  bytes.Buffer

	mu    sync.Mutex
	calls []string                      // store calls and publishes, in order
	fault func(call int) memstore.Fault // by the number of the call, from 0
	sent  []queue.Message
	fail  func(queue.Message) error

	letters   letters
	standings standings // what has CRMs show how conversations stand
	missing   []string  // ids of messages whose queue is not there
}

func newWorld() *world { return sealedBy(keyringtest.New()) }

// sealedBy returns a world whose router seals with s, and whose ring opens what a ring sealed.
func sealedBy(s router.Sealer) *world {
	w := &world{tenant: tenant.Tenant{
		ID: "demo", Region: "US", Version: 7, Rules: rules.Default(), CRMs: []tenant.CRM{{Name: "hubspot", Kind: "hubspot"}},
	}}
	w.ring = s
	w.store = memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		call := string(c.Operation)
		if len(c.Keys) > 0 {
			sort, _, _ := strings.Cut(c.Keys[0].Sort, "/")
			call += " " + sort
		}
		return w.called(call)
	}))
	w.router = router.New(s, router.Parts{
		Store: w.store, Log: w.store, Tenants: w, Peppers: w, Engine: rules.Ordered{}, Events: w,
		Claims: idempotency.New(w.store, 35*time.Second), Outbox: w.outbox(), Standings: map[string]queue.Publisher{"hubspot": &w.standings},
	})
	return w
}

func (w *world) outbox() router.Outbox {
	return router.Outbox{
		Deliveries:  map[string]queue.Publisher{"hubspot": w, "salesforce": w},
		DeadLetters: &w.letters, Version: "1",
		Logger: telemetry.NewLogger(&w.log, telemetry.Identity{Function: "Route", Version: "1"}),
		Meter:  telemetry.NewMeter(&w.meter, telemetry.Identity{}),
	}
}

func (w *world) called(call string) memstore.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	if w.fault == nil {
		return memstore.None
	}
	return w.fault(len(w.calls) - 1)
}

func (w *world) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	if id != w.tenant.ID {
		return tenant.Tenant{}, tenant.ErrUnknown
	}
	return w.tenant, nil
}

func (w *world) Pepper(_ context.Context, id string) (canonical.Pepper, error) {
	return canonical.NewPepper(secret.Value("local-use-only-pepper"), id), nil
}

func (w *world) Publish(_ context.Context, messages ...queue.Message) error {
	does := w.called("publish")
	if does == memstore.Before {
		return fault.New(fault.Retryable, "queue_failed", nil)
	}
	errs, failed := make([]error, len(messages)), false
	for i, m := range messages {
		if w.fail != nil {
			errs[i] = w.fail(m)
		}
		if failed = failed || errs[i] != nil; errs[i] == nil {
			w.sent = append(w.sent, m)
		}
	}
	if failed {
		return &queue.PartialError{Errs: errs}
	}
	if does == memstore.After {
		return fault.New(fault.Retryable, "queue_failed", nil)
	}
	return nil
}

var at = time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC)

// event returns an inbound message as the Twilio adapter makes them.
func event(text string, change func(*canonical.Event)) canonical.Event {
	e := canonical.Event{
		EventID: canonical.NewEventID("demo", "twilio", "demo-twilio", "message", "SM1"), SchemaVersion: canonical.SchemaVersion,
		TenantID: "demo", AccountID: "demo-twilio", LineID: "demo-number", Provider: "twilio", ProviderMessageID: "SM1",
		Type: canonical.TypeMessage, Channel: canonical.SMS, Direction: canonical.Inbound, ConversationID: "sms:demo-twilio:conv:98765",
		Sender: canonical.Participant{Phone: "+15551234567"}, Recipient: canonical.Participant{Phone: "+15557654321"},
		Actor:     &canonical.Actor{Kind: "customer"},
		Message:   &canonical.Message{Text: text, Summary: text, ContentType: "text/plain"},
		Timestamp: at, ReceivedAt: at, Flags: canonical.Flags{TimeEstimated: true},
		Trace:    canonical.Trace{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		Metadata: map[string]json.RawMessage{"rawVendor": json.RawMessage(`{"Body":"raw-body","From":"+15551234567"}`)},
	}
	if change != nil {
		change(&e)
	}
	e.ThreadID = canonical.NewThreadID(canonical.NewPepper("local-use-only-pepper", "demo"), e.Sender.Phone+e.Sender.ID)
	return e
}

func message(t testing.TB, e canonical.Event) queue.Received {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Received{
		Message: queue.Message{ID: string(e.EventID), Group: string(e.ThreadID), Body: body, Trace: e.Trace.Traceparent},
		Attempt: 1, FirstSent: time.Now(),
	}
}

func (w *world) route(t testing.TB, m queue.Received) error {
	t.Helper()
	return w.router.Handle(t.Context(), []queue.Received{m})[0]
}

// link makes the sender of event known to a CRM.
func (w *world) link(t testing.TB, e canonical.Event) {
	t.Helper()
	if err := conversation.Link(t.Context(), w.store, "demo", e.ThreadID, "hubspot", nil, map[string]string{"contacts": "501"}); err != nil {
		t.Fatal(err)
	}
	w.calls = nil
}

// opened returns what was sealed.
func (w *world) opened(t testing.TB, body []byte) []byte {
	t.Helper()
	plain, unsealed, err := envelope.Open(t.Context(), w.ring, body)
	if err != nil || unsealed {
		t.Fatalf("not sealed: %t, %v", unsealed, err)
	}
	return plain
}

func (w *world) sentIDs() []string {
	ids := make([]string, len(w.sent))
	for i, m := range w.sent {
		ids[i] = m.ID
	}
	return ids
}

func (w *world) deliveries(t testing.TB) []delivery.Delivery {
	t.Helper()
	var all []delivery.Delivery
	for _, m := range w.sent {
		var d delivery.Delivery
		if err := json.Unmarshal(w.opened(t, m.Body), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func (w *world) record(t testing.TB, e canonical.Event) (router.Record, store.Record) {
	t.Helper()
	held, err := w.store.Get(t.Context(), router.Key("demo", e.EventID))
	if err != nil {
		t.Fatal(err)
	}
	if held[0].Version == 0 {
		return router.Record{}, held[0]
	}
	r, err := router.OpenRecord(t.Context(), w.ring, held[0].Key, held[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return r, held[0]
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestDeliveries holds, for each case, the decision that is recorded and the deliveries that are sent in testdata. Run with
// -update to write them anew.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		event canonical.Event
		known bool
	}{
		"unknown sender": {event("Interested in pricing for product X", nil), false},
		"known contact":  {event("Any news?", nil), true},
		"stop keyword":   {event(" Stop ", nil), true},
		"start keyword":  {event("UNSTOP", nil), true},
		"help keyword":   {event("help", nil), true},
		"stop by the provider's word": {event("ARRET", func(e *canonical.Event) {
			e.Consent = &canonical.Consent{Keyword: "stop", State: "opted_out", Source: "provider"}
		}), true},
		"help that the provider answers": {event("AIDE", func(e *canonical.Event) { e.Consent = &canonical.Consent{Keyword: "help", Source: "provider"} }), true},
		"person without a phone": {event("hello", func(e *canonical.Event) {
			e.Channel, e.ConversationID = canonical.WhatsApp, "whatsapp:demo-twilio:conv:98765"
			e.Sender = canonical.Participant{ID: "whatsapp:US.4566", DisplayName: "Ana"}
		}), false},
		"receipt": {event("", func(e *canonical.Event) {
			e.Type, e.Direction, e.Message = canonical.TypeReceipt, canonical.Status, nil
			e.Receipt = &canonical.Receipt{State: "delivered", At: at}
			e.Sender, e.Recipient = e.Recipient, e.Sender
		}), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			if tt.known {
				w.link(t, tt.event)
			}
			if err := w.route(t, message(t, tt.event)); err != nil {
				t.Fatal(err)
			}
			record, held := w.record(t, tt.event)
			golden(t, struct {
				Decision   router.Decision
				Deliveries []delivery.Delivery
			}{record.Decision, w.deliveries(t)})
			if len(held.Data) > 1000 {
				t.Errorf("the record takes %d bytes, more than one write unit", len(held.Data))
			}
			if !strings.Contains(string(record.Event), "raw-body") {
				t.Error("the record does not hold what the provider sent")
			}
			for _, m := range w.sent {
				if strings.Contains(string(w.opened(t, m.Body)), "raw-body") {
					t.Error("what the provider sent travels on a CRM's queue")
				}
				if m.Group != string(tt.event.ThreadID) || m.Trace != tt.event.Trace.Traceparent || m.ID != string(tt.event.EventID)+".hubspot" {
					t.Errorf("the envelope is %q %q %q", m.ID, m.Group, m.Trace)
				}
			}
			for _, personal := range []string{"5551234567", "US.4566", "Ana", "pricing", "raw-body"} {
				if strings.Contains(w.log.String(), personal) {
					t.Errorf("the log holds %q", personal)
				}
			}
			if !strings.Contains(w.log.String(), string(tt.event.EventID)) || !strings.Contains(w.log.String(), tt.event.Trace.Traceparent) {
				t.Error("a log line lacks the event id or the trace")
			}
		})
	}
}

func golden(t *testing.T, got any) {
	t.Helper()
	encoded, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(t.Name(), "/")
	path := filepath.Join("testdata", strings.ReplaceAll(name, "'", "")+".golden.json")
	if *update {
		if err := os.WriteFile(path, append(encoded, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(encoded)+"\n"); diff != "" {
		t.Error(diff)
	}
}

func TestWhatAMessageCosts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text    string
		attempt int
		want    []string
	}{
		"a known contact":        {"hello", 1, []string{"get head", "note log", "write event", "publish"}},
		"consent goes first":     {"stop", 1, []string{"get head", "note log", "get consent", "write consent", "write consent", "write head", "note log", "write event", "publish"}},
		"a yes is looked into":   {"yes", 1, []string{"get head", "get consent", "note log", "write event", "publish"}},
		"from the third receive": {"hello", 3, []string{"write claim", "get head", "note log", "write event", "publish", "write claim"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, e := newWorld(), event(tt.text, nil)
			w.link(t, e)
			m := message(t, e)
			m.Attempt = tt.attempt
			if err := w.route(t, m); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, w.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARepeatSendsTheFirstDecisionAgain(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"of a message": "hello", "of a consent change": "stop"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, e := newWorld(), event(text, nil)
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
			// By now the contact is known, the rules are others, and the provider has sent its webhook again.
			w.link(t, e)
			w.tenant.Rules, w.tenant.Version = rules.Set{}, 8
			e.Timestamp, e.ReceivedAt = at.Add(time.Hour), at.Add(time.Hour)
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
			if len(w.sent) != 2 {
				t.Fatalf("%d deliveries", len(w.sent))
			}
			if diff := cmp.Diff(string(w.opened(t, w.sent[0].Body)), string(w.opened(t, w.sent[1].Body))); diff != "" {
				t.Errorf("the repeat says something else: %s", diff)
			}
		})
	}
}

// TestACrashAtAnyCallEndsInOneDecision fails each call in turn, before and after its effect, and then receives the message
// again while everything around has changed.
func TestACrashAtAnyCallEndsInOneDecision(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a message": "hello", "a consent change": "stop"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, effect := range []memstore.Fault{memstore.Before, memstore.After} {
				for step := 0; ; step++ {
					w, e := newWorld(), event(text, nil)
					w.fault = func(call int) memstore.Fault {
						if call >= step {
							return effect
						}
						return memstore.None
					}
					err := w.route(t, message(t, e))
					w.fault = nil
					decided := slices.Clone(w.sent)
					if err == nil {
						break
					}
					if fault.Of(err).Kind != fault.Retryable {
						t.Fatalf("step %d: %v", step, err)
					}
					recorded, held := w.record(t, e)
					w.tenant.Version = 8
					if err := w.route(t, message(t, e)); err != nil {
						t.Fatalf("step %d: %v", step, err)
					}
					after, _ := w.record(t, e)
					if held.Version > 0 && !cmp.Equal(recorded, after) {
						t.Errorf("step %d: the record was written anew", step)
					}
					last := w.sent[len(w.sent)-1]
					if len(decided) > 0 && !bytes.Equal(w.opened(t, decided[0].Body), w.opened(t, last.Body)) {
						t.Errorf("step %d: two decisions were sent", step)
					}
					if got := w.deliveries(t)[len(w.sent)-1].Why[0].Version; got != after.Decision.Rules {
						t.Errorf("step %d: version %d was sent, %d is recorded", step, got, after.Decision.Rules)
					}
					if step > 20 {
						t.Fatal("a message has no end")
					}
				}
			}
		})
	}
}

func TestConsentHoldsByEventTime(t *testing.T) {
	t.Parallel()
	say := func(id, text string, after time.Duration) canonical.Event {
		return event(text, func(e *canonical.Event) {
			e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", id)
			e.Timestamp, e.ReceivedAt = at.Add(after), at.Add(after)
		})
	}
	tests := map[string]struct {
		events []canonical.Event
		want   string // what holds
		last   bool   // whether the last delivery sets consent
	}{
		"stop holds":                      {[]canonical.Event{say("1", "stop", 0)}, consent.OptedOut, true},
		"a later start holds":             {[]canonical.Event{say("1", "stop", 0), say("2", "start", time.Second)}, consent.OptedIn, true},
		"a stop that comes late does not": {[]canonical.Event{say("2", "start", time.Second), say("1", "stop", 0)}, consent.OptedIn, false},
		"help changes nothing":            {[]canonical.Event{say("1", "stop", 0), say("2", "help", time.Second)}, consent.OptedOut, false},
		"a late copy of a webhook changes nothing": {
			[]canonical.Event{say("1", "stop", 0), say("2", "start", time.Second), say("1", "stop", time.Hour)}, consent.OptedIn, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.link(t, tt.events[0]) // a CRM that holds the person was told of each change
			for _, e := range tt.events {
				if err := w.route(t, message(t, e)); err != nil {
					t.Fatal(err)
				}
			}
			all := w.deliveries(t)
			last := all[len(all)-1]
			state, head := w.may(t, tt.events[0])
			if state.Mark.State != tt.want || head.Consent[canonical.SMS].State != tt.want {
				t.Errorf("%s holds and the head says %s, want %s", state.Mark.State, head.Consent[canonical.SMS].State, tt.want)
			}
			sets := slices.ContainsFunc(last.Actions, func(a delivery.Action) bool { return a.Kind == delivery.SetConsent })
			if sets != tt.last {
				t.Errorf("the last delivery sets consent: %t", sets)
			}
		})
	}
}

func TestARedriveCarriesItsGeneration(t *testing.T) {
	t.Parallel()
	w, m := newWorld(), message(t, event("hello", nil))
	if err := w.route(t, m); err != nil {
		t.Fatal(err)
	}
	m.ID += ":2"
	if err := w.route(t, m); err != nil {
		t.Fatal(err)
	}
	first, second := w.deliveries(t)[0], w.deliveries(t)[1]
	if w.sent[1].ID != w.sent[0].ID+":2" || second.Generation != 2 || first.Generation != 0 || first.ID != second.ID {
		t.Errorf("%q generation %d, then %q generation %d", w.sent[0].ID, first.Generation, w.sent[1].ID, second.Generation)
	}
}

func TestTwoBindingsOfOneKindShareAQueue(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.tenant.CRMs = append(w.tenant.CRMs, tenant.CRM{Name: "hubspot-emea", Kind: "hubspot"})
	if err := w.route(t, message(t, event("hello", nil))); err != nil {
		t.Fatal(err)
	}
	if len(w.sent) != 2 || w.sent[0].ID == w.sent[1].ID {
		t.Errorf("sent %d messages", len(w.sent))
	}
}

func TestLongTextFitsTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld()
	long := strings.Repeat("é", 60_000)
	if err := w.route(t, message(t, event(long, func(e *canonical.Event) { e.Message.Summary = "é" }))); err != nil {
		t.Fatal(err)
	}
	d := w.deliveries(t)[0]
	if got := len([]rune(d.Actions[0].Value["description"])); got != 2000 || d.Event.Message.Text != long {
		t.Errorf("the description has %d characters", got)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	w := newWorld()
	e := event("hello", nil)
	if err := w.route(f, message(f, e)); err != nil {
		f.Fatal(err)
	}
	_, held := w.record(f, e)
	f.Add(held.Data)
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := router.DecodeRecord(data); err != nil && fault.Of(err).Code != router.CodeRecord {
			t.Error(err)
		}
	})
}

// BenchmarkHandle routes a new message of a known contact each time: decode, decide, compress, encode.
func BenchmarkHandle(b *testing.B) {
	w := newWorld()
	w.router.Logger = slog.New(slog.DiscardHandler)
	e := event("Any news?", nil)
	w.link(b, e)
	m := message(b, e)
	n := 0
	for b.Loop() {
		n++
		id := string(canonical.NewEventID("demo", "twilio", "demo-twilio", "message", strconv.Itoa(n)))
		next := m
		next.ID, next.Body = id, bytes.Replace(m.Body, []byte(e.EventID), []byte(id), 1)
		if err := w.route(b, next); err != nil {
			b.Fatal(err)
		}
		w.sent, w.calls = w.sent[:0], w.calls[:0]
	}
}
