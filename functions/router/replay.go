package router

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// Bounds of a replay.
const (
	// An event may be replayed so long after its routing: the claims of what was completed are kept longer, and they are what
	// keeps a replay from repeating anything.
	replayableFor = idempotency.Retention - 24*time.Hour
	maxThreads    = 200 // of one request
)

// Replayer routes stored events again: each goes back on the events queue, marked as replayed, and the router sends on what it
// decided when it came. Deliveries that were completed have no effect, those that were given up are tried again.
type Replayer struct {
	store    idempotency.ReopenStore
	bindings redrive.Bindings
	claims   *idempotency.Reopener
	events   queue.Publisher
	margin   time.Duration
	sealer   ReplaySealer
	reporter redrive.Reporter
}

// ReplaySealer seals under tenants' keys and opens; *keyring.Ring is one.
type ReplaySealer interface {
	SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error)
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// NewReplayer returns a Replayer over the state table, whose records sealer opens. Nothing is begun with less than margin left of
// an invocation.
func NewReplayer(sealer ReplaySealer, s idempotency.ReopenStore, b redrive.Bindings, events queue.Publisher, margin time.Duration, logger *slog.Logger, meter *telemetry.Meter) *Replayer {
	return &Replayer{
		sealer: sealer, store: s, bindings: b, claims: idempotency.NewReopener(s), events: events, margin: margin,
		reporter: redrive.Reporter{Done: "replay", Failed: "not replayed", Metric: "Replayed", Logger: logger, Meter: meter},
	}
}

// Replay executes a request. One that is invalid is a Result with Problems; the error is what is not its fault, by its code
// alone: the same request may be sent again.
func (r *Replayer) Replay(ctx context.Context, q redrive.ReplayRequest) (redrive.Result, error) {
	problems := q.Check(redrive.Plan, redrive.Replay)
	if len(q.IDs) > 0 && q.Thread != "" {
		problems = append(problems, "either ids or thread")
	}
	if q.Limit < 0 || q.Limit > redrive.MaxItems {
		problems = append(problems, "limit is at most 100")
	}
	if len(problems) > 0 {
		return redrive.Result{Problems: problems}, nil
	}
	result, err := r.replay(ctx, q)
	return r.reporter.Report(ctx, q.Common, result, err)
}

func (r *Replayer) replay(ctx context.Context, q redrive.ReplayRequest) (redrive.Result, error) {
	ids, next, err := r.selectEvents(ctx, q)
	result := redrive.Result{More: next != "", Next: next}
	if err == nil && len(ids) == 0 && q.After == "" {
		var kinds map[string]string
		if kinds, err = r.bindings.Kinds(ctx, q.Tenant); err == nil && kinds == nil {
			result.Problems = q.UnknownTenant()
		}
	}
	if err != nil || len(ids) == 0 {
		return result, err
	}
	if q.Action == redrive.Replay {
		if err := q.Audit(ctx, r.store, ids); err != nil {
			return redrive.Result{}, err
		}
	}
	items := make([]redrive.Item, len(ids))
	var messages []queue.Message
	var sent []int
	for i, id := range ids {
		message, item := r.prepare(ctx, q, id)
		if items[i] = item; message != nil {
			messages, sent = append(messages, *message), append(sent, i)
		}
	}
	for k, err := range queue.Errors(r.events.Publish(ctx, messages...), len(messages)) {
		if err != nil {
			items[sent[k]].Outcome, items[sent[k]].Code = redrive.Failed, fault.Of(err).Code
		}
	}
	for _, item := range items {
		result.Add(item)
	}
	return result, nil
}

// prepare makes the message of one event; there is none when it is not to be sent.
func (r *Replayer) prepare(ctx context.Context, q redrive.ReplayRequest, id string) (*queue.Message, redrive.Item) {
	item := redrive.Item{ID: id, Stage: "route", Outcome: redrive.Ready}
	fail := func(outcome redrive.Outcome, err error) (*queue.Message, redrive.Item) {
		item.Outcome = outcome
		if err != nil {
			item.Code = fault.Of(err).Code
		}
		return nil, item
	}
	if redrive.OutOfTime(ctx, r.margin) {
		return fail(redrive.Failed, fault.New(fault.Retryable, fault.CodeOutOfTime, nil))
	}
	key := Key(q.Tenant, canonical.EventID(id))
	held, err := r.store.Get(ctx, key)
	switch {
	case err != nil:
		return fail(redrive.Failed, err)
	case held[0].Version == 0:
		return fail(redrive.Missing, nil)
	}
	event, old, err := r.openEvent(ctx, held[0])
	switch {
	case err != nil:
		return fail(redrive.Failed, err)
	case old:
		return fail(redrive.TooOld, nil)
	case q.Action == redrive.Plan:
		return nil, item
	}
	body, err := canonical.Encode(event)
	if err == nil {
		body, err = envelope.Event(ctx, r.sealer, &event, body)
	}
	if err != nil {
		return fail(redrive.Failed, err)
	}
	generation, err := r.claims.NextGeneration(ctx, key.Partition, 0)
	if err != nil {
		return fail(redrive.Failed, err)
	}
	state, err := r.claims.ReopenRoute(ctx, key.Partition, generation)
	switch {
	case err != nil:
		return fail(redrive.Failed, err)
	case state == idempotency.Claimed:
		return fail(redrive.Busy, nil)
	}
	item.Outcome, item.Generation = redrive.Redriven, generation
	return &queue.Message{
		ID: fmt.Sprintf("%s:%d", id, generation), Group: string(event.ThreadID), Body: body, Trace: event.Trace.Traceparent,
	}, item
}

