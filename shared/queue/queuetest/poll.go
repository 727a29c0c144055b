package queuetest

import (
	"context"
	"errors"
	"time"

	"signalbox/shared/queue/memqueue"
)

// longPoll is how long the cases wait at most, and soon when what they wait for happens.
const (
	longPoll = 8 * time.Second
	soon     = 2 * time.Second
)

func pollCases() map[string]testCase {
	return map[string]testCase{
		"a long poll is woken by a send": {takes: soon, run: func(e env) {
			defer e.soon(func() { e.send("a1") })()
			e.polled("a1", soon)
		}},
		"a long poll is woken by a delete that unblocks a group": {takes: soon, run: func(e env) {
			e.send("a1 a2")
			d := e.expect(1, "a1")
			defer e.soon(func() { e.delete(d...) })()
			e.polled("a2", soon)
		}},
		"a long poll is woken by the end of a visibility": {Settings: Settings{Visibility: soon}, takes: soon, run: func(e env) {
			e.send("a1")
			e.expect(1, "a1")
			e.polled("a1", soon)
		}},
		"a long poll is woken by a visibility change to zero": {takes: soon, run: func(e env) {
			e.send("a1")
			d := e.expect(1, "a1")[0]
			defer e.soon(func() { e.mustHide(d, 0) })()
			e.polled("a1", soon)
		}},
		"a long poll is woken when a shortened visibility ends": {takes: 2 * soon, run: func(e env) {
			e.send("a1")
			d := e.expect(1, "a1")[0]
			defer e.soon(func() { e.mustHide(d, soon) })()
			e.polled("a1", 2*soon)
		}},
		"a long poll answers nothing when its wait is over": {takes: longPoll, run: func(e env) {
			e.polled("", longPoll)
		}},
		"a long poll ends with its context": {takes: soon, run: func(e env) {
			ctx, cancel := context.WithTimeout(e.Context(), soon)
			defer cancel()
			began := time.Now()
			_, err := e.Queue.Receive(ctx, memqueue.Request{Max: 1, Wait: longPoll})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > soon+e.slack {
				e.Errorf("answered %v after %v", err, time.Since(began))
			}
		}},
		"one message ends one of many long polls": {takes: longPoll, run: competing},
	}
}

// soon runs do in a while; the func it returns waits until that is done.
func (e env) soon(do func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(soon)
		do()
	}()
	return func() { <-done }
}

// polled receives by a long poll and checks what came and when.
func (e env) polled(names string, after time.Duration) {
	e.Helper()
	began := time.Now()
	e.same(e.receiveFrom(e.Queue, 1, longPoll), names)
	if took := time.Since(began); took < after-e.slack || took > after+e.slack {
		e.Errorf("received %q after %v, want %v", names, took, after)
	}
}

// competing lets five receivers wait for one message.
func competing(e env) {
	const receivers = 5
	counts := make(chan int, receivers)
	for range receivers {
		go func() {
			deliveries, err := e.Queue.Receive(e.Context(), memqueue.Request{Max: 10, Wait: longPoll})
			if err != nil {
				e.Error(err)
			}
			counts <- len(deliveries)
		}()
	}
	defer e.soon(func() { e.send("a1") })()
	total := 0
	for range receivers {
		total += <-counts
	}
	if total != 1 {
		e.Errorf("one message was received %d times", total)
	}
}
