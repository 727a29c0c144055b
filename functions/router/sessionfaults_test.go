package router_test

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// TestACrashShowsAMessageOnce fails each call in turn, before and after its effect and halfway, and then receives the messages again.
func TestACrashShowsAMessageOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		granularity tenant.Granularity
		events      []canonical.Event
		want        map[string]string
	}{
		"of a day":     {tenant.ByDay, []canonical.Event{spoken("a", 0)}, map[string]string{day: "a"}},
		"of a batch":   {tenant.ByDay, []canonical.Event{spoken("a", 0), spoken("b", time.Second), spoken("c", 24*time.Hour)}, map[string]string{day: "a, b", "2026-01-19T00:00:00.000Z/sms/demo-number/": "c"}},
		"of a session": {tenant.BySession, []canonical.Event{spoken("a", 0), spoken("b", time.Second)}, map[string]string{"2026-01-18T14:23:12.000Z/sms/demo-number/": "a, b"}},
		"by itself":    {tenant.ByMessage, []canonical.Event{spoken("a", 0), spoken("b", time.Second)}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, effect := range []memstore.Fault{memstore.Before, memstore.After, memstore.Partial} {
				for step := 0; ; step++ {
					w := shownBy(func(t *tenant.Timeline) { t.Granularity = c.granularity })
					w.link(t, c.events[0])
					w.fault = func(call int) memstore.Fault {
						if call >= step {
							return effect
						}
						return memstore.None
					}
					failed := false
					receive := func(attempt int) {
						var heads []queue.Received
						for _, e := range c.events {
							m := message(t, e)
							m.Attempt = attempt
							heads = append(heads, m)
						}
						for _, err := range w.router.Handle(t.Context(), heads) {
							failed = failed || err != nil
						}
					}
					receive(1)
					began := failed
					w.fault = nil
					for attempt := 2; attempt < 8 && failed; attempt++ {
						failed = false
						receive(2)
					}
					got, states := w.sessions(t, c.events[0])
					if diff := cmp.Diff(c.want, got); diff != "" {
						t.Errorf("%d at step %d: %s", effect, step, diff)
					}
					if len(states.All) != 1 || states.All[0].Messages != len(c.events) {
						t.Errorf("%d at step %d: %+v", effect, step, states)
					}
					if !began {
						break
					}
					if step > 30 {
						t.Fatal("a message has no end")
					}
				}
			}
		})
	}
}

