package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// claimAll takes the claims of chunks of items by one call, and returns the chunks of those that have one and the items that are put
// aside. The others were completed before, have failed, or their time was over. A first receive claims, too, although the queue
// gives the group to nobody else: without that write a process that is killed at its first try leaves no trace, a batch that was
// never begun looks the same, and whatever kills processes would be counted one short.
func (c *Connector[R]) claimAll(ctx context.Context, chunks [][]*item, alone bool, done *completions) (claimed [][]*item, aside []*item) {
	if ctx.Err() != nil {
		return nil, nil
	}
	var wanted []idempotency.Wanted
	for _, chunk := range chunks {
		spare := freeCrashes
		switch {
		case alone:
			spare = idempotency.MaxUnfinished
		case len(chunk) > 1:
			spare = 0
		}
		for _, it := range chunk {
			it.completions = done
			wanted = append(wanted, idempotency.Wanted{Key: it.key(), MaxUnfinished: spare})
		}
	}
	claims, errs := c.options.Claims.ClaimAll(ctx, wanted)
	n := 0
	for _, chunk := range chunks {
		var mine []*item
		for _, it := range chunk {
			claim, err := claims[n], errs[n]
			n++
			switch f := fault.Of(err); {
			case err == nil:
				it.hold(claim)
				mine = append(mine, it)
			case errors.Is(err, idempotency.ErrUnfinished):
				aside = append(aside, it)
			case errors.Is(err, idempotency.ErrCompleted):
				it.finished = true
			case f.Code == idempotency.CodeHeld:
				it.err = &queue.HeldError{For: f.Wait}
			case it.file != nil && f.Kind == fault.Permanent: // it was given up before, or brings processes down
				c.leaveAlone(it.context(ctx), it, f.Code)
			default:
				it.failed(err)
				c.count(it, f)
			}
		}
		if len(mine) > 0 {
			claimed = append(claimed, mine)
		}
	}
	return claimed, aside
}

// checkpoint reports whether what the item has achieved is written.
func (c *Connector[R]) checkpoint(ctx context.Context, it *item) bool {
	within, cancel := queue.Finishing(it.context(ctx))
	defer cancel()
	if err := c.options.Claims.Checkpoint(within, it.claim); err != nil {
		c.fail(ctx, it, err)
		return false
	}
	return true
}

// finish shows how far a message of ours got by the receipts that overtook it, unless its conversation does, and leaves the item to be
// completed. It comes after the record was written and before the claim ends: see ADR 23.
func (c *Connector[R]) finish(ctx context.Context, it *item) {
	if it.file != nil {
		if err := c.finishFile(ctx, it); err != nil {
			c.fail(ctx, it, fmt.Errorf("file: %w", err))
			return
		}
	}
	e := it.delivery.Event
	logged := slices.ContainsFunc(it.delivery.Actions, func(a delivery.Action) bool { return a.Kind == delivery.LogActivity })
	if c.receipts != nil && logged && it.delivery.Session == nil && e.Direction == canonical.Outbound {
		u := receipt.Update{TenantID: e.TenantID, CRM: it.delivery.CRM, Key: MessageKey(e), Channel: e.Channel}
		if err := c.receipts.catchUp(it.context(ctx), u); err != nil {
			c.fail(ctx, it, fmt.Errorf("status: %w", err))
			return
		}
	}
	it.ended = time.Now()
	it.completions.add(it)
}

// completions collects the items of a batch whose claims are to be completed.
type completions struct {
	mu    sync.Mutex
	due   []*item
	again []*item // they go on when the others of the batch are done
}

func (d *completions) add(it *item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.due = append(d.due, it)
}

func (d *completions) drain() []*item {
	d.mu.Lock()
	defer d.mu.Unlock()
	due := d.due
	d.due = nil
	return due
}

// drainAgain returns those that go on.
func (d *completions) drainAgain() []*item {
	d.mu.Lock()
	defer d.mu.Unlock()
	again := d.again
	d.again = nil
	return again
}

func (d *completions) addAgain(items []*item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.again = append(d.again, items...)
}

// gathering is how long an item that is to be completed waits for the others of its batch: one that hangs keeps none open.
const gathering = 500 * time.Millisecond

// completeEvery completes, from time to time, what is due while other items go on, until stop is called.
func (c *Connector[R]) completeEvery(ctx context.Context, done *completions) (stop func()) {
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-time.After(gathering):
				done.addAgain(c.settle(ctx, done.drain()))
			case <-end:
				return
			}
		}
	})
	return func() {
		close(end)
		running.Wait()
	}
}

// completeAll ends claims for good, and keeps what the CRM shows of sessions, by one call. What was learned about the person is kept afterwards: a link that is lost costs
// the next delivery a search, a link to a record that was never completed could cost more.
func (c *Connector[R]) completeAll(ctx context.Context, due []*item) {
	if len(due) == 0 {
		return
	}
	defer c.recovered(ctx, due)
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	claims := make([]*idempotency.Claim, len(due))
	for i, it := range due {
		claims[i] = it.claim
	}
	errs := c.options.Claims.CompleteAll(within, claims, marks(due)...)
	queue.SideBySide(due, func(i int, it *item) {
		defer c.recovered(ctx, due[i:i+1])
		if errs[i] != nil {
			c.fail(ctx, it, errs[i])
			return
		}
		it.claim, it.finished = nil, true
		c.delivered(ctx, it)
	})
}

