package router_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/spool"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	gocmp "github.com/google/go-cmp/cmp"
)

// standings are what has CRMs show how conversations stand.
type standings []receipt.Update

func (s *standings) Publish(_ context.Context, messages ...queue.Message) error {
	for _, m := range messages {
		var u receipt.Update
		if err := json.Unmarshal(m.Body, &u); err != nil || u.Conversation == nil || m.ID == "" || m.Group == "" {
			return fault.New(fault.Permanent, "no_update", nil)
		}
		*s = append(*s, u)
	}
	return nil
}

func TestASilenceClosesAConversation(t *testing.T) {
	t.Parallel()
	hours := func(n ...int) (all []time.Duration) {
		for _, n := range n {
			all = append(all, time.Duration(n)*time.Hour)
		}
		return all
	}
	tests := map[string]struct {
		said   []time.Duration // when the person writes, after the first time
		set    func(*tenant.Timeline)
		kind   string // of who writes: the person, if it is empty
		timers int    // after the last message
		closed []time.Duration
	}{
		"three days after what was said":           {said: hours(0), timers: 1, closed: hours(72)},
		"as the file says":                         {said: hours(0), set: func(t *tenant.Timeline) { t.Close = time.Hour }, timers: 1, closed: hours(1)},
		"what is said puts it off, and costs none": {said: hours(0, 1, 2, 50), timers: 1, closed: hours(122)},
		"what is said later opens it":              {said: hours(0, 100), timers: 1, closed: hours(72, 172)},
		"what a colleague wrote opens it, too":     {said: hours(0), kind: "agent", timers: 1, closed: hours(72)},
		"what a machine wrote opens nothing":       {said: hours(0), kind: "automation"},
		"of messages that are shown alone":         {said: hours(0), set: func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage }, timers: 1, closed: hours(72)},
		"how conversations stand is shown nowhere": {said: hours(0), set: func(t *tenant.Timeline) { t.Conversations = false }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := shownBy(tt.set)
				began := time.Now()
				e := now(0, nil)
				w.link(t, e)
				for n, after := range tt.said {
					w.pass(t, began.Add(after))
					e = now(n, nil)
					if tt.kind != "" {
						e = ours(n, tt.kind, nil)
					}
					w.reasons(t, e)
				}
				if due := w.due(); len(due) != tt.timers {
					t.Errorf("%d timers, want %d", len(due), tt.timers)
				}
				w.pass(t, began.Add(60*24*time.Hour))
				if due := w.due(); len(due) != 0 {
					t.Errorf("%d timers are left", len(due))
				}
				var want []receipt.Conversation
				for range tt.closed {
					want = append(want, receipt.Conversation{Thread: e.ThreadID, Line: e.LineID, Channel: e.Channel})
				}
				var got []receipt.Conversation
				for _, u := range w.standings {
					got = append(got, *u.Conversation)
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("CRMs are told -want +got:\n%s", diff)
				}
				_, all := w.sessions(t, e)
				if s, _ := all.Of(e.LineID, e.Channel); len(tt.closed) > 0 &&
					(s.Status != conversation.Closed || !s.ClosedAt.Equal(began.Add(tt.closed[len(tt.closed)-1]))) {
					t.Errorf("it is %q since %s", s.Status, s.ClosedAt)
				}
			})
		})
	}
}

// TestARouterThatDiesClosesOnce: whatever call it dies at, CRMs are told that the conversation is closed, and a timer is left only while it
// is open.
func TestARouterThatDiesClosesOnce(t *testing.T) {
	t.Parallel()
	for call := range 16 {
		for _, kind := range []memstore.Fault{memstore.Before, memstore.After} {
			synctest.Test(t, func(t *testing.T) {
				w := shownBy(nil)
				e := now(1, nil)
				w.link(t, e)
				calls := 0
				w.fault = func(int) memstore.Fault {
					if calls++; calls == call+1 {
						return kind
					}
					return memstore.None
				}
				again := func(m queue.Received) {
					for range 3 {
						if w.route(t, m) == nil {
							return
						}
					}
					t.Fatal("it is not routed")
				}
				again(message(t, e))
				for range 5 {
					for _, r := range w.due() {
						at, _ := spool.At(r)
						time.Sleep(max(0, time.Until(at)))
						m, _, _ := spool.Read(r)
						m.Body = w.opened(t, m.Body)
						again(queue.Received{Message: m, Attempt: 1, FirstSent: time.Now()})
					}
				}
				w.fault = nil
				_, all := w.sessions(t, e)
				if s, _ := all.Of(e.LineID, canonical.SMS); s.Status != conversation.Closed || len(w.standings) == 0 {
					t.Errorf("call %d, %v: it is %q, and CRMs were told %d times", call, kind, s.Status, len(w.standings))
				}
			})
		}
	}
}
