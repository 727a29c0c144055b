// Package fault names what is to be done about an error. An error is sorted once, at the edge where it is understood (an
// HTTP client, a parser, a store), and acted on in one place (the adapter's answer, the queue worker). What carries no
// fault is retryable: to try again is the only safe thing to do with an error nobody understood.
package fault

import (
	"errors"
	"time"
)

// Kind says what to do about an error.
type Kind uint8

// The kinds. The zero value is the safe one.
const (
	// Retryable is a network error, a time-out, a 408, a 5xx, a row lock: the same call may succeed later.
	Retryable Kind = iota
	// Throttled is a wait that was asked for; Error.Wait says how long.
	Throttled
	// Blocked is the tenant's configuration: credentials refused, a permission or a field missing, the daily quota gone.
	// Nothing goes through until a person changes it or a day passes, and nothing is wrong with the message.
	Blocked
	// Permanent is a fault of this one message: the same input gives the same error.
	Permanent
	// Rejected is unauthenticated input: answered and counted, never stored.
	Rejected
)

// String returns the word used in logs, metrics and dead letters.
func (k Kind) String() string {
	switch k {
	case Throttled:
		return "throttled"
	case Blocked:
		return "blocked"
	case Permanent:
		return "permanent"
	case Rejected:
		return "rejected"
	default:
		return "retryable"
	}
}

// Error is an error that was sorted. Its text holds no message text, address or secret: it is logged and kept in dead letters.
type Error struct {
	Kind Kind
	Code string        // a lower-case word a person can search a runbook for, e.g. "missing_scopes"
	Wait time.Duration // how long the other side asked to wait; zero when it did not say
	Err  error         // the cause; may be nil
}

// New returns an error of kind with a code and a cause that may be nil.
func New(kind Kind, code string, cause error) *Error {
	return &Error{Kind: kind, Code: code, Err: cause}
}

// Error returns the code and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code
	}
	return e.Code + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The codes of faults that are nobody's own.
const (
	CodeUnsorted  = "unsorted"    // an error that nobody sorted
	CodeOutOfTime = "out_of_time" // the time of the message or of the invocation was over, or nearly, before the work began
)

// Of returns the outermost fault in err's chain, or a Retryable one around an error that has none. Of(nil) is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if sorted, ok := errors.AsType[*Error](err); ok {
		return sorted
	}
	return &Error{Kind: Retryable, Code: CodeUnsorted, Err: err}
}

// Is reports whether the outermost fault in err's chain has a code.
func Is(err error, code string) bool {
	sorted, ok := errors.AsType[*Error](err)
	return ok && sorted.Code == code
}
