package sqsqueue

import (
	"context"
	"errors"
	"strconv"

	"signalbox/shared/fault"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Depth returns how many messages the queue holds, as SQS estimates it: those that wait, those that are in flight, and those that are
// delayed.
func (q *Queue) Depth(ctx context.Context) (waiting, inFlight, delayed int, err error) {
	counts := [3]int{}
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: names})
	if err != nil {
		return 0, 0, 0, sorted(err)
	}
	for i, name := range names {
		text, told := out.Attributes[string(name)]
		if !told {
			continue // emulators leave out what they have none of
		}
		if counts[i], err = strconv.Atoi(text); err != nil {
			return 0, 0, 0, fault.New(fault.Retryable, CodeUnavailable, errors.New("sqs: a count is no number"))
		}
	}
	return counts[0], counts[1], counts[2], nil
}
