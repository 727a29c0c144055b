package connectortest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
)

func sessionOfADay[R any](w *world[R]) {
	w.meet(1)
	var words []string
	for m := 2; m <= 11; m++ {
		d := w.says(1, m, word(m))
		w.wire.spoil(nil)
		w.finish(d)
		if n := w.wire.count(); m > 2 && n > w.Sessions.Calls {
			w.t.Errorf("message %d cost %d requests, the limit is %d", m, n, w.Sessions.Calls)
		}
		words = append(words, word(m))
		time.Sleep(10 * time.Minute)
	}
	if s, d := w.reads(words...), w.says(1, 2, word(2)); s.Key != d.Session.Key && s.Key != "" {
		w.t.Errorf("its key is %s", s.Key)
	}
	if len(w.Held().Persons) != 1 {
		w.t.Errorf("persons %+v", w.Held().Persons)
	}
}

// gatheredCalls is the limit: the requests of ten messages in two minutes, of those that they cost one by one.
const gatheredCalls = 0.3

func sessionGathered[R any](w *world[R]) {
	w.meet(1)
	var waiting []delivery.Delivery
	var words []string
	began := time.Now()
	for m := 2; m <= 11 || len(waiting) > 0; m++ {
		if m <= 11 {
			waiting, words = append(waiting, w.says(1, m, word(m))), append(words, word(m))
		}
		for len(waiting) > 0 && w.deliver(&process{}, waiting[0])[0] == nil {
			waiting = waiting[1:]
		}
		if m == 2 && len(waiting) > 0 {
			w.t.Error("the first one waits")
		}
		time.Sleep(13 * time.Second)
		if time.Since(began) > 10*time.Minute {
			w.t.Fatal("they never end")
		}
	}
	w.reads(words...)
	limit := int(gatheredCalls * 10 * float64(w.KnownCalls))
	if w.Singly { // three writes, and who has no key to write by looks before the first
		limit = 3*w.Sessions.Calls + 2
	}
	if n := w.wire.count(); n > limit {
		w.t.Errorf("%d requests for ten messages, the limit is %d", n, limit)
	}
}

func sessionLate[R any](w *world[R]) {
	w.meet(1)
	for _, m := range []int{2, 9, 5} {
		w.finish(w.says(1, m, word(m)))
		time.Sleep(10 * time.Minute)
	}
	w.reads(word(2), word(5), word(9))
}

func sessionRedelivered[R any](w *world[R]) {
	w.meet(1)
	var all []delivery.Delivery
	for m := 2; m <= 4; m++ {
		all = append(all, w.says(1, m, word(m)))
		w.finish(all[m-2])
		time.Sleep(10 * time.Minute)
	}
	w.wire.spoil(nil)
	for _, d := range all {
		w.finish(d)
	}
	if n := w.wire.count(); n != 0 {
		w.t.Errorf("%d requests for copies", n)
	}
	w.reads(word(2), word(3), word(4))
}

