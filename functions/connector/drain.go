package connector

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"

	"signalbox/shared/connect"
	"signalbox/shared/fault"
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

// DrainOptions are what a Drain works with. All are required but Tenants, Receipts and JobFrom.
type DrainOptions struct {
	Kind  string // of the CRM
	CRM   any    // asked for advice, if it is an Adviser
	Store GateStore
	// Tenants are those that CRM knows, whose files say what is collected, too: what was mended a moment ago is what the CRM is tried with. Nil: nothing is
	// collected.
	Tenants Directory
	// Connect is what ConnectHandler returns.
	Connect func(ctx context.Context, r connect.Request) (connect.Result, error)
	Worker  *queue.Worker // as that of the CRM's queue: its handler opens and delivers, its dead letters are put back into that queue
	// Receipts is as that of the CRM's receipts queue; nil for a CRM that shows none.
	Receipts *queue.Worker
	// JobFrom is how many messages of a history have to be parked for a job to write them, of a CRM that is Jobs; 0: none does.
	JobFrom int
	Probe   time.Duration // the longest time between two tries, as of Gates
	Lease   time.Duration // of whoever delivers what is parked, who renews it: as long as a claim, for what a dead one claimed waits for that, too
	Logger  *slog.Logger
	Meter   *telemetry.Meter
}

// Drain delivers what is parked behind closed gates, the oldest first, and opens a gate once nothing is parked behind it. One process at a
// time drains a tenant's CRM. It begins with a few threads: if none of them gets through the rest is left for a later run. It is
// safe for concurrent use.
type Drain struct {
	options DrainOptions
	room    chan struct{} // had by a run that holds the rows of a job
}

// NewDrain returns a Drain.
func NewDrain(o DrainOptions) *Drain { return &Drain{o, make(chan struct{}, jobsAtOnce)} }

// Handle carries out a request, an event of a schedule being one to drain what is due. What is connected without a lack is drained at once.
func (d *Drain) Handle(ctx context.Context, r connect.Request) (result connect.Result, err error) {
	switch {
	case r.Action == connect.Connect || r.Action == connect.Check:
		result, err = d.options.Connect(ctx, r)
		for _, report := range result.Reports {
			if r.Action == connect.Check || report.Lacks() || report.After != "" {
				continue
			}
			gates, failed := d.Ring(ctx, report.Tenant, report.CRM)
			result.Gates, err = append(result.Gates, gates...), errors.Join(err, failed)
		}
	case r.Action != "" && r.Action != connect.Drain:
		return connect.Refuse("action is none that this function knows: drain, connect or check"), nil
	case r.Tenant == "" && r.CRM != "":
		return connect.Refuse("crm without a tenant: name the tenant, too"), nil
	case r.Tenant == "":
		result.Gates, err = d.Run(ctx)
	default:
		if result.Gates, err = d.Ring(ctx, r.Tenant, r.CRM); len(result.Gates) > 0 || err != nil || d.options.Tenants == nil {
			break
		}
		if _, problem, err := named(ctx, d.options.Tenants, r); err == nil && problem != "" {
			return connect.Refuse(problem), nil
		}
	}
	return result, err
}

// Run drains whatever is due, and returns how the gates stand that were closed when it began. What is left waits for the next run.
func (d *Drain) Run(ctx context.Context) ([]connect.Gate, error) {
	return d.drainAll(ctx, "", false)
}

// Ring drains what is parked for a tenant's CRM, or all of them with "" for its name, due or not, and returns how the gates stand that were
// closed. It is for whoever mended what closed them.
func (d *Drain) Ring(ctx context.Context, tenant, crm string) ([]connect.Gate, error) {
	return d.drainAll(ctx, tenant+"/"+crm, true)
}

// drainsAtOnce is how many tenants' CRMs are drained at the same time: each holds what it reads in memory, of a shard a page of a megabyte beside
// parkedBytes at most. Of those jobsAtOnce may hold the rows of a job, too.
const (
	drainsAtOnce = 16
	jobsAtOnce   = 2
)

