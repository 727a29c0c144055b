package queue

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// CodeHandler is the code of a handler that did not return one error a message.
const CodeHandler = "handler_answers"

// MaxWait is the longest wait a Verdict holds: SQS hides a message for at most 12 hours from its receipt.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html.
const MaxWait = 11 * time.Hour

// MaxAge is how old a message becomes at most, whatever its work failed of: at 15 minutes a try it is received a thousand
// times in ten days and a few hours, when the queue would move it without a reason, and those that only then come to the head
// of its group still have days until the queue drops them.
const MaxAge = 10 * 24 * time.Hour

// backoffAfter is how many receives a message has before waits that were asked for grow, too: one that is told to come back
// in a second would use up the receives that its queue allows within minutes.
const backoffAfter = 100

// handle calls the Handler with heads. When it panics over several, nobody knows which one is at fault, so each is handled
// alone: the others get through.
func (w *Worker) handle(ctx context.Context, heads []Received) []error {
	ctx, cancel := context.WithTimeout(ctx, w.MessageTime)
	defer cancel()
	errs, panicked := w.call(ctx, heads)
	if !panicked || len(heads) == 1 {
		return errs
	}
	clear(errs)
	for i := range heads {
		switch {
		case ctx.Err() != nil:
			errs[i] = ErrNotStarted
		case errs[i] == nil:
			alone, _ := w.call(ctx, heads[i:i+1])
			errs[i] = alone[0]
		}
		if w.Runs {
			HoldBack(heads, errs)
		}
	}
	return errs
}

// call returns one error a head whatever the Handler does.
func (w *Worker) call(ctx context.Context, heads []Received) (errs []error, panicked bool) {
	if len(heads) == 1 {
		ctx = telemetry.WithTrace(ctx, heads[0].Trace)
	}
	defer func() {
		if value := recover(); value != nil {
			errs, panicked = slices.Repeat([]error{Recovered(ctx, w.Logger, w.Meter, value)}, len(heads)), true
		}
	}()
	errs = w.Handler.Handle(ctx, heads)
	if len(errs) != len(heads) {
		errs = slices.Repeat([]error{fault.New(fault.Retryable, CodeHandler, nil)}, len(heads))
	}
	return errs, false
}

// judge returns what becomes of each head. The context soft is over once the soft deadline has passed.
func (w *Worker) judge(ctx, soft context.Context, heads []Received, errs []error) []Verdict {
	verdicts := make([]Verdict, len(heads))
	var dead, waiting []int // indexes of heads
	for i, head := range heads {
		switch {
		case errs[i] == nil:
			verdicts[i].Done = true
		case errors.Is(errs[i], ErrNotStarted):
			verdicts[i].Wait = w.notStarted(ctx, head, errs[i])
		case w.givesUp(head, errs[i]):
			dead = append(dead, i)
		default:
			verdicts[i].Wait = w.wait(head, errs[i], soft.Err() != nil)
			waiting = append(waiting, i)
		}
	}
	w.logWaiting(ctx, heads, errs, verdicts, waiting)
	if len(dead) > 0 {
		w.deadLetter(ctx, heads, errs, dead, verdicts)
	}
	return verdicts
}

// notStarted returns how long a message that was not begun is to wait: no time, unless another worker holds it.
func (w *Worker) notStarted(ctx context.Context, head Received, err error) time.Duration {
	by, ok := errors.AsType[*HeldError](err)
	if !ok {
		return 0
	}
	ctx = telemetry.WithTrace(ctx, head.Trace)
	attrs := []slog.Attr{
		slog.String("stage", w.Stage), slog.String("message", head.ID), slog.Int("receive", head.Attempt), slog.Duration("wait", by.For),
	}
	if by.Gathers {
		w.Logger.LogAttrs(ctx, slog.LevelInfo, "message waits for others", attrs...)
	} else {
		w.Logger.LogAttrs(ctx, slog.LevelInfo, "message is held by another worker", attrs...)
	}
	return min(by.For, MaxWait)
}

// logWaiting says which of the heads wait, and why: each of them, and of a standard queue, whose batches are large and fail
// together, the first of each code with how many there are.
func (w *Worker) logWaiting(ctx context.Context, heads []Received, errs []error, verdicts []Verdict, waiting []int) {
	alike := map[string]int{}
	for _, i := range waiting {
		alike[fault.Of(errs[i]).Code]++
	}
	for _, i := range waiting {
		f, n := fault.Of(errs[i]), 1
		if w.Unordered {
			if n = alike[f.Code]; n == 0 {
				continue
			}
			alike[f.Code] = 0
		}
		w.Logger.LogAttrs(telemetry.WithTrace(ctx, heads[i].Trace), slog.LevelWarn, "message waits",
			append(w.attrs(heads[i], errs[i]), slog.Duration("wait", verdicts[i].Wait), slog.Int("messages", n))...)
		w.countWaiting(f, n)
	}
}

