package connector_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// park parks messages of a tenant whose CRM refuses it: so many of each of so many threads.
func (l *lane) park(tenant string, threads, each int) {
	l.t.Helper()
	l.says(tenant, fault.New(fault.Blocked, "toy_unauthenticated", nil))
	w := l.process(l)
	for k := range each {
		for begin := 0; begin < threads; begin += 10 {
			var batch []queue.Received
			for n := begin; n < min(begin+10, threads); n++ {
				batch = append(batch, l.send(tenant, fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-%d", n, k)))
			}
			if got := l.receive(w, batch...); strings.Count(got, "done") != len(batch) {
				l.t.Fatal(got)
			}
		}
	}
	l.mu.Lock()
	l.batches = nil
	l.mu.Unlock()
}

// parkedInOrder fails the test unless what park parked was delivered once and in order.
func (l *lane) parkedInOrder(tenant string, threads, each int) {
	l.t.Helper()
	for n := range threads {
		var want []string
		for k := range each {
			want = append(want, fmt.Sprintf("t%03d-%d", n, k))
		}
		l.inOrder(tenant, fmt.Sprintf("t%03d", n), want...)
	}
}

// TestADrainDeliversInTheWidestCalls: a hundred threads are one call, whichever gates they are behind.
func TestADrainDeliversInTheWidestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 100, 5)
		l.says("acme", nil)
		time.Sleep(time.Minute)
		l.run(l.drain())
		l.parkedInOrder("acme", 100, 5)
		l.empty()
		if n := l.calls(); n > 8 { // a few, the ninety others, and four more rounds, of which those few make one more
			t.Errorf("%d calls for 500 messages of 100 threads", n)
		}
		if len(l.batches[0]) > 10 {
			t.Errorf("it began with %d threads", len(l.batches[0]))
		}
	})
}

// TestACountThatIsTooLowIsMended: what is done is removed although its gate counts fewer, and the gate opens.
func TestACountThatIsTooLowIsMended(t *testing.T) {
	for _, counted := range []int64{0, 2} {
		t.Run(fmt.Sprint(counted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				l.park("acme", 20, 3)
				for r := range l.store.All() {
					if !strings.Contains(r.Partition, "/gate/") {
						continue
					}
					r.Number = counted
					if _, err := l.store.Write(t.Context(), store.Change{Record: r}); err != nil {
						t.Fatal(err)
					}
					break
				}
				l.says("acme", nil)
				for range 3 {
					time.Sleep(time.Minute)
					l.run(l.drain())
				}
				l.parkedInOrder("acme", 20, 3)
				l.empty()
			})
		})
	}
}

// TestADrainHoldsSoMuchInMemory, not so many messages: of each of four shards half a megabyte and a page of one.
func TestADrainHoldsSoMuchInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.text = strings.Repeat("a", 80_000)
		l.park("acme", 200, 1)
		l.says("acme", nil)
		time.Sleep(time.Minute)
		l.run(l.drain())
		l.empty()
		widest := 0
		for _, call := range l.batches {
			widest = max(widest, len(call)*len(l.text))
		}
		if widest > 4*(1<<20+512<<10) {
			t.Errorf("%d bytes at once", widest)
		}
	})
}

// TestWhileACRMTakesNothingItIsTriedLessAndLessOften: however long it lasts, nothing is held against what waits but its age.
func TestWhileACRMTakesNothingItIsTriedLessAndLessOften(t *testing.T) {
	for name, err := range map[string]error{
		"it refuses the tenant":   fault.New(fault.Blocked, "toy_unauthenticated", nil),
		"it does not answer":      fault.New(fault.Retryable, "toy_timeout", nil),
		"it has an error it owns": fault.New(fault.Retryable, "toy_unavailable", nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				l.park("acme", 30, 2)
				l.says("acme", err)
				began := time.Now()
				var tries []time.Duration
				for range 60 {
					time.Sleep(time.Minute)
					before := l.calls()
					l.run(l.drain())
					if l.calls() > before {
						tries = append(tries, time.Since(began))
					}
				}
				want := []time.Duration{time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute, 60 * time.Minute}
				if !slices.Equal(tries, want) {
					t.Errorf("tried after %v, want %v", tries, want)
				}
				time.Sleep(9*24*time.Hour - time.Hour)
				l.run(l.drain())
				if counted, there := l.parked(); counted != 60 || there != 60 || len(l.dead.codes) > 0 {
					t.Fatalf("after nine days %d are parked, %d are counted; dead letters %v", there, counted, l.dead.codes)
				}
				l.says("acme", nil)
				time.Sleep(time.Hour)
				l.run(l.drain())
				l.parkedInOrder("acme", 30, 2)
				l.empty()
			})
		})
	}
}

func TestWhatWasParkedForTenDaysIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 30, 2)
		time.Sleep(5 * 24 * time.Hour)
		l.receive(l.process(l), l.send("acme", "t001", "t001-young"))
		time.Sleep(5 * 24 * time.Hour)
		for range 3 {
			l.run(l.drain())
			time.Sleep(time.Hour)
		}
		if counted, there := l.parked(); counted != 1 || there != 1 {
			t.Errorf("%d are parked, %d are counted, want the young one", there, counted)
		}
		if got := slices.Compact(slices.Clone(l.dead.codes)); len(l.dead.codes) != 60 || !slices.Equal(got, []string{"blocked toy_unauthenticated"}) {
			t.Errorf("%d dead letters: %v", len(l.dead.codes), got)
		}
	})
}

// TestWhatWasParkedForLongIsNotOutOfPatience at the first failure of ours after an outage.
func TestWhatWasParkedForLongIsNotOutOfPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 30, 2)
		time.Sleep(48 * time.Hour)
		l.says("acme", nil)
		l.mu.Lock()
		l.keys = fault.New(fault.Retryable, "keys_unreachable", nil)
		l.mu.Unlock()
		l.run(l.drain())
		l.mu.Lock()
		l.keys = nil
		l.mu.Unlock()
		for range 20 {
			time.Sleep(time.Minute)
			l.run(l.drain())
		}
		l.parkedInOrder("acme", 30, 2)
		if len(l.dead.codes) > 0 {
			t.Errorf("%d dead letters: %v", len(l.dead.codes), l.dead.codes[0])
		}
		l.empty()
	})
}

// TestADayThatIsSpentIsWaitedFor as long as the CRM says.
func TestADayThatIsSpentIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.says("acme", &fault.Error{Kind: fault.Blocked, Code: "toy_daily_limit", Wait: 3 * time.Hour})
		l.receive(l.process(l), l.send("acme", "t000", "t000-0"))
		before := l.calls()
		for range 170 {
			time.Sleep(time.Minute)
			l.run(l.drain())
		}
		if l.calls() > before {
			t.Errorf("%d calls within the wait that was asked for", l.calls()-before)
		}
		l.says("acme", nil)
		time.Sleep(15 * time.Minute)
		l.run(l.drain())
		l.inOrder("acme", "t000", "t000-0")
		l.empty()
	})
}

// TestAMessageThatFailsByItselfHoldsBackItsOwnThread until its patience is over, which begins when the CRM takes deliveries again.
func TestAMessageThatFailsByItselfHoldsBackItsOwnThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 20, 3)
		time.Sleep(48 * time.Hour)
		l.says("acme", nil)
		l.bad["t003-0"] = fault.New(fault.Retryable, "toy_timeout", nil)
		l.bad["t004-1"] = fault.New(fault.Permanent, "toy_refused", nil)
		l.run(l.drain())
		l.inOrder("acme", "t003")
		l.inOrder("acme", "t004", "t004-0", "t004-2")
		l.inOrder("acme", "t005", "t005-0", "t005-1", "t005-2")
		if counted, there := l.parked(); counted != 3 || there != 3 {
			t.Errorf("%d are parked, %d are counted, want the thread's three", there, counted)
		}
		for range 110 {
			time.Sleep(time.Minute)
			l.run(l.drain())
		}
		if len(l.dead.codes) != 1 {
			t.Fatalf("dead letters %v after less than two hours", l.dead.codes)
		}
		for range 30 {
			time.Sleep(time.Minute)
			l.run(l.drain())
		}
		l.inOrder("acme", "t003", "t003-1", "t003-2")
		l.empty()
		if !slices.Equal(l.dead.codes, []string{"permanent toy_refused", "retryable toy_timeout"}) {
			t.Errorf("dead letters %v", l.dead.codes)
		}
	})
}