// sessionForgotten takes away what is kept of what the CRM shows.
func sessionForgotten[R any](w *world[R]) {
	w.meet(1)
	w.finish(w.says(1, 2, word(2)))
	for record := range w.store.All() {
		if strings.HasPrefix(record.Sort, "written/") {
			if _, err := w.store.Write(w.t.Context(), store.Change{Kind: store.Delete, Record: store.Record{Key: record.Key, Version: record.Version}}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	time.Sleep(10 * time.Minute)
	w.finish(w.says(1, 3, word(3)))
	w.reads(word(2), word(3))
}

func sessionAmended[R any](w *world[R]) {
	w.meet(1)
	say := func(d delivery.Delivery) {
		w.finish(d)
		time.Sleep(10 * time.Minute)
	}
	say(w.says(1, 2, word(2)))
	say(w.says(1, 3, word(3)))
	say(w.says(1, 4, word(4)))
	say(w.amends(1, 5, 2, canonical.TypeEdit, func(e *canonical.Event) { e.Message = &canonical.Message{Text: word(22)} }))
	say(w.amends(1, 6, 3, canonical.TypeRetract, func(*canonical.Event) {}))
	say(w.amends(1, 7, 4, canonical.TypeReaction, func(e *canonical.Event) { e.Reaction = &canonical.Reaction{Emoji: "👍"} }))
	if text := w.reads(word(22), word(4), "👍").Text; strings.Contains(text, word(2)+"\n") || strings.Contains(text, word(3)) {
		w.t.Errorf("what was changed is still there: %q", text)
	}
}

// family is one character of seven code points.
const family = "👨‍👩‍👧‍👦"

// long is more than any CRM takes in a record.
const long = 12000

func sessionInParts[R any](w *world[R]) {
	w.meet(1)
	w.finish(w.says(1, 2, word(2)))
	time.Sleep(10 * time.Minute)
	for m := 3; m <= 5; m++ {
		w.finish(w.says(1, m, strings.Repeat(family, long/4)+word(m)))
		time.Sleep(10 * time.Minute)
	}
	all := w.sessions()
	if len(all) < 2 {
		w.t.Fatalf("%d records", len(all))
	}
	whole, keys := "", map[string]bool{}
	for _, s := range all {
		whole += s.Text
		keys[s.Key] = true
	}
	if n := strings.Count(whole, family); n != 3*(long/4) || strings.Count(whole, "👦") != n {
		w.t.Errorf("%d of %d characters are whole", n, 3*(long/4))
	}
	for m := 2; m <= 5; m++ {
		if strings.Count(whole, word(m)) != 1 {
			w.t.Errorf("%s is there %d times", word(m), strings.Count(whole, word(m)))
		}
	}
	if len(keys) != len(all) {
		w.t.Errorf("%d keys of %d records", len(keys), len(all))
	}
}

func sessionShrinks[R any](w *world[R]) {
	w.meet(1)
	w.finish(w.says(1, 2, strings.Repeat("x", 6*long)))
	time.Sleep(10 * time.Minute)
	was := len(w.sessions())
	w.finish(w.amends(1, 3, 2, canonical.TypeEdit, func(e *canonical.Event) { e.Message = &canonical.Message{Text: word(22)} }))
	all := w.sessions()
	if len(all) != was || was < 2 {
		w.t.Errorf("%d records, there were %d", len(all), was)
	}
	for _, s := range all {
		if strings.Contains(s.Text, "xxx") || strings.TrimSpace(s.Text) == "" {
			w.t.Errorf("%.60q", s.Text)
		}
	}
}

func sessionEdited[R any](w *world[R]) {
	w.meet(1)
	w.finish(w.says(1, 2, word(2)))
	before := w.reads(word(2))
	w.Sessions.Edit(before.Key)
	edited := w.reads(word(2))
	if edited.Rest == before.Rest {
		w.t.Fatalf("nothing was edited: %q", edited.Rest)
	}
	for m := 3; m <= 5; m++ {
		time.Sleep(10 * time.Minute)
		w.finish(w.says(1, m, word(m)))
		if got := w.reads(word(2), word(m)); got.Rest != edited.Rest {
			w.t.Errorf("%q is %q again", edited.Rest, got.Rest)
		}
	}
}

// stands fails the test unless the CRM shows how one conversation stands.
func (w *world[R]) stands(messages int, state string) {
	w.t.Helper()
	if w.Sessions.Standings == nil {
		w.t.Skip("this CRM, or this binding of it, does not show how conversations stand")
	}
	want := Standing{Status: conversation.WaitingForUs, Messages: messages, Receipt: state}
	for _, p := range w.Held().Persons {
		want.Person = p.ID
	}
	if got := w.Sessions.Standings(); len(got) != 1 || got[0] != want {
		w.t.Errorf("%+v, want %+v", got, want)
	}
}

func sessionStands[R any](w *world[R]) {
	w.meet(1)
	for m := 2; m <= 4; m++ {
		w.finish(w.says(1, m, word(m)))
		w.stands(m-1, "")
		time.Sleep(10 * time.Minute)
	}
}

// standsAlone shows how a conversation stands whose messages are each shown by themselves.
func standsAlone[R any](w *world[R]) {
	w.meet(1)
	var all []delivery.Delivery
	for m := 2; m <= 3; m++ {
		d := w.says(1, m, word(m))
		d.Session = nil
		w.finish(d)
		w.stands(m-1, "")
		all = append(all, d)
	}
	w.holds(1, w.unknown(1, 1), all[0], all[1])
}

func sessionReceipt[R any](w *world[R]) {
	w.meet(1)
	d := w.says(1, 2, word(2))
	e := d.Event
	update := receipt.Update{
		TenantID: w.Tenant, CRM: w.Name, Channel: e.Channel, Status: receipt.Status{State: "delivered"},
		Conversation: &receipt.Conversation{Thread: e.ThreadID, Line: e.LineID, Channel: e.Channel},
	}
	if w.Sessions.Standings == nil {
		w.t.Skip("this CRM, or this binding of it, does not show how conversations stand")
	}
	other := w.says(2, 2, word(2)).Event // whom the CRM does not hold
	unknown := update
	unknown.Conversation = &receipt.Conversation{Thread: other.ThreadID, Line: other.LineID, Channel: other.Channel}
	w.accepted(update, unknown)
	if got := len(w.Sessions.Standings()); got > 1 {
		w.t.Errorf("%d conversations", got)
	}
	w.finish(d)
	if err := conversation.Link(w.t.Context(), w.store, w.Tenant, e.ThreadID, w.Name, nil, w.links.of(e.ThreadID)); err != nil {
		w.t.Fatal(err)
	}
	w.stand(e, func(s *conversation.State) { s.Receipt = "delivered" })
	w.wire.spoil(nil)
	w.accepted(update, update, unknown)
	w.stands(1, "delivered")
	if n := w.wire.count(); n > 2 {
		w.t.Errorf("%d requests, the limit is 2", n)
	}
	w.stand(e, func(s *conversation.State) { s.Receipt = "read" })
	time.Sleep(10 * time.Minute)
	w.finish(w.says(1, 3, word(3)))
	w.stands(2, "read")
}

// sessionMeanwhile lets more be said before each request of a delivery.
func sessionMeanwhile[R any](w *world[R]) {
	w.meet(1)
	var words []string
	for at, m, met := 1, 2, true; met && at < endless; at++ {
		met = false
		first := w.says(1, m, word(m))
		var second delivery.Delivery
		w.wire.spoil(&trouble{how: meanwhile, at: at, do: func() { second, met = w.says(1, m+1, word(m+1)), true }})
		w.finish(first)
		words = append(words, word(m))
		if m += 2; met {
			words = append(words, word(m-1))
			w.reads(words...)
			w.wire.spoil(nil)
			w.finish(second)
			if n := w.wire.count(); n != 0 {
				w.t.Errorf("%d requests for what is shown", n)
			}
		}
		time.Sleep(10 * time.Minute)
	}
	w.reads(words...)
}

func sessionBatch[R any](w *world[R]) {
	w.width = w.Width
	var first, second []delivery.Delivery
	for n := range w.Width {
		w.meet(n)
		first = append(first, w.says(n, 2, word(n)+"a"))
	}
	w.finish(first...)
	time.Sleep(10 * time.Minute)
	for n := range w.Width {
		second = append(second, w.says(n, 3, word(n)+"b"))
	}
	w.wire.spoil(nil)
	w.finish(second...)
	limit := max(w.Sessions.Calls, w.Width*4/10)
	if w.Singly {
		limit = w.Sessions.Calls * w.Width
	}
	if n := w.wire.count(); n > limit {
		w.t.Errorf("%d requests for %d messages in a batch, the limit is %d", n, w.Width, limit)
	}
	all := w.sessions()
	if len(all) != w.Width {
		w.t.Errorf("%d records of sessions", len(all))
	}
	for n := range w.Width {
		if !slices.ContainsFunc(all, func(s Shown) bool {
			return strings.Contains(s.Text, word(n)+"a") && strings.Contains(s.Text, word(n)+"b")
		}) {
			w.t.Errorf("the session of person %d is not whole", n)
		}
	}
}

func sessionOfNobody[R any](w *world[R]) {
	d := w.unknown(1, 1)
	d.Event.Message.Text = word(1)
	w.finish(w.talk(d))
	time.Sleep(10 * time.Minute)
	w.finish(w.says(1, 2, word(2)))
	all := w.Sessions.Held()
	if len(all) != 1 || !strings.Contains(all[0].Text, word(1)) || !strings.Contains(all[0].Text, word(2)) || len(w.Held().Persons) != 1 {
		w.t.Errorf("%+v of %+v", all, w.Held().Persons)
	}
}

// sessionKilled kills a process at each call of a session's first message, which makes the person, and of its second.
func sessionKilled[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for message := 1; message <= 2; message++ {
			for at, died := 1, true; died && at < endless; at++ {
				synctest.Test(t, func(t *testing.T) {
					p := &process{kill: at, after: after}
					sessionKilledBy(newWorld(t, fresh(t)), message, p)
					died = p.died()
				})
			}
		}
	}
}

// sessionKilledBy delivers three messages of a session, of which one first meets a process that is killed.
func sessionKilledBy[R any](w *world[R], message int, p *process) {
	for m := 1; m <= 3; m++ {
		d := w.unknown(1, m)
		if m > 1 {
			d = w.known(1, m)
		}
		d.Event.Message.Text = word(m)
		d = w.talk(d)
		if m == message {
			w.deliver(p, d)
			time.Sleep(lease)
		}
		w.finish(d)
		time.Sleep(10 * time.Minute)
	}
	all := w.Sessions.Held()
	whole := len(all) == 1
	for m := 1; m <= 3; m++ {
		whole = whole && strings.Count(all[0].Text, word(m)) == 1
	}
	if !whole || len(w.Held().Persons) != 1 {
		w.t.Errorf("message %d, call %d, after %t: %+v of %+v", message, p.kill, p.after, all, w.Held().Persons)
	}
}
