package connector

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// maxRounds is how often one delivery writes its session because more was said meanwhile. Whoever says more has a delivery, which writes
// the rest.
const maxRounds = 3

// gather reads what the sessions of items hold, by one call, and returns the items to be worked on. Those that the CRM shows by now are
// done, and those that are to be written with others that come wait, unless all is written at once, both without a claim: nothing was begun. Of two that are of one
// session the second waits for the first.
func (c *Connector[R]) gather(ctx context.Context, items []*item) (ready []*item) {
	var of, files []*item
	begun := map[store.Key]bool{}
	for _, it := range items {
		_, isFile := it.delivery.File()
		switch {
		case isFile:
			files = append(files, it)
		case it.delivery.Session == nil && !it.delivery.Conversation:
			ready = append(ready, it)
		case it.delivery.Session == nil:
			of = append(of, it)
		case !begun[markKey(&it.delivery)]:
			begun[markKey(&it.delivery)] = true
			of = append(of, it)
		}
	}
	for _, it := range c.read(ctx, of) {
		gone := it.show == nil
		if gone && it.delivery.Event.Type != canonical.TypeReceipt {
			ready = append(ready, it)
			continue
		}
		switch wait := it.due(c.options.AtOnce); {
		case gone, it.shown(): // a receipt has nothing to show by itself
			it.finished, it.ended = true, time.Now()
			c.tell(ctx, it)
		case wait > 0:
			it.err = &queue.HeldError{For: wait, Gathers: true}
		default:
			ready = append(ready, it)
		}
	}
	return append(ready, c.gatherFiles(ctx, files)...)
}

// read reads what is held for items, by one call, and returns those for which it succeeded.
func (c *Connector[R]) read(ctx context.Context, items []*item) (read []*item) {
	for chunk := range slices.Chunk(items, store.MaxGet/3) {
		records, err := c.held(ctx, chunk)
		for _, it := range chunk {
			failed := err
			if err == nil {
				var own []store.Record
				for _, key := range it.keys() {
					own = append(own, records[key])
				}
				failed = it.read(ctx, c.options.Opener, own)
			}
			if failed != nil {
				c.fail(ctx, it, failed)
				continue
			}
			read = append(read, it)
		}
	}
	return read
}

// held returns what the store holds under the keys of items.
func (c *Connector[R]) held(ctx context.Context, items []*item) (map[store.Key]store.Record, error) {
	records := map[store.Key]store.Record{}
	for _, it := range items {
		for _, key := range it.keys() {
			records[key] = store.Record{}
		}
	}
	keys := slices.Collect(maps.Keys(records)) // each once, although two may be of one thread
	found, err := c.options.Store.Get(ctx, keys...)
	for i, record := range found {
		records[keys[i]] = record
	}
	return records, err
}

// behind reads again what the sessions of items hold that have written them, by one call, and returns the items that are to be completed,
// and those for which more was said since, which go on.
func (c *Connector[R]) behind(ctx context.Context, items []*item) (done, again []*item) {
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	var wrote []*item
	revisions := map[*item]string{}
	for _, it := range items {
		if it.show == nil || it.show.rounds >= maxRounds {
			done = append(done, it)
			continue
		}
		if _, _, by := it.written(); !by {
			done = append(done, it)
			continue
		}
		wrote, revisions[it] = append(wrote, it), it.show.revision()
	}
	for _, it := range c.read(within, wrote) {
		if it.show == nil || it.show.revision() == revisions[it] {
			done = append(done, it)
			continue
		}
		it.ended = time.Time{}
		it.refresh()
		again = append(again, it)
	}
	return done, again
}

// settle completes items and returns those that go on.
func (c *Connector[R]) settle(ctx context.Context, items []*item) []*item {
	if len(items) == 0 {
		return nil
	}
	defer c.recovered(ctx, items)
	done, again := c.behind(ctx, items)
	c.completeAll(ctx, done)
	return again
}

// tell tells of an item that is complete, by itself or with others.
func (c *Connector[R]) tell(ctx context.Context, it *item) {
	if it.file != nil {
		c.tellFile(ctx, it)
		return
	}
	d, labels := &it.delivery, labels(it)
	c.options.Meter.Count("Delivered", 1, labels...)
	if !d.Event.ReceivedAt.IsZero() {
		lag := it.ended.Sub(d.Event.ReceivedAt)
		c.options.Meter.Duration("EventToCRM", lag, labels...)
		c.options.Watcher.Shown(KeyOf(*d), lag)
	}
	c.options.Logger.InfoContext(it.context(ctx), "delivered", slog.String("tenant", d.Event.TenantID), slog.String("crm", d.CRM))
}
