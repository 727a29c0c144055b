// Package mapping is what invokes functions besides HTTP: event source mappings of SQS, with Lambda's rules for batches, failures
// and concurrency, and schedules.
package mapping

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/queue/memqueue"
)

// Invoke runs a function. It answers false when the function failed, and an error when it was not run to an end.
type Invoke func(ctx context.Context, event []byte) (answer []byte, ok bool, err error)

// SQS is one event source mapping.
type SQS struct {
	Queue              *memqueue.Queue
	BatchSize          int
	Window             time.Duration // how long a batch is gathered; never for FIFO
	MaximumConcurrency int           // batches at once
	ReportFailures     bool          // the function answers batchItemFailures; otherwise it did all or nothing
	Invoke             Invoke
	Logger             *slog.Logger
}

// mostReceive is how many messages one receive answers.
const mostReceive = 10

// Run receives and invokes until ctx is done, and waits for the invocations under way. What is not deleted is not touched: it
// is received again when its visibility time-out ends, or when the function has changed that. The queue keeps one batch of
// a group in flight, for a group with a message in flight hands out none behind it.
func (m *SQS) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, max(m.MaximumConcurrency, 1))
	for {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		batch := m.gather(ctx)
		if len(batch) == 0 {
			<-slots
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			m.work(ctx, batch)
		})
	}
}

// gather answers one batch, which may be empty.
func (m *SQS) gather(ctx context.Context) []memqueue.Delivery {
	var batch []memqueue.Delivery
	wait := memqueue.MaxWait
	var end time.Time
	for {
		got, err := m.Queue.Receive(ctx, memqueue.Request{Max: min(m.BatchSize-len(batch), mostReceive), Wait: wait})
		if err != nil {
			if ctx.Err() == nil {
				m.Logger.WarnContext(ctx, "receive failed", slog.String("queue", m.Queue.Options().Name), slog.Any("error", err))
			}
			return batch
		}
		batch = append(batch, got...)
		if end.IsZero() {
			end = time.Now().Add(m.Window)
		}
		wait = min(time.Until(end), memqueue.MaxWait)
		if len(batch) == 0 || len(batch) >= m.BatchSize || wait <= 0 {
			return batch
		}
	}
}

func (m *SQS) work(ctx context.Context, batch []memqueue.Delivery) {
	event, err := json.Marshal(sqs.Event(m.Queue.Options().Name, batch))
	if err != nil {
		m.Logger.ErrorContext(ctx, "event", slog.Any("error", err))
		return
	}
	answer, ok, err := m.Invoke(ctx, event)
	if err != nil || !ok {
		if ctx.Err() == nil {
			m.Logger.WarnContext(ctx, "batch failed", slog.String("queue", m.Queue.Options().Name), slog.Int("messages", len(batch)))
		}
		return
	}
	failed := map[string]bool{}
	if m.ReportFailures {
		var valid bool
		if failed, valid = failures(answer, batch); !valid {
			m.Logger.WarnContext(ctx, "invalid answer, the whole batch failed", slog.String("queue", m.Queue.Options().Name))
			return
		}
	}
	m.remove(context.WithoutCancel(ctx), batch, failed)
}

// remove deletes what was done.
func (m *SQS) remove(ctx context.Context, batch []memqueue.Delivery, failed map[string]bool) {
	var receipts []string
	flush := func() {
		errs, err := m.Queue.Delete(ctx, receipts...)
		for _, e := range append(errs, err) {
			if e != nil {
				m.Logger.WarnContext(ctx, "delete failed", slog.String("queue", m.Queue.Options().Name), slog.Any("error", e))
			}
		}
		receipts = nil
	}
	for _, d := range batch {
		if failed[d.MessageID] {
			continue
		}
		if receipts = append(receipts, d.Receipt); len(receipts) == mostReceive {
			flush()
		}
	}
	if len(receipts) > 0 {
		flush()
	}
}
