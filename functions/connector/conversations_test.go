package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// standings is a CRM that shows how conversations stand.
type standings struct {
	statuses
	write func(updates []connector.ConversationUpdate) []error
	shown []string // each call
}

func (s *standings) WriteConversations(_ context.Context, updates []connector.ConversationUpdate) []error {
	var rows []string
	for _, u := range updates {
		rows = append(rows, fmt.Sprint(u.Thread, " ", u.State.Channel, " ", u.State.Messages, u.State.Receipt, " of ", u.Links["contact"]))
	}
	slices.Sort(rows)
	s.shown = append(s.shown, strings.Join(rows, "; "))
	if s.write != nil {
		return s.write(updates)
	}
	return make([]error, len(updates))
}

// stands keeps how the conversation of a thread stands.
func stands(t *testing.T, s *memstore.Store, thread canonical.ThreadID, messages int, state string) {
	t.Helper()
	data, err := conversation.EncodeStates(conversation.Conversations{All: []conversation.State{{Line: "l", Channel: "sms", Messages: messages, Receipt: state}}})
	if err != nil {
		t.Fatal(err)
	}
	key := conversation.StatesKey("demo", thread)
	held, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Version: held[0].Version, Data: data}}); err != nil {
		t.Fatal(err)
	}
}

func conversationsOf(threads ...string) []queue.Received {
	heads := make([]queue.Received, len(threads))
	for i, thread := range threads {
		u := receipt.Update{TenantID: "demo", CRM: "crm", Conversation: &receipt.Conversation{Thread: canonical.ThreadID(thread), Line: "l", Channel: "sms"}}
		heads[i].Body, _ = json.Marshal(u)
	}
	return heads
}

func TestConversationsAreShownAsTheyStand(t *testing.T) {
	for name, c := range map[string]struct {
		updates []string
		during  func(t *testing.T, s *memstore.Store, call int) // a call
		fails   map[string]error
		words   string
		written int
		want    []string
	}{
		"each once":                            {updates: []string{"a", "b", "a"}, words: "done, done, done", written: 2, want: []string{"a sms 1sent of c1; b sms 2 of "}},
		"one that nobody counted is not shown": {updates: []string{"x"}, words: "done"},
		"one that changes meanwhile is written": {updates: []string{"a", "b"}, during: func(t *testing.T, s *memstore.Store, call int) {
			t.Helper()
			if call == 1 {
				stands(t, s, "a", 1, "delivered")
			}
		}, words: "done, done", written: 2, want: []string{"a sms 1sent of c1; b sms 2 of ", "a sms 1delivered of c1"}},
		"one that changes for ever is left":    {updates: []string{"a"}, during: func(t *testing.T, s *memstore.Store, call int) { t.Helper(); stands(t, s, "a", call, "") }, words: "done", written: 1, want: []string{"a sms 1sent of c1", "a sms 1 of c1", "a sms 2 of c1"}},
		"one bad row fails no other":           {updates: []string{"a", "b"}, fails: map[string]error{"a": fault.New(fault.Permanent, "x", nil)}, words: "permanent x, done", written: 1, want: []string{"a sms 1sent of c1; b sms 2 of "}},
		"an update that names none is refused": {updates: []string{""}, words: "permanent " + connector.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				stands(t, s, "a", 1, "sent")
				stands(t, s, "b", 2, "")
				if err := conversation.Link(t.Context(), s, "demo", "a", "crm", nil, map[string]string{"contact": "c1"}); err != nil {
					t.Fatal(err)
				}
				crm := &standings{}
				crm.write = func(updates []connector.ConversationUpdate) []error {
					if c.during != nil {
						c.during(t, s, len(crm.shown))
					}
					errs := make([]error, len(updates))
					for i, u := range updates {
						if errs[i] = c.fails[string(u.Thread)]; u.Key != u.State.ExternalID("demo", u.Thread) {
							t.Errorf("key %s", u.Key)
						}
					}
					return errs
				}
				lane, out := receiptsOver(s, crm, 0)
				if got := words(lane.Handle(t.Context(), conversationsOf(c.updates...))); got != c.words {
					t.Errorf("%s, want %s", got, c.words)
				}
				if counted := strings.Contains(out.String(), fmt.Sprintf(`"ConversationsWritten":%d`, c.written)); !counted && c.words != "permanent "+connector.CodeInvalid {
					t.Errorf("%d are not counted: %s", c.written, out)
				}
				if !slices.Equal(crm.shown, c.want) {
					t.Errorf("got  %q\nwant %q", crm.shown, c.want)
				}
			})
		})
	}
}

func TestACRMThatShowsNoConversationsIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		stands(t, s, "a", 1, "")
		lane, _ := receiptsOver(s, &statuses{}, 0)
		if got := words(lane.Handle(t.Context(), conversationsOf("a"))); got != "done" {
			t.Error(got)
		}
	})
}

func TestConversationsComeOneCallAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, crm := memstore.New(), &standings{}
		var all []string
		for i := range 120 {
			all = append(all, fmt.Sprint("t", i))
			stands(t, s, canonical.ThreadID(all[i]), 1, "")
		}
		lane, _ := receiptsOver(s, crm, time.Second)
		began := time.Now()
		lane.Handle(t.Context(), conversationsOf(all...))
		if took := time.Since(began); len(crm.shown) != 3 || took != 2*time.Second {
			t.Errorf("%d calls in %s", len(crm.shown), took)
		}
		crm.write = func(updates []connector.ConversationUpdate) []error {
			errs := make([]error, len(updates))
			for i := range errs {
				errs[i] = &fault.Error{Kind: fault.Throttled, Code: "slow", Wait: time.Minute}
			}
			return errs
		}
		if got := words(lane.Handle(t.Context(), conversationsOf(all...))); strings.Count(got, "throttled slow") != 120 || len(crm.shown) != 4 {
			t.Errorf("%d calls, %s", len(crm.shown), got)
		}
	})
}
