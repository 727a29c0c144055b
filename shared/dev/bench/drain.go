package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"signalbox/shared/dev/local"
)

// drainsAlone measures the draining to each CRM alone.
func drainsAlone(ctx context.Context, root string, length time.Duration) ([]Row, error) {
	names, err := local.SimulatedCRMs(root)
	if err != nil {
		return nil, err
	}
	var all []Row
	for _, name := range names {
		w, err := newWorld(ctx, root, false, name)
		if err != nil {
			return nil, err
		}
		if _, err := w.acksAlone(ctx, length); err != nil {
			w.stop()
			return nil, err
		}
		rows := w.drains(ctx, length)
		w.stop()
		for i := range rows {
			rows[i].Name += ", " + name + " alone"
		}
		all = append(all, rows...)
	}
	return all, nil
}

// drains measures how fast messages drain that wait, and what one costs.
func (w *world) drains(ctx context.Context, length time.Duration) []Row {
	var drained, cost []float64
	for range windows {
		before, _ := ownProcessor()
		n := w.drain(ctx, length)
		drained = append(drained, n/length.Seconds())
		if after, known := ownProcessor(); known && n > 0 {
			cost = append(cost, (after-before)/n)
		}
	}
	rows := []Row{sampled(rowDrain, "messages/s", drained).more()}
	if len(cost) > 0 {
		rows = append(rows, sampled(rowCost, "ms", cost).note(allows(cost)))
	}
	return rows
}

// allows returns what so much processor time each allows this machine.
func allows(ms []float64) string {
	cores := runtime.NumCPU()
	return fmt.Sprintf("all processes, load and simulators included: %d cores allow %s/s", cores, number(1000*float64(cores)/median(ms)))
}

// drain returns how many messages reached every CRM in so long.
func (w *world) drain(ctx context.Context, length time.Duration) float64 {
	before := map[string]int{}
	for _, q := range w.deliveries() {
		before[q] = w.Queue(q).Counters().Deleted
	}
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
	slowest := -1.0
	for q, n := range before {
		if done := float64(w.Queue(q).Counters().Deleted - n); slowest < 0 || done < slowest {
			slowest = done
		}
	}
	return max(slowest, 0)
}