// drainAll drains the gates that records tell of whose key begins with prefix, side by side. One that does not end with a slash is a whole key.
func (d *Drain) drainAll(ctx context.Context, prefix string, rung bool) ([]connect.Gate, error) {
	var all []store.Record
	for page, err := range store.Pages(ctx, d.options.Store, store.Range{Partition: closedPartition(d.options.Kind), Prefix: prefix}) {
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if prefix == "" || r.Sort == prefix || r.Sort == prefix+historyLane || strings.HasSuffix(prefix, "/") {
				all = append(all, r)
			}
		}
	}
	gates, errs := make([]connect.Gate, len(all)), make([]error, len(all))
	free := make(chan struct{}, drainsAtOnce)
	queue.SideBySide(all, func(i int, r store.Record) {
		free <- struct{}{}
		defer func() { <-free }()
		gates[i], errs[i] = d.drain(ctx, r, rung)
	})
	return gates, errors.Join(errs...)
}

// drain drains the gates that a record tells of, if they are due or it is rung for.
func (d *Drain) drain(ctx context.Context, r store.Record, rung bool) (g connect.Gate, err error) {
	defer func() {
		if value := recover(); value != nil { // of one tenant: the others go on
			err = queue.Recovered(ctx, d.options.Logger, d.options.Meter, value)
		}
	}()
	run := &draining{Drain: d, owner: rand.Text(), record: r}
	if run.of, run.closure, err = readClosure(r); err != nil {
		return connect.Gate{}, err
	}
	run.renew(ctx)
	yields, err := run.yields(ctx)
	if err != nil {
		return connect.Gate{}, err
	}
	if !rung {
		if rung, err = run.collectsNoMore(ctx); err != nil {
			return connect.Gate{}, err
		}
	}
	taken, busy := false, false
	if !yields {
		taken, busy, err = run.take(ctx, rung)
	}
	if err != nil {
		return run.closure.gate(run.of), err
	}
	if !taken {
		g, err = run.state(ctx)
		g.Busy = busy
		run.tell(g)
		return g, err
	}
	err = run.work(ctx)
	if left := run.leave(ctx); err == nil {
		err = left
	}
	g, failed := run.state(ctx)
	run.tell(g)
	return g, errors.Join(err, failed)
}

// renew reads the tenant's configuration again: what was mended a moment ago is what the CRM is tried with.
func (r *draining) renew(ctx context.Context) {
	if r.options.Tenants == nil {
		return
	}
	if _, err := r.options.Tenants.Renew(ctx, r.of.Tenant); err != nil { // then it is tried with what was read before
		r.options.Logger.WarnContext(ctx, "the tenant's configuration was not read again", slog.String("tenant", r.of.Tenant), slog.String("code", fault.Of(err).Code))
	}
	r.tiers = tiersOf(ctx, r.options.Tenants, r.of)
}

// afterDeadline is how long a lease goes on after the latest end of whoever holds it.
const afterDeadline = 5 * time.Second

// whole returns the end of a lease for all of a run.
func whole(ctx context.Context) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(time.Minute)
	}
	return end.Add(afterDeadline).UTC()
}

// lease returns the end of a lease that begins now. That of a history is for all of the run: nobody waits for it, and a job takes its time.
func (r *draining) lease(ctx context.Context) time.Time {
	if _, history := liveOf(r.of); history {
		return whole(ctx)
	}
	return time.Now().Add(r.options.Lease).UTC()
}

// renews renews a lease of which half is over, while deliveries are worked on. It reports whether this process has it.
func (r *draining) renews(ctx context.Context) (mine bool, err error) {
	end := r.lease(ctx)
	if r.worker != r.options.Worker || end.Sub(r.closure.End) < r.options.Lease/2 {
		return true, nil
	}
	return r.hold(ctx, r.owner, end)
}