// TestWhatFailsByItselfIsTriedLessAndLessOften, and what comes beside it is delivered at each run.
func TestWhatFailsByItselfIsTriedLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 4, 1)
		l.says("acme", nil)
		l.bad["t003-0"] = fault.New(fault.Retryable, "toy_locked", nil)
		for n := range 110 {
			time.Sleep(time.Minute)
			l.receive(l.process(l), l.send("acme", "t003", fmt.Sprint("behind", n)), l.send("acme", fmt.Sprint("beside", n), fmt.Sprint("beside", n)))
			l.run(l.drain())
			l.inOrder("acme", fmt.Sprint("beside", n), fmt.Sprint("beside", n))
		}
		if n := l.tries("t003-0"); n < 5 || n > 25 {
			t.Errorf("it was tried %d times in 110 minutes", n)
		}
		l.inOrder("acme", "t003")
	})
}

// tries returns how many calls a delivery was in.
func (l *lane) tries(id string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, call := range l.batches {
		if slices.Contains(call, id) {
			n++
		}
	}
	return n
}

// TestWhatIsGivenUpIsNoSignThatACRMAnswers, and is not delivered.
func TestWhatIsGivenUpIsNoSignThatACRMAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 30, 1)
		l.erased = map[string]bool{}
		for n := range 15 {
			l.erased[fmt.Sprintf("t%03d-0", n)] = true
		}
		time.Sleep(time.Minute)
		gates := l.run(l.drain())
		if len(gates) != 1 || gates[0].Delivered != 0 || gates[0].Parked < 15 || gates[0].Parked > 29 {
			t.Errorf("%+v", gates)
		}
		if n := l.calls(); n != 1 {
			t.Errorf("%d calls to a CRM that takes nothing", n)
		}
		l.says("acme", nil)
		time.Sleep(15 * time.Minute)
		if gates := l.run(l.drain()); len(gates) != 1 || gates[0].Closed || gates[0].Delivered != 15 {
			t.Errorf("%+v", gates)
		}
		l.empty()
	})
}

// TestADrainIsNotPutOffByWhoeverWritesBesideIt: a receipt that waits changes the record that is the lease.
func TestADrainIsNotPutOffByWhoeverWritesBesideIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 4, 1)
		l.says("acme", nil)
		beside := 3
		var within sync.Mutex
		l.fault = func(c memstore.Call) memstore.Fault {
			if c.Operation != memstore.Write || !strings.HasPrefix(c.Keys[0].Partition, "gates:") || !within.TryLock() {
				return memstore.None
			}
			defer within.Unlock()
			if beside--; beside >= 0 {
				held, err := l.store.Get(t.Context(), c.Keys[0])
				if err == nil {
					_, err = l.store.Write(t.Context(), store.Change{Record: held[0]})
				}
				if err != nil {
					t.Error(err)
				}
			}
			return memstore.None
		}
		if gates, err := l.drain().Ring(t.Context(), "acme", "toy"); err != nil || len(gates) != 1 || gates[0].Closed {
			t.Errorf("%+v, %v", gates, err)
		}
		l.empty()
	})
}

