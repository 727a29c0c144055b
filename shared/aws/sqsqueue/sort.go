package sqsqueue

import (
	"errors"
	"strings"

	"signalbox/shared/aws/awsfault"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// The codes of the faults.
const (
	CodeThrottled   = "queue_throttled"   // SQS, or KMS behind it, asks for less
	CodeRefused     = "queue_refused"     // permanent: SQS does not take this message
	CodeNotText     = "queue_not_text"    // permanent: SQS does not take these bytes
	CodeNoAccess    = "queue_no_access"   // retryable: our permission is missing; an operator mends it, as he does queue.CodeMissing
	CodeUnavailable = "queue_unavailable" // retryable: network, time-out, 5xx
	CodeUnanswered  = "queue_unanswered"  // retryable: SQS said nothing of this entry
)

// sorted gives a failed call its fault.
func sorted(err error) error {
	kept := awsfault.Of(err)
	if kept.Throttled() {
		return fault.New(fault.Throttled, CodeThrottled, kept)
	}
	if kept.Denied() {
		return fault.New(fault.Retryable, CodeNoAccess, kept)
	}
	return sortedCode(kept.Code, kept)
}

// sortedEntry gives a refused entry of a batch its fault. Only the code is kept: the text may repeat what was sent.
func sortedEntry(code string) error { return sortedCode(code, errors.New("sqs: "+code)) }

// sortedCode gives an error code of SQS its fault. What is our own deployment's fault is retryable: nothing is wrong with
// the message, and it goes through once the permission or the queue is there.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html.
func sortedCode(code string, cause error) error {
	switch strings.TrimPrefix(code, "AWS.SimpleQueueService.") {
	case "ThrottlingException", "Throttling", "RequestThrottled", "TooManyRequestsException",
		"KmsThrottled", "KMS.ThrottlingException":
		return fault.New(fault.Throttled, CodeThrottled, cause)
	case "BatchRequestTooLong", "InvalidMessageContents", "InvalidParameterValue", "InvalidParameterValueException",
		"InvalidAttributeValue", "MissingParameter", "InvalidBatchEntryId", "BatchEntryIdsNotDistinct",
		"ReceiptHandleIsInvalid", "MessageNotInflight":
		return fault.New(fault.Permanent, CodeRefused, cause)
	case "NonExistentQueue", "QueueDoesNotExist":
		return fault.New(fault.Retryable, queue.CodeMissing, cause)
	case "AccessDenied", "AccessDeniedException", "KmsAccessDenied",
		"KMS.AccessDeniedException", "InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException":
		return fault.New(fault.Retryable, CodeNoAccess, cause)
	}
	return fault.New(fault.Retryable, CodeUnavailable, cause)
}
