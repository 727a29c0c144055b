package connector

import (
	"context"
	"log/slog"
	"time"

	"signalbox/shared/fault"
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
		case s.waits:
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

// open opens a gate unless something was parked behind it since the pass began. The last one takes what is known of all with it.
func (r *draining) open(ctx context.Context, s *shard) (opened bool, err error) {
	var rest []store.Change
	last := true
	for _, other := range r.shards {
		if other == s {
			continue
		}
		last = last && other.gate.Version == 0
		rest = append(rest, store.Change{Kind: store.Check, Record: store.Record{Key: other.gate.Key}})
	}
	rest = append(rest, store.Change{Kind: store.Delete, Record: store.Record{Key: r.record.Key, Version: r.record.Version}})
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	err = insist(within, func(ctx context.Context) error {
		changes := []store.Change{{Kind: store.Delete, Record: store.Record{Key: s.gate.Key, Version: s.gate.Version}}}
		if last {
			changes = append(changes, rest...)
		}
		_, err := r.options.Store.Write(ctx, changes...)
		conflict, lost := conflictOf(err)
		switch {
		case !lost:
			opened = err == nil
			return err
		case conflict.Index == 0:
			opened = conflict.Held.Version == 0 // by a write whose reply was lost
			return nil
		default: // others were closed again: they need what is known of them
			last = false
			return fault.New(fault.Retryable, codeContended, nil)
		}
	})
	if err != nil || !opened {
		return false, err
	}
	s.gate = store.Record{Key: s.gate.Key}
	if r.opened = last; last {
		r.options.Logger.InfoContext(ctx, "gate opened", slog.String("tenant", r.of.Tenant), slog.String("crm", r.of.CRM),
			slog.Duration("closed", time.Since(r.closure.Since)), slog.Int("delivered", r.closure.Delivered))
	}
	return true, nil
}
