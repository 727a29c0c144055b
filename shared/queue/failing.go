package queue

import "time"

// FailingError is the error of a Handler that keeps account of since when its work on a message has been failing: what
// waited for another reason, a tenant that was blocked or its turn behind such a one, is not out of patience at its first
// failure afterwards.
type FailingError struct {
	Since   time.Time // of the first failure in a row
	Attempt int       // how often the work was tried; 0: nobody counted, so that each receive was a try
	Err     error
}

// Error returns the text of Err.
func (e *FailingError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *FailingError) Unwrap() error { return e.Err }
