package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue/memqueue"
)

// lottery draws from the seed. Which call draws which lot depends on the machine.
type lottery struct {
	on     atomic.Bool // calls to tables and queues may fail
	closed atomic.Bool // the entrances take nothing

	mu     sync.Mutex
	random *rand.Rand
	drawn  map[string]int  // faults, by service
	lost   map[string]bool // whose last call for keys or secrets got lost
}

func newLottery(seed uint64) *lottery {
	return &lottery{random: rand.New(rand.NewPCG(seed, 2)), drawn: map[string]int{}, lost: map[string]bool{}} //nolint:gosec // a plan that repeats is the purpose
}

func (l *lottery) count(service string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drawn[service]++
}

// draw returns a number below n.
func (l *lottery) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

// queueFault decides what goes wrong with a call to a queue. A receive whose reply is lost holds its messages up until their
// visibility ends; a delete that fails brings them again; a send whose reply is lost is sent twice, and may be answered by an
// error or not at all; an entry of a batch fails alone.
func (l *lottery) queueFault(c memqueue.Call) memqueue.Fault {
	internal := &memqueue.Error{Code: memqueue.CodeInternal, Reason: "chaos"}
	lot := l.draw(1000)
	var before, answered, lost, entry int // of a thousand
	switch c.Operation {
	case memqueue.OperationSend:
		before, answered, lost, entry = 10, 10, 10, 10
	case memqueue.OperationReceive:
		before, lost = 5, 10
	case memqueue.OperationDelete:
		before, lost = 20, 10
	case memqueue.OperationChangeVisibility:
		before, answered, lost = 30, 15, 15
	}
	if lot < before+answered+lost+entry {
		l.count("sqs")
	}
	switch {
	case lot < before:
		return memqueue.Fault{Before: internal}
	case lot < before+answered:
		return memqueue.Fault{After: internal}
	case lot < before+answered+lost:
		return memqueue.Fault{After: errNoAnswer}
	case lot < before+answered+lost+entry:
		return memqueue.Fault{Entries: map[int]error{l.draw(len(c.Messages)): internal}}
	default:
		return memqueue.Fault{}
	}
}

// errNoAnswer is a reply that never comes.
var errNoAnswer = errors.New("chaos: no answer")

// tableFault decides what goes wrong with a call to a table, while anything does. The functions try a call three times, so that
// few of these are theirs to deal with.
func (l *lottery) tableFault(c dynamodb.Call) dynamodb.Fault {
	if !l.on.Load() {
		return dynamodb.None
	}
	lot := l.draw(1000)
	for _, f := range []struct {
		fault dynamodb.Fault
		share int // of a thousand
		only  []string
	}{
		{dynamodb.Throttled, 8, nil},
		{dynamodb.Before, 4, nil},
		{dynamodb.After, 4, nil},
		{dynamodb.Dropped, 3, nil},
		{dynamodb.Lost, 3, nil},
		{dynamodb.Busy, 3, []string{"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchExecuteStatement"}},
		{dynamodb.Unprocessed, 20, []string{"BatchGetItem", "BatchWriteItem", "BatchExecuteStatement"}},
	} {
		if lot -= f.share; lot < 0 {
			if f.only != nil && !slices.Contains(f.only, c.Operation) {
				return dynamodb.None
			}
			l.count("dynamodb")
			return f.fault
		}
	}
	return dynamodb.None
}

// clocks are the places of an event where another machine's clock speaks: the gateway's and the queue's.
var clocks = regexp.MustCompile(`"(timeEpoch|SentTimestamp|ApproximateFirstReceiveTimestamp)":"?([0-9]{13})`)

// mostSkew is how far another machine's clock is off, at most.
const mostSkew = 2 * time.Second

// skew sets the clocks of the gateway and of the queues wrong, each event anew.
func (l *lottery) skew(_ string, event []byte) []byte {
	off := int64(l.draw(int(2*mostSkew.Milliseconds()))) - mostSkew.Milliseconds()
	return clocks.ReplaceAllFunc(event, func(found []byte) []byte {
		digits := found[len(found)-13:]
		at, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil { // it is thirteen digits
			return found
		}
		return strconv.AppendInt(found[:len(found)-13:len(found)-13], at+off, 10)
	})
}

// hangs reports whether a call to a table is to have no answer.
func (l *lottery) hangs() bool {
	const oneOf = 3000
	if !l.on.Load() || l.draw(oneOf) > 0 {
		return false
	}
	l.count("hung")
	return true
}

// loses reports whether the request or the reply of a call for keys or secrets gets lost, one in a row. There are few of these calls.
// Receivers are spared: what they cannot look up in time is a dead letter until the schedule of Reparse, which wants more time left
// than these functions have.
func (l *lottery) loses(c cloud.Call) (request, reply bool) {
	if !l.on.Load() || c.Service != "kms" && c.Service != "secretsmanager" || strings.HasSuffix(c.Function(), receiver) {
		return false, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lot := l.random.IntN(10)
	if lot > 1 || l.lost[c.Caller] {
		delete(l.lost, c.Caller)
		return false, false
	}
	l.lost[c.Caller] = true
	l.drawn[c.Service]++
	return lot == 0, lot == 1
}

// watch lets the lottery decide over every call to a queue.
func (l *lottery) watch(c *local.Cloud) {
	for _, id := range c.Queues() {
		entrance := slices.Contains(entrances(), id)
		c.Queue(id).Inject(func(call memqueue.Call) memqueue.Fault {
			switch {
			case entrance && call.Operation == memqueue.OperationSend && l.closed.Load():
				return memqueue.Fault{Before: &memqueue.Error{Code: memqueue.CodeInternal, Reason: "chaos"}}
			case l.on.Load():
				return l.queueFault(call)
			default:
				return memqueue.Fault{}
			}
		})
	}
}

// entrances are the queues that webhooks go to; while they take nothing, webhooks go to the spool.
func entrances() []string { return []string{"EventsQueue", "ReceiptsQueue"} }

// carry carries out the outages of a plan.
func (l *lottery) carry(ctx context.Context, plan []Outage) {
	defer l.closed.Store(false)
	start := time.Now()
	for _, o := range plan {
		if !sleep(ctx, time.Until(start.Add(o.At))) {
			return
		}
		l.closed.Store(true)
		if !sleep(ctx, o.For) {
			return
		}
		l.closed.Store(false)
	}
}

// spoilCRMs carries out the faults of a plan.
func spoilCRMs(ctx context.Context, c *local.Cloud, plan []Spoil) error {
	start := time.Now()
	for _, s := range plan {
		if !sleep(ctx, time.Until(start.Add(s.At))) {
			return nil
		}
		if err := samples.Spoil(ctx, c.CRMs[s.CRM], c.Simulated[s.CRM].Failures[s.Fault], s.Count); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
