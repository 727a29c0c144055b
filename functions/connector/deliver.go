package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// Store is what a Connector itself needs of a store: to count a tenant's permanent faults in a row.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Options are what a Connector works with. All are required but Links.
type Options struct {
	Claims  *idempotency.Claims
	Store   Store         // where claims are, too
	Links   Links         // nil: what is learned is forgotten
	Width   int           // how many deliveries go into one Do: 1 live, the CRM's limit in a batch
	Attempt time.Duration // how long one Do may take
	Logger  *slog.Logger
	Meter   *telemetry.Meter
}

// Connector drives one CRM. It is a queue.Handler of delivery.Delivery in JSON.
type Connector[R any] struct {
	crm      CRM[R]
	options  Options
	streaks  streaks
	receipts *Receipts // nil for a CRM that shows no statuses
}

// New returns a Connector to crm.
func New[R any](crm CRM[R], o Options) *Connector[R] {
	c := &Connector[R]{crm: crm, options: o, streaks: streaks{store: o.Store}}
	if writer, ok := crm.(StatusWriter); ok {
		c.receipts = NewReceipts(ReceiptOptions{
			CRM: writer, Store: o.Store, Width: 1, Attempt: o.Attempt, Logger: o.Logger, Meter: o.Meter,
		})
	}
	return c
}

// parallel is how many calls to Do run at once: what one batch of a FIFO queue holds. A CRM that hangs for one tenant holds
// up none of the others in the batch.
const parallel = 10

// freeCrashes is how many unfinished claims say nothing about a delivery: processes end for reasons of their own.
const freeCrashes = 1

// Handle carries out deliveries of different threads and returns one error each. Those that go into different calls run side by
// side. One whose claim was left unfinished gets a call of its own, and one to which that happened twice is worked on alone, after
// all others, so that what brings the process down takes no other delivery with it. Not the first time: a batch whose process
// was killed would be worked on one by one.
func (c *Connector[R]) Handle(ctx context.Context, heads []queue.Received) []error {
	items := make([]*item, len(heads))
	var opened []*item
	for i, head := range heads {
		items[i] = c.open(ctx, head)
		if items[i].err == nil {
			opened = append(opened, items[i])
		}
	}
	rest := c.workAll(ctx, opened, c.options.Width)
	if c.options.Width > 1 {
		rest = c.workAll(ctx, rest, 1)
	}
	for _, it := range rest {
		c.carry(ctx, []*item{it}, true)
	}
	errs := make([]error, len(items))
	for i, it := range items {
		errs[i] = it.verdict()
	}
	return errs
}

// workAll works on all items, at most width in a call, and returns those that it put aside.
func (c *Connector[R]) workAll(ctx context.Context, items []*item, width int) []*item {
	chunks := chunk(items, width)
	aside := make([][]*item, len(chunks))
	free := make(chan struct{}, parallel)
	var running sync.WaitGroup
	for i, items := range chunks {
		if i == len(chunks)-1 { // here: most batches are of one, which need no goroutine
			aside[i] = c.carry(ctx, items, len(chunks) == 1 && len(items) == 1)
			break
		}
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			aside[i] = c.carry(ctx, items, false)
		})
	}
	running.Wait()
	return slices.Concat(aside...)
}

// chunk returns items in groups of one tenant and at most width.
func chunk(items []*item, width int) [][]*item {
	var chunks [][]*item
	filling := map[string]int{} // a tenant's last chunk
	for _, it := range items {
		at, ok := filling[it.delivery.Event.TenantID]
		if !ok || len(chunks[at]) >= width {
			at = len(chunks)
			filling[it.delivery.Event.TenantID] = at
			chunks = append(chunks, nil)
		}
		chunks[at] = append(chunks[at], it)
	}
	return chunks
}

// carry claims items, each just before the call that carries it, and takes them through all their steps. It returns those
// that it put aside: with an unfinished claim, and not in a call of their own, or with several, and not alone.
func (c *Connector[R]) carry(ctx context.Context, items []*item, alone bool) (aside []*item) {
	defer func() {
		if value := recover(); value != nil {
			c.options.Meter.Count("Panicked", 1)
			c.options.Meter.Count(telemetry.Failures, 1)
			cause := queue.Recovered(items[0].context(ctx), c.options.Logger, value)
			for _, it := range items {
				c.crashed(ctx, it, cause)
			}
		}
	}()
	var going []*item
	for _, it := range items {
		switch c.claim(ctx, it); {
		case it.claim == nil:
		case it.claim.Unfinished > 0 && len(items) > 1, it.claim.Unfinished > freeCrashes && !alone:
			it.claim.Attempt-- // it is claimed again for the try
			c.release(ctx, it, reasonAlone, false)
			aside = append(aside, it)
		default:
			going = append(going, it)
		}
	}
	for len(going) > 0 {
		going = c.round(ctx, going)
	}
	return aside
}

// round takes each item one step further and answers those that have more to do.
func (c *Connector[R]) round(ctx context.Context, items []*item) []*item {
	var steps []Step[R]
	var who, going []*item
	for _, it := range items {
		if step, ok := c.plan(ctx, it); ok {
			steps, who = append(steps, step), append(who, it)
		}
	}
	if len(steps) == 0 {
		return nil
	}
	for i, outcome := range c.attempt(ctx, who, steps) {
		if c.record(ctx, who[i], steps[i], outcome) {
			going = append(going, who[i])
		}
	}
	return going
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
	if _, repeated := it.done[step.Name]; repeated {
		c.fail(ctx, it, fault.New(fault.Permanent, CodePlan, errors.New("the plan asks again for "+step.Name)))
		return step, false
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

// attempt calls the CRM once. It answers one outcome a step whatever the CRM does.
func (c *Connector[R]) attempt(ctx context.Context, who []*item, steps []Step[R]) []Outcome {
	if len(who) == 1 {
		ctx = who[0].context(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Attempt)
	defer cancel()
	outcomes := c.crm.Do(ctx, steps)
	if len(outcomes) == len(steps) {
		return outcomes
	}
	outcomes = make([]Outcome, len(steps))
	for i := range outcomes {
		outcomes[i].Err = fault.New(fault.Retryable, CodeAnswers, nil)
	}
	return outcomes
}

// record keeps what a step learned and says whether its item goes on.
func (c *Connector[R]) record(ctx context.Context, it *item, step Step[R], outcome Outcome) bool {
	if outcome.Err != nil {
		c.fail(ctx, it, fmt.Errorf("%s: %w", step.Name, outcome.Err))
		return false
	}
	it.achieve(step.Name, outcome.Result)
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
