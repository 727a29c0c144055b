package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/telemetry"
)

// settling is how long a claim may take to be written once the message's time is over: within the worker's soft margin.
const settling = 2 * time.Second

// reasonAlone is why a claim is released by whoever found it left unfinished before.
const reasonAlone = "worked_alone"

// settled returns a context for writes that must be tried even when ctx is over: what was achieved, and the release.
func settled(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settling)
}

// claim takes an item's claim. The item has none afterwards if it was completed before, has failed, or its time
// was over. A first receive claims, too, although the queue gives the group to nobody else: without that write a process
// that is killed at its first try leaves no trace, a batch that was never begun looks the same, and whatever kills processes
// would be counted one short.
func (c *Connector[R]) claim(ctx context.Context, it *item) {
	if ctx.Err() != nil {
		return
	}
	claim, err := c.options.Claims.Claim(it.context(ctx), it.key())
	switch f := fault.Of(err); {
	case errors.Is(err, idempotency.ErrCompleted):
		it.finished = true
	case err != nil && f.Code == idempotency.CodeHeld:
		it.err = &queue.HeldError{For: f.Wait}
	case err != nil:
		it.failed(err)
		c.count(it, f)
	default:
		it.take(claim)
	}
}

// checkpoint reports whether what the item has achieved is written.
func (c *Connector[R]) checkpoint(ctx context.Context, it *item) bool {
	within, cancel := settled(it.context(ctx))
	defer cancel()
	if err := c.options.Claims.Checkpoint(within, it.claim); err != nil {
		c.fail(ctx, it, err)
		return false
	}
	return true
}

// finish shows how far a message of ours got by the receipts that overtook it, and completes. It comes after the record was
// written and before the claim ends: see ADR 23.
func (c *Connector[R]) finish(ctx context.Context, it *item) {
	e := it.delivery.Event
	logged := slices.ContainsFunc(it.delivery.Actions, func(a delivery.Action) bool { return a.Kind == delivery.LogActivity })
	if c.receipts != nil && logged && e.Direction == canonical.Outbound {
		u := receipt.Update{TenantID: e.TenantID, CRM: it.delivery.CRM, Key: MessageKey(e), Channel: e.Channel}
		if err := c.receipts.settle(it.context(ctx), u); err != nil {
			c.fail(ctx, it, fmt.Errorf("status: %w", err))
			return
		}
	}
	c.complete(ctx, it)
}

// complete ends the claim for good. What was learned about the person is kept afterwards: a link that is lost costs the next
// delivery a search, a link to a record that was never completed could cost more.
func (c *Connector[R]) complete(ctx context.Context, it *item) {
	within, cancel := settled(it.context(ctx))
	defer cancel()
	if err := c.options.Claims.Complete(within, it.claim); err != nil {
		c.fail(ctx, it, err)
		return
	}
	it.claim, it.finished = nil, true
	d := &it.delivery
	c.streaks.succeed(d.Event.TenantID, d.CRM)
	labels := labels(it)
	c.options.Meter.Count("Delivered", 1, labels...)
	if !d.Event.ReceivedAt.IsZero() {
		c.options.Meter.Duration("EventToCRM", time.Since(d.Event.ReceivedAt), labels...)
	}
	c.options.Logger.InfoContext(within, "delivered", slog.String("tenant", d.Event.TenantID), slog.String("crm", d.CRM))
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
	if err := c.options.Links.Link(ctx, d.Event.TenantID, d.Event.ThreadID, d.CRM, links); err != nil {
		c.options.Logger.WarnContext(ctx, "links were not kept", slog.String("code", fault.Of(err).Code))
	}
}

// fail keeps why an item is not done and lets go of its claim. A Permanent fault marks it dead, unless so many came in a row
// that it is the tenant's configuration.
func (c *Connector[R]) fail(ctx context.Context, it *item, err error) {
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
	within, cancel := settled(it.context(ctx))
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

// crashed lets go of a claim that was held when the process panicked, and counts it as unfinished.
func (c *Connector[R]) crashed(ctx context.Context, it *item, cause *fault.Error) {
	if it.claim == nil {
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

func (c *Connector[R]) giveUp(ctx context.Context, it *item, f *fault.Error) {
	c.letGo(ctx, it, func(ctx context.Context) error { return c.options.Claims.GiveUp(ctx, it.claim, f) })
}

// letGo writes the end of a claim. When that fails the lease ends it.
func (c *Connector[R]) letGo(ctx context.Context, it *item, write func(context.Context) error) {
	if it.claim == nil {
		return
	}
	within, cancel := settled(it.context(ctx))
	defer cancel()
	if err := write(within); err != nil && fault.Of(err).Code != idempotency.CodeLost {
		c.options.Logger.WarnContext(within, "claim was not released", slog.String("code", fault.Of(err).Code))
	}
	it.claim = nil
}

// count counts a failure.
func (c *Connector[R]) count(it *item, f *fault.Error) {
	c.options.Meter.Count("DeliveryFailed", 1, append(labels(it),
		telemetry.Label{Name: "kind", Value: f.Kind.String()}, telemetry.Label{Name: "code", Value: f.Code})...)
}

func labels(it *item) []telemetry.Label {
	return []telemetry.Label{{Name: "tenant", Value: it.delivery.Event.TenantID}, {Name: "crm", Value: it.delivery.CRM}}
}