// TestOneAtATimeDrains, and a second one takes over from one that was killed once its lease is over.
func TestOneAtATimeDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 40, 2)
		l.says("acme", nil)
		var running sync.WaitGroup
		var mu sync.Mutex
		busy := 0
		l.fault = func(memstore.Call) memstore.Fault { time.Sleep(5 * time.Millisecond); return memstore.None }
		for range 5 {
			running.Go(func() {
				gates, err := l.drain().Ring(context.Background(), "acme", "toy")
				mu.Lock()
				defer mu.Unlock()
				if err != nil || len(gates) != 1 {
					t.Fatal(err, gates)
				}
				if gates[0].Busy {
					busy++
				}
			})
		}
		running.Wait()
		if busy != 4 {
			t.Errorf("%d of five found it busy", busy)
		}
		l.parkedInOrder("acme", 40, 2)
		l.empty()
	})
}

func TestARingDrainsWhatIsNotDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 3, 1)
		l.park("other", 3, 1)
		l.park("third", 3, 1)
		l.park("lacks", 3, 1)
		l.says("acme", nil)
		l.says("third", nil)
		l.says("lacks", nil)
		l.run(l.drain())
		if l.calls() > 0 {
			t.Error("it was not due")
		}
		for request, want := range map[connect.Request]string{
			{Tenant: "acme", CRM: "toy"}:                    "acme delivered 3",
			{Tenant: "other"}:                               "other parked 3, mend toy_unauthenticated",
			{Tenant: "other", CRM: "to"}:                    "crm to is none of the tenant's, which are toy",
			{Tenant: "nobody", CRM: "toy", Action: "drain"}: "tenant nobody is not known: apply its file first",
			{CRM: "toy"}:                                    "crm without a tenant: name the tenant, too",
			{Action: "sing"}:                                "action is none that this function knows: drain, connect or check",
			{Action: "check", Tenant: "third"}:              "looked at third, ",
			{Action: "connect", Tenant: "lacks"}:            "looked at lacks, ",
			{Action: "connect", Tenant: "third"}:            "looked at third, third delivered 3",
		} {
			result, err := l.drain().Handle(t.Context(), request)
			got := strings.Join(result.Problems, "")
			for _, r := range result.Reports {
				got += "looked at " + r.Tenant + ", "
			}
			for _, g := range result.Gates {
				if got += g.Tenant; g.Closed {
					got += fmt.Sprintf(" parked %d, %s", g.Parked, g.Advice)
				} else {
					got += fmt.Sprintf(" delivered %d", g.Delivered)
				}
			}
			if err != nil || got != want {
				t.Errorf("%+v: %q, want %q (%v)", request, got, want, err)
			}
		}
	})
}

// TestWhatIsParkedMeanwhileIsDeliveredBeforeTheGateOpens parks between what a drain reads and what it removes.
func TestWhatIsParkedMeanwhileIsDeliveredBeforeTheGateOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 4, 2)
		l.says("acme", nil)
		w := l.process(l)
		n := 0
		var within sync.Mutex // what is parked here is parked before the drain's call has its effect
		l.fault = func(c memstore.Call) memstore.Fault {
			if !within.TryLock() {
				return memstore.None
			}
			defer within.Unlock()
			if n >= 40 || !slices.ContainsFunc(c.Keys, func(k store.Key) bool { return strings.Contains(k.Partition, "/gate/") }) {
				return memstore.None
			}
			n++
			l.receive(w, l.send("acme", "t001", fmt.Sprintf("t001-%d", 1+n)))
			return memstore.None
		}
		time.Sleep(time.Minute)
		for range 3 {
			l.run(l.drain())
			time.Sleep(time.Minute)
		}
		var want []string
		for k := range 2 + n {
			want = append(want, fmt.Sprintf("t001-%d", k))
		}
		l.inOrder("acme", "t001", want...)
		l.empty()
		if n < 5 {
			t.Errorf("only %d were parked meanwhile", n)
		}
	})
}

// TestKillsLoseNothingAndTurnNothingAround kills a process at each of its calls to the store, before and after the call's effect: one that parks, and
// then one that drains.
func TestKillsLoseNothingAndTurnNothingAround(t *testing.T) {
	for _, after := range []bool{false, true} {
		for kill := 1; ; kill++ {
			reached := false
			name := fmt.Sprintf("at call %d, after its effect: %t", kill, after)
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { reached = killed(t, kill, after) })
			})
			if !reached || t.Failed() {
				break
			}
		}
	}
}

