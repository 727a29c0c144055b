package connector

import (
	"context"
	"errors"
	"net/url"
	"time"

	"signalbox/shared/fault"
)

// Wait waits for a time, or until ctx is over: then it returns why.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// TransportFault sorts an error of a client's exchange: code is that of a CRM that cannot be reached, timeout that of one that took
// too long. The URL is cut off: it is not ours to log.
func TransportFault(err error, timeout, code string) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if sorted, ok := errors.AsType[*fault.Error](err); ok { // the client itself refused
		return sorted
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		code = timeout
	}
	return fault.New(fault.Retryable, code, err)
}
