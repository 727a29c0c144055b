package adapter

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/redrive"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// SpoolStore is what a Drain reads and removes.
type SpoolStore interface {
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Drain sends what was spooled once its queue is back, and what waited for its time once that has come. A message is removed after the
// queue accepted it, so that a crash between the two sends it again under the same id, which the queue and then the router recognise.
type Drain struct {
	Records  SpoolStore
	Due      SpoolStore // where what waits for its time is; nil if nothing does
	Events   queue.Publisher
	Receipts queue.Publisher // where spooled receipts go; nil leaves them where they are
	Margin   time.Duration   // no batch is begun with less than this left of the deadline
	Logger   *slog.Logger
	Meter    *telemetry.Meter
}

// errNotDrained is that a run ended early and left the rest where it is.
var errNotDrained = errors.New("adapter: the spool was not drained")

// Run drains every shard, oldest first, until nothing is left, nothing is accepted or the deadline is near. What people wrote goes before
// what waits for its time. It returns an error when the queue or the store failed; what is left waits for the next run.
func (d *Drain) Run(ctx context.Context) error {
	var sent int
	var failed error
	r := drainRun{Drain: d, blocked: map[string]bool{}, queues: map[string]queue.Publisher{"": d.Events, receiptsLane: d.Receipts}}
	for _, w := range d.waiting() {
		n, err := r.shard(ctx, w)
		sent += n
		if err != nil {
			failed = err
			if n == 0 { // the queue takes nothing: it would take nothing of the other shards either
				break
			}
		}
	}
	if (r.receiptsRefused || len(r.blocked) > 0) && failed == nil {
		failed = errNotDrained
	}
	if sent > 0 || failed != nil {
		d.Logger.InfoContext(ctx, "spool drained", slog.Int("sent", sent), slog.Bool("complete", failed == nil))
	}
	if failed != nil {
		d.Meter.Count(telemetry.Failures, 1)
	}
	return failed
}

// waiting is a partition of what waits.
type waiting struct {
	table     SpoolStore
	partition string
}

func (d *Drain) waiting() (all []waiting) {
	for n := range spool.Shards {
		all = append(all, waiting{d.Records, spool.Waiting(n)})
	}
	for n := range spool.DueShards {
		if d.Due != nil {
			all = append(all, waiting{d.Due, spool.DuePartition(n)})
		}
	}
	return all
}

// drainRun is one Run in progress.
type drainRun struct {
	*Drain
	queues          map[string]queue.Publisher // where spooled messages go, by what they remember; nil if that is not known here
	receiptsRefused bool                       // the receipts queue did not take something: it is left alone until the next run
	blocked         map[string]bool            // groups with a message that its queue will never take: they wait for a person, and nothing else for them
}

// shard drains one partition. It stops at the first batch that is not accepted as a whole, for the order of its groups.
func (d *drainRun) shard(ctx context.Context, w waiting) (sent int, err error) {
	if redrive.OutOfTime(ctx, d.Margin) {
		return 0, nil
	}
	for page, err := range store.Pages(ctx, w.table, store.Range{Partition: w.partition, Limit: spoolBatch}) {
		if err != nil {
			return sent, err
		}
		now := time.Now()
		if w.table != d.Due {
			now = now.Add(clocks)
		}
		due := dueBy(now, page)
		n, err := d.batch(ctx, w.table, due)
		sent += n
		if err != nil || len(due) < len(page) || redrive.OutOfTime(ctx, d.Margin) {
			return sent, err
		}
	}
	return sent, nil
}

// clocks is how far ahead the time of what waits for its queue may be by the clock of whoever wrote it, and by its place in a call.
const clocks = 10 * time.Second

// dueBy returns the records of a page whose time has come. What has no time that can be read is among them, and is told of.
func dueBy(now time.Time, page []store.Record) []store.Record {
	for i, r := range page {
		if at, ok := spool.At(r); ok && at.After(now) {
			return page[:i]
		}
	}
	return page
}

// batch sends one page, to each queue what it is to have, and removes what was accepted. Receipts that are not accepted stop
// nothing else: they wait for the next run.
func (d *drainRun) batch(ctx context.Context, table SpoolStore, page []store.Record) (sent int, err error) {
	lots := d.decode(ctx, page)
	for _, name := range []string{"", receiptsLane} {
		if len(lots[name].messages) == 0 || name == receiptsLane && d.receiptsRefused {
			continue
		}
		n, failed := d.send(ctx, table, name, lots[name])
		sent += n
		if name == receiptsLane && errors.Is(failed, errNotDrained) {
			d.receiptsRefused, failed = true, nil
		}
		if err = failed; err != nil {
			return sent, err
		}
	}
	return sent, err
}

// spooledBatch is what one queue is to have of a page.
type spooledBatch struct {
	records  []store.Record
	messages []queue.Message
}

// send sends a lot and removes what was accepted.
func (d *drainRun) send(ctx context.Context, table SpoolStore, to string, l spooledBatch) (sent int, err error) {
	records := l.records
	published := d.queues[to].Publish(ctx, l.messages...)
	var accepted []store.Record
	for i, err := range queue.Errors(published, len(records)) {
		if err == nil {
			accepted = append(accepted, records[i])
		}
	}
	if published != nil {
		d.Logger.WarnContext(ctx, "spooled events were not accepted", slog.Int("refused", len(records)-len(accepted)),
			slog.String("code", fault.Of(published).Code), slog.Any("error", published))
		published = d.block(to, l, published)
	}
	if err := removeSent(ctx, table, accepted); err != nil {
		return 0, err
	}
	return len(accepted), published
}

// block notes the groups of what was not accepted, if nothing but messages of their own was the reason: then the queue is there.
// Otherwise it returns errNotDrained.
func (d *drainRun) block(to string, l spooledBatch, published error) error {
	partial, ok := errors.AsType[*queue.PartialError](published)
	if !ok || len(partial.Errs) != len(l.messages) {
		return errNotDrained
	}
	for _, err := range partial.Errs {
		if sorted := fault.Of(err); sorted != nil && sorted.Kind != fault.Permanent && sorted.Code != inorder.CodeHeldBack {
			return errNotDrained
		}
	}
	for i, err := range partial.Errs {
		switch {
		case err == nil:
		case to == "":
			d.blocked[l.messages[i].Group] = true
		default: // without an order nothing waits for it
			d.blocked[l.messages[i].ID] = true
		}
	}
	return nil
}

// decode leaves out what cannot be read, counted at every run, and what waits behind a message that its queue will never take.
// It stays where it is and holds nothing else up.
func (d *drainRun) decode(ctx context.Context, page []store.Record) map[string]spooledBatch {
	lots := map[string]spooledBatch{}
	for _, r := range page {
		m, lane, ok := spool.Read(r)
		if !ok || d.queues[lane] == nil {
			d.Logger.ErrorContext(ctx, "spooled record cannot be read", slog.String("partition", r.Partition), slog.String("sort", r.Sort))
			d.Meter.Count("SpoolUnreadable", 1)
			continue
		}
		if d.blocked[m.Group] {
			continue
		}
		l := lots[lane]
		l.records, l.messages = append(l.records, r), append(l.messages, m)
		lots[lane] = l
	}
	return lots
}

// removeSent takes away what was accepted, in one write. Where another run was faster with one of them, the rest go one by one.
func removeSent(ctx context.Context, table SpoolStore, records []store.Record) error {
	if len(records) == 0 {
		return nil
	}
	changes := make([]store.Change, len(records))
	for i, r := range records {
		changes[i] = store.Change{Kind: store.Delete, Record: store.Record{Key: r.Key, Version: r.Version}}
	}
	_, err := table.Write(ctx, changes...)
	if _, lost := errors.AsType[*store.ConflictError](err); !lost {
		return err
	}
	for _, c := range changes {
		_, err := table.Write(ctx, c)
		if _, lost := errors.AsType[*store.ConflictError](err); err != nil && !lost {
			return err
		}
	}
	return nil
}
