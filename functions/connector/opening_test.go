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

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// TestGatesOpenSoon measures how long after a CRM that took nothing for a minute is well again a delivery of a tenant is parked for the last time, while
// twenty come each second. A drain that dies is found out once its lease is over.
func TestGatesOpenSoon(t *testing.T) {
	const run, lease, passes = time.Minute, 35 * time.Second, 15 * time.Second
	for name, c := range map[string]struct {
		dies  int    // how many drains, in a call to the CRM
		fails string // a message that fails by itself
		soon  time.Duration
	}{
		"nobody dies":               {soon: run + passes},
		"a drain dies":              {dies: 1, soon: 2*run + lease + passes},
		"a message fails by itself": {fails: "t003-5", soon: run + passes},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				l.fault = func(memstore.Call) memstore.Fault { time.Sleep(5 * time.Millisecond); return memstore.None }
				l.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
				if c.fails != "" {
					l.bad[c.fails] = fault.New(fault.Retryable, "toy_locked", nil)
				}
				s := &steady{lane: l, dies: c.dies, parked: map[string]time.Time{}}
				stop := s.begin()
				time.Sleep(time.Minute)
				l.says("acme", nil)
				well := time.Now()
				time.Sleep(c.soon + run)
				stop()
				var worst time.Duration
				for thread, at := range s.parked {
					if c.fails == "" || thread != c.fails[:4] {
						worst = max(worst, at.Sub(well))
					}
				}
				t.Logf("a delivery is parked for the last time after %v", worst)
				if worst > c.soon {
					t.Errorf("a delivery was parked %v after the CRM was well again", worst)
				}
				if c.fails != "" {
					return
				}
				for thread, want := range s.sent {
					l.inOrder("acme", thread, want...)
				}
				l.empty()
			})
		})
	}
}

// steady is a tenant who gets twenty messages a second, of forty threads, and drains every minute.
type steady struct {
	*lane
	dies   int                  // drains that are still to die
	parked map[string]time.Time // when one of a thread was parked for the last time
	sent   map[string][]string  // by thread
	done   chan struct{}
	lock   sync.Mutex // of the maps, and of dies
}

// begin begins it. The function it returns ends it, and has what is parked then delivered.
func (s *steady) begin() (end func()) {
	s.done, s.sent = make(chan struct{}), map[string][]string{}
	var running sync.WaitGroup
	for n := range 40 {
		running.Go(func() {
			time.Sleep(time.Duration(n) * 50 * time.Millisecond)
			for k := 0; s.goesOn(2*time.Second, func() { s.receiveOne(fmt.Sprintf("t%03d", n), fmt.Sprintf("t%03d-%d", n, k)) }); k++ {
			}
		})
	}
	running.Go(func() {
		for s.goesOn(time.Minute, func() {}) {
			running.Go(s.drainOnce)
		}
	})
	return func() {
		close(s.done)
		running.Wait()
	}
}

// goesOn does something and reports, a time after it began, whether more is to be done.
func (s *steady) goesOn(every time.Duration, do func()) bool {
	next := time.After(every)
	do()
	select {
	case <-s.done:
		return false
	case <-next:
		return true
	}
}

// receiveOne has a message received until it is done.
func (s *steady) receiveOne(thread, id string) {
	m := s.send("acme", thread, id)
	for s.receive(s.process(&hook{s.lane, portal}), m) != "done" {
		time.Sleep(time.Second)
	}
	s.mu.Lock()
	there := slices.Contains(s.order["acme "+thread], id)
	s.mu.Unlock()
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.sent[thread] = append(s.sent[thread], id); !there {
		s.parked[thread] = time.Now()
	}
}

// portal takes its time.
func portal() { time.Sleep(50 * time.Millisecond) }

