package queue

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/telemetry"
)

// ErrNotStarted is what a Handler returns for a message that it did not begin, because its time was over: the message goes
// back at once and nothing is held against it.
var ErrNotStarted = errors.New("queue: not begun before the deadline")

// HeldError is the ErrNotStarted of a message that another worker holds, or held when it was killed: it goes back for as long
// as that one may hold it. One that Gathers waits for others that are to be worked on with it.
type HeldError struct {
	For     time.Duration
	Gathers bool
}

// Error returns a text.
func (*HeldError) Error() string { return "queue: held by another worker" }

// Is reports whether target is ErrNotStarted.
func (*HeldError) Is(target error) bool { return target == ErrNotStarted }

// Verdict is what becomes of one received message.
type Verdict struct {
	Done bool          // it may be deleted
	Wait time.Duration // until it may be received again, if not done; 0 is at once
}

// Worker decides what becomes of the messages of a batch. It is the only place that acts on fault kinds: handlers say what
// went wrong, the Worker decides whether the message waits, for how long, or becomes a dead letter. Within a group nothing is
// carried out behind a message that is not done: the Worker sees to that, or its Handler with Runs. DeadLetters, Unordered and Runs may
// be left out, all else is required. A Worker is safe for concurrent use.
type Worker struct {
	Stage   string // what dead letters, metrics and logs call this worker, e.g. "route"
	Handler Handler
	// DeadLetters takes what is given up. Without it nothing is, however old: the worker of a dead-letter queue leaves there
	// what it cannot record.
	DeadLetters Publisher
	// Unordered says that the queue is a standard one: each message stands for itself, and its Group only says whose it is. A
	// Handler then gets messages of one group side by side.
	Unordered bool
	// Runs says that the Handler takes all messages of a group at once, in their order, and carries out none behind one that failed.
	// One that it does not begin for that, or because it must not be worked on beside those before it, is an ErrNotStarted: it gets a
	// turn of its own once those are done.
	Runs bool

	Patience    time.Duration // from FirstSent: how long a retryable or throttled fault is retried; see FailingError
	BlockedWait time.Duration // between two tries of a blocked message
	BackoffMin  time.Duration // the shortest wait after a retryable fault
	BackoffMax  time.Duration // the longest
	MessageTime time.Duration // for the heads that are worked on at the same time
	SoftMargin  time.Duration // before the deadline of Work's context: from then on nothing begins, and what runs is cancelled

	Random   func() float64 // of [0,1): the jitter of waits
	Logger   *slog.Logger
	Meter    *telemetry.Meter
	Identity telemetry.Identity
}

// Process handles a batch and returns one verdict a message, in their order. The deadline of ctx is the function's time-out.
// The first message of each group that is not done stops its group: the later ones go back with no wait, as not begun. Other groups
// go on.
func (w *Worker) Process(ctx context.Context, batch []Received) []Verdict {
	verdicts := make([]Verdict, len(batch))
	soft, cancel := w.withSoftDeadline(ctx)
	defer cancel()
	open := w.byGroup(batch)
	for len(open) > 0 && soft.Err() == nil {
		var at []int
		var heads []Received
		for _, group := range open {
			for _, i := range group[:w.run(group)] {
				at, heads = append(at, i), append(heads, batch[i])
			}
		}
		errs := w.handle(soft, heads)
		if w.Runs {
			HoldBack(heads, errs)
		}
		for k, verdict := range w.judge(ctx, soft, heads, errs) {
			verdicts[at[k]] = verdict
		}
		still := open[:0]
		for _, group := range open {
			n := w.run(group)
			rest := slices.IndexFunc(errs[:n], func(err error) bool { return errors.Is(err, ErrNotStarted) }) // the first that was not begun
			if rest < 0 {
				rest = n
			}
			errs = errs[n:]
			if failed := slices.ContainsFunc(group[:rest], func(i int) bool { return !verdicts[i].Done }); rest > 0 && rest < len(group) && !failed {
				still = append(still, group[rest:])
			}
		}
		open = still
	}
	return verdicts
}

// run returns how many messages of a group are handed over at once.
func (w *Worker) run(group []int) int {
	if w.Runs {
		return len(group)
	}
	return 1
}

// HoldBack makes ErrNotStarted the error of each message that is behind one of its group with an error.
func HoldBack(messages []Received, errs []error) {
	failed := map[string]bool{}
	for i, m := range messages {
		if failed[m.Group] {
			errs[i] = ErrNotStarted
		}
		failed[m.Group] = errs[i] != nil
	}
}

// withSoftDeadline returns a context that ends SoftMargin before ctx does, so that time is left to release claims and publish dead
// letters.
func (w *Worker) withSoftDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-w.SoftMargin))
}

// byGroup returns the indexes of each group's messages in their order, groups in the order of their first message.
func (w *Worker) byGroup(batch []Received) [][]int {
	if w.Unordered {
		alone := make([][]int, len(batch))
		for i := range batch {
			alone[i] = []int{i}
		}
		return alone
	}
	var groups [][]int
	place := make(map[string]int, len(batch))
	for i, r := range batch {
		g, seen := place[r.Group]
		if !seen {
			g = len(groups)
			place[r.Group] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}