// hold writes who has the lease, and until when. It reports false if another process took it meanwhile.
func (r *draining) hold(ctx context.Context, owner string, end time.Time) (mine bool, err error) {
	for mine = true; mine && err == nil; mine, err = r.again(ctx) {
		r.closure.Owner, r.closure.End = owner, end
		if written, err := r.write(ctx); written || err != nil {
			return written, err
		}
	}
	return mine, err
}

// take takes the lease of what is due or rung for. Busy is true if another process has it.
func (r *draining) take(ctx context.Context, rung bool) (taken, busy bool, err error) {
	err = insist(ctx, func(ctx context.Context) error {
		now := time.Now()
		if busy = r.closure.Owner != r.owner && now.Before(r.closure.End); busy || r.opened || !rung && now.Before(r.closure.Probe) {
			return nil
		}
		r.closure.Owner, r.closure.End = r.owner, r.lease(ctx)
		if taken, err = r.write(ctx); err != nil || taken {
			return err
		}
		held, err := r.options.Store.Get(ctx, r.record.Key)
		if err != nil {
			return err
		}
		if r.record, r.opened = held[0], held[0].Version == 0; r.opened {
			return nil
		}
		if _, r.closure, err = readClosure(r.record); err == nil { // one receipt more waits, or another process was first
			err = fault.New(fault.Retryable, codeContended, nil)
		}
		return err
	})
	return taken, busy, err
}

// leave ends the lease, if any gate is still closed.
func (r *draining) leave(ctx context.Context) error {
	if r.opened {
		return nil
	}
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	_, err := r.hold(within, "", time.Time{})
	return err
}

// write writes what is known of the gates. Written is false if somebody else wrote.
func (r *draining) write(ctx context.Context) (written bool, err error) {
	change, err := r.closure.change(r.record)
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

// again reads what others wrote of the gates: how many receipts wait, and why a gate was closed again meanwhile. It reports whether this process still
// has the lease.
func (r *draining) again(ctx context.Context) (mine bool, err error) {
	held, err := r.options.Store.Get(ctx, r.record.Key)
	if err != nil || held[0].Version == 0 {
		return false, err
	}
	_, now, err := readClosure(held[0])
	if err != nil || now.Owner != r.owner {
		return false, err
	}
	if r.record = held[0]; !now.Since.Equal(r.closure.Since) {
		r.closure = now
	}
	return true, nil
}

// state returns how the gates stand.
func (r *draining) state(ctx context.Context) (connect.Gate, error) {
	if r.opened {
		g := closure{Kind: r.closure.Kind}.gate(r.of)
		g.Kind, g.Closed, g.Delivered = "", false, r.closure.Delivered
		return g, nil
	}
	g := r.closure.gate(r.of)
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	g.Receipts = r.record.Number
	held, err := r.options.Store.Get(within, gateKeys(r.of)...)
	if err != nil {
		return g, err
	}
	for _, gate := range held {
		g.Parked += behind(gate)
		if behind(gate) == 0 {
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
func (r *draining) tell(g connect.Gate) {
	if !g.Closed {
		return
	}
	labels := []telemetry.Label{{Name: "tenant", Value: g.Tenant}, {Name: "crm", Value: g.CRM}, {Name: "code", Value: cmp.Or(g.Code, g.Tier)}}
	if g.Code != "" {
		r.options.Meter.Count("GateClosed", 1, labels...)
	}
	r.options.Meter.Count("Parked", int(g.Parked), labels...)
	r.options.Meter.Count("ParkedReceipts", int(g.Receipts), labels...)
	if !g.Oldest.IsZero() {
		r.options.Meter.Duration("ParkedAge", time.Since(g.Oldest), labels...)
	}
}

// left reports whether there is time for another batch: enough for calls that take their time.
func (r *draining) left(ctx context.Context) bool {
	before := beginBefore
	if r.rows.gathers() {
		before += jobReserve
	}
	return !r.rows.full() && !redrive.OutOfTime(ctx, r.options.Worker.SoftMargin+before)
}

// beginBefore is how long before the end of a run its last batch begins.
const beginBefore = 5 * time.Second
