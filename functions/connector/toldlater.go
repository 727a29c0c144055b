package connector

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
)

// toldLater is one message, or conversation, whose updates of a batch wait until the CRM takes something again.
type toldLater struct {
	receipt.Update
	first time.Time // when the first of them was sent
	done  func(err error)
}

// sort returns the key of what is to be shown: one value a message or conversation, whatever receipts tell of it.
func (l toldLater) sort() string {
	if c := l.Conversation; c != nil {
		return "conversation/" + string(c.Thread) + "/" + string(c.Channel) + "/" + c.Line
	}
	return "message/" + l.Key
}

// waiting returns of which tenants' CRMs it is known that they take nothing, or nothing until the hour, by one call for up to a hundred.
func (g *Gates) waiting(ctx context.Context, all []BindingKey) (map[BindingKey]bool, error) {
	waiting := make(map[BindingKey]bool, len(all))
	for some := range slices.Chunk(all, store.MaxGet) {
		keys := make([]store.Key, len(some))
		for i, of := range some {
			keys[i] = closedKey(g.options.Kind, of)
		}
		held, err := g.options.Store.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, r := range held {
			waiting[some[i]] = r.Version > 0
		}
	}
	return waiting, g.collectReceipts(ctx, waiting)
}

// tellLater has what updates tell wait until the CRM takes something again, and returns those that need not: it does by now. What waits is shown as it
// stands by then.
func (g *Gates) tellLater(ctx context.Context, of BindingKey, all []toldLater) (rest []toldLater) {
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	waiting := 0
	for some := range slices.Chunk(all, store.MaxWrite-1) {
		open := false
		err := insist(within, func(ctx context.Context) (err error) {
			open, err = g.keep(ctx, of, some)
			return err
		})
		if open {
			rest = append(rest, some...)
			continue
		}
		if err == nil {
			waiting += len(some)
		}
		for _, l := range some {
			l.done(err)
		}
	}
	g.options.Logger.InfoContext(ctx, "receipts wait", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM), slog.Int("messages", waiting))
	return rest
}

// keep writes what is to be shown over what was there, with the count of what was not, by one write. Open is true if nothing is to wait any more.
func (g *Gates) keep(ctx context.Context, of BindingKey, all []toldLater) (open bool, err error) {
	keys := make([]store.Key, len(all))
	for i, l := range all {
		keys[i] = store.Key{Partition: parkedPartition(of, receiptsShard), Sort: l.sort()}
	}
	held, err := g.options.Store.Get(ctx, keys...)
	if err != nil {
		return false, err
	}
	count := store.Change{Kind: store.Add, Bound: math.MaxInt64, Record: store.Record{Key: closedKey(g.options.Kind, of)}}
	changes := []store.Change{{}}
	for i, l := range all {
		p := parked{ID: keys[i].Sort, Group: keys[i].Sort, First: l.first.UTC(), Attempt: 1} // it is shown as it stands, however far the update was
		if held[i].Version == 0 {
			count.Number++
		} else if before, err := readParked(held[i]); err == nil {
			p.First = before.First
		}
		body, err := json.Marshal(l.Update)
		if err != nil {
			return false, fault.New(fault.Permanent, codeMalformed, nil)
		}
		p.Body = string(body)
		data, err := json.Marshal(p)
		if err != nil {
			return false, fault.New(fault.Permanent, codeMalformed, nil)
		}
		changes = append(changes, store.Change{Record: store.Record{Key: keys[i], Version: held[i].Version, Data: data}})
	}
	changes[0] = count
	_, err = g.options.Store.Write(ctx, changes...)
	conflict, lost := conflictOf(err)
	switch {
	case lost && conflict.Index == 0:
		return true, nil
	case lost: // another process keeps, or the drain shows, one of them
		return false, fault.New(fault.Retryable, codeContended, nil)
	}
	return false, err
}
