// Package awsfault reads what went wrong out of an SDK error and leaves everything else behind: a service's message may
// quote the request, and the request holds what no log may. Each package of shared/aws sorts what is left into faults.
package awsfault

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/smithy-go"
)

// Error is all that is kept of an SDK error.
type Error struct {
	Code      string // the service's, e.g. "ThrottlingException"; empty when no reply was understood
	Status    int    // of HTTP; 0 when there was no reply
	RequestID string // what AWS support asks for
	cause     error  // context.Canceled or context.DeadlineExceeded, or nil
}

// Of returns what may be kept of err.
func Of(err error) *Error {
	if kept, ok := errors.AsType[*Error](err); ok {
		return kept
	}
	e := &Error{}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code = api.ErrorCode()
	}
	if reply, ok := errors.AsType[response](err); ok {
		e.Status, e.RequestID = reply.HTTPStatusCode(), reply.ServiceRequestID()
	}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			e.cause = ended
		}
	}
	return e
}

// response is the SDK's error with its HTTP response.
type response interface {
	error
	HTTPStatusCode() int
	ServiceRequestID() string
}

// Error returns code, status and request id.
func (e *Error) Error() string {
	text := "aws: no answer"
	switch {
	case e.Code != "":
		text = "aws: " + e.Code
	case e.Status != 0:
		text = "aws: an answer that was not understood, status " + strconv.Itoa(e.Status)
	}
	if e.RequestID != "" {
		text += ", request " + e.RequestID
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the end of the context, if that was it.
func (e *Error) Unwrap() error { return e.cause }

// Unknown says that the call may have had its effect: there was no reply, none that was understood, or a server's error.
func (e *Error) Unknown() bool { return e.Code == "" || e.Status >= 500 }

// Throttled says that the service asked for patience, without any effect.
// See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the services' common errors.
func (e *Error) Throttled() bool {
	switch e.Code {
	case "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "Throttling",
		"TooManyRequestsException", "LimitExceededException", "SlowDown", "RequestThrottled":
		return true
	default:
		return e.Status == 429
	}
}

// Denied says that our own credentials or permissions are refused.
func (e *Error) Denied() bool {
	switch e.Code {
	case "AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException", "InvalidSignatureException",
		"MissingAuthenticationTokenException", "IncompleteSignatureException":
		return true
	default:
		return e.Status == 401 || e.Status == 403
	}
}
