package connector

import (
	"context"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// window is what this process knows of a short time that a CRM limits requests in. Half of the limit is divided among the processes of the
// functions that deliver, without asking: where there is little to do nothing is written. The other half is leased from a record whose
// Number is how much of it is, and whose data is when the time ends.
type window struct {
	ends   time.Time
	leased int64
	record store.Record
}

// blocksOf is how many blocks the half has that is leased.
const blocksOf = 4

// admitWindow returns nil if a short time's requests allow what is asked for, else the fault that it waits with.
func (b *Budget) admitWindow(ctx context.Context, a *account, of BindingKey, q asked) (*fault.Error, error) {
	now, w := time.Now(), &a.window
	a.mu.Lock()
	limit, span := a.told.Window, a.told.Span
	if q.limits.Window.Requests > 0 {
		limit, span = q.limits.Window.Requests, time.Duration(q.limits.Window.Seconds)*time.Second
	}
	if limit == 0 {
		a.mu.Unlock()
		return nil, nil
	}
	ends := now.Truncate(span).Add(span)
	if !ends.Equal(w.ends) {
		w.ends, w.leased, a.made = ends, 0, 0
	}
	full := q.limits.Window.Requests == 0 && a.atIn.After(ends.Add(-span)) && a.told.Left < q.calls+q.kept(limit)
	share := int64(0)
	if b.options.Concurrency > 0 {
		share = limit / 2 / int64(b.options.Concurrency)
	}
	most := limit/2 - q.kept(limit/2)
	need := min(a.made+q.calls-share-w.leased, most)
	a.mu.Unlock()
	refused := &fault.Error{Kind: fault.Throttled, Code: b.options.Kind + "_rate_spent", Wait: ends.Sub(now)}
	switch {
	case full:
		return refused, nil
	case need <= 0:
		return nil, nil
	}
	n, err := b.leaseWindow(ctx, w, of, need, most)
	if w.leased += n; err != nil || n > 0 {
		return nil, err
	}
	return refused, nil
}

// leaseWindow returns how many it leased of what there is until the end of a window: a block, or as many as needed, or none.
func (b *Budget) leaseWindow(ctx context.Context, w *window, of BindingKey, need, most int64) (int64, error) {
	mark := w.ends.UTC().Format(time.RFC3339Nano)
	n := max(need, most/blocksOf)
	for range 5 {
		change := store.Change{Kind: store.Add, Bound: most, Record: store.Record{Key: budgetKey(of, "window"), Number: n}}
		if w.record.Version == 0 || string(w.record.Data) != mark {
			change = store.Change{Record: store.Record{Key: change.Key, Version: w.record.Version, Expires: w.ends.Add(time.Hour), Number: n, Data: []byte(mark)}}
		}
		written, err := b.options.Store.Write(ctx, change)
		met, lost := conflictOf(err)
		if err != nil && !lost {
			return 0, err
		}
		if !lost {
			w.record = written[0]
			return n, nil
		}
		if w.record = met.Held; w.record.Version > 0 && string(w.record.Data) == mark {
			room := most - w.record.Number
			if room < need {
				return 0, nil
			}
			n = min(n, room)
		}
	}
	return 0, fault.New(fault.Retryable, codeContended, nil)
}
