package memqueue

import (
	"iter"
	"time"

	"signalbox/shared/queue"
)

// Counters are what a queue knows about itself.
type Counters struct {
	Visible  int           // held and not in flight, those that wait behind one in flight included
	InFlight int           // handed out and hidden
	Oldest   time.Duration // age of the oldest message held, in flight or not; 0 if there is none

	Sent     int // messages accepted, repetitions not counted
	Repeated int // messages answered as a repetition
	Received int // deliveries
	Deleted  int
	Moved    int // to the dead letters by the receive limit
	MovedIn  int // from a queue whose dead letters these are
	Expired  int // forgotten by retention
}

// Counters returns the counters now.
func (q *Queue) Counters() Counters {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.advance(now)
	c := q.totals
	c.InFlight = len(q.hidden)
	c.Visible = len(q.held) - c.InFlight
	if oldest := q.arrivals.Front(); oldest != nil {
		c.Oldest = now.Sub(element[*message](oldest).arrived)
	}
	return c
}

// Held is a message in the queue as an observer sees it.
type Held struct {
	queue.Received
	MessageID string
	InFlight  bool
	MovedFrom string
}

// All yields every message the queue holds now, oldest first, without receiving it. It is for tests and for people who look.
func (q *Queue) All() iter.Seq[Held] {
	return func(yield func(Held) bool) {
		for _, h := range q.snapshot() {
			if !yield(h) {
				return
			}
		}
	}
}

func (q *Queue) snapshot() []Held {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(time.Now())
	held := make([]Held, 0, len(q.held))
	for e := q.arrivals.Front(); e != nil; e = e.Next() {
		m := element[*message](e)
		held = append(held, Held{Received: q.received(m), MessageID: m.messageID, InFlight: m.inFlight(), MovedFrom: m.movedFrom})
	}
	return held
}
