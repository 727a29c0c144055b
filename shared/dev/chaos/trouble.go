package chaos

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/queue/memqueue"
)

// lottery draws from the seed. Which call draws which lot depends on the machine.
type lottery struct {
	mu     sync.Mutex
	random *rand.Rand
}

func newLottery(seed uint64) *lottery {
	return &lottery{random: rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // a plan that repeats is the purpose
}

// draw answers a number below n.
func (l *lottery) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

// queueFault decides what goes wrong with a call to a queue. A receive whose reply is lost holds its messages up until their
// visibility ends; a delete that fails brings them again; a send whose reply is lost is sent twice.
func (l *lottery) queueFault(c memqueue.Call) memqueue.Fault {
	lost := &memqueue.Error{Code: memqueue.CodeInternal, Reason: "chaos"}
	lot := l.draw(1000)
	var before, after int // of a thousand
	switch c.Operation {
	case memqueue.OperationSend:
		before, after = 10, 20
	case memqueue.OperationReceive:
		before, after = 5, 10
	case memqueue.OperationDelete:
		before, after = 20, 10
	case memqueue.OperationChangeVisibility:
		before, after = 30, 30
	}
	switch {
	case lot < before:
		return memqueue.Fault{Before: lost}
	case lot < before+after:
		return memqueue.Fault{After: lost}
	default:
		return memqueue.Fault{}
	}
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

// breakQueues makes calls to every queue fail now and then; the answer ends it.
func breakQueues(c *local.Cloud, l *lottery) (mend func()) {
	for _, id := range c.Queues() {
		c.Queue(id).Inject(l.queueFault)
	}
	return func() {
		for _, id := range c.Queues() {
			c.Queue(id).Inject(nil)
		}
	}
}

// spoilCRMs carries out the faults of a plan.
func spoilCRMs(ctx context.Context, c *local.Cloud, plan []Spoil) error {
	start, table := time.Now(), crms()
	for _, s := range plan {
		if !sleep(ctx, time.Until(start.Add(s.At))) {
			return nil
		}
		if err := spoil(ctx, c.CRMs[s.CRM], table[s.CRM].faults[s.Fault], s.Count); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
