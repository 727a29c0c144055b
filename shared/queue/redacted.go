package queue

import "errors"

// RedactedError is the error of a Handler for a message whose content is not to be kept: a dead letter of it has Body, which
// says as much as may be known, instead of what was received.
type RedactedError struct {
	Body []byte
	Err  error
}

// Error returns the text of Err.
func (e *RedactedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *RedactedError) Unwrap() error { return e.Err }

// deadLetterBody returns the body that a dead letter of r has.
func deadLetterBody(r Received, err error) []byte {
	if stripped, ok := errors.AsType[*RedactedError](err); ok {
		return stripped.Body
	}
	return r.Body
}
