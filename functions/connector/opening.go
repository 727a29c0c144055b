package connector

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// Of the time in which a gate opens.
const (
	opensAfter    = 10 * time.Second // a pass as short, so that the next, over what was parked meanwhile, is shorter: a call may take as long
	opensFor      = 15 * time.Second // how long it takes at most: from then on what is received is parked again
	opensWait     = time.Second      // how long what is received waits in the queue until it is received again
	announceTries = 5
)

// closedGate is what the record of a gate holds.
type closedGate struct {
	Opening time.Time `json:"opening,omitzero"`  // until then what is received is not parked: it waits in the queue
	Threads []string  `json:"threads,omitempty"` // to which alone it is closed; none: to all

	Unknown unknown.Members `json:"-"`
}

// mostThreads is how many threads alone a gate is closed to, at most: of more it stays closed to all.
const mostThreads = 50

// mostBehind is how many are parked behind a gate, at most. The rest of its Number is since when it is closed to some threads alone, in seconds: whoever
// read it before, and parks what it may let through by now, exceeds the bound of its Add. An Add knows no other condition but that the gate is there.
const mostBehind = 1<<28 - 1

// behind returns how many are parked behind a gate.
func behind(gate store.Record) int64 { return gate.Number & mostBehind }

// gateOf returns what the record of a gate holds. What cannot be read tells nothing.
func gateOf(gate store.Record) (g closedGate) {
	if len(gate.Data) > 0 {
		g.Unknown, _ = unknown.Unmarshal(gate.Data, &g)
	}
	return g
}

// holds reports whether a gate is closed to a thread, "" being one that none is called: the gate is closed to all then.
func holds(gate store.Record, thread string) bool {
	alone := gateOf(gate).Threads
	return gate.Version > 0 && (len(alone) == 0 || slices.Contains(alone, thread))
}

// opens reports whether what is received for a closed gate is to wait in the queue, for the gate is about to open.
func opens(gate store.Record) bool { return time.Now().Before(gateOf(gate).Opening) }

// openAll opens the gates of which the pass that is over delivered everything, and begins another pass where more was parked meanwhile. More is
// false if nothing is left to do in this run.
func (r *draining) openAll(ctx context.Context) (more bool, err error) {
	for _, s := range r.shards {
		if s.ended = s.ended || s.waits && !r.narrows(s) || s.seen && r.collects(); s.ended {
			continue
		}
		if s.ended, err = r.open(ctx, s); err != nil {
			return false, err
		}
		more = more || !s.ended
	}
	return more, nil
}

// narrows reports whether a gate may open to all but those threads of which something is not done. That of a history stays closed to all: it is the
// drain that writes what is of one.
func (r *draining) narrows(s *shard) bool {
	_, history := liveOf(r.of)
	return !s.blind && !history && len(s.skip) <= mostThreads
}

// opening returns the change that opens a gate, to all or to all but those threads of which something is not done. Done is true if it is open to them.
func (s *shard) opening() (change store.Change, done bool, err error) {
	if !s.waits {
		return store.Change{Kind: store.Delete, Record: store.Record{Key: s.count, Version: s.gate.Version}}, false, nil
	}
	g, alone := gateOf(s.gate), slices.Sorted(maps.Keys(s.skip))
	if slices.Equal(g.Threads, alone) {
		return change, true, nil
	}
	g.Opening, g.Threads = time.Time{}, alone
	since := max(time.Now().Unix(), s.gate.Number/(mostBehind+1)+1) // later than before, also within a second and by a clock that is behind
	change, err = s.gateWith(g, since*(mostBehind+1)+behind(s.gate))
	return change, false, err
}

// gateWith returns the change of a gate to what holds g and a number.
func (s *shard) gateWith(g closedGate, number int64) (store.Change, error) {
	data, err := unknown.Marshal(g, g.Unknown)
	if err != nil {
		return store.Change{}, fault.New(fault.Permanent, codeMalformed, nil)
	}
	return store.Change{Record: store.Record{Key: s.count, Version: s.gate.Version, Number: number, Data: data}}, nil
}

// open opens a gate unless something was parked behind it since the pass began: then another pass does.
func (r *draining) open(ctx context.Context, s *shard) (opened bool, err error) {
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	pass := time.Since(s.began)
	change, done, err := s.opening()
	if err != nil || done {
		return done, err
	}
	err = insist(within, func(ctx context.Context) error {
		_, err := r.options.Store.Write(ctx, change)
		conflict, lost := conflictOf(err)
		switch opened = err == nil || lost && conflict.Held.Version == 0; { // of its own, by a write whose reply was lost
		case opened:
			return nil
		case lost:
			s.restart(conflict.Held)
			return nil
		}
		return err
	})
	if err == nil && !opened {
		err = r.announce(within, s, pass)
	}
	return opened, err
}

// announce says that a gate is about to open, if the pass that is over was short: the traffic of a busy tenant, which waits in the queue from
// then on, does not keep it closed. Where parking is in the way the next pass says it.
func (r *draining) announce(ctx context.Context, s *shard, pass time.Duration) error {
	if pass > opensAfter {
		return nil
	}
	for range announceTries {
		g := gateOf(s.gate)
		g.Opening = time.Now().Add(opensFor).UTC()
		change, err := s.gateWith(g, s.gate.Number)
		if err != nil {
			return err
		}
		now, err := r.options.Store.Write(ctx, change)
		conflict, lost := conflictOf(err)
		switch {
		case err == nil:
			s.gate = now[0]
			return nil
		case !lost:
			return err
		}
		s.gate = conflict.Held
	}
	return nil
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
		s.restart(r.record)
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
