package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// SpoolRecords is what a Drain reads and removes.
type SpoolRecords interface {
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Drain sends what was spooled once its queue is back. A message is removed after the queue accepted it, so that a crash
// between the two sends it again under the same id, which the queue and then the router recognise.
type Drain struct {
	Records SpoolRecords
	Events  queue.Publisher
	Margin  time.Duration // no batch is begun with less than this left of the deadline
	Logger  *slog.Logger
	Meter   *telemetry.Meter
}

// errStopped is that a run ended early and left the rest where it is.
var errStopped = errors.New("adapter: the spool was not drained")

// Run drains every shard, oldest first, until nothing is left, nothing is accepted or the deadline is near. It answers an error
// when the queue or the store failed; what is left waits for the next run.
func (d *Drain) Run(ctx context.Context) error {
	var sent int
	var failed error
	for shard := range Shards {
		n, err := d.shard(ctx, partition(shard))
		sent += n
		if err != nil {
			failed = err
			if n == 0 { // the queue takes nothing: the other shards would only knock at the same door
				break
			}
		}
	}
	if sent > 0 || failed != nil {
		d.Logger.InfoContext(ctx, "spool drained", slog.Int("sent", sent), slog.Bool("complete", failed == nil))
		d.Meter.Count("SpoolDrained", sent)
	}
	if failed != nil {
		d.Meter.Count(telemetry.Failures, 1)
	}
	return failed
}

// shard drains one partition. It stops at the first batch that is not accepted as a whole, for the order of its groups.
func (d *Drain) shard(ctx context.Context, partition string) (sent int, err error) {
	after := ""
	for more := true; more; {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d.Margin {
			return sent, nil
		}
		var page []store.Record
		page, more, err = d.Records.List(ctx, store.Range{Partition: partition, After: after, Limit: spoolBatch})
		if err != nil {
			return sent, err
		}
		if len(page) == 0 {
			return sent, nil
		}
		after = page[len(page)-1].Sort
		n, err := d.batch(ctx, page)
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// batch sends one page and removes what was accepted.
func (d *Drain) batch(ctx context.Context, page []store.Record) (sent int, err error) {
	records, messages := d.decode(ctx, page)
	if len(messages) == 0 {
		return 0, nil
	}
	age := time.Since(spooledAt(records[0]))
	d.Meter.Duration("SpoolAge", age)
	published := d.Events.Publish(ctx, messages...)
	accepted := records
	if published != nil {
		accepted = nil
		if partial, ok := errors.AsType[*queue.PartialError](published); ok && len(partial.Errs) == len(records) {
			for i, err := range partial.Errs {
				if err == nil {
					accepted = append(accepted, records[i])
				}
			}
		}
		d.Logger.WarnContext(ctx, "spooled events were not accepted", slog.Int("refused", len(records)-len(accepted)),
			slog.String("code", fault.Of(published).Code), slog.Any("error", published))
		published = errStopped
	}
	if err := d.remove(ctx, accepted); err != nil {
		return 0, err
	}
	return len(accepted), published
}

// decode leaves out what cannot be read. It stays where it is, counted at every run, and holds nothing up.
func (d *Drain) decode(ctx context.Context, page []store.Record) (records []store.Record, messages []queue.Message) {
	for _, r := range page {
		var m spooled
		if err := json.Unmarshal(r.Data, &m); err != nil || m.ID == "" || m.Group == "" {
			d.Logger.ErrorContext(ctx, "spooled record cannot be read", slog.String("partition", r.Partition), slog.String("sort", r.Sort))
			d.Meter.Count("SpoolUnreadable", 1)
			continue
		}
		records = append(records, r)
		messages = append(messages, queue.Message{ID: m.ID, Group: m.Group, Trace: m.Trace, Body: m.Body})
	}
	return records, messages
}

// remove takes away what was accepted, in one write. Where another run was faster with one of them, the rest go one by one.
func (d *Drain) remove(ctx context.Context, records []store.Record) error {
	if len(records) == 0 {
		return nil
	}
	changes := make([]store.Change, len(records))
	for i, r := range records {
		changes[i] = store.Change{Kind: store.Delete, Record: store.Record{Key: r.Key, Version: r.Version}}
	}
	_, err := d.Records.Write(ctx, changes...)
	if _, lost := errors.AsType[*store.ConflictError](err); !lost {
		return err
	}
	for _, c := range changes {
		_, err := d.Records.Write(ctx, c)
		if _, lost := errors.AsType[*store.ConflictError](err); err != nil && !lost {
			return err
		}
	}
	return nil
}

// spooledAt is when a record was spooled, by its place in the order.
func spooledAt(r store.Record) time.Time {
	at, err := time.Parse(sortTime, r.Sort[:min(len(sortTime), len(r.Sort))])
	if err != nil {
		return time.Now()
	}
	return at
}
