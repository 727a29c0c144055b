package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/mapping"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// Store is what a Connector itself needs of a store: to read sessions, and to count a tenant's permanent faults in a row.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Options are what a Connector works with. All are required but Links, Files, Mappings, Explain, Gates, Budget and Watcher.
type Options struct {
	Claims   *idempotency.Claims
	Store    Store          // where claims, sessions and conversations are, too
	Opener   session.Opener // of sessions
	Links    Links          // nil: what is learned is forgotten
	Files    Files          // nil: files stay links
	Mappings *Mappings      // nil: no tenant fills fields of its own
	// Explain, if not nil, is told what a mapping fills of a delivery, and what it leaves out: for whoever tries a mapping.
	Explain func(delivery.Delivery, mapping.Fields, []mapping.Left)
	Gates   *Gates        // of the handler before it; nil: none, as where what was parked is drained
	AtOnce  bool          // no delivery waits for others of its session, as where what was parked is drained: it has waited
	Budget  *Budget       // nil: requests are not counted
	Width   int           // how many deliveries go into one Do
	Attempt time.Duration // how long one Do may take
	Watcher Watcher       // nil: nobody is told what is seen of the CRM
	Logger  *slog.Logger
	Meter   *telemetry.Meter
}

// Connector drives one CRM. It is a queue.Handler of delivery.Delivery in JSON.
type Connector[R any] struct {
	crm      CRM[R]
	options  Options
	streaks  streaks
	uploads  chan struct{} // as many as there may be at once
	receipts *Receipts     // nil for a CRM that shows no statuses
}

// New returns a Connector to crm.
func New[R any](crm CRM[R], o Options) *Connector[R] {
	o.Watcher = watcher(o.Watcher)
	c := &Connector[R]{crm: crm, options: o, streaks: streaks{store: o.Store, counting: make(chan struct{}, 1)}, uploads: make(chan struct{}, uploads)}
	if writer, ok := crm.(StatusWriter); ok {
		c.receipts = NewReceipts(ReceiptOptions{
			CRM: writer, Store: o.Store, Width: 1, Attempt: o.Attempt, Watcher: o.Watcher, Budget: o.Budget, Logger: o.Logger, Meter: o.Meter,
		})
	}
	return c
}

// parallel is how many calls to Do run at once: what one batch of a FIFO queue holds. A CRM that hangs for one tenant holds
// up none of the others in the batch.
const parallel = 10

// Width is how many deliveries of one binding go into one Do: as many as one batch of a FIFO queue holds.
const Width = 10

// DrainWidth is how many go into one of a drain: as many as the widest call of any CRM takes. A CRM whose calls are narrower makes several.
const DrainWidth = 200

// freeCrashes is how many unfinished claims say nothing about a delivery: processes end for reasons of their own.
const freeCrashes = 1

// Handle carries out deliveries of different threads and returns one error each. Those that go into different calls run side by
// side. One whose claim was left unfinished gets a call of its own, and one to which that happened twice is worked on alone, after
// all others, so that what brings the process down takes no other delivery with it. Not the first time: a batch whose process
// was killed would be worked on one by one.
func (c *Connector[R]) Handle(ctx context.Context, heads []queue.Received) []error {
	defer c.options.Watcher.Ended(ctx)
	items := make([]*item, len(heads))
	var opened []*item
	for i, head := range heads {
		items[i] = c.open(ctx, head)
		if items[i].err == nil {
			opened = append(opened, items[i])
		}
	}
	rest := c.workAll(ctx, c.gather(ctx, c.admit(ctx, opened)), c.options.Width)
	if c.options.Width > 1 {
		rest = c.workAll(ctx, rest, 1)
	}
	for i := range rest {
		c.workAll(ctx, rest[i:i+1], 1)
	}
	errs := make([]error, len(items))
	for i, it := range items {
		errs[i] = it.verdict()
	}
	return errs
}

// workAll works on all items, at most width in a call, and returns those that it put aside: with an unfinished claim, and not in
// a call of their own, or with several, and not alone. What it claims together it also begins together: whoever is killed then
// leaves no claim behind whose work was only waiting.
func (c *Connector[R]) workAll(ctx context.Context, items []*item, width int) (aside []*item) {
	alone := len(items) == 1
	for chunks := range slices.Chunk(chunk(items, width), parallel) {
		var done completions
		claimed, left := c.claimAll(ctx, chunks, alone, &done)
		aside = append(aside, left...)
		for len(claimed) > 0 {
			claimed = c.mapFields(ctx, claimed)
			c.advanceAll(ctx, claimed, alone, &done)
			done.addAgain(c.settle(ctx, done.drain()))
			claimed = chunk(done.drainAgain(), width)
		}
	}
	return aside
}

// advanceAll takes chunks through their steps, side by side, and completes from time to time what is done.
func (c *Connector[R]) advanceAll(ctx context.Context, chunks [][]*item, alone bool, done *completions) {
	if !alone {
		defer c.completeEvery(ctx, done)()
	}
	queue.SideBySide(chunks, func(_ int, chunk []*item) {
		defer c.recovered(ctx, chunk)
		c.advance(ctx, chunk)
	})
}

// chunk returns items in groups of one binding and at most width.
func chunk(items []*item, width int) [][]*item {
	var chunks [][]*item
	filling := map[BindingKey]int{} // a binding's last chunk
	for _, it := range items {
		of := KeyOf(it.delivery)
		at, ok := filling[of]
		if !ok || len(chunks[at]) >= width {
			at = len(chunks)
			filling[of] = at
			chunks = append(chunks, nil)
		}
		chunks[at] = append(chunks[at], it)
	}
	return chunks
}

