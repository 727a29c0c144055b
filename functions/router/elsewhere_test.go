package router_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/session"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// wrote is message sid of ours of minute n.
func wrote(n int, sid string) canonical.Event {
	return sent(n, func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "door", "demo-door", "event", sid)
		e.Provider, e.AccountID, e.ProviderMessageID = "twilio", "demo-twilio", sid
		e.Actor = &canonical.Actor{Kind: "agent"}
		e.Message.Text = sid
	})
}

// ofOurs is what its provider says of message sid of ours.
func ofOurs(sid, state string) canonical.Event {
	e := receiptOf(sid, state)
	e.Timestamp, e.ReceivedAt, e.Receipt.At = minute(30), minute(30), minute(30)
	return e
}

// taken returns what was sent since it was last asked for: updates of conversations and of messages by state, events, and deliveries.
func (w *world) taken(t *testing.T) (conversations, messages []string, events []queue.Message, deliveries []delivery.Delivery) {
	t.Helper()
	for _, m := range w.sent {
		var u receipt.Update
		var d delivery.Delivery
		switch {
		case json.Unmarshal(m.Body, &u) == nil && u.State != "" && u.Conversation != nil:
			conversations = append(conversations, u.State)
		case u.State != "":
			messages = append(messages, u.State)
		case json.Unmarshal(w.opened(t, m.Body), &d) == nil && d.ID != "":
			deliveries = append(deliveries, d)
		default:
			events = append(events, m)
		}
	}
	w.sent = nil
	return conversations, messages, events, deliveries
}

