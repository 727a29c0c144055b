package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store/memstore"
)

// toldLane is a lane whose CRM shows statuses, too.
type toldLane struct {
	*lane
	mu      sync.Mutex
	refuses error
	calls   []int
	shown   map[string]string // by the message's key
}

func newToldLane(t testing.TB) *toldLane {
	return &toldLane{lane: newLane(t), shown: map[string]string{}}
}

// WriteStatuses implements connector.StatusWriter.
func (o *toldLane) WriteStatuses(_ context.Context, updates []receipt.Update) []error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lane.mu.Lock()
	dead := o.killed
	o.lane.mu.Unlock()
	o.calls = append(o.calls, len(updates))
	errs := make([]error, len(updates))
	for i, u := range updates {
		switch {
		case dead:
			errs[i] = fault.New(fault.Retryable, "toy_unreachable", nil)
		case o.refuses != nil:
			errs[i] = o.refuses
		default:
			o.shown[u.Key] = u.State
		}
	}
	return errs
}

func (o *toldLane) refuse(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuses = err
}

// receipts returns the worker of a new process of the receipts queue, behind gates or where what was parked is drained.
func (o *toldLane) receipts(gated bool) *queue.Worker {
	meter, options := o.logs()
	w := o.worker(options, o.lane)
	w.Stage, w.Unordered = "receipts-toy", true
	ro := connector.ReceiptOptions{CRM: o, Store: o.store, Width: 100, Attempt: 10 * time.Second, Logger: options.Logger, Meter: meter}
	if gated {
		ro.Gates = connector.NewGates(connector.GateOptions{Kind: "toy", CRM: o.lane, Store: o.store, Tenants: o.lane, Attempt: 10 * time.Second, Probe: 15 * time.Minute, Logger: options.Logger, Meter: meter})
	}
	w.Handler = connector.NewReceipts(ro)
	return w
}

func (o *toldLane) drain() *connector.Drain {
	meter, options := o.logs()
	options.Width = 100
	return connector.NewDrain(connector.DrainOptions{
		Kind: "toy", CRM: o.lane, Store: o.store, Tenants: o.lane, Worker: o.worker(options, o.lane), Receipts: o.receipts(false), Probe: 15 * time.Minute, Lease: 35 * time.Second, Logger: options.Logger, Meter: meter,
	})
}

// raise raises what is held of a message, as the router does before it sends an update.
func (o *toldLane) raise(tenant, key, state string) queue.Received {
	o.t.Helper()
	s := receipt.Status{State: state, At: time.Now()}
	if _, err := receipt.Raise(context.Background(), o.store, tenant, key, s); err != nil {
		o.t.Fatal(err)
	}
	body, err := json.Marshal(receipt.Update{TenantID: tenant, CRM: "toy", Key: key, Channel: "sms", Status: s})
	if err != nil {
		o.t.Fatal(err)
	}
	return queue.Received{Message: queue.Message{ID: tenant + key + state, Group: tenant, Body: body}, Attempt: 1, FirstSent: time.Now()}
}

// kill kills the process that makes calls to the CRM, or lets another take over.
func (l *lane) kill(dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.killed = dead
}

func TestReceiptsBehindAClosedGateWaitAsOneValueAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		o.park("acme", 3, 1)
		var batch []queue.Received
		for _, state := range []string{"read", "sent", "delivered"} {
			for n := range 60 {
				batch = append(batch, o.raise("acme", fmt.Sprint("m", n), state))
			}
		}
		batch = append(batch, o.raise("other", "m0", "sent"))
		w := o.receipts(true)
		for begin := 0; begin < len(batch); begin += 70 {
			if got := o.receive(w, batch[begin:min(begin+70, len(batch))]...); strings.Contains(strings.ReplaceAll(got, "done", ""), "s") {
				t.Error(got)
			}
		}
		if len(o.calls) != 1 || o.shown["m0"] != "sent" {
			t.Errorf("calls of %v rows, shown %v: want the other tenant's", o.calls, o.shown)
		}
		if _, there := o.parked(); there != 3+60 {
			t.Errorf("%d are kept, want three deliveries and a value for each of sixty messages", there)
		}
		clear(o.shown)
		o.says("acme", nil)
		time.Sleep(time.Minute)
		gates := o.run(o.drain())
		if len(o.calls) != 2 || len(o.shown) != 60 || slices.Compact(slices.Sorted(maps.Values(o.shown)))[0] != "read" {
			t.Errorf("calls of %v rows; shown %v", o.calls, o.shown)
		}
		if gates[0].Closed || gates[0].Delivered != 3 {
			t.Errorf("%+v", gates)
		}
		o.empty()
	})
}

