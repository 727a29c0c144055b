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
	"signalbox/shared/tenant"
)

// say changes what a tenant's file says of its CRM.
func (l *lane) say(id string, tiers tenant.Tiers) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tiers[id] = tiers
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
			o.lane.batches, o.calls = nil, nil
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
