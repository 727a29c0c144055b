package sqs

import (
	"context"
	"strconv"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/queue/memqueue"
)

type getAttributes struct {
	named
	AttributeNames []string
}

// attributes returns how many messages a queue holds. What else a queue knows of itself nobody asks for.
func (s *Server) attributes(_ context.Context, q *memqueue.Queue, r getAttributes) (any, error) {
	c := q.Counters()
	known := map[string]int{
		"ApproximateNumberOfMessages": c.Visible, "ApproximateNumberOfMessagesNotVisible": c.InFlight, "ApproximateNumberOfMessagesDelayed": 0,
	}
	asked := map[string]string{}
	for _, name := range r.AttributeNames {
		if _, counted := known[name]; !counted {
			return nil, awsjson.NotUnderstood("the attribute %q", name)
		}
		asked[name] = strconv.Itoa(known[name])
	}
	return struct{ Attributes map[string]string }{asked}, nil
}