// deadLetter makes dead letters of the heads at given. One that is not taken stays in the queue: it would be a lost message.
func (w *Worker) deadLetter(ctx context.Context, heads []Received, errs []error, dead []int, verdicts []Verdict) {
	letters := make([]DeadLetter, len(dead))
	for k, i := range dead {
		f := fault.Of(errs[i])
		letters[k] = DeadLetter{
			ID: heads[i].ID, Stage: w.Stage, Kind: f.Kind.String(), Code: f.Code, Reason: errs[i].Error(),
			Attempts: attempt(heads[i], errs[i]), First: heads[i].FirstSent.UTC(), Last: time.Now().UTC(), FunctionVersion: w.Identity.Version,
			Group: heads[i].Group, Trace: heads[i].Trace, Generation: Generation(heads[i].ID), Body: deadLetterBody(heads[i], errs[i]),
		}
	}
	for k, err := range GiveUp(ctx, w.DeadLetters, w.Logger, w.Meter, letters) {
		i := dead[k]
		if verdicts[i].Done = err == nil; err != nil {
			verdicts[i].Wait = w.backoff(attempt(heads[i], errs[i]))
			w.Logger.LogAttrs(telemetry.WithTrace(ctx, heads[i].Trace), slog.LevelError, "dead letter was not taken", w.attrs(heads[i], err)...)
		}
	}
}

// countWaiting counts the waits that somebody should know of: a tenant's configuration, and an error that no edge understood,
// which is a defect until it is sorted.
func (w *Worker) countWaiting(f *fault.Error, n int) {
	stage := telemetry.Label{Name: "stage", Value: w.Stage}
	switch {
	case f.Kind == fault.Blocked:
		w.Meter.Count("Blocked", n, stage, telemetry.Label{Name: "code", Value: f.Code})
	case f.Code == fault.CodeUnsorted:
		w.Meter.Count(telemetry.Failures, n, stage)
	}
}

// givesUp reports whether a message that failed so is to become a dead letter. What is blocked is not, for nothing is wrong with
// it, until the queue itself would lose it.
func (w *Worker) givesUp(r Received, err error) bool {
	if w.DeadLetters == nil {
		return false
	}
	var age time.Duration
	if !r.FirstSent.IsZero() {
		age = time.Since(r.FirstSent)
	}
	switch fault.Of(err).Kind {
	case fault.Permanent, fault.Rejected:
		return true
	case fault.Blocked:
		return age >= MaxAge
	default:
		return age >= MaxAge || age >= w.Patience && w.failedLongEnough(err)
	}
}

// failedLongEnough reports whether the work on a message whose patience is over has been failing for long enough to be given up: two hours
// in 24 is enough for what waited for something else before.
func (w *Worker) failedLongEnough(err error) bool {
	failing, ok := errors.AsType[*FailingError](err)
	return !ok || time.Since(failing.Since) >= w.Patience/12
}

// wait returns how long a message that failed so is to wait. One that the soft deadline cut short waits no longer: it comes
// back at the head of a batch and then has its whole time.
func (w *Worker) wait(r Received, err error, cut bool) time.Duration {
	switch f := fault.Of(err); {
	case f.Kind == fault.Blocked:
		return w.BlockedWait
	case f.Kind == fault.Permanent || f.Kind == fault.Rejected: // only without DeadLetters
		return w.BackoffMax
	case f.Wait > 0 && r.Attempt > backoffAfter:
		return max(min(f.Wait, MaxWait), w.backoff(attempt(r, err)))
	case f.Wait > 0:
		return min(f.Wait, MaxWait)
	case cut && f.Kind == fault.Retryable:
		return 0
	default:
		return w.backoff(attempt(r, err))
	}
}

// attempt returns how often the work on a message was tried: a receive of what somebody else held was no try.
func attempt(r Received, err error) int {
	if failing, ok := errors.AsType[*FailingError](err); ok && failing.Attempt > 0 {
		return failing.Attempt
	}
	return r.Attempt
}

// backoff returns a wait between BackoffMin and a ceiling that doubles with each attempt up to BackoffMax: full jitter, so
// that what failed together does not come back together.
func (w *Worker) backoff(attempt int) time.Duration {
	ceiling := w.BackoffMax
	if doublings := max(attempt, 1); doublings < 32 {
		if grown := w.BackoffMin << doublings; grown>>doublings == w.BackoffMin { // no overflow
			ceiling = min(grown, w.BackoffMax)
		}
	}
	return w.BackoffMin + time.Duration(w.Random()*float64(max(0, ceiling-w.BackoffMin)))
}

// attrs returns what a log line says about a message that failed so.
func (w *Worker) attrs(r Received, err error) []slog.Attr {
	f := fault.Of(err)
	return []slog.Attr{
		slog.String("stage", w.Stage), slog.String("message", r.ID), slog.Int("attempt", attempt(r, err)),
		slog.String("kind", f.Kind.String()), slog.String("code", f.Code), slog.String("reason", err.Error()),
	}
}
