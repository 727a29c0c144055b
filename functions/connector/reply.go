package connector

import (
	"time"

	"signalbox/shared/delivery"
)

// Reply is what a delivery says of an answered outreach. Its zero value says nothing.
type Reply struct {
	At     time.Time // event time of the reply, to the millisecond, which is what CRMs keep
	Cancel bool      // the sequences that had begun by then are to end
	Mark   bool      // the person is to show that they replied
}

// ReplyOf collects delivery.MarkReplied and delivery.CancelSequences of one delivery, which CRMs carry out together; ok is false
// when one of them has no sensible time.
func ReplyOf(actions []delivery.Action) (r Reply, ok bool) {
	for _, a := range actions {
		if a.Kind != delivery.MarkReplied && a.Kind != delivery.CancelSequences {
			continue
		}
		at, err := time.Parse(time.RFC3339, a.Value["at"])
		if err != nil {
			return Reply{}, false
		}
		if at = at.UTC().Truncate(time.Millisecond); at.After(r.At) {
			r.At = at
		}
		r.Mark = r.Mark || a.Kind == delivery.MarkReplied
		r.Cancel = r.Cancel || a.Kind == delivery.CancelSequences
	}
	return r, true
}

// Any reports whether there is anything to carry out.
func (r Reply) Any() bool { return r.Mark || r.Cancel }
