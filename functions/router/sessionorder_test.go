package router_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

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

// TestEveryMessageIsInOneSession, in whatever order messages come, and nothing in a session is further apart than a silence.
func TestEveryMessageIsInOneSession(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 11))
		w := shownBy(func(t *tenant.Timeline) { t.Granularity = tenant.BySession })
		w.link(t, spoken("a", 0))
		times := map[string]time.Duration{}
		var heads []queue.Received
		for _, i := range random.Perm(12) {
			text := string(rune('a' + i))
			times[text] = time.Duration(random.IntN(40*60)) * time.Minute
			heads = append(heads, message(t, received(48*time.Hour, spoken(text, times[text]))))
		}
		for len(heads) > 0 {
			n := min(1+random.IntN(4), len(heads))
			for _, err := range w.router.Handle(t.Context(), heads[:n]) {
				if err != nil {
					t.Fatal(err)
				}
			}
			heads = heads[n:]
		}
		got, states := w.sessions(t, spoken("a", 0))
		seen := map[string]bool{}
		for name, words := range got {
			last := ""
			for text := range strings.SplitSeq(words, ", ") {
				if seen[text] || last != "" && times[text]-times[last] > w.tenant.Timeline.Silence {
					t.Errorf("seed %d: %s is in %s behind %q: %v", seed, text, name, last, got)
				}
				seen[text], last = true, text
			}
		}
		if len(seen) != 12 || states.All[0].Messages != 12 {
			t.Errorf("seed %d: %v, %+v", seed, got, states)
		}
	}
}
