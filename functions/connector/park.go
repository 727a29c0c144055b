package connector

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// parkTogether is how many messages are parked by one write: of the largest, within what one holds.
const parkTogether = 12

// parkAll parks heads in their places, side by side. It sets the errors of those that it was asked for: nil for what is parked. What is not,
// for its gate was opened meanwhile or the store failed, waits in the queue.
func (g *Gates) parkAll(ctx context.Context, heads []queue.Received, closed map[place]store.Record, waiting map[place][]int, errs []error) {
	type work struct {
		place
		at []int
	}
	var all []work
	for p, at := range waiting {
		all = append(all, work{p, at})
	}
	queue.SideBySide(all, func(_ int, w work) {
		within, cancel := queue.Finishing(ctx)
		defer cancel()
		parked := 0
		for at := range slices.Chunk(w.at, parkTogether) {
			n, err := g.park(within, w.place, closed[w.place], heads, at)
			parked += n
			for _, i := range at[n:] {
				if errs[i] == nil {
					errs[i] = err
				}
			}
			for _, i := range at[:n] {
				errs[i] = nil
			}
		}
		if parked > 0 {
			g.options.Logger.InfoContext(ctx, "deliveries parked", slog.String("tenant", w.Tenant), slog.String("crm", w.CRM),
				slog.String("shard", w.shard), slog.Int("messages", parked))
		}
	})
}

// park parks the heads at in one place, by one write with their count, and returns how many it did: all or, with an error, none. One that is
// parked already is not counted again. None is parked behind a gate that has opened to some threads since it was read.
func (g *Gates) park(ctx context.Context, p place, gate store.Record, heads []queue.Received, at []int) (int, error) {
	var changes []store.Change
	for _, i := range at {
		change, err := parkedChange(p, heads[i])
		if err != nil {
			return 0, err
		}
		changes = append(changes, change)
	}
	opened := false // what was parked is delivered, and this may be
	err := insist(ctx, func(ctx context.Context) error {
		for len(changes) > 0 {
			count := store.Change{Kind: store.Add, Bound: gate.Number | mostBehind, Record: store.Record{Key: gateKey(p.BindingKey, p.shard), Number: int64(len(changes))}}
			_, err := g.options.Store.Write(ctx, append([]store.Change{count}, changes...)...)
			conflict, lost := conflictOf(err)
			switch {
			case !lost:
				return err
			case conflict.Index == 0:
				opened = true
				return nil
			default: // received once more
				changes = slices.Delete(changes, conflict.Index-1, conflict.Index)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case opened:
		return 0, queue.ErrNotStarted
	}
	return len(at), nil
}

func parkedChange(p place, head queue.Received) (store.Change, error) {
	data, err := json.Marshal(parked{
		ID: head.ID, Group: head.Group, Sequence: head.Sequence, Trace: head.Trace, Attempt: head.Attempt, First: head.FirstSent.UTC(), Body: string(head.Body),
	})
	if err != nil {
		return store.Change{}, fault.New(fault.Permanent, codeMalformed, nil)
	}
	return store.Change{Record: store.Record{Key: parkedKey(p.BindingKey, p.shard, head.Sequence, head.ID), Data: data}}, nil
}