// marks returns the changes that keep what the CRM shows of items' sessions.
func marks(items []*item) (changes []store.Change) {
	for _, it := range items {
		if change, ok := it.marks(); ok {
			changes = append(changes, change)
		}
	}
	return changes
}

// delivered tells of an item that is complete.
func (c *Connector[R]) delivered(ctx context.Context, it *item) {
	within, cancel := queue.Finishing(it.context(ctx))
	defer cancel()
	d := &it.delivery
	if it.file == nil {
		c.streaks.succeed(d.Event.TenantID, d.CRM)
	}
	c.tell(ctx, it)
	c.link(within, it)
}

// link keeps what the CRM learned and the router did not know. A known contact costs nothing here.
func (c *Connector[R]) link(ctx context.Context, it *item) {
	linker, ok := c.crm.(Linker)
	if !ok || c.options.Links == nil {
		return
	}
	d := &it.delivery
	links, news := linker.Links(*d, it.done), false
	for object, id := range links {
		news = news || d.Person.Links[object] != id
	}
	if !news {
		return
	}
	if err := c.options.Links.Link(ctx, d.Event.TenantID, d.Event.ThreadID, d.CRM, d.Person.Links, links); err != nil {
		c.options.Logger.WarnContext(ctx, "links were not kept", slog.String("code", fault.Of(err).Code))
	}
}

// fail keeps why an item is not done and lets go of its claim. A Permanent fault marks it dead, unless so many came in a row
// that it is the tenant's configuration.
func (c *Connector[R]) fail(ctx context.Context, it *item, err error) {
	if f := fault.Of(err); it.leaves(f) {
		c.leave(it, f.Code)
		return
	}
	if fault.Of(err).Kind == fault.Permanent && it.delivery.Event.TenantID != "" {
		err = c.blockedInStreak(ctx, it, err)
	}
	f := fault.Of(err)
	it.failed(err)
	c.count(it, f)
	if f.Kind == fault.Permanent {
		c.giveUp(ctx, it, f)
		return
	}
	c.release(ctx, it, f.Code, false)
}

// blockedInStreak turns a Permanent fault that is one of many in a row into a Blocked one.
func (c *Connector[R]) blockedInStreak(ctx context.Context, it *item, err error) error {
	within, cancel := queue.Finishing(it.context(ctx))
	defer cancel()
	code := fault.Of(err).Code
	row, storeErr := c.streaks.fail(within, it.delivery.Event.TenantID, it.delivery.CRM, code)
	if storeErr != nil {
		c.options.Logger.WarnContext(within, "permanent fault was not counted", slog.String("code", fault.Of(storeErr).Code))
	}
	if row < Streak {
		return err
	}
	return fault.New(fault.Blocked, code, err)
}

// crashed lets go of a claim that was held when the process panicked, and counts it as unfinished. What is due to be completed has
// got through.
func (c *Connector[R]) crashed(ctx context.Context, it *item, cause *fault.Error) {
	if !it.ended.IsZero() || it.claim == nil {
		return
	}
	it.failed(cause)
	c.count(it, cause)
	c.release(ctx, it, cause.Code, true)
}

// release lets the next worker claim at once.
func (c *Connector[R]) release(ctx context.Context, it *item, reason string, crashed bool) {
	c.letGo(ctx, it, func(ctx context.Context) error { return c.options.Claims.Release(ctx, it.claim, reason, crashed) })
}

// giveUp ends a claim for good. What the CRM shows of the session by then is kept all the same.
func (c *Connector[R]) giveUp(ctx context.Context, it *item, f *fault.Error) {
	if change, ok := it.marks(); ok && it.claim != nil {
		within, cancel := queue.Finishing(it.context(ctx))
		defer cancel()
		_, _ = c.options.Store.Write(within, change) // without it the next delivery writes what is written at first once more
	}
	c.letGo(ctx, it, func(ctx context.Context) error { return c.options.Claims.GiveUp(ctx, it.claim, f) })
}

// letGo writes the end of a claim. When that fails the lease ends it.
func (c *Connector[R]) letGo(ctx context.Context, it *item, write func(context.Context) error) {
	if it.claim == nil {
		return
	}
	within, cancel := queue.Finishing(it.context(ctx))
	defer cancel()
	if err := write(within); err != nil && fault.Of(err).Code != idempotency.CodeLost {
		c.options.Logger.WarnContext(within, "claim was not released", slog.String("code", fault.Of(err).Code))
	}
	it.claim = nil
}

// unwrittenAfter is how long a change of consent may be unwritten before somebody is told.
const unwrittenAfter = time.Hour

// unwritten reports whether a failure leaves a CRM without a change of consent for too long, or for good.
func unwritten(it *item, f *fault.Error) bool {
	e := it.delivery.Event
	return Asks(it.delivery, delivery.SetConsent) && (f.Kind == fault.Permanent || !e.ReceivedAt.IsZero() && time.Since(e.ReceivedAt) > unwrittenAfter)
}

// count counts a failure.
func (c *Connector[R]) count(it *item, f *fault.Error) {
	if unwritten(it, f) {
		c.options.Meter.Count("ConsentUnwritten", 1, labels(it)...)
	}
	c.options.Meter.Count("DeliveryFailed", 1, append(labels(it),
		telemetry.Label{Name: "kind", Value: f.Kind.String()}, telemetry.Label{Name: "code", Value: f.Code})...)
}

func labels(it *item) []telemetry.Label {
	return []telemetry.Label{{Name: "tenant", Value: it.delivery.Event.TenantID}, {Name: "crm", Value: it.delivery.CRM}}
}
