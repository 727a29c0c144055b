// Package lambdasqs lets a queue worker serve the batches of an SQS event source mapping that reports batch item failures.
package lambdasqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
)

// Processor processes a batch and returns one verdict a message, in their order. *queue.Worker is one.
type Processor interface {
	Process(ctx context.Context, batch []queue.Received) []queue.Verdict
}

// Visibility hides delivered messages for a while. *sqsqueue.Queue is one.
type Visibility interface {
	ChangeVisibility(ctx context.Context, waits ...sqsqueue.Wait) error
}

// maxVisibility is SQS's limit on how long a message is hidden, counted from its receive, less a minute for the time that
// the batch took to reach us.
const maxVisibility = 12*time.Hour - time.Minute

// patience is how long the visibility call may take. It is less than what a worker leaves before the function's time-out: a
// function that is killed while it waits here has its whole batch repeated.
const patience = 2 * time.Second

// ErrBatch fails a whole batch: every message of it comes back after the queue's visibility time-out.
var ErrBatch = errors.New("lambdasqs: the batch as a whole failed")

// Handler returns the function to start Lambda with. Every message that is not done is reported as a batch item failure and
// gets its wait by ChangeMessageVisibilityBatch, one call for up to ten messages. If that call fails the messages are
// reported all the same and come back after the queue's visibility time-out. A panic in p, or a result of the wrong length,
// fails the whole batch, so that nothing is deleted that was not done.
func Handler(p Processor, visibility Visibility, logger *slog.Logger) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, event events.SQSEvent) (response events.SQSEventResponse, err error) {
		defer func() {
			if value := recover(); value != nil { // its value is not logged: it may quote a message
				logger.ErrorContext(ctx, "the batch panicked", slog.String("type", fmt.Sprintf("%T", value)), slog.String("stack", string(debug.Stack())))
				response, err = events.SQSEventResponse{}, ErrBatch
			}
		}()
		began := time.Now()
		batch := make([]queue.Received, len(event.Records))
		for i, record := range event.Records {
			batch[i] = received(record)
		}
		verdicts := p.Process(ctx, batch)
		if len(verdicts) != len(batch) {
			logger.ErrorContext(ctx, "the worker answered for another number of messages",
				slog.Int("messages", len(batch)), slog.Int("verdicts", len(verdicts)))
			return events.SQSEventResponse{}, ErrBatch
		}
		response, waits := report(event.Records, verdicts, maxVisibility-time.Since(began))
		if len(waits) > 0 {
			hide(ctx, visibility, waits, logger)
		}
		return response, nil
	}
}

// report returns what is to be said to the mapping and to the queue about the messages that are not done.
func report(records []events.SQSMessage, verdicts []queue.Verdict, longest time.Duration) (events.SQSEventResponse, []sqsqueue.Wait) {
	failures := []events.SQSBatchItemFailure{} // never null
	var waits []sqsqueue.Wait
	for i, v := range verdicts {
		if v.Done {
			continue
		}
		failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: records[i].MessageId})
		waits = append(waits, sqsqueue.Wait{ReceiptHandle: records[i].ReceiptHandle, For: min(max(v.Wait, 0), longest)})
	}
	return events.SQSEventResponse{BatchItemFailures: failures}, waits
}

// hide gives the messages their waits. A failure costs time, not messages.
func hide(ctx context.Context, visibility Visibility, waits []sqsqueue.Wait, logger *slog.Logger) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := visibility.ChangeVisibility(limited, waits...); err != nil {
		logger.WarnContext(ctx, "messages wait for the queue's time-out instead of their own",
			slog.Int("messages", len(waits)), slog.String("error", err.Error()))
	}
}

func received(m events.SQSMessage) queue.Received {
	trace := ""
	if a, ok := m.MessageAttributes[inorder.TraceAttribute]; ok && a.StringValue != nil {
		trace = *a.StringValue
	}
	return sqsqueue.Received(m.MessageId, m.Body, trace, m.Attributes)
}
