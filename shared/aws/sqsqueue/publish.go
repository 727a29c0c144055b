package sqsqueue

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
)

// Publish sends the messages as queue.Publisher promises: one SendMessageBatch call for a single message, and otherwise as
// few as the order of groups and the limits of a batch allow. Nothing is retried. Each message may have a body of up to
// 1 MiB less its traceparent; it must be UTF-8 text. On a standard queue a group only says whose a message is, so that SQS
// serves all groups alike however many messages one of them has, and the ID is not carried: a receiver sees SQS's own.
func (q *Queue) Publish(ctx context.Context, messages ...queue.Message) error {
	if !q.fifo {
		return inorder.PublishUnordered(ctx, messages, q.send)
	}
	return inorder.Publish(ctx, messages, q.send)
}

// send is one SendMessageBatch.
func (q *Queue) send(ctx context.Context, batch []queue.Message) ([]error, error) {
	errs := make([]error, len(batch))
	entries := make([]types.SendMessageBatchRequestEntry, 0, len(batch))
	for i, m := range batch {
		entry, err := q.entry(i, m)
		if err != nil {
			errs[i] = err
			continue
		}
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return errs, nil
	}
	out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries}, once)
	if err != nil {
		return nil, sorted(err)
	}
	outcome := outcomes{errs: errs, known: make([]bool, len(errs))}
	for i := range errs {
		outcome.known[i] = errs[i] != nil
	}
	for _, accepted := range out.Successful {
		outcome.set(accepted.Id, nil)
	}
	outcome.fail(out.Failed)
	return outcome.close(), nil
}

// entry is m as an entry of a batch, named by its place.
func (q *Queue) entry(i int, m queue.Message) (types.SendMessageBatchRequestEntry, error) {
	body, ok := text(m.Body)
	if !ok {
		return types.SendMessageBatchRequestEntry{}, fault.New(fault.Permanent, CodeNotText, nil)
	}
	entry := types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body}
	if m.Group != "" {
		entry.MessageGroupId = aws.String(m.Group)
	}
	if q.fifo {
		entry.MessageDeduplicationId = aws.String(m.ID)
	}
	if m.Trace != "" {
		entry.MessageAttributes = map[string]types.MessageAttributeValue{
			inorder.TraceAttribute: {DataType: aws.String("String"), StringValue: aws.String(m.Trace)},
		}
	}
	return entry, nil
}

// outcomes collects what became of the entries of a batch.
type outcomes struct {
	errs  []error
	known []bool
}

// set notes what became of the entry that was named by its place. SQS may answer nonsense; it does not make us panic.
func (o *outcomes) set(id *string, err error) {
	if i, convert := strconv.Atoi(aws.ToString(id)); convert == nil && i >= 0 && i < len(o.errs) {
		o.errs[i], o.known[i] = err, true
	}
}

// fail notes the entries that were refused.
func (o *outcomes) fail(failed []types.BatchResultErrorEntry) {
	for _, f := range failed {
		o.set(f.Id, sortedEntry(aws.ToString(f.Code)))
	}
}

// close returns one error an entry. What was answered neither way is not known to be accepted.
func (o *outcomes) close() []error {
	for i, known := range o.known {
		if !known {
			o.errs[i] = fault.New(fault.Retryable, CodeUnanswered, nil)
		}
	}
	return o.errs
}
