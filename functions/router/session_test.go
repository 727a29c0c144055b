package router_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// shownBy returns a world whose tenant's CRMs show days, or what change says.
func shownBy(change func(*tenant.Timeline)) *world {
	w := newWorld()
	w.tenant.Timeline = tenant.DefaultTimeline()
	if change != nil {
		change(&w.tenant.Timeline)
	}
	return w
}

// said returns a message of the person of event, after a time, that came at once.
func spoken(text string, after time.Duration) canonical.Event {
	return event(text, func(e *canonical.Event) {
		e.ProviderMessageID = text
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", text)
		e.Timestamp, e.ReceivedAt = at.Add(after), at.Add(after)
	})
}

// sessions returns what each session of a thread says, by its name without the prefix, and the conversations of the thread.
func (w *world) sessions(t testing.TB, e canonical.Event) (map[string]string, conversation.Conversations) {
	t.Helper()
	all := map[string]string{}
	page, _, err := w.store.List(t.Context(), session.Sessions("demo", e.ThreadID))
	if err != nil {
		t.Fatal(err)
	}
	for _, held := range page {
		record, err := session.Open(t.Context(), w.ring, held)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, entry := range record.Entries {
			if entry.Event.Message != nil {
				words = append(words, entry.Event.Message.Text)
			} else {
				words = append(words, string(entry.Event.Type))
			}
		}
		all[strings.TrimPrefix(held.Sort, "session/")] = strings.Join(words, ", ")
	}
	held, err := w.store.Get(t.Context(), conversation.StatesKey("demo", e.ThreadID))
	if err != nil {
		t.Fatal(err)
	}
	states, err := conversation.DecodeStates(held[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return all, states
}

// routeAll routes events one after the other.
func (w *world) routeAll(t testing.TB, events ...canonical.Event) {
	t.Helper()
	for _, e := range events {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
}

const day = "2026-01-18T00:00:00.000Z/sms/demo-number/"

func TestADayIsShownTogether(t *testing.T) {
	t.Parallel()
	berlin := func(w *world) { w.tenant.Zone = "Europe/Berlin" }
	for name, c := range map[string]struct {
		timeline func(*tenant.Timeline)
		world    func(*world)
		events   []canonical.Event
		want     map[string]string
	}{
		"of one day": {nil, nil, []canonical.Event{spoken("a", 0), spoken("b", time.Hour)}, map[string]string{day: "a, b"}},
		"of two days": {
			nil, nil,
			[]canonical.Event{spoken("a", 0), spoken("b", 10*time.Hour)},
			map[string]string{day: "a", "2026-01-19T00:00:00.000Z/sms/demo-number/": "b"},
		},
		"of a day in the tenant's zone": {
			nil, berlin,
			[]canonical.Event{spoken("a", 0), spoken("b", 9*time.Hour)},
			map[string]string{"2026-01-17T23:00:00.000Z/sms/demo-number/": "a", "2026-01-18T23:00:00.000Z/sms/demo-number/": "b"},
		},
		"of another channel by itself": {
			nil, nil,
			[]canonical.Event{spoken("a", 0), on(canonical.WhatsApp, spoken("b", time.Minute))},
			map[string]string{day: "a", "2026-01-18T00:00:00.000Z/whatsapp/demo-number/": "b"},
		},
		"what is late has its place": {nil, nil, []canonical.Event{spoken("a", 0), spoken("c", time.Hour), received(time.Hour*2, spoken("b", time.Minute))}, map[string]string{day: "a, b, c"}},
		"what is too late is shown by itself": {
			nil, nil,
			[]canonical.Event{spoken("a", 0), received(8*24*time.Hour, spoken("b", time.Minute)), received(8*24*time.Hour+time.Second, spoken("c", 0))},
			map[string]string{day: "a", day + "late-2026-01-26": "c, b"},
		},
		"a keyword": {nil, nil, []canonical.Event{spoken("stop", 0)}, map[string]string{day: "stop"}},
		"what is said without a silence": {
			func(t *tenant.Timeline) { t.Granularity = tenant.BySession },
			nil,
			[]canonical.Event{spoken("a", 0), spoken("b", 3*time.Hour), spoken("c", 6*time.Hour), spoken("d", 10*time.Hour)},
			map[string]string{"2026-01-18T14:23:12.000Z/sms/demo-number/": "a, b, c", "2026-01-19T00:23:12.000Z/sms/demo-number/": "d"},
		},
		"what comes late goes to the stretch that it is nearest to": {
			func(t *tenant.Timeline) { t.Granularity = tenant.BySession },
			nil,
			[]canonical.Event{spoken("b", 0), spoken("d", 7*time.Hour), received(8*time.Hour, spoken("c", 3*time.Hour)), received(9*time.Hour, spoken("a", -time.Hour))},
			map[string]string{"2026-01-18T14:23:12.000Z/sms/demo-number/": "a, b, c", "2026-01-18T21:23:12.000Z/sms/demo-number/": "d"},
		},
		"nothing, where each message is shown by itself": {func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage }, nil, []canonical.Event{spoken("a", 0)}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := shownBy(c.timeline)
			if c.world != nil {
				c.world(w)
			}
			w.link(t, c.events[0])
			w.routeAll(t, c.events...)
			got, states := w.sessions(t, c.events[0])
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			counted := 0
			for _, s := range states.All {
				counted += s.Messages
			}
			if counted != len(c.events) {
				t.Errorf("%d messages are counted", counted)
			}
			for i, d := range w.deliveries(t) {
				if !d.Conversation || (d.Session != nil) != (len(c.want) > 0) {
					t.Fatalf("delivery %d: session %v, conversation %t", i, d.Session, d.Conversation)
				}
				if d.Session == nil {
					continue
				}
				held, err := w.store.Get(t.Context(), session.StoreKey("demo", d.Event.ThreadID, d.Session.Name))
				record, err2 := session.Open(t.Context(), w.ring, held[0])
				if err != nil || err2 != nil || !record.Holds(d.Event.EventID) || d.Session.Revision > held[0].Version || d.Session.Revision == 0 {
					t.Errorf("delivery %d is of %+v, which is at %d: %v %v", i, d.Session, held[0].Version, err, err2)
				}
				if d.Session.Key != session.ExternalID("demo", d.Event.ThreadID, d.Session.Name) || d.Session.Window != time.Minute {
					t.Errorf("delivery %d has %+v", i, d.Session)
				}
			}
		})
	}
}

// on returns an event of another channel.
func on(channel canonical.Channel, e canonical.Event) canonical.Event {
	e.Channel, e.ConversationID = channel, string(channel)+":demo-twilio:conv:98765"
	return e
}

// received returns an event that came a time after that of spoken.
func received(after time.Duration, e canonical.Event) canonical.Event {
	e.ReceivedAt = at.Add(after)
	return e
}

// TestWhatIsShownTogetherCostsNoFurtherCall: it is read with the head and written with the record.
func TestWhatIsShownTogetherCostsNoFurtherCall(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]canonical.Event{
		"one message":            {spoken("a", 0)},
		"messages of one person": {spoken("a", 0), spoken("b", time.Second), spoken("c", time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := shownBy(nil)
			w.link(t, events[0])
			var heads []queue.Received
			for _, e := range events {
				heads = append(heads, message(t, e))
			}
			for _, err := range w.router.Handle(t.Context(), heads) {
				if err != nil {
					t.Error(err)
				}
			}
			if got := strings.Join(w.calls, ", "); got != "get head, note log, write event, publish" {
				t.Error(got)
			}
			page, _, err := w.store.List(t.Context(), store.Range{Partition: "demo/thread/" + string(events[0].ThreadID)})
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range page {
				if kind, _, _ := strings.Cut(record.Sort, "/"); (kind == "session" || kind == "conversations") && (len(record.Data) > 900 || record.Version != 1) {
					t.Errorf("%s takes %d bytes and was written %d times", kind, len(record.Data), record.Version)
				}
			}
		})
	}
}

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

