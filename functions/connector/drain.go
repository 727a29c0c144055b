package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// GateStore is what a Drain needs of a store.
type GateStore interface {
	Store
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
}

// DrainOptions are what a Drain works with. All are required.
type DrainOptions struct {
	Kind   string // of the CRM
	CRM    any    // asked for advice, if it is an Adviser
	Store  GateStore
	Worker *queue.Worker // as that of the CRM's queue: its handler opens and delivers, its dead letters are put back into that queue
	Logger *slog.Logger
	Meter  *telemetry.Meter
}

// Drain delivers what is parked behind closed gates, the oldest first, and opens a gate once nothing is parked behind it. One process at a
// time drains a tenant's CRM. It begins with a few threads: if none of them gets through the rest is left for a later run. It is
// safe for concurrent use.
type Drain struct{ options DrainOptions }

// NewDrain returns a Drain.
func NewDrain(o DrainOptions) *Drain { return &Drain{o} }

// Gate is how the gates of a tenant's CRM stand.
type Gate struct {
	Tenant    string    `json:"tenant"`
	CRM       string    `json:"crm"`
	Closed    bool      `json:"closed"`
	Kind      string    `json:"kind,omitempty"`
	Code      string    `json:"code,omitempty"`
	Advice    string    `json:"advice,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Probe     time.Time `json:"probe,omitzero"` // when the CRM is tried again
	Parked    int64     `json:"parked"`
	Oldest    time.Time `json:"oldest,omitzero"` // when the oldest that is parked was sent
	Delivered int       `json:"delivered"`       // of what was parked, since the gates closed
	Busy      bool      `json:"busy,omitempty"`  // another process drains
}

// DrainRequest is what the function that drains is invoked with. A schedule's own members are none of it.
type DrainRequest struct {
	Action string `json:"action"` // ActionDrain, which "" stands for
	Tenant string `json:"tenant"` // whose gates are drained now, due or not; "" drains what is due
	CRM    string `json:"crm"`    // the binding's name; "" with a Tenant stands for all of them
}

// ActionDrain is the action of a DrainRequest.
const ActionDrain = "drain"

// DrainResult is how the gates stand that were closed.
type DrainResult struct {
	Problem string `json:"problem,omitempty"` // with the request; nothing was done then
	Gates   []Gate `json:"gates"`
}

// Handle drains what a request names.
func (d *Drain) Handle(ctx context.Context, r DrainRequest) (result DrainResult, err error) {
	switch {
	case r.Action != "" && r.Action != ActionDrain:
		return RefuseDrain("action is none that this function knows: leave it out, or say " + ActionDrain), nil
	case r.Tenant == "" && r.CRM != "":
		return RefuseDrain("crm without a tenant: name the tenant, too"), nil
	case r.Tenant == "":
		result.Gates, err = d.Run(ctx)
	default:
		result.Gates, err = d.Ring(ctx, r.Tenant, r.CRM)
	}
	return result, err
}

// RefuseDrain returns the result of a request that cannot be served.
func RefuseDrain(problem string) DrainResult { return DrainResult{Problem: problem} }

// Run drains whatever is due, and returns how the gates stand that were closed when it began. What is left waits for the next run.
func (d *Drain) Run(ctx context.Context) ([]Gate, error) {
	return d.drainAll(ctx, "", false)
}

// Ring drains what is parked for a tenant's CRM, or all of them with "" for its name, due or not, and returns how the gates stand that were
// closed. It is for whoever mended what closed them.
func (d *Drain) Ring(ctx context.Context, tenant, crm string) ([]Gate, error) {
	return d.drainAll(ctx, tenant+"/"+crm, true)
}

// drainAll drains the gates that records tell of whose key begins with prefix, side by side. One that does not end with a slash is a whole key.
func (d *Drain) drainAll(ctx context.Context, prefix string, rung bool) ([]Gate, error) {
	var all []store.Record
	for page, err := range store.Pages(ctx, d.options.Store, store.Range{Partition: closedPartition(d.options.Kind), Prefix: prefix}) {
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if prefix == "" || r.Sort == prefix || strings.HasSuffix(prefix, "/") {
				all = append(all, r)
			}
		}
	}
	gates, errs := make([]Gate, len(all)), make([]error, len(all))
	queue.SideBySide(all, func(i int, r store.Record) { gates[i], errs[i] = d.drain(ctx, r, rung) })
	return gates, errors.Join(errs...)
}

// drain drains the gates that a record tells of, if they are due or it is rung for.
func (d *Drain) drain(ctx context.Context, r store.Record, rung bool) (g Gate, err error) {
	defer func() {
		if value := recover(); value != nil { // of one tenant: the others go on
			err = queue.Recovered(ctx, d.options.Logger, d.options.Meter, value)
		}
	}()
	run := &draining{Drain: d, record: r, skip: map[string]bool{}}
	if run.of, run.closure, err = readClosure(r); err != nil {
		return Gate{}, err
	}
	now := time.Now()
	if busy := now.Before(run.closure.End); busy || !rung && now.Before(run.closure.Probe) {
		g, err = run.stands(ctx)
		g.Busy = busy
		run.tell(g)
		return g, err
	}
	if taken, err := run.take(ctx); err != nil || !taken {
		return Gate{Tenant: run.of.Tenant, CRM: run.of.CRM, Closed: true, Busy: err == nil}, err
	}
	err = run.work(ctx)
	if left := run.leave(ctx); err == nil {
		err = left
	}
	g, failed := run.stands(ctx)
	run.tell(g)
	return g, errors.Join(err, failed)
}

// afterDeadline is how long a lease goes on after the latest end of whoever holds it.
const afterDeadline = 5 * time.Second

// take takes the lease. Taken is false if another process has it.
func (r *draining) take(ctx context.Context) (taken bool, err error) {
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(time.Minute)
	}
	r.closure.Owner, r.closure.End = rand.Text(), end.Add(afterDeadline).UTC()
	return r.write(ctx)
}

// leave ends the lease, if any gate is still closed.
func (r *draining) leave(ctx context.Context) error {
	if r.opened {
		return nil
	}
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	r.closure.Owner, r.closure.End = "", time.Time{}
	_, err := r.write(within)
	return err
}

// write writes what is known of the gates. Written is false if somebody else wrote.
func (r *draining) write(ctx context.Context) (written bool, err error) {
	change, err := r.closure.change(r.record.Key, r.record.Version)
	if err != nil {
		return false, err
	}
	now, err := r.options.Store.Write(ctx, change)
	if _, lost := conflictOf(err); lost {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.record = now[0]
	return true, nil
}

// stands returns how the gates stand.
func (r *draining) stands(ctx context.Context) (Gate, error) {
	if r.opened {
		return Gate{Tenant: r.of.Tenant, CRM: r.of.CRM, Delivered: r.closure.Delivered}, nil
	}
	g := r.closure.gate(r.of)
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	held, err := r.options.Store.Get(within, gateKeys(r.of)...)
	if err != nil {
		return g, err
	}
	for _, gate := range held {
		g.Parked += gate.Number
		if gate.Number == 0 {
			continue
		}
		page, _, err := r.options.Store.List(within, store.Range{Partition: parkedPartition(r.of, gate.Sort), Limit: 1, Stale: true})
		if err != nil {
			return g, err
		}
		for _, first := range page {
			if p, err := readParked(first); err == nil && (g.Oldest.IsZero() || p.First.Before(g.Oldest)) {
				g.Oldest = p.First
			}
		}
	}
	return g, nil
}

// tell counts what is parked behind a closed gate: what alarms and boards watch.
func (r *draining) tell(g Gate) {
	if !g.Closed {
		return
	}
	labels := []telemetry.Label{{Name: "tenant", Value: g.Tenant}, {Name: "crm", Value: g.CRM}, {Name: "code", Value: g.Code}}
	r.options.Meter.Count("GateClosed", 1, labels...)
	r.options.Meter.Count("Parked", int(g.Parked), labels...)
	if !g.Oldest.IsZero() {
		r.options.Meter.Duration("ParkedAge", time.Since(g.Oldest), labels...)
	}
}

// left reports whether there is time for another batch: enough for calls that take their time.
func (r *draining) left(ctx context.Context) bool {
	return !redrive.OutOfTime(ctx, r.options.Worker.SoftMargin+beginBefore)
}

// beginBefore is how long before the end of a run its last batch begins.
const beginBefore = 5 * time.Second
