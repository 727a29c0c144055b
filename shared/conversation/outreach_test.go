package conversation_test

import (
	"fmt"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"

	"github.com/google/go-cmp/cmp"
)

// hour returns an instant.
func hour(n int) time.Time { return time.Date(2026, 1, 18, n, 0, 0, 0, time.UTC) }

// waiting returns an outreach of an hour.
func waiting(n int) conversation.Message {
	return conversation.Message{Event: canonical.EventID(fmt.Sprintf("o%d", n)), At: hour(n)}
}

func answer(n int) conversation.Message {
	return conversation.Message{Event: canonical.EventID(fmt.Sprintf("m%d", n)), At: hour(n)}
}

func TestOutreachWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	var none []canonical.EventID
	tests := map[string]struct {
		do       func(h *conversation.Head) bool
		changed  bool
		open     string
		answered []canonical.EventID // by a message of hour five
	}{
		"nothing waits at first": {func(*conversation.Head) bool { return false }, false, "", none},
		"what was sent waits":    {func(h *conversation.Head) bool { return h.AddOutreach(waiting(3)) }, true, "o3", []canonical.EventID{"o3"}},
		"what was sent later than a message is not answered by it": {
			func(h *conversation.Head) bool { return h.AddOutreach(waiting(5)) }, true, "o5", none,
		},
		"the order is that of event time": {
			func(h *conversation.Head) bool {
				return h.AddOutreach(waiting(4)) && h.AddOutreach(waiting(2)) && h.AddOutreach(waiting(6))
			}, true, "o2 o4 o6",
			[]canonical.EventID{"o2", "o4"},
		},
		"told of twice it waits once": {func(h *conversation.Head) bool { h.AddOutreach(waiting(3)); return h.AddOutreach(waiting(3)) }, false, "o3", []canonical.EventID{"o3"}},
		"a reply ends what is older": {
			func(h *conversation.Head) bool {
				h.AddOutreach(waiting(1))
				h.AddOutreach(waiting(3))
				return h.AddReply(answer(2))
			}, true, "o3", []canonical.EventID{"o3"},
		},
		"the same reply changes nothing": {
			func(h *conversation.Head) bool {
				h.AddOutreach(waiting(1))
				h.AddReply(answer(2))
				return h.AddReply(answer(2))
			}, false, "", none,
		},
		"an older reply changes nothing": {func(h *conversation.Head) bool { h.AddReply(answer(4)); return h.AddReply(answer(2)) }, false, "", none},
		"what is older than the newest reply waits no more": {
			func(h *conversation.Head) bool { h.AddReply(answer(4)); return h.AddOutreach(waiting(3)) }, false, "", none,
		},
		"of two replies the newer counts": {
			func(h *conversation.Head) bool {
				h.AddReply(answer(2))
				h.AddReply(answer(4))
				return h.AddOutreach(waiting(3))
			}, false, "", none,
		},
		"what is of the same instant does": {
			func(h *conversation.Head) bool { h.AddReply(answer(4)); return h.AddOutreach(waiting(4)) }, true, "o4", []canonical.EventID{"o4"},
		},
		"of too many the oldest and the newest stay": {func(h *conversation.Head) bool {
			changed := false
			for n := range 20 {
				changed = h.AddOutreach(waiting(n))
			}
			return changed
		}, true, "o0 o13 o14 o15 o16 o17 o18 o19", []canonical.EventID{"o0"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h conversation.Head
			changed := tt.do(&h)
			encoded, err := conversation.Encode(h)
			if err != nil {
				t.Fatal(err)
			}
			if h, err = conversation.Decode(encoded); err != nil {
				t.Fatal(err)
			}
			open := ""
			for i, o := range h.Outreach {
				if i > 0 {
					open += " "
				}
				open += string(o.Event)
			}
			if changed != tt.changed || open != tt.open {
				t.Errorf("changed %t, open %q, want %t, %q", changed, open, tt.changed, tt.open)
			}
			if diff := cmp.Diff(tt.answered, h.OutreachBefore(hour(5))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