// killed lets one process die and others go on, and reports whether it did.
func killed(t *testing.T, kill int, after bool) bool {
	t.Helper()
	l := newLane(t)
	calls, armed, dead := 0, true, false
	l.fault = func(memstore.Call) memstore.Fault {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case dead:
			return memstore.Before
		case !armed:
			return memstore.None
		}
		if calls++; calls == kill {
			if dead, l.killed = true, true; after {
				return memstore.After
			}
			return memstore.Before
		}
		return memstore.None
	}
	reached := false
	revive := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if dead {
			dead, l.killed, armed, reached = false, false, false, true
		}
	}
	l.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
	var want []string
	var batch []queue.Received
	for k := range 3 {
		want = append(want, fmt.Sprint("a", k))
		batch = append(batch, l.send("acme", "a", want[k]))
	}
	batch = append(batch, l.send("acme", "b", "b0"), l.send("acme", "c", "c0"))
	for range 6 {
		got := strings.Fields(l.receive(l.process(l), batch...))
		if l.isDead(&dead) { // the queue got no answer
			revive()
			time.Sleep(42 * time.Second)
			continue
		}
		var rest []queue.Received
		for i, m := range batch {
			if got[i] != "done" {
				rest = append(rest, m)
			}
		}
		if batch = rest; len(batch) == 0 {
			break
		}
		time.Sleep(42 * time.Second)
	}
	if len(batch) > 0 {
		t.Fatalf("%d are never parked", len(batch))
	}
	if counted, there := l.parked(); counted != 5 || there != 5 {
		t.Errorf("%d are parked, %d are counted", there, counted)
	}
	l.says("acme", nil)
	l.bad["b0"] = fault.New(fault.Retryable, "toy_locked", nil)                                               // by itself, for a while: gates open to some threads before they do to all
	late := []queue.Received{l.send("acme", "a", "a3"), l.send("acme", "a", "a4"), l.send("acme", "a", "a5")} // in the queue, one behind the other
	var one sync.Mutex
	receive := func() {
		one.Lock()
		defer one.Unlock()
		if len(late) > 0 && l.receive(l.process(l), late[0]) == "done" && !l.isDead(&dead) {
			late = late[1:]
		}
	}
	for n := range 8 {
		if time.Sleep(time.Minute); n == 3 {
			l.mu.Lock()
			clear(l.bad)
			l.mu.Unlock()
		}
		l.run(l.drainInto(&hook{l, receive}))
		revive()
		receive()
	}
	l.inOrder("acme", "a", append(want, "a3", "a4", "a5")...)
	l.inOrder("acme", "b", "b0")
	l.inOrder("acme", "c", "c0")
	l.empty()
	if len(l.dead.codes) > 0 {
		t.Errorf("dead letters %v", l.dead.codes)
	}
	return reached
}

func (l *lane) isDead(dead *bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *dead
}

// hangs is a CRM that hangs for a tenant.
type hangs struct {
	*lane
	tenant  string
	mu      sync.Mutex
	now     int
	most    int
	hanging time.Duration
}

func (h *hangs) Do(ctx context.Context, steps []step) []outcome {
	if !strings.HasPrefix(steps[0].Request, h.tenant+" ") {
		return h.lane.Do(ctx, steps)
	}
	h.mu.Lock()
	h.now++
	h.mu.Unlock()
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(h.hanging):
	}
	h.mu.Lock()
	if h.now--; time.Since(began) > 6*time.Second {
		h.most = max(h.most, h.now+1)
	}
	h.mu.Unlock()
	if ctx.Err() != nil {
		return slices.Repeat([]outcome{{Err: fault.New(fault.Retryable, "toy_timeout", ctx.Err())}}, len(steps))
	}
	return h.lane.Do(ctx, steps)
}