// TestTwoWritersShowBothMessages: two routers, of which each has a message of one thread, as when the second is re-homed.
func TestTwoWritersShowBothMessages(t *testing.T) {
	t.Parallel()
	for range 20 {
		w := shownBy(nil)
		w.link(t, spoken("a", 0))
		other := sealedBy(w.ring)
		other.tenant, other.router.Store, other.router.Log = w.tenant, w.store, w.store
		other.router.Claims = w.router.Claims
		var both sync.WaitGroup
		for i, of := range []*router.Router{w.router, other.router} {
			both.Go(func() {
				for n := range 5 {
					e := spoken(fmt.Sprintf("%d%d", n, i), time.Duration(n)*time.Minute+time.Duration(i)*time.Second)
					if err := of.Handle(t.Context(), []queue.Received{message(t, e)})[0]; err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		got, states := w.sessions(t, spoken("a", 0))
		if want := "00, 01, 10, 11, 20, 21, 30, 31, 40, 41"; got[day] != want || states.All[0].Messages != 10 {
			t.Fatalf("%v %+v", got, states)
		}
	}
}

// TestACopyOfAWebhookIsShownOnce, although a provider that gives no time makes it look as if it were of the day after.
func TestACopyOfAWebhookIsShownOnce(t *testing.T) {
	t.Parallel()
	copied := spoken("a", 24*time.Hour)
	for name, c := range map[string]func(*testing.T, *world){
		"later": func(t *testing.T, w *world) { w.routeAll(t, spoken("a", 0), copied) },
		"in one batch": func(t *testing.T, w *world) {
			errs := w.router.Handle(t.Context(), []queue.Received{message(t, spoken("a", 0)), message(t, copied)})
			if errs[0] != nil || errs[1] == nil {
				t.Fatal(errs)
			}
			w.routeAll(t, copied)
		},
		"beside it": func(t *testing.T, w *world) { // the first is routed whole between the second's reads and writes
			w.fault = func(call int) memstore.Fault {
				if w.calls[call] == "write event" {
					w.fault = nil
					w.mu.Unlock()
					w.routeAll(t, spoken("a", 0))
					w.mu.Lock()
				}
				return memstore.None
			}
			w.routeAll(t, copied)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := shownBy(nil)
			w.link(t, copied)
			c(t, w)
			got, states := w.sessions(t, copied)
			delete(got, "2026-01-19T00:00:00.000Z/sms/demo-number/") // perhaps there, and empty
			if diff := cmp.Diff(map[string]string{day: "a"}, got); diff != "" || states.All[0].Messages != 1 {
				t.Errorf("%s %+v", diff, states)
			}
			for _, d := range w.deliveries(t) {
				if !strings.HasSuffix(d.Session.Name, day) || !d.Event.Timestamp.Equal(at) {
					t.Errorf("a delivery is of %s and %s", d.Event.Timestamp, d.Session.Name)
				}
			}
		})
	}
}

// TestWhatIsMissingInItsSessionIsAdded when its message comes again, whatever the tenant wants by then.
func TestWhatIsMissingInItsSessionIsAdded(t *testing.T) {
	t.Parallel()
	w, e := shownBy(nil), spoken("a", 0)
	w.link(t, e)
	w.routeAll(t, e)
	key := session.StoreKey("demo", e.ThreadID, w.deliveries(t)[0].Session.Name)
	if _, err := w.store.Write(t.Context(), store.Change{Kind: store.Delete, Record: store.Record{Key: key, Version: 1}}); err != nil {
		t.Fatal(err)
	}
	w.tenant.Timeline.Granularity = tenant.ByMessage // by now
	w.routeAll(t, e)
	if got, states := w.sessions(t, e); got[day] != "a" || states.All[0].Messages != 1 {
		t.Errorf("%v %+v", got, states)
	}
	if all := w.deliveries(t); all[1].Session == nil || all[1].Session.Name != all[0].Session.Name {
		t.Errorf("%+v", all[1].Session)
	}
}

// TestAMessageThatIsCountedWhenItComesAgainKeepsTheConsent: its router died after the record and before the count.
func TestAMessageThatIsCountedWhenItComesAgainKeepsTheConsent(t *testing.T) {
	t.Parallel()
	w, e := shownBy(nil), spoken("are you there?", time.Minute)
	w.link(t, e)
	w.routeAll(t, spoken("stop", 0))
	calls := len(w.calls)
	w.fault = func(call int) memstore.Fault {
		if call >= calls && w.calls[call] == "write event" {
			return memstore.Partial
		}
		return memstore.None
	}
	if err := w.route(t, message(t, e)); err == nil {
		t.Fatal("the router lives")
	}
	w.fault = nil
	again := message(t, e)
	again.Attempt = 2
	if err := w.route(t, again); err != nil {
		t.Fatal(err)
	}
	if _, states := w.sessions(t, e); states.All[0].Messages != 2 || states.All[0].Consent != "opted_out" {
		t.Errorf("%+v", states.All[0])
	}
}

// TestWhoWasErasedAndWritesAgainIsShownFromThenOn: nothing that was said before can be read any more.
func TestWhoWasErasedAndWritesAgainIsShownFromThenOn(t *testing.T) {
	t.Parallel()
	keys, tenants, persons := memkeys.New(), memstore.New(), memstore.New()
	process := func() *keyring.Ring {
		return keyring.New(keyring.Options{Keys: keys, Tenants: tenants, Persons: persons, Random: cryptorand.Reader})
	}
	w := sealedBy(process())
	w.tenant.Timeline = tenant.DefaultTimeline()
	w.link(t, spoken("a", 0))
	w.routeAll(t, spoken("a", 0))
	for key := range persons.All() {
		if _, err := persons.Write(t.Context(), store.Change{Kind: store.Delete, Record: store.Record{Key: key.Key, Version: key.Version}}); err != nil {
			t.Fatal(err)
		}
	}
	w.ring = process() // without the keys that the other one remembers
	w.router = router.New(w.ring, w.router.Parts)
	w.routeAll(t, spoken("b", time.Minute))
	if got, _ := w.sessions(t, spoken("a", 0)); got[day] != "b" {
		t.Error(got)
	}
}

// TestAConversationThatOthersKeepWritingIsTriedAgain: the message is received again, and nothing is lost or counted twice.
func TestAConversationThatOthersKeepWritingIsTriedAgain(t *testing.T) {
	t.Parallel()
	w, e := shownBy(nil), spoken("a", 0)
	w.link(t, e)
	key := conversation.StatesKey("demo", e.ThreadID)
	w.router.Store = contended{w.store, key}
	if err := w.route(t, message(t, e)); fault.Of(err) == nil || fault.Of(err).Code != router.CodeMerge || fault.Of(err).Kind != fault.Retryable {
		t.Fatal(err)
	}
	w.router.Store = w.store
	m := message(t, e)
	m.Attempt = 2
	if err := w.route(t, m); err != nil {
		t.Fatal(err)
	}
	if got, states := w.sessions(t, e); got[day] != "a" || states.All[0].Messages != 1 {
		t.Errorf("%v %+v", got, states)
	}
}

// contended is a store in which others always come first at one key.
type contended struct {
	*memstore.Store
	key store.Key
}

func (c contended) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	outcomes := make([]store.Outcome, len(changes))
	for i, change := range changes {
		if change.Key == c.key {
			outcomes[i].Err = &store.ConflictError{Index: i, Held: store.Record{Key: c.key, Version: change.Version + 1}}
			continue
		}
		outcomes[i] = c.Store.WriteEach(ctx, change)[0]
	}
	return outcomes
}

// TestWhatIsFoundMuchLaterIsShownByItself: its session may be gone, and would be written anew from this message alone.
func TestWhatIsFoundMuchLaterIsShownByItself(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]bool{13 * 24 * time.Hour: true, 15 * 24 * time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			w, e := shownBy(nil), spoken("a", 0)
			w.link(t, e)
			w.fault = func(call int) memstore.Fault { // the router dies after the record and before the session
				if w.calls[call] == "write event" {
					return memstore.Partial
				}
				return memstore.None
			}
			if err := w.route(t, message(t, e)); err == nil {
				t.Fatal("the router lives")
			}
			w.fault = nil
			time.Sleep(after)
			w.routeAll(t, e)
			if d := w.deliveries(t)[0]; (d.Session != nil) != want {
				t.Errorf("after %s it is of %+v", after, d.Session)
			}
			if got, _ := w.sessions(t, e); (got[day] == "a") != want {
				t.Errorf("after %s: %v", after, got)
			}
		})
	}
}

// TestACrashForgetsNoOptOut: a conversation of somebody who opted out says so, whatever fails while their next message is counted.
func TestACrashForgetsNoOptOut(t *testing.T) {
	t.Parallel()
	for _, effect := range []memstore.Fault{memstore.Before, memstore.After, memstore.Partial} {
		for step := 0; ; step++ {
			w := shownBy(nil)
			w.link(t, spoken("stop", 0))
			w.routeAll(t, spoken("stop", 0))
			first, failed := len(w.calls), false
			w.fault = func(call int) memstore.Fault {
				if call == first+step {
					failed = true
					return effect
				}
				return memstore.None
			}
			m := message(t, spoken("who is this?", time.Minute))
			err := w.route(t, m)
			for m.Attempt = 2; err != nil && m.Attempt < 8; m.Attempt++ {
				err = w.route(t, m)
			}
			w.fault = nil
			if _, states := w.sessions(t, spoken("stop", 0)); err != nil || states.All[0].Consent != "opted_out" || states.All[0].Messages != 2 {
				t.Errorf("%d at step %d: %+v, %v", effect, step, states.All, err)
			}
			if !failed {
				break
			}
		}
	}
}