// openEvent returns the event of a record as it is sent again, and whether it is too old for that. What the provider sent stays in
// the record.
func (r *Replayer) openEvent(ctx context.Context, held store.Record) (event canonical.Event, old bool, err error) {
	record, err := OpenRecord(ctx, r.sealer, held.Key, held.Data)
	if err != nil {
		return event, false, err
	}
	if event, err = canonical.Decode(record.Event); err != nil {
		return event, false, fault.New(fault.Permanent, CodeRecord, nil)
	}
	event = event.WithoutRawVendor()
	event.Flags.Replayed = true
	return event, time.Since(record.RoutedAt) > replayableFor, nil
}

// shards is how many partitions a tenant's threads are listed in, so that none of them is written too often.
const shards = 16

// threadPointer is the entry of a thread in the list of a tenant's: it is what a replay of all threads goes through.
func threadPointer(e *canonical.Event) store.Record {
	h := fnv.New32a()
	_, _ = h.Write([]byte(e.ThreadID))
	return store.Record{Key: store.Key{Partition: threads(e.TenantID, int(h.Sum32()%shards)), Sort: string(e.ThreadID)}}
}

func threads(tenant string, shard int) string { return tenant + "/threads/" + strconv.Itoa(shard) }

// pointers returns what is noted before an event's record: its entry in the thread's log and, while nothing else is known of
// the thread, the thread's own.
func pointers(j *job, expires time.Time) []store.Record {
	notes := []store.Record{logPointer(&j.event, expires)}
	if j.newThread {
		notes = append(notes, threadPointer(&j.event))
	}
	return notes
}

// search is how far a replay got through the threads and their logs.
type search struct {
	q     redrive.ReplayRequest
	limit int
	ids   []string
	seen  int // threads
}

// position is where a request goes on: behind an entry of a thread's log.
type position struct {
	shard         int
	thread, entry string
}

func (p position) String() string { return fmt.Sprintf("%d %s %s", p.shard, p.thread, p.entry) }

func parsePosition(after string) (p position) {
	parts := strings.Split(after, " ")
	if len(parts) != 3 {
		return p
	}
	p.shard, _ = strconv.Atoi(parts[0]) // 0 is the beginning
	p.thread, p.entry = parts[1], parts[2]
	return p
}

// selectEvents returns the events that a request is about, those of a thread oldest first, and where the next request goes on.
func (r *Replayer) selectEvents(ctx context.Context, q redrive.ReplayRequest) (ids []string, next string, err error) {
	if len(q.IDs) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(q.IDs))), "", nil
	}
	if q.From.IsZero() {
		q.From = time.Now().Add(-Retention)
	}
	if q.To.IsZero() {
		q.To = time.Now()
	}
	w := &search{q: q, limit: cmp.Or(q.Limit, redrive.MaxItems)}
	at := parsePosition(q.After)
	if q.Thread != "" {
		at.thread = q.Thread
		full, err := r.searchLog(ctx, w, &at)
		if full {
			next = at.String()
		}
		return w.ids, next, err
	}
	for ; at.shard < shards; at = (position{shard: at.shard + 1}) {
		full, err := r.searchShard(ctx, w, &at)
		if err != nil {
			return nil, "", err
		}
		if full {
			return w.ids, at.String(), nil
		}
	}
	return w.ids, "", nil
}

// searchShard goes through the threads of one shard from at on. It returns true when the request has enough.
func (r *Replayer) searchShard(ctx context.Context, w *search, at *position) (full bool, err error) {
	if at.thread != "" {
		if full, err = r.searchLog(ctx, w, at); full || err != nil {
			return full, err
		}
	}
	for page, err := range store.Pages(ctx, r.store, store.Range{Partition: threads(w.q.Tenant, at.shard), After: at.thread, Limit: maxThreads}) {
		if err != nil {
			return false, err
		}
		for _, thread := range page {
			at.thread, at.entry = thread.Sort, ""
			if full, err = r.searchLog(ctx, w, at); full || err != nil {
				return full, err
			}
		}
	}
	return false, nil
}

// searchLog goes through one thread's log from at on. It returns true when the request has enough.
func (r *Replayer) searchLog(ctx context.Context, w *search, at *position) (full bool, err error) {
	from, to := logPrefix+w.q.From.UTC().Format(logTime), logPrefix+w.q.To.UTC().Format(logTime)
	w.seen++
log:
	for page, err := range store.Pages(ctx, r.store, store.Range{
		Partition: w.q.Tenant + "/thread/" + at.thread, Prefix: logPrefix, After: max(at.entry, from), Limit: w.limit,
	}) {
		if err != nil {
			return false, err
		}
		for _, pointer := range page {
			if pointer.Sort >= to {
				break log
			}
			if len(w.ids) == w.limit {
				return true, nil
			}
			w.ids = append(w.ids, string(loggedEvent(pointer)))
			at.entry = pointer.Sort
		}
	}
	full = w.q.Thread == "" && (w.seen >= maxThreads || redrive.OutOfTime(ctx, 2*r.margin))
	if full {
		at.entry = to
	}
	return full, nil
}
