package connector

import (
	"context"
	"log/slog"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// openAll opens the gates behind which the pass that is over found nothing, and begins another pass where something was delivered or came
// meanwhile. More is false if nothing is left to do in this run.
func (r *draining) openAll(ctx context.Context) (more bool, err error) {
	var again []*shard
	for _, s := range r.shards {
		switch {
		case s.ended:
		case s.waits, s.seen && r.collects():
			s.ended = true
		case s.seen:
			again = append(again, s)
		default:
			opened, err := r.open(ctx, s)
			if err != nil {
				return false, err
			}
			if s.ended = opened; !opened {
				again = append(again, s)
			}
		}
	}
	if len(again) == 0 {
		return false, nil
	}
	keys := make([]store.Key, len(again))
	for i, s := range again {
		keys[i] = s.gate.Key
	}
	held, err := r.options.Store.Get(ctx, keys...) // before the pass: whoever parks after it raises the version
	for i := range held {
		again[i].gate = held[i]
		again[i].restart()
	}
	return true, err
}

// open opens a gate unless something was parked behind it since the pass began.
func (r *draining) open(ctx context.Context, s *shard) (opened bool, err error) {
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	err = insist(within, func(ctx context.Context) error {
		_, err := r.options.Store.Write(ctx, store.Change{Kind: store.Delete, Record: store.Record{Key: s.count, Version: s.gate.Version}})
		conflict, lost := conflictOf(err)
		if opened = err == nil || lost && conflict.Held.Version == 0; lost { // of its own, by a write whose reply was lost
			return nil
		}
		return err
	})
	if opened {
		s.gate = store.Record{Key: s.count}
	}
	return opened, err
}

// finish removes what is known of closed gates if all are open and nothing is left to be shown. More is true if receipts told something since
// the pass over what they told began.
func (r *draining) finish(ctx context.Context) (more bool, err error) {
	s := r.shards[0]
	switch {
	case s.waits, s.seen && r.collects():
		return false, nil
	case s.gate.Version == 0 || s.seen: // before the pass: who tells something after it raises the version
		mine, err := r.again(ctx)
		s.restart()
		s.gate = r.record
		return mine, err
	}
	changes := []store.Change{{Kind: store.Delete, Record: store.Record{Key: r.record.Key, Version: s.gate.Version}}}
	for _, key := range gateKeys(r.of) {
		changes = append(changes, store.Change{Kind: store.Check, Record: store.Record{Key: key}})
	}
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	err = insist(within, func(ctx context.Context) error {
		_, err := r.options.Store.Write(ctx, changes...)
		conflict, lost := conflictOf(err)
		switch {
		case !lost:
			r.opened = err == nil
			return err
		case conflict.Index > 0: // a gate is closed
			return nil
		}
		r.opened, more = conflict.Held.Version == 0, conflict.Held.Version != 0
		return nil
	})
	if more {
		s.gate.Version = 0
	}
	if r.opened {
		r.options.Logger.InfoContext(ctx, "gate opened", slog.String("tenant", r.of.Tenant), slog.String("crm", r.of.CRM),
			slog.Duration("closed", time.Since(r.closure.Since)), slog.Int("delivered", r.closure.Delivered))
	}
	return more, err
}
