package connector

import (
	"context"
	"errors"
	"slices"

	"signalbox/shared/connect"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// GateReader is what reading gates needs of a store.
type GateReader interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
}

// ClosedGates returns how the gates of CRMs of a kind stand that are closed, by tenant and name. How old what is parked is it leaves out: that
// is read from what is parked. A record that cannot be read is an error beside the others.
func ClosedGates(ctx context.Context, s GateReader, kind string) (gates []connect.Gate, err error) {
	var unread []error
	var keys []store.Key
	for page, err := range store.Pages(ctx, s, store.Range{Partition: closedPartition(kind), Stale: true}) {
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			of, c, err := readClosure(r)
			if err != nil {
				unread = append(unread, err)
				continue
			}
			g := c.gate(of)
			g.Receipts = r.Number
			gates, keys = append(gates, g), append(keys, gateKeys(of)...)
		}
	}
	n := 0
	for chunk := range slices.Chunk(keys, store.MaxGet) { // which the shards of a binding divide
		held, err := s.Get(ctx, chunk...)
		if err != nil {
			return nil, err
		}
		for _, shard := range held {
			gates[n/gateShards].Parked += behind(shard)
			n++
		}
	}
	return gates, errors.Join(unread...)
}

// gate returns how closed gates stand, but for what is parked behind them.
func (c closure) gate(of BindingKey) connect.Gate {
	live, history := liveOf(of)
	g := connect.Gate{
		Tenant: live.Tenant, CRM: live.CRM, Closed: true, Kind: c.Kind, Code: c.Code, Advice: c.Advice, Since: c.Since, Probe: c.Probe, Delivered: c.Delivered, Job: c.Job.progress(),
	}
	switch {
	case history:
		g.Tier = string(tenant.Bulk)
	case c.Kind == kindBatch:
		g.Tier = string(tenant.Batch)
	}
	if c.Kind == kindBatch {
		g.Kind = ""
	}
	return g
}
