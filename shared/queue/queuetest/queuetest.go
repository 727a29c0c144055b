// Package queuetest is the contract that every queue passes: what Amazon SQS documents of FIFO queues, each sentence a
// case, and what queue.Publisher promises on top. A queue's own test is a Harness.
package queuetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
)

// Queue is what the suite calls. *memqueue.Queue is one as it is.
type Queue interface {
	queue.Publisher
	Send(ctx context.Context, batch ...queue.Message) ([]memqueue.Sent, error) // one call, no order rule
	Receive(ctx context.Context, r memqueue.Request) ([]memqueue.Delivery, error)
	Delete(ctx context.Context, receipts ...string) ([]error, error)
	ChangeVisibility(ctx context.Context, waits ...memqueue.Wait) ([]error, error)
}

// Settings are the properties of the queue that a case needs; zero is the queue's default.
type Settings struct {
	Standard    bool
	PerQueue    bool // deduplication
	Visibility  time.Duration
	Retention   time.Duration
	MaxReceives int // with dead letters
}

// Ends are a queue and what belongs to it.
type Ends struct {
	Queue       Queue
	DeadLetters Queue                                      // where Settings.MaxReceives is set
	Counts      func(t *testing.T) (visible, inFlight int) // as the queue reports them
	Inject      func(func(memqueue.Call) memqueue.Fault)   // nil: faults cannot be injected
}

// Harness is a kind of queue under test.
type Harness struct {
	New func(t *testing.T, s Settings) Ends // empty queues with names of their own
	// RealTime is for queues outside this process: no bubble, and cases that take longer than patience are skipped.
	RealTime bool
	// Skip holds the cases, by name, that this queue is known not to pass, with the reason, which is printed.
	Skip map[string]string
}

// patience is how long a case may take in real time.
const patience = 12 * time.Second

// testCase is one sentence of the contract.
type testCase struct {
	Settings
	takes  time.Duration // of the queue's time, about
	faults bool          // needs Inject
	run    func(e env)
}

// Run runs every case, each on a queue of its own, in virtual time unless the harness says otherwise.
func Run(t *testing.T, h Harness) {
	cases := map[string]testCase{}
	for _, part := range []map[string]testCase{
		orderCases(), deduplicationCases(), flightCases(), standardCases(), redriveCases(), pollCases(), batchCases(), publishCases(), failureCases(),
	} {
		for name, c := range part {
			if _, twice := cases[name]; twice {
				t.Fatalf("two cases are called %q", name)
			}
			cases[name] = c
		}
	}
	for name := range h.Skip {
		if _, ok := cases[name]; !ok {
			t.Errorf("the skip list names %q, which is no case", name)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if reason := h.Skip[name]; reason != "" {
				t.Skip(reason)
			}
			if h.RealTime {
				if c.takes > patience {
					t.Skipf("takes %v of real time", c.takes)
				}
				t.Parallel()
				c.start(t, h)
				return
			}
			synctest.Test(t, func(t *testing.T) { c.start(t, h) })
		})
	}
}

func (c testCase) start(t *testing.T, h Harness) {
	ends := h.New(t, c.Settings)
	if c.faults && ends.Inject == nil {
		t.Skip("faults cannot be injected into this queue")
	}
	slack := time.Duration(0)
	if h.RealTime {
		slack = time.Second
	}
	c.run(env{T: t, Ends: ends, slack: slack})
}

// env is a case in progress.
type env struct {
	*testing.T
	Ends
	slack time.Duration // by which a real clock may be off
}

// messages makes one message for each word of names: "a1" is of group a, and the name is its id and in its body.
func messages(names string) []queue.Message {
	var all []queue.Message
	for name := range strings.FieldsSeq(names) {
		all = append(all, queue.Message{ID: name, Group: "group-" + name[:1], Body: []byte(`{"name":"` + name + `"}`)})
	}
	return all
}

// send sends one batch that is expected to be accepted as a whole.
func (e env) send(names string) []memqueue.Sent {
	e.Helper()
	sent, err := e.Queue.Send(e.Context(), messages(names)...)
	if err != nil {
		e.Fatalf("send %s: %v", names, err)
	}
	for i, s := range sent {
		if s.Err != nil {
			e.Fatalf("send %s: entry %d: %v", names, i, s.Err)
		}
	}
	return sent
}

// receive receives up to most messages without waiting.
func (e env) receive(most int) []memqueue.Delivery {
	e.Helper()
	return e.receiveFrom(e.Queue, most, 0)
}

func (e env) receiveFrom(q Queue, most int, wait time.Duration) []memqueue.Delivery {
	e.Helper()
	deliveries, err := q.Receive(e.Context(), memqueue.Request{Max: most, Wait: wait})
	if err != nil {
		e.Fatalf("receive: %v", err)
	}
	return deliveries
}

// expect receives up to most messages and compares their ids, in order.
func (e env) expect(most int, names string) []memqueue.Delivery {
	e.Helper()
	deliveries := e.receive(most)
	e.same(deliveries, names)
	return deliveries
}

func (e env) same(deliveries []memqueue.Delivery, names string) {
	e.Helper()
	if got := ids(deliveries); got != names {
		e.Fatalf("received %q, want %q", got, names)
	}
}

func (e env) delete(deliveries ...memqueue.Delivery) {
	e.Helper()
	for i, err := range e.errs(e.Queue.Delete(e.Context(), receipts(deliveries)...)) {
		if err != nil {
			e.Fatalf("delete %s: %v", deliveries[i].ID, err)
		}
	}
}

func (e env) hide(d memqueue.Delivery, wait time.Duration) error {
	e.Helper()
	return e.errs(e.Queue.ChangeVisibility(e.Context(), memqueue.Wait{ReceiptHandle: d.ReceiptHandle, For: wait}))[0]
}

func (e env) mustHide(d memqueue.Delivery, wait time.Duration) {
	e.Helper()
	if err := e.hide(d, wait); err != nil {
		e.Fatalf("change visibility of %s to %v: %v", d.ID, wait, err)
	}
}

func (e env) errs(errs []error, err error) []error {
	e.Helper()
	if err != nil {
		e.Fatalf("the call failed: %v", err)
	}
	return errs
}

func ids(deliveries []memqueue.Delivery) string {
	names := make([]string, len(deliveries))
	for i, d := range deliveries {
		names[i] = d.ID
		if want := fmt.Sprintf(`{"name":"%s"}`, d.ID); string(d.Body) != want {
			names[i] += "(" + string(d.Body) + ")"
		}
	}
	return strings.Join(names, " ")
}

func receipts(deliveries []memqueue.Delivery) []string {
	all := make([]string, len(deliveries))
	for i, d := range deliveries {
		all[i] = d.ReceiptHandle
	}
	return all
}