// TestTheOrderOfArrivalDoesNotChangeADay routes the same messages of two days in orders that are drawn, some of them twice, in batches and
// one by one.
func TestTheOrderOfArrivalDoesNotChangeADay(t *testing.T) {
	t.Parallel()
	var events []canonical.Event
	for i := range 8 {
		events = append(events, received(30*time.Hour, spoken(string(rune('a'+i)), time.Duration(i)*2*time.Hour)))
	}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := shownBy(nil)
		w.link(t, events[0])
		var heads []queue.Received
		for _, i := range random.Perm(len(events)) {
			for range 1 + random.IntN(2) {
				heads = append(heads, message(t, events[i]))
			}
		}
		for len(heads) > 0 {
			n := min(1+random.IntN(4), len(heads))
			var left []queue.Received
			for i, err := range w.router.Handle(t.Context(), heads[:n]) {
				if err != nil { // a copy in the same batch is received again
					left = append(left, heads[i])
				}
			}
			heads = append(left, heads[n:]...)
		}
		got, states := w.sessions(t, events[0])
		want := map[string]string{day: "a, b, c, d, e", "2026-01-19T00:00:00.000Z/sms/demo-number/": "f, g, h"}
		if diff := cmp.Diff(want, got); diff != "" || states.All[0].Messages != 8 {
			t.Fatalf("seed %d: %s %+v", seed, diff, states)
		}
	}
}

