package conversation

import (
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/unknown"
)

// Message is one of a thread's: an outreach, or the answer to it.
type Message struct {
	Event canonical.EventID `json:"eventId"`
	At    time.Time         `json:"at"` // its event time

	Unknown unknown.Members `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Message) UnmarshalJSON(data []byte) (err error) {
	type plain Message
	m.Unknown, err = unknown.Unmarshal(data, (*plain)(m))
	return err
}

// MarshalJSON implements json.Marshaler.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	return unknown.Marshal(plain(m), m.Unknown)
}

// maxOutreach bounds Head.Outreach, so that a head stays small however often somebody is written to in vain. Those after the oldest
// go: whether a message answers anything is decided by the oldest alone.
const maxOutreach = 8

// OutreachBefore returns the outreaches that a message of event time at is a reply to: those that nobody has answered and that are
// older, oldest first. One of the same instant is not: it cannot have been read.
func (h *Head) OutreachBefore(at time.Time) []canonical.EventID {
	var answered []canonical.EventID
	for _, o := range h.Outreach {
		if o.At.Before(at) {
			answered = append(answered, o.Event)
		}
	}
	return answered
}

// AddOutreach adds an outreach, unless it is there or is older than the newest reply, and reports whether that changed the head.
func (h *Head) AddOutreach(o Message) bool {
	held := slices.ContainsFunc(h.Outreach, func(other Message) bool { return other.Event == o.Event })
	if held || h.Reply != nil && h.Reply.At.After(o.At) {
		return false
	}
	all := append(slices.Clone(h.Outreach), o)
	slices.SortStableFunc(all, func(a, b Message) int { return a.At.Compare(b.At) })
	h.Outreach = slices.Delete(all, 1, 1+max(0, len(all)-maxOutreach))
	return true
}

// AddReply ends the outreaches that a reply answers and reports whether that changed the head. It may be told of one reply any
// number of times, and of several in any order.
func (h *Head) AddReply(r Message) bool {
	open := slices.DeleteFunc(slices.Clone(h.Outreach), func(o Message) bool { return o.At.Before(r.At) })
	changed := len(open) < len(h.Outreach)
	if h.Outreach = open; len(open) == 0 {
		h.Outreach = nil
	}
	if h.Reply == nil || r.At.After(h.Reply.At) {
		h.Reply, changed = &r, true
	}
	return changed
}
