package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// say changes what a tenant's file says of its CRM.
func (l *lane) say(id string, tiers tenant.Tiers) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tiers[id] = tiers
}

// failing has calls to the store fail by what is chosen.
func (l *lane) failing(choose func(memstore.Call) memstore.Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = choose
}

// minutes drains each minute for so many, and returns how the gates stood last.
func (o *toldLane) minutes(n int) (gates []connect.Gate) {
	for range n {
		time.Sleep(time.Minute)
		gates = o.run(o.drain())
	}
	return gates
}

// batch receives a message of each of so many threads.
func (l *lane) batch(w *queue.Worker, threads, k int) {
	l.t.Helper()
	for begin := 0; begin < threads; begin += 10 {
		var heads []queue.Received
		for n := begin; n < min(begin+10, threads); n++ {
			heads = append(heads, l.send("acme", fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-%d", n, k)))
		}
		if got := l.receive(w, heads...); strings.Count(got, "done") != len(heads) {
			l.t.Error(got)
		}
	}
}

func TestWhatIsCollectedIsWrittenByTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		o.say("acme", tenant.Tiers{Messages: tenant.Batch})
		w, r := o.process(o.lane), o.receipts(true)
		time.Sleep(10 * time.Minute)
		for hour := range 3 {
			for k := range 4 {
				o.batch(w, 100, 4*hour+k)
				o.receive(r, o.raise("acme", fmt.Sprint("m", k), "sent"))
				gates := o.minutes(10)
				if o.lane.calls() > 0 || len(o.calls) > 0 {
					t.Fatal("it is written before the hour")
				}
				next := time.Now().Truncate(time.Hour).Add(time.Hour)
				if len(gates) != 1 || gates[0].Tier != "batch" || gates[0].Code != "" || !gates[0].Probe.Equal(next) || gates[0].Parked != int64(100*k+100) || gates[0].Receipts != int64(k+1) {
					t.Errorf("the gates stand so: %+v", gates)
				}
			}
			o.minutes(11)
			o.parkedInOrder("acme", 100, 4*hour+4)
			if n := o.lane.calls(); n > 400/20 || len(o.calls) != 1 {
				t.Errorf("%d calls for 400 messages, the limit is 0.05 each; %d for receipts", n, len(o.calls))
			}
			o.batches, o.calls = nil, nil
			o.minutes(9)
		}
		o.receive(w, o.send("other", "live", "live-1"))
		o.inOrder("other", "live", "live-1")
		o.minutes(130)
		o.empty()
		if n := o.counted(`"Blocked"`) + o.counted(`"GateClosed"`) + o.counted(`"gate closed"`); n > 0 {
			t.Errorf("somebody is told of an outage %d times", n)
		}
	})
}

func TestWhatIsCollectedMeetsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		o.say("acme", tenant.Tiers{Messages: tenant.Batch})
		w := o.process(o.lane)
		o.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
		o.batch(w, 20, 0)
		gates := o.minutes(65)
		if len(gates) != 1 || gates[0].Tier != "" || gates[0].Code != "toy_unauthenticated" || o.counted(`"Blocked":1`) != 1 || o.counted(`"gate closed"`) != 1 {
			t.Errorf("the gates stand so: %+v", gates)
		}
		o.says("acme", nil)
		o.batch(w, 20, 1)
		if gates = o.minutes(15); len(gates) != 1 || gates[0].Tier != "batch" || gates[0].Probe.Minute() != 0 {
			t.Errorf("the gates stand so: %+v", gates)
		}
		o.parkedInOrder("acme", 20, 2)
		o.minutes(60)
		o.empty()
	})
}

// TestATenantBecomesLive while something is collected: it is written at once, and what comes meanwhile goes behind it.
func TestATenantBecomesLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		o.say("acme", tenant.Tiers{Messages: tenant.Batch})
		w := o.process(o.lane)
		o.batch(w, 20, 0)
		o.receive(o.receipts(true), o.raise("acme", "m", "sent"))
		o.minutes(2)
		o.say("acme", tenant.Tiers{})
		o.batch(w, 20, 1)
		o.inOrder("acme", "t000")
		o.minutes(1)
		o.parkedInOrder("acme", 20, 2)
		o.empty()
		o.batch(w, 20, 2)
		o.parkedInOrder("acme", 20, 3)
		if o.shown["m"] != "sent" {
			t.Error("the receipt is not shown")
		}
	})
}

func TestReceiptsAloneAreCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		o.say("acme", tenant.Tiers{Receipts: tenant.Batch})
		w, r := o.process(o.lane), o.receipts(true)
		for _, state := range []string{"sent", "delivered", "read"} {
			o.receive(r, o.raise("acme", "m", state))
			o.minutes(15)
		}
		o.batch(w, 20, 0)
		o.parkedInOrder("acme", 20, 1)
		if len(o.calls) > 0 {
			t.Error("receipts are shown before the hour")
		}
		o.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
		o.batch(w, 20, 1)
		if gates := o.minutes(1); len(gates) != 1 || gates[0].Code != "toy_unauthenticated" {
			t.Errorf("an outage of messages: %+v", gates)
		}
		o.says("acme", nil)
		o.minutes(3)
		o.parkedInOrder("acme", 20, 2)
		o.minutes(70)
		if o.shown["m"] != "read" || len(o.calls) != 1 {
			t.Errorf("%v by %d calls", o.shown, len(o.calls))
		}
		o.minutes(60)
		o.empty()
	})
}

// TestWhatIsOfAHistoryIsWrittenBesideWhatIsLive: in order, in wide calls, by a lease of its own, and after what waits for the CRM.
func TestWhatIsOfAHistoryIsWrittenBesideWhatIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newToldLane(t)
		w := o.process(o.lane)
		old := func(k int) {
			for begin := 0; begin < 100; begin += 10 {
				var heads []queue.Received
				for n := begin; n < begin+10; n++ {
					heads = append(heads, o.sendOld("acme", fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-%d", n, k)))
				}
				o.receive(w, heads...)
			}
		}
		for k := range 3 {
			old(k)
		}
		if o.lane.calls() > 0 {
			t.Error("it goes with what is live")
		}
		if got := o.receive(w, o.send("acme", "live", "live-1"), o.send("acme", "t000", "t000-live")); got != "done done" {
			t.Error(got)
		}
		o.inOrder("acme", "live", "live-1")
		o.inOrder("acme", "t000", "t000-live")
		o.batches = nil
		gates := o.minutes(1)
		if len(gates) != 1 || gates[0].Tier != "bulk" || gates[0].CRM != "toy" || gates[0].Closed || gates[0].Delivered != 300 {
			t.Errorf("the gates stand so: %+v", gates)
		}
		o.inOrder("acme", "t000", "t000-live", "t000-0", "t000-1", "t000-2")
		o.inOrder("acme", "t001", "t001-0", "t001-1", "t001-2")
		if n := o.lane.calls(); n > 300/20 {
			t.Errorf("%d calls for 300 messages, the limit is 0.05 each", n)
		}
		o.empty()

		o.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
		o.receive(w, o.send("acme", "live", "live-2"))
		old(3)
		before := o.lane.calls()
		if gates = o.minutes(1); len(gates) != 2 || gates[0].Parked != 1 || gates[1].Parked != 100 || gates[1].Code != "" || o.lane.calls() != before+1 {
			t.Errorf("%d calls; the gates stand so: %+v", o.lane.calls()-before, gates)
		}
		o.says("acme", nil)
		o.minutes(4)
		o.inOrder("acme", "live", "live-1", "live-2")
		o.inOrder("acme", "t001", "t001-0", "t001-1", "t001-2", "t001-3")
		o.empty()
		if n := o.counted(`"Blocked":1`); n != 1 {
			t.Errorf("one outage is told %d times", n)
		}
		o.say("acme", tenant.Tiers{History: tenant.Live})
		o.receive(o.process(o.lane), o.sendOld("acme", "other", "other-1"))
		o.inOrder("acme", "other", "other-1")
	})
}

// TestAHistorysDrainDies at each call to the store and to the CRM: each message is written once, and nothing is left.
func TestAHistorysDrainDies(t *testing.T) {
	for at := 1; at < 40; at += 2 {
		synctest.Test(t, func(t *testing.T) {
			o := newToldLane(t)
			w := o.process(o.lane)
			for k := range 3 {
				for n := range 20 {
					o.receive(w, o.sendOld("acme", fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-%d", n, k)))
				}
			}
			calls := 0
			o.failing(func(memstore.Call) memstore.Fault {
				o.lane.mu.Lock()
				defer o.lane.mu.Unlock()
				if calls++; calls < at {
					return memstore.None
				}
				o.killed = true
				return memstore.Before
			})
			time.Sleep(time.Minute)
			o.run(o.drain())
			o.kill(false)
			o.failing(nil)
			o.minutes(10)
			o.parkedInOrder("acme", 20, 3)
			o.empty()
		})
	}
}
