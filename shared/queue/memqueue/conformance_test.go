package memqueue_test

import (
	"testing"

	"signalbox/shared/queue/memqueue"
	"signalbox/shared/queue/queuetest"
)

func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Harness{New: func(_ *testing.T, s queuetest.Settings) queuetest.Ends {
		o := memqueue.Options{Name: "q", Standard: s.Standard, Visibility: s.Visibility, Retention: s.Retention}
		if s.PerQueue {
			o.Deduplication = memqueue.PerQueue
		}
		ends := queuetest.Ends{}
		if s.MaxReceives > 0 {
			o.MaxReceives, o.DeadLetters = s.MaxReceives, memqueue.New(memqueue.Options{Name: "dead", Visibility: s.Visibility})
			ends.DeadLetters = o.DeadLetters
		}
		q := memqueue.New(o)
		ends.Queue, ends.Inject = q, q.Inject
		ends.Counts = func(*testing.T) (visible, inFlight int) {
			c := q.Counters()
			return c.Visible, c.InFlight
		}
		return ends
	}})
}
