package chaos

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/mapping"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"

	"github.com/google/go-cmp/cmp"
)

const hidden = 2 * time.Second

// received is a batch that was received now.
func received(sequence string, ids ...string) mapping.Batch {
	b := mapping.Batch{Until: time.Now().Add(hidden)}
	for _, id := range ids {
		b.Messages = append(b.Messages, memqueue.Delivery{
			Received: queue.Received{Message: queue.Message{ID: id}, Sequence: sequence}, MessageID: "m-" + id, ReceiptHandle: "r-" + id,
		})
	}
	return b
}

func TestABatchIsHeldBackOnceAndItsProcessStandsStillAtItsCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &factory{process: "Route.1", event: batch("a", "b")}
			s := newStriker()
			s.setCloud(f)
			h := s.holds
			if h.throttled("Route", received("1", "x")) {
				t.Error("a batch is held back before the plan begins")
			}
			h.begin([]Hold{{At: time.Second, Function: "Route", Left: 500 * time.Millisecond, Pause: 700 * time.Millisecond, Call: 2, After: after}})
			if h.throttled("Route", received("1", "x")) {
				t.Error("it is held back before its time")
			}
			time.Sleep(time.Second)
			if h.throttled("Deliver", received("1", "x")) || h.throttled("Route", received("", "x")) {
				t.Error("another function's is held back, or one that keeps no order")
			}
			b, waited := received("1", "a", "b"), time.Duration(0)
			for h.throttled("Route", b) {
				time.Sleep(10 * time.Millisecond)
				waited += 10 * time.Millisecond
			}
			if waited != hidden-500*time.Millisecond {
				t.Errorf("it was held back for %s", waited)
			}
			var took, effects []time.Duration
			for range 3 {
				began := time.Now()
				s.Pass(cloud.Call{Caller: "Route.1"}, func() { effects = append(effects, time.Since(began)) })
				took = append(took, time.Since(began))
			}
			want, late := []time.Duration{0, 700 * time.Millisecond, 0}, time.Duration(0)
			if !after {
				late = 700 * time.Millisecond
			}
			if diff := cmp.Diff(want, took) + cmp.Diff([]time.Duration{0, late, 0}, effects); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]int{heldBack: 1, paused: 1}, h.counted()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestABatchMayBeHeldBackUntilItsVisibilityEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolder()
		h.begin([]Hold{{Function: "Route", Left: -time.Millisecond, Call: 1}})
		b := received("1", "a")
		for time.Now().Before(b.Until) {
			if !h.throttled("Route", b) {
				t.Fatal("it is invoked")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if h.throttled("Route", received("1", "b")) || h.counted()[dropped] != 1 {
			t.Errorf("another one is held back, %v", h.counted())
		}
	})
}

func TestAMessageStandsStillFromItsKillUntilItIsReceivedAndDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolder()
		work := func(function string, done int, ids ...string) {
			w := mapping.Invocation{Batch: received("1", ids...), Began: time.Now()}
			time.Sleep(time.Second)
			w.Ended, w.Done = time.Now(), w.Messages[:done]
			h.worked(function, w)
		}
		h.killed("Route", []string{"a", "b"})
		time.Sleep(2 * time.Second)
		work("Deliver", 2, "a", "b")
		work("Route", 0, "a", "b") // refused
		work("Route", 2, "a", "b")
		work("Route", 2, "a", "b") // a copy
		want := map[string]Recovery{"Route": {Messages: 2, Again: Percentiles{3, 3, 3}, Done: Percentiles{5, 5, 5}}}
		if diff := cmp.Diff(want, h.recovery()); diff != "" || h.counted()[overtaken] != 0 {
			t.Error(h.counted(), diff)
		}
		w := mapping.Invocation{Batch: received("1", "a"), Began: time.Now()}
		time.Sleep(hidden + 1)
		w.Ended = time.Now()
		h.worked("Route", w)
		if h.counted()[overtaken] != 1 {
			t.Error("visibility ended during work, and it is not counted")
		}
	})
}
