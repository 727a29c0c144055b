package memqueue

import (
	"bytes"
	"context"
	"errors"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
)

// maxName is how long a message's ID and Group may be.
const maxName = 128

// Sent is what became of one message of a Send.
type Sent struct {
	MessageID string // the first one's, if this one was a duplicate
	Sequence  string // likewise; empty on a standard queue
	Err       error  // not nil: this message was not accepted, and the rest of Sent is empty
}

// Publish sends the messages in order, as queue.Publisher promises; a standard queue has no order to keep. Its errors are
// sorted.
func (q *Queue) Publish(ctx context.Context, messages ...queue.Message) error {
	publish := inorder.Publish
	if q.options.Standard {
		publish = inorder.PublishUnordered
	}
	return publish(ctx, messages, func(ctx context.Context, batch []queue.Message) ([]error, error) {
		sent, err := q.Send(ctx, batch...)
		if err != nil {
			return nil, sorted(err)
		}
		errs := make([]error, len(sent))
		for i, s := range sent {
			errs[i] = sorted(s.Err)
		}
		return errs, nil
	})
}

// Send hands over one batch: at most ten messages and 1 MiB. They are accepted or refused one by one, in their order. An
// error for the whole batch is an *Error, a *LostReplyError, the context's, or what a test injected.
func (q *Queue) Send(ctx context.Context, batch ...queue.Message) ([]Sent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkBatch(len(batch)); err != nil {
		return nil, err
	}
	size := 0
	for _, m := range batch {
		size += inorder.Size(m)
	}
	if size > inorder.MaxBytes {
		return nil, &Error{Code: CodeBatchTooLong, Sender: true, Reason: "the batch is larger than 1 MiB"}
	}
	wrong := q.fault(Call{Operation: OperationSend, Messages: batch})
	if wrong.Before != nil {
		return nil, wrong.Before
	}
	sent := q.send(batch, wrong.Entries)
	if wrong.After != nil {
		return nil, &LostReplyError{wrong.After}
	}
	return sent, nil
}

func (q *Queue) send(batch []queue.Message, wrong map[int]error) []Sent {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.advance(now)
	sent := make([]Sent, len(batch))
	for i, m := range batch {
		err := wrong[i]
		if err == nil {
			err = q.check(m)
		}
		if err != nil {
			sent[i] = Sent{Err: err}
			continue
		}
		sent[i] = q.accept(m, now)
	}
	return sent
}

// accept takes one message, or returns the identity of the one it repeats.
func (q *Queue) accept(m queue.Message, now time.Time) Sent {
	key := identity{m.Group, m.ID}
	if q.options.Deduplication == PerQueue {
		key.group = ""
	}
	if first, repeated := q.sent[key]; repeated && !q.options.Standard {
		q.totals.Repeated++
		return Sent{MessageID: q.messageID(first), Sequence: sequenceNumber(first)}
	}
	m.Body = bytes.Clone(m.Body)
	kept := &message{Message: m, messageID: q.messageID(q.sequence + 1), sent: now}
	q.enqueue(kept, now)
	q.totals.Sent++
	s := Sent{MessageID: kept.messageID, Sequence: sequenceNumber(kept.sequence)}
	if q.options.Standard {
		s.Sequence = ""
		return s
	}
	q.sent[key] = kept.sequence
	q.window = append(q.window, remembered{key, now})
	return s
}

// check says why SQS would refuse m.
func (q *Queue) check(m queue.Message) error {
	switch {
	case len(m.Body) == 0:
		return &Error{Code: CodeMissing, Sender: true, Reason: "the body is empty"}
	case q.options.Standard && m.Group == "":
		return nil
	case !name(m.Group):
		return &Error{Code: nameCode(m.Group), Sender: true, Reason: "the group is not 1 to 128 printable ASCII characters"}
	case !q.options.Standard && !name(m.ID):
		return &Error{Code: nameCode(m.ID), Sender: true, Reason: "the deduplication id is not 1 to 128 printable ASCII characters"}
	}
	return nil
}

func nameCode(s string) string {
	if s == "" {
		return CodeMissing
	}
	return CodeInvalid
}

// name reports whether s can be a group or a deduplication id.
func name(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// checkBatch reports whether a batch of n entries is one.
func checkBatch(n int) error {
	switch {
	case n == 0:
		return &Error{Code: CodeEmptyBatch, Sender: true, Reason: "the batch is empty"}
	case n > inorder.MaxEntries:
		return &Error{Code: CodeTooMany, Sender: true, Reason: "the batch has more than ten entries"}
	}
	return nil
}

// sorted gives err the fault kind its code stands for.
func sorted(err error) error {
	if err == nil {
		return nil
	}
	refused, ok := errors.AsType[*Error](err)
	switch {
	case ok && refused.Code == CodeThrottled:
		return fault.New(fault.Throttled, "queue_throttled", err)
	case ok && refused.Sender:
		return fault.New(fault.Permanent, "queue_refused", err)
	}
	if already, sorted := errors.AsType[*fault.Error](err); sorted {
		return already
	}
	return fault.New(fault.Retryable, "queue_unavailable", err)
}
