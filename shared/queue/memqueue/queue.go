// Package memqueue is a queue in memory with the semantics of Amazon SQS, FIFO and standard, over time.Now: real on a
// laptop, virtual in a testing/synctest bubble. Tests run on it directly, and the local cloud's SQS stands on it. Where
// its behaviour is a matter of SQS's documentation the suite in queuetest says so; it claims no parity beyond that.
package memqueue

import (
	"container/list"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"signalbox/shared/queue"
)

// DeduplicationWindow is how long a message with the ID of an accepted one is answered with the first one's identity,
// counted from the first send.
const DeduplicationWindow = 5 * time.Minute

// MaxVisibility is how long a message can stay in flight, counted from its receive, whatever is asked for.
const MaxVisibility = 12 * time.Hour

// The defaults of SQS, which hold where Options has a zero.
const (
	DefaultVisibility = 30 * time.Second
	DefaultRetention  = 4 * 24 * time.Hour
)

// firstSequence makes sequence numbers twenty digits long from the first on.
const firstSequence = 18_000_000_000_000_000_000

// Scope is where two messages with one ID are one message.
type Scope uint8

// The scopes.
const (
	PerGroup Scope = iota // SQS's DeduplicationScope=messageGroup, which high throughput asks for
	PerQueue
)

// Options are the properties of a queue. The zero value is a FIFO queue that never gives a message up.
type Options struct {
	Name          string // identity of the queue in message ids and receipt handles; not empty where several queues meet
	Standard      bool   // no order, no deduplication
	Deduplication Scope
	Visibility    time.Duration // how long a received message stays hidden; 0 is DefaultVisibility
	Retention     time.Duration // 0 is DefaultRetention
	MaxReceives   int           // a message received more often than this moves to DeadLetters; 0 is never
	DeadLetters   *Queue
}

// Queue is one queue. It is safe for concurrent use.
type Queue struct {
	options Options

	mu       sync.Mutex
	sequence uint64 // of the last message
	held     map[uint64]*message
	arrivals list.List // of *message, oldest first
	groups   map[string]*group
	ready    list.List // of *group whose first message is visible; a group that becomes ready goes to the back
	hidden   hidden
	sent     map[identity]uint64 // the sequence number of what was accepted
	window   []remembered        // what sent holds, oldest first
	changed  chan struct{}
	faults   func(Call) Fault
	totals   Counters
}

// message is one held message.
type message struct {
	queue.Message
	messageID string
	sequence  uint64
	sent      time.Time // by the producer
	arrived   time.Time // in this queue; what retention and age count from
	first     time.Time // first receive
	received  time.Time // latest receive
	until     time.Time // hidden until, if in flight
	receives  int
	movedFrom string
	group     *group
	arrival   *list.Element
	heapIndex int // -1: not in flight
}

func (m *message) inFlight() bool { return m.heapIndex >= 0 }

// group is a unit of order. On a standard queue every message is its own.
type group struct {
	key      string
	messages []*message
	ready    *list.Element
}

// identity is what deduplication compares.
type identity struct{ group, id string }

type remembered struct {
	identity
	at time.Time
}

// New returns an empty queue.
func New(o Options) *Queue {
	if o.Visibility == 0 {
		o.Visibility = DefaultVisibility
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	return &Queue{
		options:  o,
		sequence: firstSequence,
		held:     map[uint64]*message{},
		groups:   map[string]*group{},
		sent:     map[identity]uint64{},
	}
}

// Options returns the properties the queue was made with, defaults filled in.
func (q *Queue) Options() Options { return q.options }

// advance brings the queue to now: hidden messages whose time is up are visible again, old messages and old identities are
// forgotten. It is called with the lock held, at the start of everything.
func (q *Queue) advance(now time.Time) {
	woke := false
	for len(q.hidden) > 0 && !q.hidden[0].until.After(now) {
		m := q.hidden[0]
		q.show(m)
		woke = true
	}
	for front := q.arrivals.Front(); front != nil; front = q.arrivals.Front() {
		m := element[*message](front)
		if now.Before(m.arrived.Add(q.options.Retention)) {
			break
		}
		q.remove(m)
		q.totals.Expired++
		woke = true
	}
	for len(q.window) > 0 && !now.Before(q.window[0].at.Add(DeduplicationWindow)) {
		delete(q.sent, q.window[0].identity)
		q.window = q.window[1:]
	}
	if woke {
		q.wake()
	}
}

// enqueue puts m at the end of its group.
func (q *Queue) enqueue(m *message, now time.Time) {
	q.sequence++
	m.sequence, m.arrived, m.heapIndex = q.sequence, now, -1
	key := m.Group
	if q.options.Standard {
		key = strconv.FormatUint(m.sequence, 10)
	}
	g := q.groups[key]
	if g == nil {
		g = &group{key: key}
		q.groups[key] = g
	}
	m.group = g
	g.messages = append(g.messages, m)
	m.arrival = q.arrivals.PushBack(m)
	q.held[m.sequence] = m
	q.refresh(g)
	q.wake()
}

// remove forgets m, which may unblock its group.
func (q *Queue) remove(m *message) {
	q.hidden.remove(m)
	delete(q.held, m.sequence)
	q.arrivals.Remove(m.arrival)
	g := m.group
	for i, other := range g.messages {
		if other != m {
			continue
		}
		if i == 0 {
			g.messages[0] = nil
			g.messages = g.messages[1:]
		} else {
			g.messages = append(g.messages[:i], g.messages[i+1:]...)
		}
		break
	}
	q.refresh(g)
}

// hide puts m in flight until an instant.
func (q *Queue) hide(m *message, until time.Time) {
	m.until = until
	q.hidden.put(m)
	q.refresh(m.group)
}

// show ends m's flight.
func (q *Queue) show(m *message) {
	q.hidden.remove(m)
	q.refresh(m.group)
}

// refresh lists g among the ready groups exactly if its first message can be received.
func (q *Queue) refresh(g *group) {
	ready := len(g.messages) > 0 && !g.messages[0].inFlight()
	switch {
	case ready && g.ready == nil:
		g.ready = q.ready.PushBack(g)
	case !ready && g.ready != nil:
		q.ready.Remove(g.ready)
		g.ready = nil
	}
	if len(g.messages) == 0 {
		delete(q.groups, g.key)
	}
}

// wake lets everyone who waits for a message look again.
func (q *Queue) wake() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// messageID returns a UUID that depends on the queue's name and the sequence number alone, so that a test repeats.
func (q *Queue) messageID(sequence uint64) string {
	h := fnv.New128a()
	_, _ = h.Write(strconv.AppendUint([]byte(q.options.Name+"#"), sequence, 10))
	sum := h.Sum(nil)
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	s := hex.EncodeToString(sum)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// sequenceNumber is a sequence number as SQS writes it: firstSequence sees to the twenty digits.
func sequenceNumber(sequence uint64) string { return strconv.FormatUint(sequence, 10) }

// element returns what a list element holds; the lists here hold one type each.
func element[T any](e *list.Element) T {
	value, _ := e.Value.(T)
	return value
}
