package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// made returns how many calls of a kind were made.
func (w *world) made(kind memstore.Operation) (n int) {
	for _, call := range w.calls {
		if strings.HasPrefix(call, string(kind)) {
			n++
		}
	}
	return n
}

// linkAll makes the senders of messages known to a CRM.
func (w *world) linkAll(t *testing.T, heads []queue.Received) []queue.Received {
	t.Helper()
	fault := w.fault
	w.fault = nil
	for _, head := range heads {
		var e canonical.Event
		if json.Unmarshal(head.Body, &e) == nil {
			w.link(t, e)
		}
	}
	w.fault = fault
	return heads
}

func TestABatchIsReadAndNotedByOneCallEach(t *testing.T) {
	for name, c := range map[string]struct {
		second       string             // message of three
		fails        memstore.Operation // the first call of it
		reads, notes int
	}{
		"one call for all":                            {"hello", "", 1, 1},
		"a change of consent is noted before":         {"STOP", "", 2, 2},
		"if it fails each message reads alone":        {"hello", memstore.Get, 4, 1},
		"if it fails each message is noted by itself": {"hello", memstore.Note, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				failed := false
				w.fault = func(call int) memstore.Fault {
					if failed || c.fails == "" || !strings.HasPrefix(w.calls[call], string(c.fails)) {
						return memstore.None
					}
					failed = true
					return memstore.Before
				}
				var heads []queue.Received
				for i, text := range []string{"hello", c.second, "hello"} {
					heads = append(heads, message(t, event(text, func(e *canonical.Event) {
						e.ProviderMessageID = "SM" + strconv.Itoa(i)
						e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", e.ProviderMessageID)
						e.Sender.Phone = "+1555123000" + strconv.Itoa(i)
					})))
				}
				heads = slices.Insert(heads, 1, queue.Received{Message: queue.Message{ID: "broken", Group: "broken", Body: []byte("{")}})
				errs := w.router.Handle(t.Context(), w.linkAll(t, heads))
				for i, err := range errs {
					if (err != nil) != (i == 1) {
						t.Errorf("message %d: %v", i, err)
					}
				}
				if len(w.sent) != 3 {
					t.Errorf("%d deliveries", len(w.sent))
				}
				for _, d := range w.deliveries(t) {
					if (d.Event.Consent != nil) != (d.Event.Message.Text == "STOP") {
						t.Errorf("%q has the consent %+v", d.Event.Message.Text, d.Event.Consent)
					}
				}
				if reads, notes := w.made(memstore.Get), w.made(memstore.Note); reads != c.reads || notes != c.notes {
					t.Errorf("%d reads, %d notes: %v", reads, notes, w.calls)
				}
			})
		})
	}
}