// TestACRMThatHangsHoldsAFifthOfTheFunctions has twenty functions that are received for by two tenants, of whom one's calls never return.
func TestACRMThatHangsHoldsAFifthOfTheFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.most = 20
		crm := &hangs{lane: l, tenant: "acme", hanging: time.Hour}
		var running sync.WaitGroup
		for i := range 20 {
			w, theirs, ours := l.process(crm), l.send("acme", fmt.Sprint("h", i), fmt.Sprint("h", i)), l.send("other", fmt.Sprint("o", i), fmt.Sprint("o", i))
			running.Go(func() {
				began := time.Now()
				for got := ""; got != "done"; {
					if got = l.receive(w, theirs); got != "done" {
						t.Errorf("a delivery of whose CRM hangs waits in the queue for %s", got)
						time.Sleep(time.Second)
					}
				}
				l.receive(w, ours)
				if took := time.Since(began); i >= 5 && took > 12*time.Second {
					t.Errorf("function %d was held for %s", i, took)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		running.Wait()
		if crm.most > 4 {
			t.Errorf("%d calls hung at once for longer than it takes to notice, a fifth of 20 is 4", crm.most)
		}
		if counted, there := l.parked(); counted != 20 || there != 20 {
			t.Errorf("%d are parked, %d are counted", there, counted)
		}
		if got := l.receive(l.process(crm), l.send("acme", "h0", "late")); got != "done" {
			t.Error(got)
		}
	})
}

// TestALoneHealthyTenantHasAllFunctions and pays for none of it, also where its CRM is slow.
func TestALoneHealthyTenantHasAllFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.most = 20
		crm := &hangs{lane: l, tenant: "acme", hanging: 4 * time.Second}
		began := time.Now()
		var mu sync.Mutex
		writes := 0
		l.fault = func(c memstore.Call) memstore.Fault {
			mu.Lock()
			defer mu.Unlock()
			if c.Operation == memstore.Write {
				writes += len(c.Keys)
			}
			return memstore.None
		}
		var running sync.WaitGroup
		for i := range 20 {
			w, m := l.process(crm), l.send("acme", fmt.Sprint("h", i), fmt.Sprint("h", i))
			running.Go(func() {
				if got := l.receive(w, m); got != "done" {
					t.Error(got)
				}
			})
		}
		running.Wait()
		l.empty()
		if took := time.Since(began); took > 5*time.Second || writes != 40 {
			t.Errorf("took %s and %d writes", took, writes)
		}
	})
}

// TestACallThatHasEndedWaitsForNoStore that does not count those that hang.
func TestACallThatHasEndedWaitsForNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.most = 20
		l.fault = func(c memstore.Call) memstore.Fault {
			if slices.ContainsFunc(c.Keys, func(k store.Key) bool { return k.Sort == "hanging" }) {
				return memstore.Before
			}
			return memstore.None
		}
		crm := &hangs{lane: l, tenant: "acme", hanging: 5500 * time.Millisecond}
		began := time.Now()
		if got := l.receive(l.process(crm), l.send("acme", "h", "h")); got != "done" || time.Since(began) > 8*time.Second {
			t.Errorf("%s after %v", got, time.Since(began))
		}
	})
}

// TestTenantsOfABatchRunSideBySide: what hangs for one holds up no other's call.
func TestTenantsOfABatchRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		crm := &hangs{lane: l, tenant: "acme", hanging: time.Hour}
		go l.receive(l.process(crm), l.send("acme", "a", "a"), l.send("other", "b", "b"))
		time.Sleep(time.Second)
		l.inOrder("other", "b", "b")
		time.Sleep(20 * time.Second)
	})
}

// TestWhatIsParkedLateIsNotOvertaken: a message whose turn in the queue was long ago is parked while a pass that is beyond its place is under way, and
// so is what is behind it.
func TestWhatIsParkedLateIsNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		late := l.send("acme", "late", "late-0")
		l.park("acme", 1000, 1)
		l.says("acme", nil)
		w, once := l.process(l), sync.Once{}
		slow := &hook{lane: l, before: func() {
			once.Do(func() {
				if got := l.receive(w, late) + " " + l.receive(w, l.send("acme", "late", "late-1")); got != "done done" {
					t.Error(got)
				}
			})
		}}
		time.Sleep(time.Minute)
		l.run(l.drainInto(slow))
		l.inOrder("acme", "late", "late-0", "late-1")
		l.parkedInOrder("acme", 1000, 1)
		l.empty()
	})
}

