package router_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/session"
	"signalbox/shared/store"
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
	const calls = "get head, note log, write event, publish"
	several := []canonical.Event{spoken("a", 0), spoken("b", time.Second), spoken("c", time.Minute)}
	for name, c := range map[string]struct {
		granularity tenant.Granularity
		events      []canonical.Event
		want        string
	}{
		"one message":                   {tenant.ByDay, several[:1], calls},
		"messages of one person":        {tenant.ByDay, several, calls},
		"a conversation by itself":      {tenant.ByMessage, several, calls},
		"between silences, once a list": {tenant.BySession, several[:1], "get head, list, get session, note log, write event, publish"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := c.events
			w := shownBy(func(t *tenant.Timeline) { t.Granularity = c.granularity })
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
			if got := strings.Join(w.calls, ", "); got != c.want {
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
	for i, taken := range []string{"0", "5"} { // of the first part, and of another
		back := spoken("back "+taken, time.Duration(20+i)*time.Minute)
		back.Type, back.Message, back.RelatesTo = canonical.TypeRetract, nil, &canonical.Relation{Kind: "retract", ProviderMessageID: taken}
		w.routeAll(t, back)
	}
	after, _ := w.sessions(t, events[0])
	for name, words := range after {
		holds := strings.HasPrefix(got[name], events[0].Message.Text) || strings.Contains(got[name], events[5].Message.Text)
		if taken := strings.Contains(words, "retract"); taken != holds {
			t.Errorf("%s: a message of it was taken back %t, want %t", name, taken, holds)
		}
	}
	for _, record := range page {
		if len(record.Data) > session.MaxSealed {
			t.Errorf("a part takes %d bytes", len(record.Data))
		}
	}
}

func TestAConversationKnowsItsOwnerAndConsent(t *testing.T) {
	t.Parallel()
	w := shownBy(nil)
	w.tenant.Leads.People = []tenant.Seller{{Name: "ana", Users: map[string]string{"hubspot": "1"}}}
	w.tenant.Lines = []tenant.Line{{ID: "demo-number", Leads: tenant.LineLeads{Assign: tenant.AssignOwner, Owner: "ana"}, Timeline: w.tenant.Timeline}}
	for _, c := range []struct{ says, consent, status string }{
		{"hello", "", "waiting_for_us"}, {"stop", "opted_out", "waiting_for_us"}, {"are you there?", "opted_out", "waiting_for_us"}, {"start", "opted_in", "waiting_for_us"},
	} {
		w.routeAll(t, spoken(c.says, time.Duration(len(w.sent))*time.Minute))
		_, states := w.sessions(t, spoken(c.says, 0))
		if s := states.All[0]; s.Owner != "ana" || s.Consent != c.consent || string(s.Status) != c.status {
			t.Errorf("after %q: %+v", c.says, s)
		}
		if s := states.All[0]; s.Since.After(at.Add(2 * time.Minute)) {
			t.Error("a keyword waits for an answer")
		}
	}
}