// TestABatchOfNewPeopleIsCountedTogether: besides, one read, one write a line and one of all that are counted. Pointers of eight, three each, are one call.
func TestABatchOfNewPeopleIsCountedTogether(t *testing.T) {
	for name, heads := range map[string][]queue.Received{"people": different(t, 8), "messages of one": run(t, "a", "b", "c")} {
		w := newWorld()
		for i, err := range w.router.Handle(t.Context(), heads) {
			if err != nil {
				t.Errorf("%s, message %d: %v", name, i, err)
			}
		}
		if got := strings.Join(w.calls, ", "); got != "get head, get lead, write leads, write lead, note log, write event, publish" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// different returns messages of different threads, all saying the same.
func different(t *testing.T, n int) (heads []queue.Received) {
	t.Helper()
	for i := range n {
		heads = append(heads, message(t, event("hello", func(e *canonical.Event) {
			e.ProviderMessageID = "SM" + strconv.Itoa(i)
			e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", e.ProviderMessageID)
			e.Sender.Phone = "+1555123000" + strconv.Itoa(i)
		})))
	}
	return heads
}

func TestABatchIsRecordedByOneCallAndClaimedByOneWhenItCameBefore(t *testing.T) {
	w := newWorld()
	heads := w.linkAll(t, different(t, 10))
	for i, err := range w.router.Handle(t.Context(), heads) {
		if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if got := strings.Join(w.calls, ", "); got != "get head, note log, write event, publish" {
		t.Error(got)
	}
	w.calls = nil
	for i := range heads {
		heads[i].Attempt = 3
	}
	w.router.Handle(t.Context(), heads)
	if n := w.made(memstore.Write); n != 12 || len(w.sent) != 20 { // claims, records, which are held, and each claim's end
		t.Errorf("%d writes, %d deliveries: %v", n, len(w.sent), w.calls)
	}
}

func TestABatchOfMoreThanOneWriteTakes(t *testing.T) {
	w := newWorld()
	for i, err := range w.router.Handle(t.Context(), w.linkAll(t, different(t, store.MaxWrite+5))) {
		if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if notes, writes := w.made(memstore.Note), w.made(memstore.Write); len(w.sent) != store.MaxWrite+5 || notes > 3 || writes != 2 {
		t.Errorf("%d deliveries, %d notes, %d writes", len(w.sent), notes, writes)
	}
}

// hanging is a directory that does not find one tenant before its time is over.
type hanging struct{ *world }

func (h hanging) Tenant(ctx context.Context, id string) (tenant.Tenant, error) {
	if id == "slow" {
		<-ctx.Done()
		return tenant.Tenant{}, fault.New(fault.Retryable, "store_failed", ctx.Err())
	}
	return h.world.Tenant(ctx, id)
}

func TestATenantWhoseLookUpHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.router.Tenants = hanging{w}
		heads := append(different(t, 3), message(t, event("hello", func(e *canonical.Event) { e.TenantID = "slow" })))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		began := time.Now()
		errs := w.router.Handle(ctx, heads)
		if errs[0] != nil || errs[1] != nil || errs[2] != nil || fault.Of(errs[3]).Kind != fault.Retryable || len(w.sent) != 3 {
			t.Errorf("%d deliveries, %v", len(w.sent), errs)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestOneIDForTwoPeopleInOneBatchIsTheSecondsFault(t *testing.T) {
	w := newWorld()
	heads := different(t, 2)
	other := message(t, event("hello", func(e *canonical.Event) {
		e.ProviderMessageID = "SM0"
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", "SM0")
		e.Sender.Phone = "+15551239999"
	}))
	errs := w.router.Handle(t.Context(), append(heads, other))
	if errs[0] != nil || errs[1] != nil || fault.Of(errs[2]).Code != router.CodeReused || len(w.sent) != 2 {
		t.Errorf("%d deliveries, %v", len(w.sent), errs)
	}
}

// late is a store that returns nothing to who asks after some time but once the asker gives up.
type late struct {
	*memstore.Store
	from time.Time
}

func (l late) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	if time.Now().Before(l.from) {
		return l.Store.WriteEach(ctx, changes...)
	}
	<-ctx.Done()
	return store.Failed(len(changes), fault.New(fault.Retryable, "store_failed", ctx.Err()))
}

// TestABatchIsFinishedWithinOneEnd: the worker's margin is for all claims of a batch, not for each of them.
func TestABatchIsFinishedWithinOneEnd(t *testing.T) {
	const message = 20 * time.Second
	slow := func(context.Context) { time.Sleep(message) }
	for name, c := range map[string]struct {
		publish func(context.Context)
		fails   error
	}{
		"claims that cannot be completed":                      {slow, nil},
		"claims that cannot be released":                       {slow, fault.New(fault.Retryable, "queue_failed", nil)},
		"claims that cannot be released of what took all time": {func(ctx context.Context) { <-ctx.Done() }, fault.New(fault.Retryable, "queue_failed", nil)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, began := newWorld(), time.Now()
				w.router.Claims = idempotency.New(late{w.store, began.Add(time.Second)}, 35*time.Second)
				w.router.Deliveries = map[string]queue.Publisher{"hubspot": publisher(func(ctx context.Context) error {
					c.publish(ctx)
					return c.fails
				})}
				heads := different(t, 10)
				for i := range heads {
					heads[i].Attempt = 3
				}
				ctx, cancel := context.WithTimeout(t.Context(), message)
				defer cancel()
				for i, err := range w.router.Handle(ctx, heads) {
					if err == nil {
						t.Errorf("message %d is done", i)
					}
				}
				if took := time.Since(began); took > message+2*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

type publisher func(context.Context) error

func (p publisher) Publish(ctx context.Context, _ ...queue.Message) error { return p(ctx) }

// hangingKeys is a ring that neither opens nor seals for one tenant before its time is over.
type hangingKeys struct{ router.Sealer }

func (h hangingKeys) Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error) {
	if at.Tenant == "slow" {
		<-ctx.Done()
		return nil, fault.New(fault.Retryable, "keys_failed", ctx.Err())
	}
	return h.Sealer.Open(ctx, at, sealed)
}

// TestATenantWhoseKeysHangHoldsUpNobody although a record of it, which is met where one is to be written, is to be opened.
func TestATenantWhoseKeysHangHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := keyringtest.New()
		w := sealedBy(ring)
		w.router.Tenants = everyTenant{w}
		of := message(t, event("hello", func(e *canonical.Event) { e.TenantID = "slow" }))
		if err := w.route(t, of); err != nil {
			t.Fatal(err)
		}
		w.sent = nil
		w.router = router.New(hangingKeys{ring}, w.router.Parts)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		began := time.Now()
		errs := w.router.Handle(ctx, append([]queue.Received{of}, different(t, 3)...))
		if errs[1] != nil || errs[2] != nil || errs[3] != nil || fault.Of(errs[0]).Kind != fault.Retryable || len(w.sent) != 3 {
			t.Errorf("%d deliveries, %v", len(w.sent), errs)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// everyTenant is a directory that knows every tenant.
type everyTenant struct{ *world }

func (e everyTenant) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	t := e.tenant
	t.ID = id
	return t, nil
}

// TestOneIDForTwoPeopleIsFoundWhateverTheClaimSays: two messages of one id that are claimed, since both came before, have one
// claim, which the first completes. What the second says is of somebody else and is not lost.
func TestOneIDForTwoPeopleIsFoundWhateverTheClaimSays(t *testing.T) {
	for name, together := range map[string]bool{"one after the other": false, "in one batch": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, first := newWorld(), different(t, 1)[0]
				second := message(t, event("hello", func(e *canonical.Event) {
					e.ProviderMessageID = "SM0"
					e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", "SM0")
					e.Sender.Phone = "+15551239999"
				}))
				first.Attempt, second.Attempt = 3, 3
				if together {
					errs := w.router.Handle(t.Context(), []queue.Received{first, second})
					if errs[0] != nil || !errors.Is(errs[1], queue.ErrNotStarted) {
						t.Fatal(errs)
					}
				} else if err := w.route(t, first); err != nil {
					t.Fatal(err)
				}
				second.Attempt++
				if f := fault.Of(w.route(t, second)); f == nil || f.Kind != fault.Permanent || f.Code != router.CodeReused {
					t.Errorf("the second message: %v", f)
				}
				if err := w.route(t, first); err != nil || len(w.sent) != 1 {
					t.Errorf("the first once more: %v, %d deliveries", err, len(w.sent))
				}
			})
		})
	}
}

// run returns messages of one thread.
func run(t *testing.T, texts ...string) (heads []queue.Received) {
	t.Helper()
	for i, text := range texts {
		heads = append(heads, message(t, event(text, func(e *canonical.Event) {
			e.ProviderMessageID = "SM" + strconv.Itoa(i)
			e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", e.ProviderMessageID)
			e.Timestamp = e.Timestamp.Add(time.Duration(i) * time.Second)
		})))
	}
	return heads
}

func TestARunOfAThreadSharesItsCallsUpToWhatChangesTheThread(t *testing.T) {
	for name, c := range map[string]struct {
		texts  string
		change func(w *world, heads []queue.Received)
		begun  int // how many are
		sent   int
	}{
		"ten of one thread":                         {texts: "a b c d e f g h i j", begun: 10, sent: 10},
		"a change of consent waits, and holds back": {texts: "a b stop c", begun: 2, sent: 2},
		"one at the head is alone":                  {texts: "stop a b", begun: 1, sent: 1},
		"one that came before is alone": {texts: "a b c", begun: 1, sent: 1, change: func(_ *world, heads []queue.Received) {
			heads[1].Attempt = 3
		}},
		"who may answer an outreach is alone": {texts: "a b c", begun: 1, sent: 1, change: func(w *world, _ []queue.Received) {
			if err := w.route(t, message(t, sent(-60))); err != nil {
				t.Error(err)
			}
			w.calls, w.sent = nil, nil
		}},
		"what is behind a delivery that fails goes back": {texts: "a b c", begun: 1, sent: 1, change: func(w *world, _ []queue.Received) {
			w.fail = func(queue.Message) error {
				if len(w.sent) > 0 {
					return fault.New(fault.Retryable, "queue_failed", nil)
				}
				return nil
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			heads := w.linkAll(t, run(t, strings.Fields(c.texts)...))
			if c.change != nil {
				c.change(w, heads)
			}
			done := 0
			for _, err := range w.router.Handle(t.Context(), heads) {
				if err == nil {
					done++
				}
			}
			if done != c.begun || len(w.sent) != c.sent {
				t.Errorf("%d done and %d sent, want %d and %d: %v", done, len(w.sent), c.begun, c.sent, w.calls)
			}
			if c.begun == len(heads) && strings.Join(w.calls, ", ") != "get head, note log, write event, publish" {
				t.Error(w.calls)
			}
		})
	}
}
