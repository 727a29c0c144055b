// Package sqs is the SQS of the local cloud: a thin codec of the AWS JSON 1.0 protocol over queues in memory. It understands
// what the product's queues send, and refuses everything else loudly, so that nobody
// takes it for AWS.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html.
package sqs

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/queue/memqueue"
)

// Target is what the X-Amz-Target header of a request to SQS begins with.
const Target = "AmazonSQS."

// codeNoQueue is the code of a refusal that does not come from a queue.
const codeNoQueue = "QueueDoesNotExist"

// Server returns the API of some queues.
type Server struct {
	awsjson.Service
	queues map[string]*memqueue.Queue
}

// New returns a server of queues, each under the name in its options.
func New(queues ...*memqueue.Queue) *Server {
	s := &Server{queues: make(map[string]*memqueue.Queue, len(queues))}
	s.Service = awsjson.Service{Prefix: strings.TrimSuffix(Target, "."), Version: "1.0", Handle: func(ctx context.Context, operation string, body []byte) (any, error) {
		reply, err := s.call(ctx, operation, body)
		return reply, translate(err)
	}}
	for _, q := range queues {
		s.queues[q.Options().Name] = q
	}
	return s
}

// ARN is what a queue of this name is called in events and policies.
func ARN(name string) string { return awsjson.ARN("sqs", name) }

// URL is the queue's URL at a base such as "http://127.0.0.1:4566". Only its last part matters to the server.
func URL(base, name string) string {
	return strings.TrimSuffix(base, "/") + "/" + awsjson.Account + "/" + name
}

// call carries out one operation.
func (s *Server) call(ctx context.Context, operation string, body []byte) (any, error) {
	switch operation {
	case "SendMessageBatch":
		return serve(ctx, s, operation, body, s.sendBatch)
	case "ReceiveMessage":
		return serve(ctx, s, operation, body, s.receive)
	case "DeleteMessageBatch":
		return serve(ctx, s, operation, body, s.deleteBatch)
	case "ChangeMessageVisibilityBatch":
		return serve(ctx, s, operation, body, s.changeVisibilityBatch)
	case "GetQueueAttributes":
		return serve(ctx, s, operation, body, s.attributes)
	}
	return nil, awsjson.NotUnderstood("the operation %s", operation)
}

// onQueue is a request to one queue.
type onQueue interface{ queueURL() string }

// named is the part of a request that names its queue.
type named struct{ QueueUrl string } //nolint:revive // the protocol's name

func (n named) queueURL() string { return n.QueueUrl }

// serve decodes a request, finds its queue and does it.
func serve[Request onQueue](
	ctx context.Context, s *Server, operation string, body []byte, do func(context.Context, *memqueue.Queue, Request) (any, error),
) (any, error) {
	return awsjson.Do(operation, body, func(request Request) (any, error) {
		url := request.queueURL()
		name := url[strings.LastIndexByte(url, '/')+1:]
		if err := awsjson.Allow(ctx, "sqs:"+strings.TrimSuffix(operation, "Batch"), ARN(name), ""); err != nil {
			return nil, err
		}
		q, ok := s.queues[name]
		if !ok {
			return nil, &memqueue.Error{Code: codeNoQueue, Sender: true, Reason: "The specified queue does not exist."}
		}
		return do(ctx, q, request)
	})
}

// translate returns a queue's error as SQS's. A reply that a fault of the queue loses is that fault, if it is one of SQS's own errors, else
// a connection that is cut.
func translate(err error) error {
	refused, ok := errors.AsType[*memqueue.Error](err)
	if !ok {
		if _, lost := errors.AsType[*memqueue.LostReplyError](err); lost {
			return awsjson.Drop
		}
		return err
	}
	status, side := http.StatusInternalServerError, "Receiver"
	if refused.Sender {
		status, side = http.StatusBadRequest, "Sender"
	}
	return &awsjson.Error{
		Status: status, Type: "com.amazonaws.sqs#" + refused.Code, Query: queryCode(refused.Code) + ";" + side, Message: refused.Reason,
	}
}

// queryCode is the name that the older query protocol has for an error; the SDK prefers it.
func queryCode(code string) string {
	const prefix = "AWS.SimpleQueueService."
	switch code {
	case codeNoQueue:
		return prefix + "NonExistentQueue"
	case memqueue.CodeEmptyBatch, memqueue.CodeTooMany, memqueue.CodeBatchTooLong, memqueue.CodeNotInFlight, codeIDs, codeID:
		return prefix + code
	}
	return code
}