// TestTwoWritersShowBothMessages: two routers, of which each has a message of one thread, as when the second is re-homed.
func TestTwoWritersShowBothMessages(t *testing.T) {
	t.Parallel()
	for range 20 {
		w := shownBy(nil)
		w.link(t, spoken("a", 0))
		other := router.New(w.ring, router.Parts{
			Store: w.store, Log: w.store, Tenants: w, Peppers: w, Engine: rules.Ordered{}, Events: w,
			Claims: idempotency.New(w.store, 35*time.Second), Outbox: w.outbox(),
		})
		var both sync.WaitGroup
		for i, of := range []*router.Router{w.router, other} {
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

// TestWhatIsMissingInItsSessionIsAdded when its message comes again; much later it is shown by itself.
func TestWhatIsMissingInItsSessionIsAdded(t *testing.T) {
	t.Parallel()
	w, e := shownBy(nil), spoken("a", 0)
	w.link(t, e)
	w.routeAll(t, e)
	key := session.StoreKey("demo", e.ThreadID, w.deliveries(t)[0].Session.Name)
	if _, err := w.store.Write(t.Context(), store.Change{Kind: store.Delete, Record: store.Record{Key: key, Version: 1}}); err != nil {
		t.Fatal(err)
	}
	w.tenant.Timeline.Granularity = tenant.ByMessage // what was decided stands
	w.routeAll(t, e)
	if got, states := w.sessions(t, e); got[day] != "a" || states.All[0].Messages != 1 {
		t.Errorf("%v %+v", got, states)
	}
	if all := w.deliveries(t); all[1].Session == nil || all[1].Session.Name != all[0].Session.Name {
		t.Errorf("%+v", all[1].Session)
	}
}

func TestAReactionIsShownWithItsMessage(t *testing.T) {
	t.Parallel()
	w := shownBy(nil)
	log := []rules.Action{{CRM: rules.AnyCRM, Kind: delivery.LogActivity}}
	w.tenant.Rules = rules.Set{Rules: []rules.Rule{{ID: "all", Then: log}}}
	react := func(to string, after time.Duration) canonical.Event {
		e := spoken("reaction to "+to+after.String(), after)
		e.Type, e.Message, e.Reaction = canonical.TypeReaction, nil, &canonical.Reaction{Emoji: "👍"}
		e.RelatesTo = &canonical.Relation{Kind: "reaction", ProviderMessageID: to}
		return e
	}
	w.link(t, spoken("a", 0))
	w.routeAll(t, spoken("a", 0), spoken("b", 24*time.Hour), react("a", 24*time.Hour+time.Minute), react("b", 25*time.Hour), react("unknown", 26*time.Hour), react("a", 20*24*time.Hour))
	got, states := w.sessions(t, spoken("a", 0))
	want := map[string]string{
		day: "a, reaction", "2026-01-19T00:00:00.000Z/sms/demo-number/": "b, reaction, reaction", "2026-02-07T00:00:00.000Z/sms/demo-number/": "reaction",
	}
	if diff := cmp.Diff(want, got); diff != "" || states.All[0].Messages != 2 {
		t.Errorf("%s %+v", diff, states)
	}
	if d := w.deliveries(t); d[2].Conversation || !d[1].Conversation {
		t.Error("a reaction is a message of its conversation")
	}
}

func TestAFullSessionGoesOnInAnotherPart(t *testing.T) {
	t.Parallel()
	w := shownBy(nil)
	w.link(t, spoken("a", 0))
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string { // that cannot be compressed
		b := make([]rune, n)
		for i := range b {
			b[i] = rune('一' + random.IntN(20000))
		}
		return string(b)
	}
	var events []canonical.Event
	for i := range 12 {
		e := spoken(fmt.Sprint(i), time.Duration(i)*time.Minute)
		e.Message.Text, e.Message.Summary = noise(5000), "long"
		events = append(events, e)
	}
	w.routeAll(t, events...)
	w.routeAll(t, events[0], events[5], events[11])
	got, states := w.sessions(t, events[0])
	messages := 0
	for name, words := range got {
		messages += strings.Count(words, ", ") + 1
		if !slices.Contains([]string{day, day + "2", day + "3", day + "4"}, name) {
			t.Error(name)
		}
	}
	if len(got) < 3 || messages != 12 || states.All[0].Messages != 12 {
		t.Errorf("%d sessions, %d messages, %d counted", len(got), messages, states.All[0].Messages)
	}
	page, _, _ := w.store.List(t.Context(), session.Sessions("demo", events[0].ThreadID))
	for _, record := range page {
		if len(record.Data) > session.MaxSealed {
			t.Errorf("a part takes %d bytes", len(record.Data))
		}
	}
}

// checkShown fails unless everything that CRMs were asked to show is in one session of its thread, and counted once, where days are shown.
func (o *office) checkShown() {
	o.t.Helper()
	in, counted := map[canonical.EventID][]store.Key{}, 0
	for record := range o.state.All() {
		switch {
		case strings.HasPrefix(record.Sort, "session/"):
			held, err := session.Open(o.t.Context(), o.w.ring, record)
			if err != nil {
				o.t.Fatal(err)
			}
			for _, entry := range held.Entries {
				in[entry.Event.EventID] = append(in[entry.Event.EventID], record.Key)
			}
		case record.Sort == "conversations":
			states, err := conversation.DecodeStates(record.Data)
			if err != nil {
				o.t.Fatal(err)
			}
			for _, s := range states.All {
				counted += s.Messages
			}
		}
	}
	if o.w.tenant.Timeline == (tenant.Timeline{}) {
		if len(in)+counted > 0 {
			o.t.Errorf("%d events are shown in sessions, %d counted", len(in), counted)
		}
		return
	}
	messages := 0
	for _, d := range o.shown {
		if !slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return a.Kind == delivery.LogActivity }) {
			continue
		}
		messages++
		if d.Session == nil || len(in[d.Event.EventID]) != 1 || in[d.Event.EventID][0] != session.StoreKey("demo", d.Event.ThreadID, d.Session.Name) {
			o.t.Errorf("%s is of the session %+v of %s, and in %v", d.Event.ProviderMessageID, d.Session, d.Event.ThreadID, in[d.Event.EventID])
		}
	}
	if messages != len(in) || messages != counted {
		o.t.Errorf("%d messages are shown, %d are in sessions, %d are counted", messages, len(in), counted)
	}
}

// TestWordsAreKeptBack: nothing that is sent to CRMs, or kept to be shown by them, has words of an event where the tenant keeps them back.
// The record of the event has them.
func TestWordsAreKeptBack(t *testing.T) {
	t.Parallel()
	const secrets = "secret"
	secret := func(e *canonical.Event) {
		e.Message = &canonical.Message{
			Text: "secret words", Summary: "secret words", ContentType: "text/plain",
			Attachments: []canonical.Attachment{{URL: "https://example.com/secret.png", ContentType: "image/png", Name: "secret.png", Size: 12}},
			Suggestions: []canonical.Suggestion{{Text: "secret button"}}, Postback: &canonical.Postback{Text: "secret", Payload: "secret"},
			Template: &canonical.Template{ID: "secret", Variables: map[string]string{"1": "secret"}}, Location: &canonical.Location{Label: "secret"},
		}
		e.Attribution = &canonical.Attribution{SourceID: "ad-1", Headline: "secret", Body: "secret"}
		e.Metadata["ButtonText"] = []byte(`"secret"`)
	}
	summary := func(t *tenant.Timeline) { t.Granularity = tenant.BySummary }
	digest := func(t *tenant.Timeline) { t.Words = tenant.WordsDigest }
	alone := func(t *tenant.Timeline) { t.Words, t.Granularity = tenant.WordsDigest, tenant.ByMessage }
	for name, c := range map[string]struct {
		timeline func(*tenant.Timeline)
		event    canonical.Event
		known    bool
		want     string // in their place
	}{
		"of a day":                       {digest, event("secret words", nil), true, "[12 characters, digest %s]"},
		"of somebody new":                {digest, event("secret words", nil), false, "[12 characters, digest %s]"},
		"of a message by itself":         {alone, event("secret words", nil), false, "[12 characters, digest %s]"},
		"of a summary":                   {summary, event("secret words", nil), true, "[12 characters, digest %s]"},
		"everything that may have words": {digest, event("secret words", secret), true, "[button, template, 12 characters, digest %s, 1 attached, location]"},
		"characters, not bytes":          {digest, event("sécret", nil), true, "[6 characters, digest %s]"},
		"no words": {digest, event("", func(e *canonical.Event) {
			e.Message.Attachments = slices.Repeat([]canonical.Attachment{{URL: "https://example.com/secret"}}, 2)
		}), true, "[2 attached]"},
		"what nobody but a device can read": {digest, event("", func(e *canonical.Event) { e.Message.ContentType = canonical.ContentEncrypted }), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := shownBy(c.timeline)
			if c.known {
				w.link(t, c.event)
			}
			w.routeAll(t, c.event)
			want := c.want
			if text := c.event.Message.Text; strings.Contains(want, "%s") {
				pepper, _ := w.Pepper(t.Context(), "demo")
				want = fmt.Sprintf(want, canonical.Digest(pepper, "words", text)[:12])
			}
			var seen []string
			for _, m := range w.sent {
				seen = append(seen, string(w.opened(t, m.Body)))
			}
			if d := w.deliveries(t)[0]; d.Event.Message.Text != want {
				t.Errorf("the CRM is told %q, want %q", d.Event.Message.Text, want)
			}
			page, _, err := w.store.List(t.Context(), session.Sessions("demo", c.event.ThreadID))
			if err != nil || (len(page) == 0) != (name == "of a message by itself") {
				t.Fatal(page, err)
			}
			for _, held := range page {
				record, err := session.Open(t.Context(), w.ring, held)
				if err != nil || record.Entries[0].Event.Message.Text != want {
					t.Errorf("the session says %+v, %v", record, err)
				}
				seen = append(seen, fmt.Sprintf("%+v %+v", record, record.Entries[0].Event.Message))
			}
			for _, one := range seen {
				if strings.Contains(one, secrets) || strings.Contains(one, "sécret") {
					t.Errorf("words are told: %s", one)
				}
			}
			if record, _ := w.record(t, c.event); c.event.Message.Text != "" && !strings.Contains(string(record.Event), c.event.Message.Text) {
				t.Error("the event's record has no words")
			}
		})
	}
}

// TestWordsThatAreKeptBackLaterAreNotToldAgain: what is sent once more is told as the tenant wants it now.
func TestWordsThatAreKeptBackLaterAreNotToldAgain(t *testing.T) {
	t.Parallel()
	w, e := shownBy(func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage }), spoken("secret", 0)
	w.link(t, e)
	w.routeAll(t, e)
	w.tenant.Timeline.Words = tenant.WordsDigest
	w.routeAll(t, e)
	if all := w.deliveries(t); all[0].Event.Message.Text != "secret" || strings.Contains(all[1].Event.Message.Text, "secret") {
		t.Errorf("%q, then %q", all[0].Event.Message.Text, all[1].Event.Message.Text)
	}
}
