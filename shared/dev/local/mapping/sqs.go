// Package mapping is what invokes functions besides HTTP: event source mappings of SQS, with Lambda's rules for batches, failures
// and concurrency, and schedules.
package mapping

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/queue/memqueue"
)

// Invoke runs a function. It returns false when the function failed, and an error when it was not run to an end.
type Invoke func(ctx context.Context, event []byte) (answer []byte, ok bool, err error)

// SQS is one event source mapping.
type SQS struct {
	Queue              *memqueue.Queue
	BatchSize          int
	Window             time.Duration // how long a batch is gathered; never for FIFO
	MaximumConcurrency int           // batches at once
	ReportFailures     bool          // the function returns batchItemFailures; otherwise it did all or nothing
	Invoke             Invoke
	Logger             *slog.Logger

	// Throttled reports whether a batch's invocation is refused for want of concurrency. Nil is never.
	Throttled func(Batch) bool
	// Invoked is told of every batch that a function returned from. It may be nil.
	Invoked func(Invocation)
}

// Batch is what was received together.
type Batch struct {
	Messages []memqueue.Delivery
	Until    time.Time // when the queue shows the messages to others
}

// Invocation is an invocation that returned.
type Invocation struct {
	Batch
	Began, Ended time.Time
	Done         []memqueue.Delivery // what the function says it did
}

// maxReceive is how many messages one receive returns.
const maxReceive = 10

// Run receives and invokes until ctx is done, and waits for the invocations under way. What is not deleted is not touched: it
// is received again when its visibility time-out ends, or when the function has changed that. The queue keeps one batch of
// a group in flight, for a group with a message in flight hands out none behind it.
func (m *SQS) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	free := make(slots, max(m.MaximumConcurrency, 1))
	for free.acquire(ctx) {
		batch := m.gather(ctx)
		if len(batch.Messages) == 0 {
			free.release()
			continue
		}
		running.Go(func() {
			if m.admitted(ctx, batch, free) {
				defer free.release()
				m.invoke(ctx, batch)
			}
		})
	}
}

// slots are the invocations that may run at once.
type slots chan struct{}

// acquire waits for a slot and reports false if ctx is done before.
func (s slots) acquire(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case s <- struct{}{}:
		return true
	}
}

func (s slots) release() { <-s }

// gather returns one batch, which may be empty.
func (m *SQS) gather(ctx context.Context) Batch {
	var batch Batch
	wait := memqueue.MaxWait
	var end time.Time
	for {
		got, err := m.Queue.Receive(ctx, memqueue.Request{Max: min(m.BatchSize-len(batch.Messages), maxReceive), Wait: wait})
		if err != nil {
			if ctx.Err() == nil {
				m.Logger.WarnContext(ctx, "receive failed", slog.String("queue", m.Queue.Options().Name), slog.Any("error", err))
			}
			return batch
		}
		if len(batch.Messages) == 0 {
			batch.Until = time.Now().Add(m.Queue.Options().Visibility)
		}
		batch.Messages = append(batch.Messages, got...)
		if end.IsZero() {
			end = time.Now().Add(m.Window)
		}
		wait = min(time.Until(end), memqueue.MaxWait)
		if len(batch.Messages) == 0 || len(batch.Messages) >= m.BatchSize || wait <= 0 {
			return batch
		}
	}
}

// retryThrottled is how long a throttled invocation waits before it is tried again. Lambda's own waits are not documented.
const retryThrottled = 20 * time.Millisecond

// admitted waits while the batch is throttled; others have its slot for so long. It reports false if the visibility time-out ended
// meanwhile: the batch is dropped without a slot, and comes again.
// See https://docs.aws.amazon.com/lambda/latest/operatorguide/sqs-retries.html.
func (m *SQS) admitted(ctx context.Context, batch Batch, free slots) bool {
	for m.Throttled != nil && m.Throttled(batch) {
		free.release()
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryThrottled):
		}
		if !time.Now().Before(batch.Until) || !free.acquire(ctx) {
			return false
		}
		if !time.Now().Before(batch.Until) { // the slot was long in coming
			free.release()
			return false
		}
	}
	return true
}

func (m *SQS) invoke(ctx context.Context, batch Batch) {
	event, err := json.Marshal(sqs.Event(m.Queue.Options().Name, batch.Messages))
	if err != nil {
		m.Logger.ErrorContext(ctx, "event", slog.Any("error", err))
		return
	}
	began := time.Now()
	answer, ok, err := m.Invoke(ctx, event)
	if err != nil || !ok {
		if ctx.Err() == nil {
			m.Logger.WarnContext(ctx, "batch failed", slog.String("queue", m.Queue.Options().Name), slog.Int("messages", len(batch.Messages)))
		}
		return
	}
	failed := map[string]bool{}
	if m.ReportFailures {
		var valid bool
		if failed, valid = failures(answer, batch.Messages); !valid {
			m.Logger.WarnContext(ctx, "invalid answer, the whole batch failed", slog.String("queue", m.Queue.Options().Name))
			return
		}
	}
	done := slices.DeleteFunc(slices.Clone(batch.Messages), func(d memqueue.Delivery) bool { return failed[d.MessageID] })
	if m.Invoked != nil {
		m.Invoked(Invocation{Batch: batch, Began: began, Ended: time.Now(), Done: done})
	}
	m.remove(context.WithoutCancel(ctx), done)
}

// remove deletes what was done. A delete that is refused because the visibility time-out is over costs one more receive.
func (m *SQS) remove(ctx context.Context, done []memqueue.Delivery) {
	for part := range slices.Chunk(done, maxReceive) {
		receipts := make([]string, len(part))
		for i, d := range part {
			receipts[i] = d.ReceiptHandle
		}
		errs, err := m.Queue.Delete(ctx, receipts...)
		for _, e := range append(errs, err) {
			if e != nil {
				m.Logger.WarnContext(ctx, "delete failed", slog.String("queue", m.Queue.Options().Name), slog.Any("error", e))
			}
		}
	}
}