// drainOnce runs a drain, which dies in its tenth call to the CRM if one is to: none of its calls arrives as long as anything is looked at.
func (s *steady) drainOnce() {
	within, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ended, dead, calls := make(chan struct{}), make(chan struct{}), 0
	crm := &hook{s.lane, func() {
		portal()
		s.lock.Lock()
		calls++
		dies := calls == 10 && s.dies > 0
		if dies {
			s.dies--
		}
		s.lock.Unlock()
		if dies {
			close(dead)
			<-s.done
		}
	}}
	go func() {
		defer close(ended)
		_, _ = s.drainInto(crm).Run(within) // an error leaves the rest to the next minute
	}()
	select {
	case <-ended:
	case <-dead:
	}
}

// tenLocked returns a lane behind whose closed gates twenty threads of two messages are parked, of which ten, some of each shard, fail by themselves. Their CRM
// takes deliveries again, and a drain is due.
func tenLocked(t *testing.T) *lane {
	t.Helper()
	l := newLane(t)
	l.park("acme", 20, 2)
	l.says("acme", nil)
	for n := range 10 {
		l.bad[fmt.Sprintf("t%03d-0", n)] = fault.New(fault.Retryable, "toy_locked", nil)
	}
	time.Sleep(time.Minute)
	return l
}

// TestWhatIsAboutToBeParkedWhenAGateOpensIsNotOvertaken: whoever read that a gate is closed to all parks nothing behind one that is closed to some threads
// alone by now.
func TestWhatIsAboutToBeParkedWhenAGateOpensIsNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := tenLocked(t)
		var once sync.Once
		l.fault = func(c memstore.Call) memstore.Fault {
			if slices.ContainsFunc(c.Keys, func(k store.Key) bool { return strings.HasSuffix(k.Sort, "/late-0") }) {
				once.Do(func() { l.run(l.drain()) })
			}
			return memstore.None
		}
		first := l.send("acme", "late", "late-0")
		if got := l.receive(l.process(l), first); got == "done" {
			t.Error("it was parked behind a gate that is open to it")
		}
		for _, m := range []queue.Received{first, l.send("acme", "late", "late-1"), l.send("acme", "t003", "t003-2")} {
			if got := l.receive(l.process(l), m); got != "done" {
				t.Errorf("%s waits for %s", m.ID, got)
			}
		}
		l.inOrder("acme", "late", "late-0", "late-1")
		l.inOrder("acme", "t003")
		if counted, there := l.parked(); counted != 21 || there != 21 {
			t.Errorf("%d are parked, %d are counted, want those of ten threads", there, counted)
		}
		l.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
		if got := l.receive(l.process(l), l.send("acme", "late", "late-2")); got != "done" {
			t.Errorf("late-2 waits for %s although the CRM refuses the tenant", got)
		}
		l.says("acme", nil)
		clear(l.bad)
		time.Sleep(time.Hour)
		l.run(l.drain())
		l.inOrder("acme", "late", "late-0", "late-1", "late-2")
		l.inOrder("acme", "t003", "t003-0", "t003-1", "t003-2")
		l.empty()
	})
}

// TestAGateThatIsClosedToFewerThreadsWithinASecondOvertakesNobody: whoever read it before and is about to park one of a thread that it is open to by now
// parks nothing.
func TestAGateThatIsClosedToFewerThreadsWithinASecondOvertakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := tenLocked(t)
		l.run(l.drain())
		var once sync.Once
		l.fault = func(c memstore.Call) memstore.Fault {
			if slices.ContainsFunc(c.Keys, func(k store.Key) bool { return strings.HasSuffix(k.Sort, "/t003-2") }) {
				once.Do(func() {
					delete(l.bad, "t003-0")
					l.run(l.drain())
				})
			}
			return memstore.None
		}
		if got := l.receive(l.process(l), l.send("acme", "t003", "t003-2")); got == "done" {
			t.Error("it was parked behind a gate that is open to it")
		}
		l.inOrder("acme", "t003", "t003-0", "t003-1")
	})
}
