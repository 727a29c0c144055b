package dynamostore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signalbox/shared/aws/awsfault"
	"signalbox/shared/fault"
)

// The codes of the faults of this package.
const (
	CodeThrottled = "store_throttled"       // throttled: DynamoDB asked for patience
	CodeBusy      = "store_busy"            // retryable: another transaction holds a record
	CodeFailed    = "store_failed"          // retryable: no answer, or a server's error; a write may have had its effect
	CodeUnknown   = "store_outcome_unknown" // retryable: a conflict that may be with our own lost write: look again
	CodeDenied    = "store_denied"          // retryable: the deployment is wrong, the messages wait for it
	CodeRefused   = "store_refused"         // permanent: DynamoDB will refuse the same request again
	CodeForeign   = "store_foreign"         // permanent: an item that this package did not write
)

// How a call is tried.
const (
	attempts     = 3
	attemptLimit = 1500 * time.Millisecond
	firstPause   = 50 * time.Millisecond // the longest wait before the second attempt; it doubles
)

// once switches the SDK's own retries off: it does not tell whether there was an earlier attempt.
func once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

// Whether a call may be tried again after an attempt whose outcome is unknown.
const (
	repeatable = true
	unsafe     = false
)

// try makes a call up to a few times. It returns unknown if an attempt, perhaps the last, may have had its effect although it failed.
func try(ctx context.Context, safe bool, call func(context.Context) error) (unknown bool, err error) {
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, attemptLimit)
		err = call(limited)
		cancel()
		if err == nil {
			return unknown, nil
		}
		lost := awsfault.Of(err).Unknown()
		unknown = unknown || lost
		if (lost && !safe) || !worthwhile(err) || attempt == attempts || !pause(ctx, attempt) {
			return unknown, err
		}
	}
}

// pause waits before the next attempt; false when the context ends first.
func pause(ctx context.Context, attempt int) bool {
	wait := rand.N(firstPause << (attempt - 1)) //nolint:gosec // it spreads attempts; nobody gains by guessing it
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// worthwhile reports whether the same call may succeed in a moment.
func worthwhile(err error) bool {
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		kind := cancelled.CancellationReasons
		return reasonIndex(kind, reasonConflict) < 0 && sortReasons(kind).Kind != fault.Permanent
	}
	e := awsfault.Of(err)
	return e.Unknown() || e.Throttled() || busy(e.Code)
}

func busy(code string) bool {
	return code == "TransactionConflictException" || code == "TransactionInProgressException"
}

// sorted returns the fault of an SDK error that is no conflict; nil for nil.
func sorted(err error) error {
	if err == nil {
		return nil
	}
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return sortReasons(cancelled.CancellationReasons)
	}
	e := awsfault.Of(err)
	switch {
	case e.Throttled():
		return fault.New(fault.Throttled, CodeThrottled, e)
	case e.Unknown():
		return fault.New(fault.Retryable, CodeFailed, e)
	case busy(e.Code):
		return fault.New(fault.Retryable, CodeBusy, e)
	case e.Denied(), e.Code == "ResourceNotFoundException":
		return fault.New(fault.Retryable, CodeDenied, e)
	case e.Code == "ValidationException", e.Code == "ItemCollectionSizeLimitExceededException":
		return fault.New(fault.Permanent, CodeRefused, e)
	default:
		return fault.New(fault.Retryable, CodeFailed, e)
	}
}

// The codes of a transaction's cancellation reasons.
// See https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html.
const (
	reasonConflict   = "ConditionalCheckFailed"
	reasonBusy       = "TransactionConflict"
	reasonInvalid    = "ValidationError"
	reasonCollection = "ItemCollectionSizeLimitExceeded"
)

func reasonIndex(reasons []types.CancellationReason, code string) int {
	for i, r := range reasons {
		if aws.ToString(r.Code) == code {
			return i
		}
	}
	return -1
}

// sortReasons sorts a transaction that was cancelled for another reason than a condition.
func sortReasons(reasons []types.CancellationReason) *fault.Error {
	switch {
	case reasonIndex(reasons, reasonInvalid) >= 0, reasonIndex(reasons, reasonCollection) >= 0:
		return fault.New(fault.Permanent, CodeRefused, nil)
	case reasonIndex(reasons, reasonBusy) >= 0:
		return fault.New(fault.Retryable, CodeBusy, nil)
	default:
		return fault.New(fault.Throttled, CodeThrottled, nil)
	}
}