// recovered, deferred, makes a panic the outcome of the items that are claimed.
func (c *Connector[R]) recovered(ctx context.Context, items []*item) {
	value := recover()
	if value == nil {
		return
	}
	cause := queue.Recovered(items[0].context(ctx), c.options.Logger, c.options.Meter, value)
	for _, it := range items {
		c.crashed(ctx, it, cause)
	}
}

// call is one Do and the items that it is for.
type call[R any] struct {
	items []*item
	steps []Step[R]
}

// advance takes items through their steps. Those that need the same step share a call, and calls run side by side: a person who
// has to be looked for holds up nobody who is known.
func (c *Connector[R]) advance(ctx context.Context, items []*item) {
	queue.SideBySide(c.calls(ctx, items), func(_ int, next *call[R]) {
		defer c.recovered(ctx, next.items)
		goesOn := make([]bool, len(next.items))
		queue.SideBySide(c.do(ctx, next), func(i int, outcome Outcome) {
			defer c.recovered(ctx, next.items[i:i+1])
			goesOn[i] = c.conclude(ctx, next.items[i], next.steps[i], outcome)
		})
		var rest []*item
		for i, it := range next.items {
			if goesOn[i] {
				rest = append(rest, it)
			}
		}
		c.advance(ctx, rest)
	})
}

// calls plans the next step of each item and returns the calls to make. One whose call failed last time has its own: it may be
// what made the call fail for all.
func (c *Connector[R]) calls(ctx context.Context, items []*item) []*call[R] {
	var calls []*call[R]
	shared := map[string]*call[R]{} // by the step's name
	for _, it := range items {
		step, ok := c.plan(ctx, it)
		if !ok {
			continue
		}
		next := shared[step.Name]
		if next == nil || it.apart {
			next = &call[R]{}
			calls = append(calls, next)
		}
		if !it.apart {
			shared[step.Name] = next
		}
		next.items, next.steps = append(next.items, it), append(next.steps, step)
	}
	return calls
}

// plan returns what an item needs now; ok is false when the item is complete or has failed.
func (c *Connector[R]) plan(ctx context.Context, it *item) (step Step[R], ok bool) {
	if ctx.Err() != nil {
		c.fail(ctx, it, fault.New(fault.Retryable, CodeOutOfTime, ctx.Err()))
		return step, false
	}
	step, ok, err := c.crm.Next(it.delivery, it.done)
	if err != nil {
		c.fail(ctx, it, err)
		return step, false
	}
	if !ok {
		c.finish(ctx, it)
		return step, false
	}
	if result, repeated := it.done[step.Name]; repeated && result[ResultBehind] == "" {
		c.fail(ctx, it, fault.New(fault.Permanent, CodePlan, errors.New("the plan asks again for "+step.Name)))
		return step, false
	}
	if step.Left != "" {
		it.achieve(step.Name, c.spare(ctx, it, step, Outcome{Result: Result{ResultLeft: step.Left}}).Result)
		return c.plan(ctx, it)
	}
	step.File, step.Fields, step.Again = it.file, it.fields, it.again
	if it.show != nil {
		step.Activity, step.Standing = it.show.activity, it.show.standing
	}
	if !step.Once {
		return step, true
	}
	if step.Intended = it.intends(step.Name); step.Intended {
		return step, true
	}
	it.intend(step.Name)
	return step, c.checkpoint(ctx, it)
}

// do calls the CRM once. It returns one outcome a step whatever the CRM does.
func (c *Connector[R]) do(ctx context.Context, next *call[R]) []Outcome {
	if len(next.items) == 1 {
		ctx = next.items[0].context(ctx)
	}
	if next.items[0].file != nil {
		c.uploads <- struct{}{}
		defer func() { <-c.uploads }()
	}
	began := time.Now()
	outcomes := c.call(ctx, next)
	c.called(next, began, outcomes)
	if len(outcomes) == len(next.steps) {
		return outcomes
	}
	outcomes = make([]Outcome, len(next.steps))
	for i := range outcomes {
		outcomes[i].Err = fault.New(fault.Retryable, CodeAnswers, nil)
	}
	return outcomes
}

// call makes one Do within the time of an attempt. A file may take it.
func (c *Connector[R]) call(ctx context.Context, next *call[R]) []Outcome {
	do := func(ctx context.Context) []Outcome {
		ctx, cancel := context.WithTimeout(c.options.Budget.Spending(ctx, KeyOf(next.items[0].delivery)), c.options.Attempt)
		defer cancel()
		return c.carryOut(ctx, next.steps)
	}
	if c.options.Gates == nil || next.items[0].file != nil {
		return do(ctx)
	}
	return c.options.Gates.watched(ctx, KeyOf(next.items[0].delivery), do)
}

// conclude keeps what a step learned and reports whether its item goes on.
func (c *Connector[R]) conclude(ctx context.Context, it *item, step Step[R], outcome Outcome) bool {
	if errors.Is(outcome.Err, errInJob) {
		it.err = errInJob
		c.release(ctx, it, "", false)
		return false
	}
	if step.Aside {
		outcome = c.spare(ctx, it, step, outcome)
	}
	if outcome.Err != nil && c.withoutFields(ctx, it, step, outcome.Err) {
		return true
	}
	if outcome.Err != nil {
		it.suspect(outcome.Err)
		c.fail(ctx, it, fmt.Errorf("%s: %w", step.Name, outcome.Err))
		return false
	}
	it.achieve(step.Name, it.revised(step.Logs, outcome.Result))
	switch {
	case step.Last:
		c.finish(ctx, it)
		return false
	case step.Seen || step.Once:
		return c.checkpoint(ctx, it)
	default:
		return true
	}
}

var _ queue.Handler = (*Connector[int])(nil)