// TestReceiptsThatAreRefusedHoldUpNoDelivery: the tenant may have forgotten one right, and the rest goes on.
func TestReceiptsThatAreRefusedHoldUpNoDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		o.refuse(fault.New(fault.Blocked, "toy_forbidden", nil))
		w := o.receipts(true)
		for _, state := range []string{"sent", "delivered", "read"} {
			if got := o.receive(w, o.raise("acme", "m1", state), o.raise("acme", "m2", state)); got != "done done" {
				t.Error(got)
			}
		}
		if len(o.calls) != 1 || o.counted(`"gate closed"`) != 1 {
			t.Errorf("calls of %v rows", o.calls)
		}
		if got := o.receive(o.process(o.lane), o.send("acme", "a", "a1")); got != "done" || len(o.order) != 1 {
			t.Errorf("a delivery: %s", got)
		}
		time.Sleep(time.Minute)
		if gates := o.run(o.drain()); len(o.calls) != 2 || !gates[0].Closed || gates[0].Receipts != 2 || gates[0].Code != "toy_forbidden" {
			t.Errorf("%+v, calls of %v rows", gates, o.calls)
		}
		o.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil)) // now the deliveries, too
		o.receive(o.process(o.lane), o.send("acme", "a", "a2"))
		if o.counted(`"gate closed"`) != 2 {
			t.Error("that the deliveries' gates closed is not told")
		}
		o.says("acme", nil)
		o.refuse(nil)
		time.Sleep(time.Minute)
		o.run(o.drain())
		o.inOrder("acme", "a", "a1", "a2")
		if o.shown["m1"] != "read" || o.shown["m2"] != "read" {
			t.Errorf("shown %v", o.shown)
		}
		o.empty()
	})
}

// TestWhatAReceiptTellsWhileItIsDrainedIsShown raises a message's status before each of the drain's calls to the store, and lets some processes die of it.
func TestWhatAReceiptTellsWhileItIsDrainedIsShown(t *testing.T) {
	states := []string{"queued", "sent", "delivered", "read"}
	for _, kill := range []string{"", "before", "after"} {
		for at := 1; ; at++ {
			reached := false
			t.Run(fmt.Sprintf("at call %d, killed %q", at, kill), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newToldLane(t)
					o.park("acme", 1, 1)
					o.receive(o.receipts(true), o.raise("acme", "m1", states[0]), o.raise("acme", "m2", states[0]))
					o.says("acme", nil)
					var mu sync.Mutex // of a call that is looked at
					var dead atomic.Bool
					calls := 0
					left := []queue.Received{}
					o.fault = func(memstore.Call) memstore.Fault {
						if !mu.TryLock() { // what receipts themselves call
							return memstore.None
						}
						defer mu.Unlock()
						if dead.Load() {
							return memstore.Before
						}
						if calls++; calls < at || calls >= at+3 {
							return memstore.None
						}
						reached = true
						m := o.raise("acme", "m1", states[1+calls-at])
						if o.receive(o.receipts(true), m) != "done" {
							left = append(left, m)
						}
						if kill != "" {
							dead.Store(true)
							o.kill(true)
						}
						return map[string]memstore.Fault{"": memstore.None, "before": memstore.Before, "after": memstore.After}[kill]
					}
					for range 4 {
						time.Sleep(time.Minute)
						o.run(o.drain())
						if dead.Swap(false) {
							o.kill(false)
							calls = 1000
						}
					}
					mu.Lock()
					for _, m := range left {
						o.receive(o.receipts(true), m)
					}
					want := map[string]string{"m1": states[min(3, max(0, calls-at+1))], "m2": states[0]}
					if calls >= 1000 {
						want["m1"] = states[1]
					}
					if reached && !maps.Equal(o.shown, want) {
						t.Errorf("shown %v, want %v", o.shown, want)
					}
					o.inOrder("acme", "t000", "t000-0")
					o.empty()
				})
			})
			if !reached || t.Failed() {
				break
			}
		}
	}
}