// follow routes events that were sent to the router.
func (w *world) follow(t *testing.T, events []queue.Message) {
	t.Helper()
	for _, m := range events {
		m.Body = w.opened(t, m.Body)
		if err := w.route(t, queue.Received{Message: m, Attempt: 1, FirstSent: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
}

// failures returns the codes of the messages of a thread that failed, by the provider's ids, and how the one conversation stands.
func (w *world) failures(t *testing.T, thread canonical.ThreadID) (map[string]string, conversation.State) {
	t.Helper()
	failed := map[string]string{}
	page, _, err := w.store.List(t.Context(), session.Sessions("demo", thread))
	if err != nil {
		t.Fatal(err)
	}
	for _, held := range page {
		record, err := session.Open(t.Context(), w.ring, held)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range record.Entries {
			if entry.Failed != "" {
				failed[entry.Event.ProviderMessageID] = entry.Failed
			}
		}
	}
	_, states := w.sessions(t, canonical.Event{ThreadID: thread})
	if len(states.All) > 1 {
		t.Errorf("conversations %+v", states.All)
	}
	return failed, append(states.All, conversation.State{})[0]
}

// TestReceiptsWhereADayIsOneActivity: what becomes of a receipt follows from the message that it is of.
func TestReceiptsWhereADayIsOneActivity(t *testing.T) {
	t.Parallel()
	thread := event("", nil).ThreadID
	for sentence, c := range map[string]struct {
		change                  func(*tenant.Timeline)
		known                   []string // messages of ours, the last one last
		sid, state              string
		conversations, messages []string
		failed                  map[string]string
		shown                   string // the conversation's receipt
	}{
		"of the last message":                      {known: []string{"SM1", "SM2"}, sid: "SM2", state: "delivered", conversations: []string{"delivered"}, shown: "delivered"},
		"of another message":                       {known: []string{"SM1", "SM2"}, sid: "SM1", state: "delivered"},
		"of another message that failed":           {known: []string{"SM1", "SM2"}, sid: "SM1", state: "failed", failed: map[string]string{"SM1": "30003"}},
		"of the last message that failed":          {known: []string{"SM1"}, sid: "SM1", state: "failed", conversations: []string{"failed"}, failed: map[string]string{"SM1": "30003"}, shown: "failed"},
		"of a message that was cancelled":          {known: []string{"SM1", "SM2"}, sid: "SM1", state: "canceled", failed: map[string]string{"SM1": "canceled"}},
		"of a message that nobody told of":         {known: []string{"SM1"}, sid: "SM9", state: "delivered"},
		"of a failure that nobody told of":         {known: []string{"SM1"}, sid: "SM9", state: "failed"},
		"of a message elsewhere, where it matters": {change: func(t *tenant.Timeline) { t.Elsewhere = true }, known: []string{"SM1"}, sid: "SM9", state: "delivered", messages: []string{"delivered"}},
		"where conversations are not shown":        {change: func(t *tenant.Timeline) { t.Conversations = false }, known: []string{"SM1"}, sid: "SM1", state: "delivered"},
		"where each message is an activity":        {change: func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage }, known: []string{"SM1", "SM2"}, sid: "SM1", state: "delivered", messages: []string{"delivered"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := shownBy(c.change)
			for i, sid := range c.known {
				w.routeAll(t, wrote(i+1, sid))
			}
			_, before := w.sessions(t, event("", nil))
			w.taken(t)
			for range 2 { // a copy
				for _, err := range w.receive(t, ofOurs(c.sid, c.state)) {
					if err != nil {
						t.Fatal(err)
					}
				}
				conversations, messages, events, _ := w.taken(t)
				if !slices.Equal(conversations, c.conversations) || !slices.Equal(messages, c.messages) || len(events) != len(c.failed) {
					t.Errorf("told %q, %q, and %d events, want %q, %q, %d", conversations, messages, len(events), c.conversations, c.messages, len(c.failed))
				}
				w.follow(t, events)
				_, _, _, deliveries := w.taken(t)
				if len(deliveries) != len(c.failed) {
					t.Errorf("%d deliveries", len(deliveries))
				}
				for _, d := range deliveries {
					want := []delivery.Action{{Kind: delivery.LogActivity, Value: map[string]string{delivery.OfWhom: delivery.Held}}}
					if diff := cmp.Diff(want, d.Actions); diff != "" || d.Session == nil || d.Session.Revision != int64(len(c.known)+1) {
						t.Errorf("a delivery of %+v: %s", d.Session, diff)
					}
				}
			}
			failed, state := w.failures(t, thread)
			if len(failed)+len(c.failed) > 0 && !cmp.Equal(failed, c.failed) || state.Receipt != c.shown {
				t.Errorf("failed %v, want %v; the conversation's receipt is %q, want %q", failed, c.failed, state.Receipt, c.shown)
			}
			if len(before.All) > 0 && state.Messages != before.All[0].Messages {
				t.Errorf("%d messages, before %d", state.Messages, before.All[0].Messages)
			}
			if status, err := receipt.Read(t.Context(), w.store, "demo", []string{canonical.MessageKey("demo", "twilio", "demo-twilio", c.sid)}); err != nil || status[0].State != c.state {
				t.Errorf("our own record says %+v, %v", status, err)
			}
		})
	}
}

// TestAReceiptByAnotherIdentifierIsOfItsMessage: a provider may tell of a person by something else than the message was sent to.
func TestAReceiptByAnotherIdentifierIsOfItsMessage(t *testing.T) {
	t.Parallel()
	w, r := shownBy(nil), ofOurs("SM1", "failed")
	w.routeAll(t, wrote(1, "SM1"))
	w.taken(t)
	pepper, _ := w.Pepper(t.Context(), "demo")
	r.ThreadID = canonical.NewThreadID(pepper, "whatsapp:US.1234")
	for _, err := range w.receive(t, r) {
		if err != nil {
			t.Fatal(err)
		}
	}
	conversations, _, events, _ := w.taken(t)
	if !slices.Equal(conversations, []string{"failed"}) || len(events) != 1 || events[0].Group != string(wrote(1, "SM1").ThreadID) {
		t.Errorf("told %q and %+v", conversations, events)
	}
	w.follow(t, events)
	if failed, _ := w.failures(t, wrote(1, "SM1").ThreadID); failed["SM1"] != "30003" {
		t.Errorf("failed %v", failed)
	}
}

// TestAFailureIsShownWhereItsMessageIs, although the thread of that has become part of another.
func TestAFailureIsShownWhereItsMessageIs(t *testing.T) {
	t.Parallel()
	w, e := shownBy(nil), wrote(1, "SM1")
	w.routeAll(t, e)
	w.taken(t)
	pepper, _ := w.Pepper(t.Context(), "demo")
	err := conversation.Update(t.Context(), w.store, conversation.Key("demo", e.ThreadID), nil, func(h *conversation.Head) bool {
		h.Joined = &conversation.Joined{Thread: canonical.NewThreadID(pepper, "whatsapp:US.1234")}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range w.receive(t, ofOurs("SM1", "failed")) {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, events, _ := w.taken(t)
	w.follow(t, events)
	if _, _, moved, deliveries := w.taken(t); len(moved) > 0 || len(deliveries) != 1 || deliveries[0].Session.Revision != 2 {
		t.Errorf("moved %+v, delivered %+v", moved, deliveries)
	}
	if failed, _ := w.failures(t, e.ThreadID); failed["SM1"] != "30003" {
		t.Errorf("failed %v", failed)
	}
}

// TestAReceiptThatOvertakesItsMessageIsShown: whoever tells of the message reads what came before.
func TestAReceiptThatOvertakesItsMessageIsShown(t *testing.T) {
	t.Parallel()
	w, e := shownBy(nil), wrote(1, "SM1")
	w.receive(t, ofOurs("SM1", "failed"))
	if conversations, messages, events, _ := w.taken(t); len(conversations)+len(messages)+len(events) > 0 {
		t.Errorf("told %q, %q, %d events", conversations, messages, len(events))
	}
	for range 2 {
		w.routeAll(t, e)
		_, _, _, deliveries := w.taken(t)
		if len(deliveries) != 1 || deliveries[0].Session.Revision != 2 {
			t.Errorf("delivered %+v", deliveries)
		}
	}
	if failed, state := w.failures(t, e.ThreadID); failed["SM1"] != "30003" || state.Receipt != "failed" || state.Messages != 1 {
		t.Errorf("failed %v, the conversation stands %+v", failed, state)
	}
}

// TestAReceiptIsShownWhoeverIsKilled: at any call of the lane, and of the router that gets the failure.
func TestAReceiptIsShownWhoeverIsKilled(t *testing.T) {
	t.Parallel()
	for call := 0; ; call++ {
		w := shownBy(nil)
		w.routeAll(t, wrote(1, "SM1"))
		w.taken(t)
		before := len(w.calls)
		w.fault = func(n int) memstore.Fault {
			if n >= before+call {
				return memstore.After
			}
			return memstore.None
		}
		first := w.receive(t, ofOurs("SM1", "failed"))[0]
		w.fault = nil
		if err := w.receive(t, ofOurs("SM1", "failed"))[0]; err != nil {
			t.Fatal(err)
		}
		conversations, _, events, _ := w.taken(t)
		if len(conversations) == 0 || len(events) == 0 {
			t.Errorf("call %d: told %q and %d events", call, conversations, len(events))
		}
		w.follow(t, events)
		if failed, state := w.failures(t, wrote(1, "SM1").ThreadID); failed["SM1"] != "30003" || state.Receipt != "failed" {
			t.Errorf("call %d: failed %v, the conversation stands %+v", call, failed, state)
		}
		if first == nil {
			return
		}
	}
}
