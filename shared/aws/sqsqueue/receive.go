package sqsqueue

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"signalbox/shared/queue"
)

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
