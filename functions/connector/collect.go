package connector

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// kindBatch is the kind of a closure that no fault made: what a tenant's file wants to be written by the hour is collected behind the same
// gates as what waits for a CRM.
const kindBatch = "batch"

// historyLane is what the name of a CRM has behind it that stands for what is of a history: gates, a lease, and a drain of its own, which delivers it beside
// what is live. No name of a CRM has a slash.
const historyLane = "/bulk"

// historyOf returns the lane of what is of a history.
func historyOf(of BindingKey) BindingKey { return BindingKey{of.Tenant, of.CRM + historyLane} }

// liveOf returns the CRM of a lane, and whether it is that of what is of a history.
func liveOf(of BindingKey) (live BindingKey, history bool) {
	live = of
	live.CRM, history = strings.CutSuffix(of.CRM, historyLane)
	return live, history
}

// await makes a closure one that waits for the hour, or what is of a history for nothing but the drain.
func (c *closure) await(of BindingKey) {
	c.Kind, c.Code, c.Advice, c.Tries, c.Answers = kindBatch, "", "", 0, time.Time{}
	c.Probe = time.Now().UTC()
	if _, history := liveOf(of); !history {
		c.Probe = c.Probe.Truncate(time.Hour).Add(time.Hour)
	}
}

// tiersOf returns when a tenant's CRM is told of what. Where that is not known, everything is live: nothing but its order is of consequence to
// a message, and that is the gates'.
func tiersOf(ctx context.Context, in Tenants, of BindingKey) tenant.Tiers {
	crm, _ := tenantOf(ctx, in, of).CRM(of.CRM)
	return crm.Tiers
}

// collect closes the open gates of those CRMs that are told of messages by the hour, and of what is of a history.
func (g *Gates) collect(ctx context.Context, closed map[place]store.Record) error {
	for _, at := range slices.Collect(maps.Keys(closed)) {
		if _, history := liveOf(at.BindingKey); holds(closed[at], "") || !history && !tiersOf(ctx, g.options.Tenants, at.BindingKey).CollectsMessages() {
			continue
		}
		if err := g.shut(ctx, at.BindingKey, nil, gateKeys(at.BindingKey)); err != nil {
			return err
		}
		closed[at] = store.Record{Version: 1}
	}
	return nil
}

// collectReceipts has the receipts wait of those CRMs that are told of them by the hour.
func (g *Gates) collectReceipts(ctx context.Context, waiting map[BindingKey]bool) error {
	for of, waits := range waiting {
		if waits || !tiersOf(ctx, g.options.Tenants, of).CollectsReceipts() {
			continue
		}
		if err := g.shut(ctx, of, nil, nil); err != nil {
			return err
		}
		waiting[of] = true
	}
	return nil
}

// collectsNoMore reports whether what is collected is not to be any more, for the tenant's file says so.
func (r *draining) collectsNoMore(ctx context.Context) (bool, error) {
	if r.closure.Kind != kindBatch || r.tiers.CollectsMessages() {
		return false, nil
	}
	if r.record.Number > 0 && !r.tiers.CollectsReceipts() {
		return true, nil
	}
	held, err := r.options.Store.Get(ctx, gateKeys(r.of)...)
	return slices.ContainsFunc(held, func(gate store.Record) bool { return gate.Version > 0 }), err
}

// yields reports whether what is of a history waits for what is live, behind whose gates something is parked because the CRM takes nothing.
func (r *draining) yields(ctx context.Context) (bool, error) {
	live, history := liveOf(r.of)
	if !history {
		return false, nil
	}
	held, err := r.options.Store.Get(ctx, closedKey(r.options.Kind, live))
	if err != nil || held[0].Version == 0 {
		return false, err
	}
	_, c, err := readClosure(held[0])
	return c.Kind != kindBatch, err
}

// collects reports whether what is worked on now is collected: what comes during a pass is for the next hour.
func (r *draining) collects() bool {
	if r.worker == r.options.Worker {
		return r.tiers.CollectsMessages()
	}
	return r.tiers.CollectsReceipts()
}

// untilTheHour puts the next try off until the hour, once all passes are over: of messages that are live none may be left.
func (r *draining) untilTheHour(messagesLeft bool) {
	if !r.opened && (r.tiers.CollectsMessages() || r.tiers.CollectsReceipts() && !messagesLeft) {
		r.closure.await(r.of)
	}
}
