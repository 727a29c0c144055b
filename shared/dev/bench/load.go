package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"signalbox/shared/dev/samples"
)

// The load.
const (
	closedLoop = 16  // senders, each with one webhook under way
	people     = 300 // who write, all of them known
	windows    = 3   // of which each gives one sample
)

// window is what came of one stretch of load.
type window struct {
	perSecond float64
	latencies []float64 // milliseconds
	processor float64   // milliseconds for each webhook, of all processes; 0 if that is not known
}

// webhook sends the nth webhook of a load.
func (w *world) webhook(ctx context.Context, n int) (time.Duration, error) {
	return w.send(ctx, w.message(n%people))
}

// closed sends as fast as answers come, for so long.
func closed(ctx context.Context, length time.Duration, send func(ctx context.Context, n int) (time.Duration, error)) (window, error) {
	end := time.Now().Add(length)
	began := time.Now()
	before, known := ownProcessor()
	var all sync.WaitGroup
	var mu sync.Mutex
	var latencies []float64
	var failed error
	for sender := range closedLoop {
		all.Go(func() {
			var own []float64
			for n := sender; len(own) == 0 || time.Now().Before(end); n += closedLoop {
				took, err := send(ctx, n)
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				own = append(own, milliseconds(took))
			}
			mu.Lock()
			latencies = append(latencies, own...)
			mu.Unlock()
		})
	}
	all.Wait()
	out := window{perSecond: float64(len(latencies)) / time.Since(began).Seconds(), latencies: latencies}
	if after, still := ownProcessor(); known && still && len(latencies) > 0 {
		out.processor = (after - before) / float64(len(latencies))
	}
	return out, failed
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// The rows that a peer's are compared with, beside those of acknowledgements.
const (
	rowAckAlone = "ack alone, closed loop of 16"
	rowDrain    = "drain, webhooks at rest"
	rowCost     = "processor time per message drained"
	rowPath     = "webhook to every CRM, open loop of %d/s"
)

// acks measures acknowledgements alone, then while all of it drains, then the draining alone.
func acks(ctx context.Context, root string, length time.Duration) ([]Row, error) {
	w, err := newWorld(ctx, root, false)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	alone, err := w.acksAlone(ctx, length)
	if err != nil {
		return nil, err
	}
	draining, err := repeat(ctx, length, w.webhook)
	if err != nil {
		return nil, err
	}
	rows := []Row{
		rate(rowAckAlone, alone).bar(1500).note("stretch target 2,500"),
		quantile("ack alone, p50", alone, 50),
		quantile("ack alone, p95", alone, 95).bar(15).note("stretch target 9"),
		rate("ack while everything drains, closed loop of 16", draining).bar(600),
		quantile("ack while everything drains, p95", draining, 95).bar(40),
	}
	var acked []float64
	for _, one := range alone {
		if one.processor > 0 {
			acked = append(acked, one.processor)
		}
	}
	if len(acked) > 0 {
		rows = append(rows, sampled("processor time per acknowledgement", "ms", acked).note(allows(acked)))
	}
	drained := w.drains(ctx, length)
	drained[0] = drained[0].bar(300).note(fmt.Sprintf("to %d CRMs; stretch target 600", len(w.crms)))
	return append(rows, drained...), nil
}

// acksAlone measures acknowledgements while nothing drains, and lets it drain.
func (w *world) acksAlone(ctx context.Context, length time.Duration) ([]window, error) {
	if err := w.know(ctx, people); err != nil {
		return nil, err
	}
	w.closeGate("EventsQueue")
	defer w.openGate("EventsQueue")
	if _, err := w.send(ctx, w.message(0)); err != nil { // it ends the receive that was under way
		return nil, err
	}
	if err := w.rest(ctx); err != nil {
		return nil, err
	}
	return repeat(ctx, length, w.webhook)
}

func repeat(ctx context.Context, length time.Duration, send func(ctx context.Context, n int) (time.Duration, error)) ([]window, error) {
	var all []window
	for range windows {
		one, err := closed(ctx, length, send)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func rate(name string, all []window) Row {
	var samples []float64
	for _, one := range all {
		samples = append(samples, one.perSecond)
	}
	return sampled(name, "req/s", samples).more()
}

func quantile(name string, all []window, p float64) Row {
	var samples []float64
	for _, one := range all {
		samples = append(samples, percentile(one.latencies, p))
	}
	return sampled(name, "ms", samples)
}

// paths measures from the webhook to every CRM, webhooks coming at their own pace.
func paths(ctx context.Context, root string, length time.Duration) ([]Row, error) {
	w, err := newWorld(ctx, root, false)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	if err := w.know(ctx, people); err != nil {
		return nil, err
	}
	return openLoops(func(perSecond int) (window, error) { return w.open(ctx, perSecond, length) })
}

// openLoops returns the rows of messages that come at their own pace.
func openLoops(open func(perSecond int) (window, error)) ([]Row, error) {
	var rows []Row
	for _, load := range []struct {
		perSecond int
		bar       float64
		note      string
	}{{150, 40, ""}, {300, 0, "stretch target: 50"}} {
		var all []window
		for range windows {
			one, err := open(load.perSecond)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		name := fmt.Sprintf(rowPath, load.perSecond)
		rows = append(rows, quantile(name+", p50", all, 50), quantile(name+", p95", all, 95).bar(load.bar).note(load.note))
	}
	return rows, nil
}

// open sends so many webhooks a second, whatever becomes of them, and returns how long each took from when it was due until the
// last CRM had made its record.
func (w *world) open(ctx context.Context, perSecond int, length time.Duration) (window, error) {
	due := map[string]time.Time{} // by the key of the record
	err := paced(ctx, perSecond, length, func(n int, at time.Time) (func() error, error) {
		m := w.message(n % people)
		due[w.client.MessageKey(m)] = at
		return func() error {
			_, err := w.send(ctx, m)
			return err
		}, nil
	})
	if err != nil {
		return window{}, err
	}
	if err := w.rest(ctx); err != nil {
		return window{}, err
	}
	made, err := w.made(ctx, due)
	if err != nil {
		return window{}, err
	}
	out := window{perSecond: float64(perSecond)}
	for key, at := range due {
		out.latencies = append(out.latencies, milliseconds(max(0, made[key].Sub(at))))
	}
	return out, nil
}

// paced sends so many messages a second for so long, whatever becomes of them. What next returns sends the nth one when it is due.
func paced(ctx context.Context, perSecond int, length time.Duration, next func(n int, at time.Time) (func() error, error)) error {
	began := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for n := range int(length.Seconds() * float64(perSecond)) {
		at := began.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return ctx.Err()
		}
		send, err := next(n, at)
		if err != nil {
			return err
		}
		all.Go(func() {
			if err := send(); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// made returns when the last CRM made the record of each message. It is kept in whole milliseconds.
func (w *world) made(ctx context.Context, wanted map[string]time.Time) (map[string]time.Time, error) {
	last, found := map[string]time.Time{}, map[string]int{}
	for _, crm := range w.crms {
		records, err := w.client.Messages(ctx, crm)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			key := r.Properties[w.Simulated[crm].Key]
			if _, ours := wanted[key]; !ours {
				continue
			}
			found[key]++
			if at := samples.Time(r.CreatedAt); at.After(last[key]) {
				last[key] = at
			}
		}
	}
	for key := range wanted {
		if found[key] != len(w.crms) || last[key].IsZero() {
			return nil, fmt.Errorf("bench: a message is in %d CRMs, not in %d, or without the time that it was made", found[key], len(w.crms))
		}
	}
	return last, nil
}

// colds measures how long functions take from their start to their first question for work, one at a time.
func colds(ctx context.Context, root string, runs int) ([]Row, error) {
	w, err := newWorld(ctx, root, false)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	bars := map[string]float64{"Route": 25}
	var rows []Row
	for _, name := range slices.Sorted(maps.Keys(w.Functions())) {
		if receives(name) {
			bars[name] = 8
		}
		var samples []float64
		for run := range runs + 1 {
			took, err := w.Cold(ctx, name)
			if err != nil {
				return nil, fmt.Errorf("bench: cold start of %s: %w", name, err)
			}
			if run > 0 { // the first one reads the file from the disk
				samples = append(samples, milliseconds(took))
			}
		}
		row := sampled("cold start, "+name, "ms", samples).bar(bars[name])
		rows = append(rows, row.note(fmt.Sprintf("min %s", number(slices.Min(samples)))))
	}
	return rows, nil
}
