// Package queue is ordered, at-least-once hand-over between function families: what a message is, what publishing
// promises, and (in Worker) the one place that decides what becomes of a message whose work failed.
package queue

import (
	"context"
	"errors"
	"slices"
	"time"
)

// MaxBody is the largest body of a Message in bytes, before it is sealed. What is larger is kept apart (package claimcheck).
const MaxBody = 200 << 10

// CodeMissing is the code of a Publish to a queue that does not exist.
const CodeMissing = "queue_missing"

// Message is what one family hands to another. ID and Group are visible to whoever operates the queue and hold no
// personal data.
type Message struct {
	ID    string // two messages with one ID in one Group within five minutes are one; a redrive appends ":<generation>"; at most 128 characters
	Group string // the unit of order; at most 128 characters
	Body  []byte // at most MaxBody, and what the router adds to an event of that size
	Trace string // W3C traceparent, may be empty
}

// Publisher sends to one queue.
type Publisher interface {
	// Publish makes the messages durable. None is sent while an earlier one of its Group was not accepted, so that order
	// survives a partial failure. A *PartialError names those that were not accepted.
	Publish(ctx context.Context, messages ...Message) error
}

// PartialError holds an error for each message of a Publish, in their order, nil for those that were accepted.
type PartialError struct{ Errs []error }

// Error says that some were not accepted; which, and why, is in Errs.
func (*PartialError) Error() string { return "queue: some messages were not accepted" }

// Errors returns what became of each of n messages by the error of their Publish: those of a *PartialError, and otherwise err
// for all of them.
func Errors(err error, n int) []error {
	if partial, ok := errors.AsType[*PartialError](err); ok && len(partial.Errs) == n {
		return partial.Errs
	}
	return slices.Repeat([]error{err}, n)
}

// Unwrap returns the errors that are not nil, for errors.Is and errors.As.
func (e *PartialError) Unwrap() []error {
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Received is a message as a worker sees it.
type Received struct {
	Message
	Sequence  string // 20 digits that grow within a queue
	Attempt   int    // how often it was received, from 1
	FirstSent time.Time
}

// Handler handles messages of different groups, at most one a group unless its Worker has Runs, and returns one error a message in
// their order, nil when done. The errors are sorted by package fault.
type Handler interface {
	Handle(ctx context.Context, heads []Received) []error
}
