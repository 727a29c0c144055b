package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/queue/memqueue"

	"github.com/google/go-cmp/cmp"
)

// errInjected is what goes wrong in a case.
var errInjected = errors.New("injected by the test")

func publishCases() map[string]testCase {
	return map[string]testCase{
		"one message is one call": {faults: true, run: func(e env) {
			calls := e.calls()
			e.published(e.publish("a1"), "")
			if diff := cmp.Diff([]string{"a1"}, *calls); diff != "" {
				e.Error(diff)
			}
		}},
		"a batch holds at most one message of a group, and ten in all": {faults: true, run: func(e env) {
			calls := e.calls()
			e.published(e.publish("a1 a2 b1 a3 c1 b2 d1 e1 f1 g1 h1 i1 j1 k1"), "")
			if diff := cmp.Diff([]string{"a1 b1 c1 d1 e1 f1 g1 h1 i1 j1", "a2 b2 k1", "a3"}, *calls); diff != "" {
				e.Error(diff)
			}
			e.expect(10, "a1 a2 a3 b1 b2 c1 d1 e1 f1 g1")
		}},
		"a batch holds at most 1 MiB": {faults: true, run: func(e env) {
			calls := e.calls()
			big := messages("a1 b1 c1 b2")
			for i := range 3 {
				big[i].Body = bytes.Repeat([]byte("x"), 400<<10)
			}
			e.published(e.publishAll(big), "")
			if diff := cmp.Diff([]string{"a1 b1", "c1 b2"}, *calls); diff != "" {
				e.Error(diff)
			}
		}},
		"a message that is refused is permanent": {run: func(e env) {
			bad := messages("a1")
			bad[0].Group = "with space"
			e.kind(e.publishAll(bad), fault.Permanent)
		}},
		"a queue that asks for less is throttled": {faults: true, run: func(e env) {
			throttled := &memqueue.Error{Code: memqueue.CodeThrottled, Sender: true, Reason: "injected"}
			e.Inject(func(memqueue.Call) memqueue.Fault { return memqueue.Fault{Before: throttled} })
			e.kind(e.publish("a1"), fault.Throttled)
			e.Inject(entries("a1", throttled))
			e.kind(e.publish("a1"), fault.Throttled)
		}},
		"publishing nothing is nothing": {run: func(e env) {
			if err := e.Queue.Publish(e.Context()); err != nil {
				e.Error(err)
			}
		}},
		"order survives any failures of a publisher that tries again": {faults: true, takes: time.Minute, run: publishUntilAccepted},
	}
}

// failureCases are what a publisher is told when something was not accepted.
func failureCases() map[string]testCase {
	return map[string]testCase{
		"none is sent while an earlier one of its group was not accepted": {faults: true, run: func(e env) {
			e.Inject(entries("a2", errInjected))
			p := e.publish("a1 a2 b1 a3 b2 a4")
			e.published(p, "a2 a3 a4")
			e.kind(p, fault.Retryable)
			e.expect(10, "a1 b1 b2")
		}},
		"after a call that failed without effect nothing is accepted and everything is named": {faults: true, run: func(e env) {
			e.Inject(func(memqueue.Call) memqueue.Fault { return memqueue.Fault{Before: errInjected} })
			e.published(e.publish("a1 b1 a2"), "a1 b1 a2")
			e.Inject(nil)
			e.expect(10, "")
		}},
		"after a lost reply publishing again changes nothing but the answer": {faults: true, run: func(e env) {
			e.Inject(func(c memqueue.Call) memqueue.Fault {
				if c.Operation == memqueue.OperationSend {
					return memqueue.Fault{After: errInjected}
				}
				return memqueue.Fault{}
			})
			e.published(e.publish("a1 b1 a2"), "a1 b1 a2")
			e.Inject(nil)
			e.published(e.publish("a1 b1 a2"), "")
			e.expect(10, "a1 a2 b1")
		}},
		"a message that is too large is permanent and holds back its group": {run: tooLarge},
	}
}