// TestADrainGoesOnWhileMoreIsParkedThanItReads: before each page that it reads something is parked behind the same gate, once two messages of a thread, one
// before what it has read by then and one behind it. All the same it delivers, and turns no thread around.
func TestADrainGoesOnWhileMoreIsParkedThanItReads(t *testing.T) {
	const most = 24 // pages
	for at := range 12 {
		synctest.Test(t, func(t *testing.T) {
			l := newLane(t)
			first := l.send("acme", "late", "late-0")
			l.park("acme", 40, 3)
			second := l.send("acme", "late", "late-1")
			l.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
			w, reads, calls, shard := l.process(l), 0, 0, spool.Shard("late", 4)
			of, noise := fmt.Sprint("acme/pending/toy/", shard), "noise"
			for spool.Shard(noise, 4) != shard {
				noise += "e"
			}
			for n := range 40 {
				l.receive(w, l.send("acme", fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-3", n)))
			}
			l.says("acme", nil)
			time.Sleep(time.Minute)
			l.page = 20
			l.fault = func(c memstore.Call) memstore.Fault {
				if c.Operation != memstore.List || c.Partition != of || reads == most {
					return memstore.None
				}
				if reads++; reads == most {
					calls = l.calls()
				}
				if reads == at+1 {
					l.receive(w, first)
					l.receive(w, second)
				}
				l.receive(w, l.send("acme", noise, fmt.Sprint("noise-", reads)))
				return memstore.None
			}
			l.run(l.drain())
			if calls == 0 {
				t.Errorf("it read %d pages and delivered nothing", reads)
			}
			l.parkedInOrder("acme", 40, 4)
			l.inOrder("acme", "late", "late-0", "late-1")
			l.empty()
		})
	}
}

// hook is a CRM before whose calls something happens.
type hook struct {
	*lane
	before func()
}

func (h *hook) Do(ctx context.Context, steps []step) []outcome {
	h.before()
	return h.lane.Do(ctx, steps)
}

// TestAGateOpensWhileMessagesKeepComing, twenty each second, to a CRM whose calls take their time: soon, and no thread is turned around.
func TestAGateOpensWhileMessagesKeepComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.fault = func(memstore.Call) memstore.Fault { time.Sleep(5 * time.Millisecond); return memstore.None }
		crm := &hook{lane: l, before: func() { time.Sleep(time.Second) }}
		l.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
		began := time.Now()
		const threads, each = 40, 80 // of a message every two seconds
		var running sync.WaitGroup
		var queued time.Duration // the longest that one waits in the queue
		var mu sync.Mutex
		for n := range threads {
			w := l.process(crm)
			running.Go(func() {
				time.Sleep(time.Duration(n) * 2 * time.Second / threads)
				for k := range each {
					began := time.Now()
					m := l.send("acme", fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-%d", n, k))
					for l.receive(w, m) != "done" {
						time.Sleep(time.Second)
					}
					mu.Lock()
					queued = max(queued, time.Since(began))
					mu.Unlock()
					time.Sleep(2*time.Second - time.Since(began))
				}
			})
		}
		time.Sleep(time.Minute + time.Second)
		l.says("acme", nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if _, err := l.drainInto(crm).Ring(ctx, "acme", "toy"); err != nil {
			t.Error(err)
		}
		l.empty()
		if took := time.Since(began); took > 140*time.Second {
			t.Errorf("it opened after %s, when little comes any more", took)
		}
		running.Wait()
		l.parkedInOrder("acme", threads, each)
		l.empty()
		if queued > 15*time.Second {
			t.Errorf("a message waited in the queue for %s", queued)
		}
	})
}
