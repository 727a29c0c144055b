package memqueue

import "signalbox/shared/queue"

// The codes of SQS that an Error carries.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html.
const (
	CodeEmptyBatch    = "EmptyBatchRequest"
	CodeTooMany       = "TooManyEntriesInBatchRequest"
	CodeBatchTooLong  = "BatchRequestTooLong"
	CodeMissing       = "MissingParameter"
	CodeInvalid       = "InvalidParameterValue"
	CodeInvalidHandle = "ReceiptHandleIsInvalid"
	CodeNotInFlight   = "MessageNotInflight"
	CodeThrottled     = "RequestThrottled"
	CodeInternal      = "InternalError"
)

// Error is a refusal in SQS's words.
type Error struct {
	Code   string
	Sender bool   // the request is at fault
	Reason string // holds nothing of the request
}

// Error returns code and reason.
func (e *Error) Error() string { return "memqueue: " + e.Code + ": " + e.Reason }

// LostReplyError says that a call took effect and its reply was lost, as a test asked for. The caller cannot know it from a
// call without effect.
type LostReplyError struct{ Err error }

// Error returns the cause.
func (e *LostReplyError) Error() string { return "memqueue: reply lost: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *LostReplyError) Unwrap() error { return e.Err }

// Operation names a method that can go wrong.
type Operation uint8

// The operations.
const (
	OperationSend Operation = iota
	OperationReceive
	OperationDelete
	OperationChangeVisibility
)

// Call is one call that is about to be made. Messages are those of a send.
type Call struct {
	Operation Operation
	Messages  []queue.Message
}

// Fault is what goes wrong with a call; the zero value is nothing.
type Fault struct {
	Before  error         // the call fails without effect
	After   error         // the call takes effect, then fails with a *LostReplyError
	Entries map[int]error // these entries of a batch fail without effect
}

// Inject lets decide say, call by call, what goes wrong from now on; nil is nothing. It is called without any lock held, by
// the goroutine that makes the call.
func (q *Queue) Inject(decide func(Call) Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults = decide
}

func (q *Queue) fault(c Call) Fault {
	q.mu.Lock()
	decide := q.faults
	q.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	return decide(c)
}
