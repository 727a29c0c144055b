package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

// person is the customer of these tests.
const person = "+15551234567"

// minute returns the instant of event time n.
func minute(n int) time.Time { return at.Add(time.Duration(n) * time.Minute) }

// said is an inbound message of event time n.
func said(n int, text string, changes ...func(*canonical.Event)) canonical.Event {
	return event(text, func(e *canonical.Event) {
		e.ProviderMessageID = fmt.Sprintf("SM%d%s", n, text)
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", e.ProviderMessageID)
		e.Timestamp, e.ReceivedAt, e.Flags.TimeEstimated = minute(n), minute(n), false
		for _, change := range changes {
			change(e)
		}
	})
}

// sent is an outreach of event time n.
func sent(n int, changes ...func(*canonical.Event)) canonical.Event {
	e := event("Shall we talk?", func(e *canonical.Event) {
		e.ProviderMessageID = fmt.Sprintf("outreach-%d", n)
		e.EventID = canonical.NewEventID("demo", "outreach", "demo-outreach", "outreach", e.ProviderMessageID)
		e.Provider, e.AccountID, e.Direction = "outreach", "demo-outreach", canonical.Outbound
		e.Actor = &canonical.Actor{Kind: "automation", Via: "outreach"}
		e.Timestamp, e.ReceivedAt, e.Flags.TimeEstimated = minute(n), minute(n), false
		for _, change := range changes {
			change(e)
		}
	})
	e.Sender, e.Recipient = canonical.Participant{Phone: "+15557654321"}, canonical.Participant{Phone: person}
	return e
}

func from(phone string) func(*canonical.Event) {
	return func(e *canonical.Event) { e.Sender.Phone = phone }
}

func automatic(e *canonical.Event) { e.Flags.AutoReply = true }

// marked returns, for each delivery that marks the person as having replied, the event it is of and the minute of the reply. It
// fails the test if the two actions of a reply are not together.
func (w *world) marked(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, d := range w.deliveries(t) {
		value := map[delivery.Kind]string{}
		for _, a := range d.Actions {
			value[a.Kind] = a.Value["at"]
		}
		if value[delivery.MarkReplied] != value[delivery.CancelSequences] {
			t.Errorf("%s marks and cancels differently: %+v", d.ID, d.Actions)
		}
		if value[delivery.MarkReplied] == "" {
			continue
		}
		replied, err := time.Parse(time.RFC3339, value[delivery.MarkReplied])
		if err != nil {
			t.Fatal(err)
		}
		id := d.Event.ProviderMessageID
		if d.Event.Direction == canonical.Inbound {
			id = d.Event.Message.Summary
		}
		all = append(all, fmt.Sprintf("%s: %d", id, int(replied.Sub(at).Minutes())))
	}
	return all
}

