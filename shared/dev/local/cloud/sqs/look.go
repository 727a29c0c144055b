package sqs

import (
	"context"
	"strconv"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/queue/memqueue"
)

type attributesOf struct {
	named
	AttributeNames []string
}

// attributes returns how many messages there are. The template says what else a queue is.
func (s *Server) attributes(_ context.Context, q *memqueue.Queue, r attributesOf) (any, error) {
	c := q.Counters()
	counts := map[string]string{
		"ApproximateNumberOfMessages": strconv.Itoa(c.Visible), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(c.InFlight),
		"ApproximateNumberOfMessagesDelayed": "0",
	}
	for _, name := range r.AttributeNames {
		if _, known := counts[name]; !known && name != "All" {
			return nil, awsjson.NotUnderstood("the queue attribute %s", name)
		}
	}
	for name := range counts {
		if !hasName(r.AttributeNames, name) {
			delete(counts, name)
		}
	}
	return map[string]any{"Attributes": counts}, nil
}
