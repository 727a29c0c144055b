// Package sqs is the SQS of the local cloud: a thin codec of the AWS JSON 1.0 protocol over queues in memory. It understands
// what shared/aws sends, and what a person needs to look at a queue, and refuses everything else loudly, so that nobody
// takes it for AWS.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html.
package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"signalbox/shared/queue/memqueue"
)

// Target is what the X-Amz-Target header of a request to SQS begins with.
const Target = "AmazonSQS."

// The account and region that are in every ARN.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// maxRequest is more than the JSON of any batch: 1 MiB in which every byte is escaped, and names.
const maxRequest = 8 << 20

// The codes of refusals that do not come from a queue.
const (
	codeNotUnderstood = "LocalCloudNotUnderstood"
	codeNoQueue       = "QueueDoesNotExist"
)

// Server returns the API of some queues.
type Server struct{ queues map[string]*memqueue.Queue }

// New returns a server of queues, each under the name in its options.
func New(queues ...*memqueue.Queue) *Server {
	s := &Server{queues: make(map[string]*memqueue.Queue, len(queues))}
	for _, q := range queues {
		s.queues[q.Options().Name] = q
	}
	return s
}

// Queue returns the queue of a name, for those in this process that need no HTTP: an event source mapping, a test.
func (s *Server) Queue(name string) (*memqueue.Queue, bool) {
	q, ok := s.queues[name]
	return q, ok
}

// ARN is what a queue of this name is called in events and policies.
func ARN(name string) string { return "arn:aws:sqs:" + Region + ":" + Account + ":" + name }

// URL is the queue's URL at a base such as "http://127.0.0.1:4566". Only its last part matters to the server.
func URL(base, name string) string { return strings.TrimSuffix(base, "/") + "/" + Account + "/" + name }

// ServeHTTP serves one call. A reply that a fault of the queue loses is that fault, if it is one of SQS's own errors, else a
// connection that is cut.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), Target)
	if !ok || r.Method != http.MethodPost {
		refuse(w, notUnderstood("a request without X-Amz-Target: "+Target+"<operation>"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		refuse(w, notUnderstood("a body that is too large or broken off"))
		return
	}
	answer, err := s.call(r.Context(), operation, body)
	if lost, ok := errors.AsType[*memqueue.LostReplyError](err); ok {
		if _, says := errors.AsType[*memqueue.Error](lost.Err); !says {
			panic(http.ErrAbortHandler)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, http.StatusOK, answer)
}

// call carries out one operation.
func (s *Server) call(ctx context.Context, operation string, body []byte) (any, error) {
	switch operation {
	case "SendMessageBatch":
		return serve(ctx, s, body, s.sendBatch)
	case "ReceiveMessage":
		return serve(ctx, s, body, s.receive)
	case "DeleteMessage":
		return serve(ctx, s, body, s.deleteOne)
	case "DeleteMessageBatch":
		return serve(ctx, s, body, s.deleteBatch)
	case "ChangeMessageVisibilityBatch":
		return serve(ctx, s, body, s.changeVisibilityBatch)
	case "GetQueueAttributes":
		return serve(ctx, s, body, s.attributes)
	case "GetQueueUrl":
		return s.queueURL(body)
	case "ListQueues":
		return s.list(body)
	}
	return nil, notUnderstood("the operation " + operation)
}

// onQueue is a request to one queue.
type onQueue interface{ queueURL() string }

// named is the part of a request that names its queue.
type named struct{ QueueUrl string } //nolint:revive // the protocol's name

func (n named) queueURL() string { return n.QueueUrl }

// serve decodes a request, finds its queue and does it.
func serve[Request onQueue](ctx context.Context, s *Server, body []byte, do func(context.Context, *memqueue.Queue, Request) (any, error)) (any, error) {
	var request Request
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	url := request.queueURL()
	q, ok := s.queues[url[strings.LastIndexByte(url, '/')+1:]]
	if !ok {
		return nil, &memqueue.Error{Code: codeNoQueue, Sender: true, Reason: "The specified queue does not exist."}
	}
	return do(ctx, q, request)
}

// decode reads a request and refuses what is not in it.
func decode(body []byte, request any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(request); err != nil {
		return notUnderstood(err.Error())
	}
	return nil
}

func notUnderstood(what string) error {
	return &memqueue.Error{Code: codeNotUnderstood, Sender: true, Reason: "the local cloud's SQS does not understand " + what}
}

// refuse writes an error in the shape of the protocol. What is no *memqueue.Error is an internal error.
func refuse(w http.ResponseWriter, err error) {
	refused, ok := errors.AsType[*memqueue.Error](err)
	if !ok {
		refused = &memqueue.Error{Code: memqueue.CodeInternal, Reason: err.Error()}
	}
	status, side := http.StatusInternalServerError, "Receiver"
	if refused.Sender {
		status, side = http.StatusBadRequest, "Sender"
	}
	w.Header().Set("X-Amzn-Query-Error", queryCode(refused.Code)+";"+side)
	reply(w, status, map[string]string{"__type": "com.amazonaws.sqs#" + refused.Code, "message": refused.Reason})
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

func reply(w http.ResponseWriter, status int, answer any) {
	encoded, err := json.Marshal(answer)
	if err != nil { // the answers are plain structs
		status, encoded = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}

// names returns the names of all queues in order.
func (s *Server) names() []string {
	names := make([]string, 0, len(s.queues))
	for name := range s.queues {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
