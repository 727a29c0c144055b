package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// TestOrderHoldsWhateverHappens delivers batches to workers with random outcomes until everything is done or a dead letter,
// and looks that no message was ever begun while an earlier one of its group was open.
func TestOrderHoldsWhateverHappens(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var pending []queue.Received
			for range 30 {
				group := string(rune('a' + random.IntN(4)))
				r := received(group + fmt.Sprint(len(pending)))
				pending = append(pending, r[0])
			}
			var open []queue.Received
			settled := map[string]bool{}
			letters := &taker{refuse: func(queue.Message) error {
				if random.IntN(3) == 0 {
					return errors.New("refused")
				}
				return nil
			}}
			h := &handler{work: func(ctx context.Context, r queue.Received) error {
				for _, earlier := range open {
					if earlier.ID == r.ID {
						break
					}
					if earlier.Group == r.Group && !settled[earlier.ID] && letters.lacks(earlier.ID) {
						t.Fatalf("seed %d: %s was begun before %s was done", seed, r.ID, earlier.ID)
					}
				}
				time.Sleep(time.Duration(random.IntN(6000)) * time.Millisecond)
				switch random.IntN(12) {
				case 0:
					return fault.New(fault.Retryable, "x", nil)
				case 1:
					return fault.New(fault.Permanent, "x", nil)
				case 2:
					return &fault.Error{Kind: fault.Throttled, Wait: time.Second}
				case 3:
					return fault.New(fault.Blocked, "x", nil)
				case 4:
					return queue.ErrNotStarted
				case 5:
					panic("boom")
				}
				settled[r.ID] = true
				return nil
			}}
			w := newWorker(h, letters, &bytes.Buffer{})
			w.Logger = slog.New(slog.DiscardHandler)
			for round := 0; len(pending) > 0; round++ {
				if round > 2000 {
					t.Fatalf("seed %d: %d messages never end", seed, len(pending))
				}
				open = slices.Clone(pending[:min(10, len(pending))]) // a batch is a prefix of the queue
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				verdicts := w.Process(ctx, open)
				cancel()
				failed := map[string]bool{}
				var still []queue.Received
				for i, v := range verdicts {
					r := open[i]
					if v.Done && failed[r.Group] {
						t.Fatalf("seed %d: %s is done behind one that is not", seed, r.ID)
					}
					if v.Done && !settled[r.ID] && letters.lacks(r.ID) {
						t.Fatalf("seed %d: %s is lost", seed, r.ID)
					}
					if !v.Done {
						failed[r.Group] = true
						still = append(still, r)
					}
				}
				pending = append(still, pending[len(open):]...)
			}
		})
	}
}

func (p *taker) lacks(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.messages, func(m queue.Message) bool { return m.ID == queue.DeadLetterID(id) })
}
