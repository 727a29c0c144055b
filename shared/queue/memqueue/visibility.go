package memqueue

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Wait asks that a delivery stay hidden for a while from now; 0 ends its flight at once.
type Wait struct {
	ReceiptHandle string
	For           time.Duration
}

// Delete forgets up to ten deliveries and returns one error each, nil when done. A FIFO queue refuses the receipt of a
// delivery that is not in flight any more; a receipt of a message that is gone succeeds.
func (q *Queue) Delete(ctx context.Context, receipts ...string) ([]error, error) {
	return q.eachReceipt(ctx, OperationDelete, receipts, func(i int, _ time.Time) error {
		m, latest, err := q.find(receipts[i])
		switch {
		case err != nil || m == nil:
			return err
		case !q.options.Standard && (!latest || !m.inFlight()):
			return &Error{Code: CodeInvalid, Sender: true, Reason: "the receipt handle has expired"}
		case !latest: // a standard queue answers success and keeps the message
			return nil
		}
		q.remove(m)
		q.totals.Deleted++
		q.wake()
		return nil
	})
}

// ChangeVisibility sets how long up to ten deliveries stay hidden from now and returns one error each, nil when done. Only
// a delivery that is in flight can be changed, and none beyond MaxVisibility from its receive.
func (q *Queue) ChangeVisibility(ctx context.Context, waits ...Wait) ([]error, error) {
	receipts := make([]string, len(waits))
	for i, w := range waits {
		receipts[i] = w.ReceiptHandle
	}
	return q.eachReceipt(ctx, OperationChangeVisibility, receipts, func(i int, now time.Time) error {
		m, latest, err := q.find(receipts[i])
		if err != nil {
			return err
		}
		if refused := q.checkWait(m, latest, waits[i].For, now); refused != nil {
			return refused
		}
		if waits[i].For == 0 {
			q.show(m)
		} else {
			q.hide(m, now.Add(waits[i].For))
		}
		q.wake()
		return nil
	})
}

// checkWait says why the flight of m, which may be gone, cannot be changed.
func (q *Queue) checkWait(m *message, latest bool, wait time.Duration, now time.Time) error {
	switch {
	case wait < 0 || wait > MaxVisibility:
		return &Error{Code: CodeInvalid, Sender: true, Reason: "the visibility time-out is not within 0 and 43200 seconds"}
	case m == nil:
		return &Error{Code: CodeInvalid, Sender: true, Reason: "the message does not exist"}
	case !q.options.Standard && (!latest || !m.inFlight()):
		return &Error{Code: CodeInvalid, Sender: true, Reason: "the receipt handle has expired"}
	case !latest || !m.inFlight():
		return &Error{Code: CodeNotInFlight, Sender: true, Reason: "the message is not in flight"}
	case now.Add(wait).After(m.received.Add(MaxVisibility)):
		return &Error{Code: CodeInvalid, Sender: true, Reason: "the total visibility time-out is beyond 43200 seconds"}
	}
	return nil
}

// eachReceipt does one thing for each receipt of a batch.
func (q *Queue) eachReceipt(ctx context.Context, op Operation, receipts []string, do func(int, time.Time) error) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkBatch(len(receipts)); err != nil {
		return nil, err
	}
	wrong := q.fault(Call{Operation: op})
	if wrong.Before != nil {
		return nil, wrong.Before
	}
	errs := q.eachLocked(receipts, wrong.Entries, do)
	if wrong.After != nil {
		return nil, &LostReplyError{wrong.After}
	}
	return errs, nil
}

func (q *Queue) eachLocked(receipts []string, wrong map[int]error, do func(int, time.Time) error) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.advance(now)
	errs := make([]error, len(receipts))
	for i := range receipts {
		if errs[i] = wrong[i]; errs[i] == nil {
			errs[i] = do(i, now)
		}
	}
	return errs
}

// find returns the message a receipt is of, nil if it is gone, and whether the receipt is of its latest receive.
func (q *Queue) find(receipt string) (m *message, latest bool, err error) {
	invalid := &Error{Code: CodeInvalidHandle, Sender: true, Reason: "the receipt handle is not of this queue"}
	rest, ok := strings.CutPrefix(receipt, q.options.Name+"#")
	if !ok {
		return nil, false, invalid
	}
	number, count, ok := strings.Cut(rest, "#")
	if !ok {
		return nil, false, invalid
	}
	sequence, err := strconv.ParseUint(number, 10, 64)
	if err != nil || sequence <= firstSequence || sequence > q.sequence {
		return nil, false, invalid
	}
	receives, err := strconv.Atoi(count)
	if err != nil || receives < 1 {
		return nil, false, invalid
	}
	m = q.held[sequence]
	return m, m != nil && m.receives == receives, nil
}
