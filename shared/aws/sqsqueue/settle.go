package sqsqueue

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
)

// maxVisibility is how long a message can stay hidden, counted from its receive.
const maxVisibility = 12 * time.Hour

// ChangeVisibility sets how long delivered messages stay hidden: one call for each ten. It returns nil, or a
// *queue.PartialError with an error for each wait.
func (q *Queue) ChangeVisibility(ctx context.Context, waits ...Wait) error {
	errs := make([]error, 0, len(waits))
	for part := range slices.Chunk(waits, inorder.MaxEntries) {
		entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(part))
		for i := range part {
			entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &part[i].ReceiptHandle, VisibilityTimeout: seconds(part[i].For),
			}
		}
		out, err := q.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			errs = append(errs, slices.Repeat([]error{sorted(err)}, len(part))...)
			continue
		}
		outcome := outcomes{errs: make([]error, len(part)), known: make([]bool, len(part))}
		outcome.fail(out.Failed)
		errs = append(errs, outcome.errs...)
	}
	if !slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return nil
	}
	return &queue.PartialError{Errs: errs}
}

// seconds rounds d up to whole seconds within what SQS takes.
func seconds(d time.Duration) int32 {
	d = min(max(d, 0), maxVisibility)
	return int32((d + time.Second - 1) / time.Second) // at most 43,200
}
