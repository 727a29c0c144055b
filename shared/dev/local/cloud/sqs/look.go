package sqs

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/queue/inorder"
	"signalbox/shared/queue/memqueue"
)

// anyBase stands where a queue's URL has the address of the server, which does not know its own.
const anyBase = "http://127.0.0.1"

type attributesOf struct {
	named
	AttributeNames []string
}

// attributes returns GetQueueAttributes.
func (s *Server) attributes(_ context.Context, q *memqueue.Queue, r attributesOf) (any, error) {
	all := queueAttributes(q)
	answer := map[string]string{}
	for _, name := range r.AttributeNames {
		value, known := all[name]
		switch {
		case name == "All":
			answer = all
		case known:
			answer[name] = value
		default:
			return nil, notUnderstood("the queue attribute " + name)
		}
	}
	return map[string]any{"Attributes": answer}, nil
}

func queueAttributes(q *memqueue.Queue) map[string]string {
	o, c := q.Options(), q.Counters()
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	all := map[string]string{
		"QueueArn":                              ARN(o.Name),
		"ApproximateNumberOfMessages":           strconv.Itoa(c.Visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(c.InFlight),
		"ApproximateNumberOfMessagesDelayed":    "0",
		"DelaySeconds":                          "0",
		"MaximumMessageSize":                    strconv.Itoa(inorder.MaxBytes),
		"MessageRetentionPeriod":                seconds(o.Retention),
		"VisibilityTimeout":                     seconds(o.Visibility),
	}
	if !o.Standard {
		all["FifoQueue"], all["ContentBasedDeduplication"] = "true", "false"
		all["DeduplicationScope"], all["FifoThroughputLimit"] = "messageGroup", "perMessageGroupId"
		if o.Deduplication == memqueue.PerQueue {
			all["DeduplicationScope"], all["FifoThroughputLimit"] = "queue", "perQueue"
		}
	}
	if o.DeadLetters != nil {
		policy, err := json.Marshal(map[string]any{
			"deadLetterTargetArn": ARN(o.DeadLetters.Options().Name), "maxReceiveCount": o.MaxReceives,
		})
		if err == nil { // strings and numbers always encode
			all["RedrivePolicy"] = string(policy)
		}
	}
	return all
}

func (s *Server) queueURL(body []byte) (any, error) {
	var r struct{ QueueName string }
	if err := decode(body, &r); err != nil {
		return nil, err
	}
	if _, ok := s.queues[r.QueueName]; !ok {
		return nil, &memqueue.Error{Code: codeNoQueue, Sender: true, Reason: "The specified queue does not exist."}
	}
	return map[string]string{"QueueUrl": URL(anyBase, r.QueueName)}, nil
}

func (s *Server) list(body []byte) (any, error) {
	var r struct{ QueueNamePrefix string }
	if err := decode(body, &r); err != nil {
		return nil, err
	}
	urls := []string{}
	for _, name := range s.names() {
		if strings.HasPrefix(name, r.QueueNamePrefix) {
			urls = append(urls, URL(anyBase, name))
		}
	}
	return map[string]any{"QueueUrls": urls}, nil
}
