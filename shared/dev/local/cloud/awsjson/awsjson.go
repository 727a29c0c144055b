// Package awsjson is what the local cloud's codecs share of the AWS JSON protocols 1.0 and 1.1: targets, strict requests,
// replies with their checksum, errors in the shape the SDK reads. A request that holds anything unknown is refused and
// named, so that nobody mistakes the local cloud for AWS.
// See https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html.
package awsjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// MaxBody is the largest request that is read.
const MaxBody = 17 << 20

// Error is a reply that is an error.
type Error struct {
	Status  int
	Type    string // as the SDK's ErrorCode
	Message string
	Query   string         // SQS's older name of it, and whose fault it is; empty for other services
	Fields  map[string]any // what else the service's error has
}

// Error returns type and message.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// CodeNotUnderstood is the type of the error for what the local cloud does not understand: the SDK never retries it.
const CodeNotUnderstood = "ValidationException"

// NotUnderstood returns the error that names what a codec does not know.
func NotUnderstood(format string, args ...any) *Error {
	return &Error{
		Status: http.StatusBadRequest, Type: CodeNotUnderstood,
		Message: "the local cloud does not understand " + fmt.Sprintf(format, args...),
	}
}

// Internal returns a server's error.
func Internal() *Error {
	return &Error{Status: http.StatusInternalServerError, Type: "InternalServerError", Message: "injected"}
}

// The account and region that are in every ARN.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// ARN names a resource of a service.
func ARN(service, resource string) string {
	return "arn:aws:" + service + ":" + Region + ":" + Account + ":" + resource
}

// Drop is an error that closes the connection without a reply.
var Drop = errors.New("awsjson: the reply is lost") //nolint:revive,staticcheck // an order to the server, not a failure

// Service is one service's codec, and its HTTP handler.
type Service struct {
	Prefix  string // of X-Amz-Target, without the dot
	Version string // of the protocol: 1.0 or 1.1
	Handle  func(ctx context.Context, operation string, body []byte) (reply any, err error)
	Refused func(message string) // told of every request that was not understood; may be nil
}

// ServeHTTP serves one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply, err := s.answer(r)
	if errors.Is(err, Drop) {
		panic(http.ErrAbortHandler)
	}
	if failed, ok := errors.AsType[*Error](err); ok && failed.Type == CodeNotUnderstood && s.Refused != nil {
		s.Refused(failed.Message)
	}
	Write(w, s.Version, reply, err)
}

// Write writes the reply, or the error, of a version of the protocol.
func Write(w http.ResponseWriter, version string, reply any, err error) {
	status := http.StatusOK
	if err != nil {
		failed, ok := errors.AsType[*Error](err)
		if !ok {
			failed = &Error{Status: http.StatusInternalServerError, Type: "InternalServerError", Message: err.Error()}
		}
		if failed.Query != "" {
			w.Header().Set("X-Amzn-Query-Error", failed.Query)
		}
		body := map[string]any{"__type": failed.Type, "message": failed.Message}
		maps.Copy(body, failed.Fields)
		status, reply = failed.Status, body
	}
	encoded, err := json.Marshal(reply)
	if err != nil {
		panic(err) // the codecs answer maps and structs that always encode
	}
	w.Header().Set("Content-Type", "application/x-amz-json-"+version)
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(encoded)), 10))
	w.Header().Set("X-Amzn-Requestid", "local")
	w.WriteHeader(status)
	_, _ = w.Write(encoded) // a client that has gone has its own error
}

func (s *Service) answer(r *http.Request) (any, error) {
	target := r.Header.Get("X-Amz-Target")
	operation, ok := strings.CutPrefix(target, s.Prefix+".")
	if r.Method != http.MethodPost || r.URL.Path != "/" || !ok {
		return nil, NotUnderstood("%s %s for %q", r.Method, r.URL.Path, target)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return nil, Drop
	}
	if len(body) > MaxBody {
		return nil, NotUnderstood("a request of more than %d bytes", MaxBody)
	}
	return s.Handle(r.Context(), operation, body)
}

// Do decodes a request into one that names every field the codec knows, and does it.
func Do[T any](operation string, body []byte, do func(T) (any, error)) (any, error) {
	var request T
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return nil, NotUnderstood("a %s: %v", operation, err)
	}
	return do(request)
}

// Rights reports whether a caller may do an action on a resource; partition is the leading key of a table's item. What an action has
// none of is empty.
type Rights func(action, resource, partition string) bool

type rightsKey struct{}

// WithRights returns a context in which Allow asks for these rights.
func WithRights(ctx context.Context, r Rights) context.Context {
	return context.WithValue(ctx, rightsKey{}, r)
}

// Allow returns AWS's refusal of what the caller may not do. Who has no Rights may do everything.
func Allow(ctx context.Context, action, resource, partition string) error {
	if may, limited := ctx.Value(rightsKey{}).(Rights); !limited || may(action, resource, partition) {
		return nil
	}
	return &Error{Status: http.StatusBadRequest, Type: "AccessDeniedException", Message: "the function's role does not allow " + action}
}
