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

// Receive returns up to most messages (1 to 10) and waits up to wait (0 to 20 s, whole seconds) for the first. None within
// the wait is no error.
func (q *Queue) Receive(ctx context.Context, most int, wait time.Duration) ([]Delivered, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:              &q.url,
		MaxNumberOfMessages:   int32(min(max(most, 1), inorder.MaxEntries)),
		WaitTimeSeconds:       seconds(wait, 20*time.Second),
		MessageAttributeNames: []string{inorder.TraceAttribute},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameMessageGroupId, types.MessageSystemAttributeNameMessageDeduplicationId,
			types.MessageSystemAttributeNameSequenceNumber, types.MessageSystemAttributeNameApproximateReceiveCount,
			types.MessageSystemAttributeNameSentTimestamp, types.MessageSystemAttributeNameDeadLetterQueueSourceArn,
		},
	})
	if err != nil {
		return nil, sorted(err)
	}
	delivered := make([]Delivered, len(out.Messages))
	for i, m := range out.Messages {
		trace := ""
		if a, ok := m.MessageAttributes[inorder.TraceAttribute]; ok {
			trace = aws.ToString(a.StringValue)
		}
		delivered[i] = Delivered{
			Received:      Received(aws.ToString(m.MessageId), aws.ToString(m.Body), trace, m.Attributes),
			ReceiptHandle: aws.ToString(m.ReceiptHandle),
		}
	}
	return delivered, nil
}

// Received puts together what a worker sees from what SQS or its event source mapping says of a message. What is missing
// or malformed gets the value that loses nothing: a message without a group is its own group, one without a deduplication id is
// named by its message id, a first attempt, sent now.
func Received(messageID, body, trace string, attributes map[string]string) queue.Received {
	r := queue.Received{
		Message: queue.Message{
			ID:    attributes[string(types.MessageSystemAttributeNameMessageDeduplicationId)],
			Group: attributes[string(types.MessageSystemAttributeNameMessageGroupId)],
			Body:  []byte(body),
			Trace: trace,
		},
		Sequence:  attributes[string(types.MessageSystemAttributeNameSequenceNumber)],
		Attempt:   1,
		FirstSent: time.Now(),
	}
	if r.ID == "" {
		r.ID = messageID
	}
	if r.Group == "" {
		r.Group = messageID
	}
	if n, err := strconv.Atoi(attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]); err == nil && n > 0 {
		r.Attempt = n
	}
	sent := attributes[string(types.MessageSystemAttributeNameSentTimestamp)]
	if ms, err := strconv.ParseInt(sent, 10, 64); err == nil && ms > 0 {
		r.FirstSent = time.UnixMilli(ms)
	}
	return r
}

// seconds rounds d up to whole seconds within 0 and most.
func seconds(d, most time.Duration) int32 {
	d = min(max(d, 0), most)
	return int32((d + time.Second - 1) / time.Second) //nolint:gosec // at most 43,200
}
