package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/rules"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

// TestOrderAndOnceUnderFaults sends the messages of several threads through queues while every eighth call fails, before or
// after its effect, and half an hour of batches is worked on. Each message must reach the CRM's queue once, in the order of
// its thread.
func TestOrderAndOnceUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		texts := []string{"hello", "stop", "start"}
		if seed%2 > 0 {
			texts = texts[:1]
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { orderUnderFaults(t, rand.New(rand.NewPCG(seed, 0)), texts) })
		})
	}
}

const threads, messages = 4, 6

func orderUnderFaults(t *testing.T, random *rand.Rand, texts []string) {
	faults := []memstore.Fault{memstore.Throttled, memstore.Before, memstore.After}
	// Heads are worked on side by side, so that the dice need a lock.
	dice := make(chan *rand.Rand, 1)
	dice <- random
	roll := func(n int) int {
		r := <-dice
		defer func() { dice <- r }()
		return r.IntN(n)
	}
	w := newWorld()
	state := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		claims := len(c.Keys) > 0 && c.Keys[0].Sort == idempotency.RouteClaim // one that cannot be released three times is a crash: another test
		if claims || roll(8) > 0 {
			return memstore.None
		}
		return faults[roll(3)]
	}))
	events, deliver, dead := memqueue.New(memqueue.Options{Name: "events"}), memqueue.New(memqueue.Options{Name: "deliver"}), memqueue.New(memqueue.Options{Name: "dead"})
	deliver.Inject(func(memqueue.Call) memqueue.Fault {
		down := fault.New(fault.Retryable, "queue_failed", nil)
		switch roll(16) {
		case 0:
			return memqueue.Fault{Before: down}
		case 1:
			return memqueue.Fault{After: down}
		default:
			return memqueue.Fault{}
		}
	})
	logger, meter := telemetry.NewLogger(io.Discard, telemetry.Identity{}), telemetry.NewMeter(io.Discard, telemetry.Identity{})
	worker := &queue.Worker{
		Stage: "route", DeadLetters: dead, Patience: 24 * time.Hour, BlockedWait: 15 * time.Minute, BackoffMin: 2 * time.Second, BackoffMax: time.Minute,
		MessageTime: 20 * time.Second, SoftMargin: 3 * time.Second, Random: func() float64 { return float64(roll(1000)) / 1000 }, Logger: logger, Meter: meter,
		Runs: true,
		Handler: router.New(w.ring, router.Parts{
			Store: state, Log: state, Tenants: w, Peppers: w, Engine: rules.Ordered{}, Events: events, Claims: idempotency.New(state, 35*time.Second),
			Outbox: router.Outbox{
				Deliveries:  map[string]queue.Publisher{"hubspot": deliver},
				DeadLetters: dead, Version: "1", Logger: logger, Meter: meter,
			},
		}),
	}
	want := map[string][]string{}
	for n := range messages {
		for thread := range threads {
			e := event(texts[n%len(texts)], func(e *canonical.Event) {
				e.Sender.Phone = fmt.Sprintf("+1555000000%d", thread)
				e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", fmt.Sprintf("SM%d-%d", thread, n))
				e.Timestamp = at.Add(time.Duration(n) * time.Second)
			})
			if err := events.Publish(t.Context(), message(t, e).Message); err != nil {
				t.Fatal(err)
			}
			want[string(e.ThreadID)] = append(want[string(e.ThreadID)], string(e.EventID)+".hubspot")
		}
	}
	for began := time.Now(); time.Since(began) < 30*time.Minute; {
		if !workOnce(t, worker, events) {
			break
		}
	}
	got := map[string][]string{}
	for held := range deliver.All() {
		got[held.Group] = append(got[held.Group], held.ID)
	}
	for group, ids := range want {
		if fmt.Sprint(got[group]) != fmt.Sprint(ids) {
			t.Errorf("a thread's deliveries are\n%v, want\n%v", got[group], ids)
		}
	}
	for held := range dead.All() {
		t.Errorf("a dead letter: %s", held.Body)
	}
}

// workOnce receives a batch and settles it as the event source mapping does. It returns false when the queue is empty.
func workOnce(t *testing.T, worker *queue.Worker, events *memqueue.Queue) bool {
	t.Helper()
	visibility := 3 * time.Minute
	batch, err := events.Receive(t.Context(), memqueue.Request{Max: 10, Wait: 20 * time.Second, Visibility: &visibility})
	if err != nil {
		t.Fatal(err)
	}
	if len(batch) == 0 {
		c := events.Counters()
		return c.Visible+c.InFlight > 0
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var received []queue.Received
	for _, d := range batch {
		received = append(received, d.Received)
	}
	for i, v := range worker.Process(ctx, received) {
		var errs []error
		if v.Done {
			errs, err = events.Delete(t.Context(), batch[i].ReceiptHandle)
		} else {
			errs, err = events.ChangeVisibility(t.Context(), memqueue.Wait{ReceiptHandle: batch[i].ReceiptHandle, For: v.Wait})
		}
		if err := errors.Join(append(errs, err)...); err != nil {
			t.Fatal(err)
		}
	}
	return true
}
