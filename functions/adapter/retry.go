package adapter

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/redrive"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

const (
	retryFor     = 24 * time.Hour   // how long a webhook is parsed again by itself, from when it came; then it is left to a person
	retryMargin  = 10 * time.Second // what has to be left of an invocation for one webhook
	pointerGrace = time.Hour        // how long a pointer may be there before its dead letter is
)

// isTransient reports whether a fault passes by itself.
func isTransient(cause *fault.Error) bool {
	return cause.Kind == fault.Retryable || cause.Kind == fault.Throttled
}

// retryPointer is the pointer to a dead letter that is parsed again by itself. Those of one tenant are in one partition, in the order in
// which they came, so that a thread's stay in order.
func retryPointer(r deadletter.Record) store.Record {
	data, _ := json.Marshal(pointerData{r.Tenant, r.ID}) // strings always encode
	return store.Record{Data: data, Expires: r.First.Add(deadletter.Retention), Key: store.Key{
		Partition: retryPartition(r.Provider, spool.Shard(r.Tenant, spool.Shards)), Sort: r.First.UTC().Format(spool.Time) + "/" + r.ID,
	}}
}

type pointerData struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
}

func retryPartition(provider string, shard int) string {
	return "again/" + provider + "/" + strconv.Itoa(shard)
}

// retryRun is one run of the schedule in progress.
type retryRun struct {
	*Reparser
	held           map[string]bool // tenants of which one fails still: the rest of theirs waits, in order
	redriven, left int
}

// retryDue parses what waits, oldest first for each tenant. An error is the store's: what is left waits for the next run.
func (r *Reparser) retryDue(ctx context.Context) error {
	run := retryRun{Reparser: r, held: map[string]bool{}}
	var err error
	for n := 0; n < spool.Shards && err == nil; n++ {
		err = run.shard(ctx, retryPartition(r.adapter.description.Provider, n))
	}
	if run.redriven+run.left > 0 {
		r.adapter.Logger.InfoContext(ctx, "webhooks parsed again", slog.Int("redriven", run.redriven), slog.Int("left", run.left))
		r.adapter.Meter.Count("Redriven", run.redriven)
	}
	return err
}

func (r *retryRun) shard(ctx context.Context, partition string) error {
	for page, err := range store.Pages(ctx, r.bytes, store.Range{Partition: partition, Limit: spoolBatch}) {
		if err != nil {
			return err
		}
		for _, pointer := range page {
			if redrive.OutOfTime(ctx, retryMargin) {
				return nil
			}
			if err := r.follow(ctx, pointer); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow parses what one pointer leads to, and removes it unless it has to wait. One that cannot be read stays where it is and
// holds nothing else up.
func (r *retryRun) follow(ctx context.Context, pointer store.Record) error {
	var w pointerData
	_ = json.Unmarshal(pointer.Data, &w) // what cannot be read has no id
	if w.ID == "" {
		r.adapter.Logger.ErrorContext(ctx, "pointer cannot be read", slog.String("partition", pointer.Partition), slog.String("sort", pointer.Sort))
		r.adapter.Meter.Count("SpoolUnreadable", 1)
		return nil
	}
	if r.held[w.Tenant] {
		r.left++
		return nil
	}
	held, err := r.records.Get(ctx, deadletter.Key(deadletter.Record{ID: w.ID, Tenant: w.Tenant, Stage: deadletter.StageReceive}))
	if err != nil {
		return err
	}
	record, ok := deadletter.Read(held[0])
	age := time.Duration(0)
	if at, ok := spool.At(pointer); ok {
		age = time.Since(at)
	}
	if !ok {
		if age < pointerGrace {
			return nil
		}
		r.giveUp(telemetry.WithEvent(ctx, w.ID), CodeUnwritten, age)
	}
	if ok && record.State == deadletter.Open {
		ctx := telemetry.WithTrace(telemetry.WithEvent(ctx, record.ID), record.Trace)
		if again, err := r.retry(ctx, &letter{held[0], record}, age); again || err != nil {
			r.held[w.Tenant] = true
			r.left++
			return err
		}
	}
	_, err = r.bytes.Write(ctx, store.Change{Kind: store.Delete, Record: pointer})
	return err
}

// retry parses one webhook again and reports whether it has to wait for the next run.
func (r *retryRun) retry(ctx context.Context, l *letter, age time.Duration) (again bool, err error) {
	generation, failed := r.parse(ctx, true, l)
	if failed == nil {
		r.redriven++
		return false, deadletter.Settle(ctx, r.records, l.held, deadletter.Redriven, generation)
	}
	sorted := fault.Of(failed)
	if isTransient(sorted) && age < retryFor {
		return true, nil
	}
	r.giveUp(ctx, sorted.Code, age)
	if isTransient(sorted) {
		return false, nil
	}
	now := l.record // why it is one has changed
	now.Kind, now.Code, now.Reason = sorted.Kind.String(), sorted.Code, sorted.Error()
	now.Last, now.Attempts = time.Now(), now.Attempts+1
	return false, deadletter.Write(ctx, r.records, now)
}

// giveUp logs and counts that a webhook is retried no more.
func (r *retryRun) giveUp(ctx context.Context, code string, age time.Duration) {
	r.adapter.Logger.ErrorContext(ctx, "webhook is left to a person", slog.String("code", code), slog.Duration("after", age))
	r.adapter.Meter.Count("WebhookDeadLettered", 1,
		telemetry.Label{Name: "provider", Value: r.adapter.description.Provider}, telemetry.Label{Name: "reason", Value: code})
}