// TestAReplyIsToldByEventTime: what arrives, in the order of arrival, and which deliveries then say that an outreach was answered.
func TestAReplyIsToldByEventTime(t *testing.T) {
	t.Parallel()
	receipt := func(e *canonical.Event) {
		e.Type, e.Direction, e.Message = canonical.TypeReceipt, canonical.Status, nil
		e.Receipt = &canonical.Receipt{State: "read"}
	}
	reaction := func(e *canonical.Event) {
		e.Type, e.Message, e.Reaction = canonical.TypeReaction, nil, &canonical.Reaction{Emoji: "👍"}
		e.RelatesTo = &canonical.Relation{Kind: "reaction", ProviderMessageID: "outreach-1"}
	}
	tests := map[string]struct {
		arrive []canonical.Event
		want   []string
	}{
		"a message without an outreach is no reply":   {[]canonical.Event{said(1, "a")}, nil},
		"a message after an outreach is":              {[]canonical.Event{sent(1), said(2, "a")}, []string{"a: 2"}},
		"one that is older and comes late is not":     {[]canonical.Event{sent(2), said(1, "a")}, nil},
		"nor one of the same instant":                 {[]canonical.Event{sent(2), said(2, "a")}, nil},
		"the real one after such a late one is":       {[]canonical.Event{sent(2), said(1, "a"), said(3, "b")}, []string{"b: 3"}},
		"only the first is":                           {[]canonical.Event{sent(1), said(2, "a"), said(3, "b")}, []string{"a: 2"}},
		"one that comes behind a later one is not":    {[]canonical.Event{sent(1), said(3, "a"), said(2, "b")}, []string{"a: 3"}},
		"each outreach has its own":                   {[]canonical.Event{sent(1), said(2, "a"), sent(3), said(4, "b")}, []string{"a: 2", "b: 4"}},
		"one answers all that came before it":         {[]canonical.Event{sent(1), sent(2), said(3, "a"), said(4, "b")}, []string{"a: 3"}},
		"one between two answers the older":           {[]canonical.Event{sent(1), sent(3), said(2, "a"), said(4, "b")}, []string{"a: 2", "b: 4"}},
		"an outreach told of twice is one":            {[]canonical.Event{sent(1), sent(1), said(2, "a"), said(3, "b")}, []string{"a: 2"}},
		"an outreach repeated after its answer stays": {[]canonical.Event{sent(1), said(2, "a"), sent(1), said(3, "b")}, []string{"a: 2"}},
		"an outreach told of after its answer":        {[]canonical.Event{said(2, "a"), sent(1), said(3, "b")}, []string{"outreach-1: 2"}},
		"one told of late that nobody answered":       {[]canonical.Event{said(1, "a"), sent(2), said(3, "b")}, []string{"b: 3"}},
		"one told of late behind an answered one":     {[]canonical.Event{sent(1), said(3, "a"), sent(2), said(4, "b")}, []string{"a: 3", "outreach-2: 3"}},
		"one told of late, of the same instant":       {[]canonical.Event{said(2, "a"), sent(2)}, nil},
		"an out-of-office note is no reply":           {[]canonical.Event{sent(1), said(2, "Automatic reply: I am away"), said(3, "a")}, []string{"a: 3"}},
		"nor what the provider calls automatic":       {[]canonical.Event{sent(1), said(2, "a", automatic), said(3, "b")}, []string{"b: 3"}},
		"nor such a note before a late outreach":      {[]canonical.Event{said(2, "Out of office"), said(3, "a"), sent(1)}, []string{"outreach-1: 3"}},
		"a receipt is no reply":                       {[]canonical.Event{sent(1), said(2, "a", receipt), said(3, "b")}, []string{"b: 3"}},
		"a reaction is no reply":                      {[]canonical.Event{sent(1), said(2, "a", reaction), said(3, "b")}, []string{"b: 3"}},
		"a keyword is":                                {[]canonical.Event{sent(1), said(2, "STOP")}, []string{"STOP: 2"}},
		"an automatic answer of ours is no outreach":  {[]canonical.Event{sent(1, automatic), said(2, "a")}, nil},
		"another person's message is no reply":        {[]canonical.Event{sent(1), said(2, "a", from("+15551234568")), said(3, "b")}, []string{"b: 3"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			for _, e := range tt.arrive {
				if err := w.route(t, message(t, e)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, w.marked(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnAnswerIsFoundBehindManyOthers: the log of the thread is read page by page.
func TestAnAnswerIsFoundBehindManyOthers(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for n := range 250 {
		if err := w.route(t, message(t, said(n+2, "automatic reply: "+fmt.Sprint(n)))); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []canonical.Event{said(300, "hello"), sent(1)} {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"outreach-1: 300"}, w.marked(t)); diff != "" {
		t.Error(diff)
	}
}

// TestWhoeverLooksAtAnOutreachSeesItsReply: beside its event.
func TestWhoeverLooksAtAnOutreachSeesItsReply(t *testing.T) {
	t.Parallel()
	w, outreach, reply := newWorld(), sent(1), said(2, "a")
	for _, e := range []canonical.Event{outreach, reply} {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	held, err := w.store.Get(t.Context(), store.Key{Partition: "demo/event/" + string(outreach.EventID), Sort: "replied"})
	if err != nil {
		t.Fatal(err)
	}
	var got conversation.Message
	if err := json.Unmarshal(held[0].Data, &got); err != nil {
		t.Fatal(err)
	}
	if want := (conversation.Message{Event: reply.EventID, At: minute(2)}); !cmp.Equal(want, got) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if r, _ := w.record(t, reply); !slices.Equal(r.Decision.Reply.Outreach, []canonical.EventID{outreach.EventID}) {
		t.Errorf("the decision is %+v", r.Decision)
	}
}

// TestAnAutomaticAnswerIsMarkedAsOne: for whoever reads the delivery.
func TestAnAutomaticAnswerIsMarkedAsOne(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if err := w.route(t, message(t, said(1, "Automatic reply: back on Monday"))); err != nil {
		t.Fatal(err)
	}
	if d := w.deliveries(t)[0]; !d.Event.Flags.AutoReply {
		t.Errorf("flags %+v", d.Event.Flags)
	}
}

// TestWhatRepliesCost pins the calls that come on top.
func TestWhatRepliesCost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before, last canonical.Event
		want         []string
	}{
		"an outreach": {said(1, "a"), sent(2), []string{"get head", "list", "write head", "note log", "write event", "publish"}},
		"a reply":     {sent(1), said(2, "a"), []string{"get head", "note log", "write event", "note replied", "write head", "publish"}},
		"an outreach told of late": {said(2, "a"), sent(1), []string{
			"get head", "list", "get event", "note log", "write event", "note replied", "write head", "publish",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			if err := w.route(t, message(t, tt.before)); err != nil {
				t.Fatal(err)
			}
			w.link(t, tt.last)
			if err := w.route(t, message(t, tt.last)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, w.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestACrashAtAnyCallLosesNoReply fails each call of the last event in turn, from there on all of them, and receives it again.
func TestACrashAtAnyCallLosesNoReply(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before []canonical.Event
		last   canonical.Event
		want   string // in the last delivery of that event
	}{
		"a reply":                  {[]canonical.Event{sent(1)}, said(2, "a"), "a: 2"},
		"an outreach told of late": {[]canonical.Event{said(2, "a")}, sent(1), "outreach-1: 2"},
		"a stop":                   {[]canonical.Event{sent(1)}, said(2, "STOP"), "STOP: 2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, effect := range []memstore.Fault{memstore.Before, memstore.After} {
				for step, met := 0, true; met; step++ {
					w := newWorld()
					for _, e := range tt.before {
						if err := w.route(t, message(t, e)); err != nil {
							t.Fatal(err)
						}
					}
					w.calls = nil
					w.fault = func(call int) memstore.Fault {
						if call >= step {
							return effect
						}
						return memstore.None
					}
					err := w.route(t, message(t, tt.last))
					met = err != nil
					if met && fault.Of(err).Kind != fault.Retryable {
						t.Fatalf("step %d: %v", step, err)
					}
					w.fault = nil
					if err := w.route(t, message(t, tt.last)); err != nil {
						t.Fatalf("step %d: %v", step, err)
					}
					got := w.marked(t)
					if len(got) == 0 || strings.Join(slices.Compact(got), ", ") != tt.want {
						t.Errorf("step %d: %q", step, got)
					}
					// Nothing waits for an answer any more, so that the next message is none.
					if err := w.route(t, message(t, said(9, "z"))); err != nil {
						t.Fatal(err)
					}
					if after := w.marked(t); len(after) != len(got) {
						t.Errorf("step %d: %q answers again", step, after)
					}
					if step > 20 {
						t.Fatal("an event has no end")
					}
				}
			}
		})
	}
}

// TestALateCopyOfAMessageIsNoAnswer: the copy of a webhook that has no time of its own is as new as it looks, and leaves a
// pointer there.
func TestALateCopyOfAMessageIsNoAnswer(t *testing.T) {
	t.Parallel()
	w, first := newWorld(), said(1, "a")
	copied := first
	copied.Timestamp = minute(3)
	for _, e := range []canonical.Event{first, copied, sent(2)} {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.marked(t); got != nil {
		t.Errorf("%q", got)
	}
}

// TestAnOutreachIsNotDoneBeforeItWaitsForItsAnswer fails each of its calls in turn, alone.
func TestAnOutreachIsNotDoneBeforeItWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	for step := 0; ; step++ {
		w := newWorld()
		w.fault = func(call int) memstore.Fault {
			if call == step {
				return memstore.Before
			}
			return memstore.None
		}
		err := w.route(t, message(t, sent(1)))
		w.fault = nil
		if err == nil {
			if step < len(w.calls) {
				t.Errorf("%q failed unnoticed", w.calls[step])
			}
			break
		}
		for _, e := range []canonical.Event{sent(1), said(2, "a")} {
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"a: 2"}, w.marked(t)); diff != "" {
			t.Errorf("call %d: %s", step, diff)
		}
	}
}

// head returns the head of an event's thread.
func (w *world) head(t *testing.T, e canonical.Event) conversation.Head {
	t.Helper()
	held, err := w.store.Get(t.Context(), conversation.Key("demo", e.ThreadID))
	if err != nil {
		t.Fatal(err)
	}
	h, err := conversation.Decode(held[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestOneIDForTwoPeople: a sales tool that numbers its steps and not what it sent is told so by a dead letter, and nobody is taken
// for somebody else.
func TestOneIDForTwoPeople(t *testing.T) {
	t.Parallel()
	const other = "+15559990000"
	w, first, second := newWorld(), sent(1), sent(1, from(other))
	second.Recipient.Phone = other
	if err := w.route(t, message(t, first)); err != nil {
		t.Fatal(err)
	}
	if err := conversation.Link(t.Context(), w.store, "demo", second.ThreadID, "hubspot", nil, map[string]string{"contacts": "999"}); err != nil {
		t.Fatal(err)
	}
	for attempt := 1; attempt <= 3; attempt++ {
		m := message(t, second)
		m.Attempt = attempt
		if err := w.route(t, m); fault.Of(err) == nil || fault.Of(err).Kind != fault.Permanent || fault.Of(err).Code != router.CodeReused {
			t.Errorf("receive %d: %v", attempt, err)
		}
	}
	if h := w.head(t, first); len(h.Links) > 0 || len(h.Outreach) != 1 {
		t.Errorf("the first person's head is %+v", h)
	}
	if h := w.head(t, second); len(h.Outreach) > 0 || h.Links["hubspot"]["contacts"] != "999" {
		t.Errorf("the second person's head is %+v", h)
	}
	if err := w.route(t, message(t, said(2, "a"))); err != nil {
		t.Fatal(err)
	}
	if d := w.deliveries(t)[0]; len(d.Person.Links) > 0 {
		t.Errorf("a message of the first person goes to %v", d.Person.Links)
	}
}

// TestAnOutreachThatIsPutBackFindsItsAnswer: it was given up at one of its calls, its answer came, and then it was redriven.
func TestAnOutreachThatIsPutBackFindsItsAnswer(t *testing.T) {
	t.Parallel()
	for step, met := 0, true; met; step++ {
		w := newWorld()
		w.fault = func(call int) memstore.Fault {
			if call >= step {
				return memstore.Before
			}
			return memstore.None
		}
		met = w.route(t, message(t, sent(1))) != nil
		w.fault = nil
		again := message(t, sent(1))
		again.ID += ":1"
		for _, m := range []queue.Received{message(t, said(2, "a")), again} {
			if err := w.route(t, m); err != nil {
				t.Fatal(err)
			}
		}
		for _, got := range w.marked(t) {
			if got != "a: 2" && got != "outreach-1: 2" {
				t.Errorf("given up at call %d: %q", step, got)
			}
		}
		if len(w.marked(t)) == 0 {
			t.Errorf("given up at call %d: nobody is told of the reply", step)
		}
	}
}

// forgetful is a Sealer whose person may be erased.
type forgetful struct{ erased bool }

func (*forgetful) SealPerson(_ context.Context, _ keyring.Place, _ string, plain []byte) ([]byte, error) {
	return append([]byte("\x02SEAL"), plain...), nil
}

func (*forgetful) SealTenant(_ context.Context, _ keyring.Place, plain []byte) ([]byte, error) {
	return plain, nil
}

func (f *forgetful) Open(_ context.Context, _ keyring.Place, sealed []byte) ([]byte, error) {
	if f.erased {
		return nil, fault.New(fault.Permanent, keyring.CodeErased, nil)
	}
	return sealed[len("\x02SEAL"):], nil
}

// TestWhatAPersonSaidBeforeTheyWereErasedAnswersNothing, and keeps no outreach to them up.
func TestWhatAPersonSaidBeforeTheyWereErasedAnswersNothing(t *testing.T) {
	t.Parallel()
	persons := &forgetful{}
	w := sealedBy(persons)
	if err := w.route(t, message(t, said(2, "a"))); err != nil {
		t.Fatal(err)
	}
	persons.erased = true
	if err := w.route(t, message(t, sent(1))); err != nil {
		t.Fatal(err)
	}
	if h := w.head(t, sent(1)); len(h.Outreach) != 1 {
		t.Errorf("the head is %+v", h)
	}
}

// TestAnUnreadableRecordBehindAnOutreach is not taken for no answer.
func TestAnUnreadableRecordBehindAnOutreach(t *testing.T) {
	t.Parallel()
	w, earlier := newWorld(), said(2, "a")
	if err := w.route(t, message(t, earlier)); err != nil {
		t.Fatal(err)
	}
	_, held := w.record(t, earlier)
	held.Data = []byte("no record")
	if _, err := w.store.Write(t.Context(), store.Change{Kind: store.Put, Record: held}); err != nil {
		t.Fatal(err)
	}
	if err := w.route(t, message(t, sent(1))); fault.Of(err) == nil || fault.Of(err).Code != router.CodeRecord {
		t.Errorf("%v", err)
	}
}
