package memqueue

import (
	"context"
	"strconv"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
)

// MaxWait is how long a Receive may wait for a message.
const MaxWait = 20 * time.Second

// Request asks for messages.
type Request struct {
	Max  int           // at most, 1 to 10; 0 is 1
	Wait time.Duration // how long to wait for the first one, at most MaxWait; 0 is not at all
	// Visibility is how long what is received stays hidden, at most MaxVisibility; nil is the queue's own.
	Visibility *time.Duration
}

// Delivery is a message handed out to one receiver, hidden from the others for the queue's visibility time-out.
type Delivery struct {
	queue.Received
	MessageID     string
	ReceiptHandle string // of this receive; an earlier or later one of the message is another
	FirstReceived time.Time
	MovedFrom     string // name of the queue whose receive limit moved the message here, or ""
}

// Receive hands out messages: of each group in order those before its first message in flight. It returns none, and no
// error, if there is none within the wait.
func (q *Queue) Receive(ctx context.Context, r Request) ([]Delivery, error) {
	r.Max = max(r.Max, 1)
	visibility := q.options.Visibility
	if r.Visibility != nil {
		visibility = *r.Visibility
	}
	if r.Max > inorder.MaxEntries || r.Wait < 0 || r.Wait > MaxWait || visibility < 0 || visibility > MaxVisibility {
		return nil, &Error{Code: CodeInvalid, Sender: true, Reason: "at most ten messages, a wait of 20 and hidden for 43200 seconds"}
	}
	wrong := q.fault(Call{Operation: OperationReceive})
	if wrong.Before != nil {
		return nil, wrong.Before
	}
	deliveries, err := q.await(ctx, r.Max, visibility, time.Now().Add(r.Wait))
	if err == nil && wrong.After != nil {
		return nil, &LostReplyError{wrong.After}
	}
	return deliveries, err
}

// await takes messages, at latest at the deadline.
func (q *Queue) await(ctx context.Context, most int, visibility time.Duration, deadline time.Time) ([]Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now := time.Now()
		deliveries, changed, next := q.poll(most, visibility, now, now.Before(deadline))
		if len(deliveries) > 0 || !now.Before(deadline) {
			return deliveries, nil
		}
		until := deadline
		if !next.IsZero() && next.Before(until) {
			until = next
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// poll takes what can be received now. If that is nothing and the caller will wait, it returns a channel that is closed at the
// next change and the next instant at which time alone changes something.
func (q *Queue) poll(most int, visibility time.Duration, now time.Time, wait bool) ([]Delivery, <-chan struct{}, time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(now)
	deliveries := q.receive(most, visibility, now)
	if len(deliveries) > 0 || !wait {
		return deliveries, nil, time.Time{}
	}
	var next time.Time
	if len(q.hidden) > 0 {
		next = q.hidden[0].until
	}
	if oldest := q.arrivals.Front(); oldest != nil { // its end unblocks its group
		if end := element[*message](oldest).arrived.Add(q.options.Retention); next.IsZero() || end.Before(next) {
			next = end
		}
	}
	if q.changed == nil { // made here, not in New: a channel made outside a synctest bubble would not let it idle
		q.changed = make(chan struct{})
	}
	return nil, q.changed, next
}

// receive hands out up to most messages. As many as possible of one group go first, as SQS documents.
func (q *Queue) receive(most int, visibility time.Duration, now time.Time) []Delivery {
	var deliveries []Delivery
	for len(deliveries) < most {
		front := q.ready.Front()
		if front == nil {
			break
		}
		g := element[*group](front)
		for i := 0; i < len(g.messages) && len(deliveries) < most && !g.messages[i].inFlight(); {
			m := g.messages[i]
			if q.exhausted(m) {
				q.remove(m)
				q.options.DeadLetters.moveIn(m, q.options.Name)
				q.totals.Moved++
				continue
			}
			deliveries = append(deliveries, q.deliver(m, visibility, now))
			i++
		}
	}
	return deliveries
}

// exhausted reports whether one more receive is more than m may have.
func (q *Queue) exhausted(m *message) bool {
	return q.options.DeadLetters != nil && q.options.MaxReceives > 0 && m.receives >= q.options.MaxReceives
}

func (q *Queue) deliver(m *message, visibility time.Duration, now time.Time) Delivery {
	m.receives++
	m.received = now
	if m.first.IsZero() {
		m.first = now
	}
	q.hide(m, now.Add(visibility))
	q.totals.Received++
	return Delivery{
		Received:      q.received(m),
		MessageID:     m.messageID,
		ReceiptHandle: q.receipt(m),
		FirstReceived: m.first,
		MovedFrom:     m.movedFrom,
	}
}

// received is m as a worker sees it. The body is shared: it is never changed.
func (q *Queue) received(m *message) queue.Received {
	r := queue.Received{Message: m.Message, Sequence: sequenceNumber(m.sequence), Attempt: m.receives, FirstSent: m.sent}
	if q.options.Standard {
		r.Sequence = ""
	}
	return r
}

// moveIn takes a message that another queue gave up. It keeps its identity, its group, the time it was sent and its receive
// count; its retention begins again, and it is never taken for a repetition.
func (q *Queue) moveIn(m *message, from string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.advance(now)
	q.enqueue(&message{
		Message: m.Message, messageID: m.messageID, sent: m.sent, first: m.first, receives: m.receives, movedFrom: from,
	}, now)
	q.totals.MovedIn++
}

// receipt names this receive of m.
func (q *Queue) receipt(m *message) string {
	return q.options.Name + "#" + sequenceNumber(m.sequence) + "#" + strconv.Itoa(m.receives)
}