func tooLarge(e env) {
	all := messages("a1 a2 b1 a3")
	all[1].Body = bytes.Repeat([]byte("x"), inorder.MaxBytes+1)
	p := e.publishAll(all)
	e.published(p, "a2 a3")
	if partial, ok := errors.AsType[*queue.PartialError](p.err); ok {
		if kind := fault.Of(partial.Errs[1]).Kind; kind != fault.Permanent {
			e.Errorf("the large one is %v", kind)
		}
		if kind := fault.Of(partial.Errs[3]).Kind; kind != fault.Retryable {
			e.Errorf("the one behind it is %v", kind)
		}
	}
	e.expect(10, "a1 b1")
}

// publishUntilAccepted publishes through random faults, each time what was not accepted, and compares what is delivered at last.
func publishUntilAccepted(e env) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that repeats
	e.Inject(func(c memqueue.Call) memqueue.Fault {
		wrong := memqueue.Fault{Entries: map[int]error{}}
		switch random.IntN(6) {
		case 0:
			wrong.Before = errInjected
		case 1:
			wrong.After = errInjected
		default:
			for i := range c.Messages {
				if random.IntN(4) == 0 {
					wrong.Entries[i] = errInjected
				}
			}
		}
		return wrong
	})
	open, want := []queue.Message{}, map[string]string{}
	for n := range 60 {
		m := queue.Message{ID: fmt.Sprintf("m%d", n), Group: fmt.Sprintf("group-%d", random.IntN(5)), Body: []byte("x")}
		open = append(open, m)
		want[m.Group] += " " + m.ID
	}
	for tries := 0; len(open) > 0; tries++ {
		if tries > 500 {
			e.Fatalf("%d messages are still not accepted", len(open))
		}
		open = notAccepted(open, e.Queue.Publish(e.Context(), open...))
	}
	e.Inject(nil)
	got := map[string]string{}
	for deliveries := e.receive(10); len(deliveries) > 0; deliveries = e.receive(10) {
		for _, d := range deliveries {
			got[d.Group] += " " + d.ID
		}
		e.delete(deliveries...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Error(diff)
	}
}

// notAccepted returns those of the messages of a Publish that its error names.
func notAccepted(all []queue.Message, err error) []queue.Message {
	partial, ok := errors.AsType[*queue.PartialError](err)
	if !ok {
		return nil
	}
	var open []queue.Message
	for i, err := range partial.Errs {
		if err != nil {
			open = append(open, all[i])
		}
	}
	return open
}

// publish publishes the messages of these names.
func (e env) publish(names string) publication {
	return e.publishAll(messages(names))
}

func (e env) publishAll(all []queue.Message) publication {
	return publication{all, e.Queue.Publish(e.Context(), all...)}
}

// publication is what was published and what was answered.
type publication struct {
	all []queue.Message
	err error
}

// published checks which messages the error of a publication names.
func (e env) published(p publication, refused string) {
	e.Helper()
	if (p.err == nil) != (refused == "") {
		e.Fatalf("answered %v, want errors for %q", p.err, refused)
	}
	if partial, ok := errors.AsType[*queue.PartialError](p.err); ok && len(partial.Errs) != len(p.all) {
		e.Fatalf("%d errors for %d messages", len(partial.Errs), len(p.all))
	}
	if got := joined(notAccepted(p.all, p.err)); got != refused {
		e.Errorf("not accepted: %q, want %q", got, refused)
	}
}

// kind checks how the first error of a publication is sorted.
func (e env) kind(p publication, want fault.Kind) {
	e.Helper()
	if sorted := fault.Of(p.err); sorted == nil || sorted.Kind != want {
		e.Errorf("answered %v, want kind %v", sorted, want)
	}
}

// calls records the ids of every batch that is sent.
func (e env) calls() *[]string {
	var calls []string
	e.Inject(func(c memqueue.Call) memqueue.Fault {
		if c.Operation == memqueue.OperationSend {
			calls = append(calls, joined(c.Messages))
		}
		return memqueue.Fault{}
	})
	return &calls
}

func joined(all []queue.Message) string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.ID
	}
	return strings.Join(names, " ")
}

// entries makes the entry of one id fail.
func entries(id string, err error) func(memqueue.Call) memqueue.Fault {
	return func(c memqueue.Call) memqueue.Fault {
		wrong := memqueue.Fault{Entries: map[int]error{}}
		for i, m := range c.Messages {
			if m.ID == id {
				wrong.Entries[i] = err
			}
		}
		return wrong
	}
}
