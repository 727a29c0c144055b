package sqsqueue

import (
	"context"
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

// Delete forgets delivered messages: one call for each ten. It returns nil, or a *queue.PartialError with an error for each
// receipt.
func (q *Queue) Delete(ctx context.Context, receipts ...string) error {
	return settle(receipts, func(part []string) ([]types.BatchResultErrorEntry, error) {
		entries := make([]types.DeleteMessageBatchRequestEntry, len(part))
		for i := range part {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &part[i]}
		}
		out, err := q.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			return nil, err
		}
		return out.Failed, nil
	})
}

// ChangeVisibility sets how long delivered messages stay hidden: one call for each ten. It returns nil, or a
// *queue.PartialError with an error for each wait.
func (q *Queue) ChangeVisibility(ctx context.Context, waits ...Wait) error {
	return settle(waits, func(part []Wait) ([]types.BatchResultErrorEntry, error) {
		entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(part))
		for i := range part {
			entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &part[i].ReceiptHandle, VisibilityTimeout: seconds(part[i].For, maxVisibility),
			}
		}
		out, err := q.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			return nil, err
		}
		return out.Failed, nil
	})
}

// settle makes one call for each ten of all and collects what failed.
func settle[T any](all []T, call func(part []T) ([]types.BatchResultErrorEntry, error)) error {
	errs := make([]error, len(all))
	failed := false
	for start := 0; start < len(all); start += inorder.MaxEntries {
		end := min(start+inorder.MaxEntries, len(all))
		refused, err := call(all[start:end])
		part := outcomes{errs: errs[start:end], known: make([]bool, end-start)}
		part.fail(refused)
		if err != nil {
			for i := range part.errs {
				part.errs[i] = sorted(err)
			}
		}
		failed = failed || err != nil || len(refused) > 0
	}
	if !failed {
		return nil
	}
	return &queue.PartialError{Errs: errs}
}
