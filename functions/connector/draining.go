package connector

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// How much of what is parked a run holds of a shard before it reads on, in messages and in bytes of what is sealed, and how many threads it begins with.
const (
	parkedPage  = 200
	parkedBytes = 512 << 10
	firstFew    = 10
)

// runEvery is how often what is due is drained.
const runEvery = time.Minute

// draining is one run over the gates of a tenant's CRM, by the process that has the lease.
type draining struct {
	*Drain
	of      BindingKey
	owner   string       // of the lease
	tiers   tenant.Tiers // by the tenant's file as it is now
	record  store.Record // of closure
	closure closure
	worker  *queue.Worker // of what is worked on now
	shards  []*shard
	opened  bool     // everything
	rows    *jobRows // what is done by a job, nil if nothing is

	// Of the latest batch.
	trouble  *fault.Error // why the CRM takes nothing
	answered bool         // the CRM took something, or refused it for good
}

// shard is what is parked behind one gate, or what receipts wait to be shown.
type shard struct {
	partition string
	count     store.Key         // of the record whose number says how many there are
	gate      store.Record      // as it was before the pass over what is parked began, but for what was removed since
	began     time.Time         // when it did
	after     string            // what the pass has read
	read      bool              // since it was last looked whether something was parked meanwhile
	over      bool              // that was all
	held      []waitingMessage  // of it, what is not in a batch yet
	last      map[string]string // of what was held before it was read again: by thread, the last one's place. Nil: it is read for the first time
	late      bool              // what was parked during that second read was left out: the next read begins at the beginning
	seen      bool              // there was something
	waits     bool              // something is not done
	blind     bool              // of that something, nobody knows whose thread it is
	ended     bool              // there is no pass in this run any more
	skip      map[string]bool   // threads with a message that is not done: the rest of them waits for the next run. A thread is of one shard
}

// waitingMessage is one that is parked.
type waitingMessage struct {
	shard  *shard
	record store.Record
	queue.Received
}

// work delivers what is parked, and then shows what receipts told meanwhile, until nothing is left, the CRM takes nothing, or the time is over.
func (r *draining) work(ctx context.Context) error {
	held, err := r.options.Store.Get(ctx, gateKeys(r.of)...)
	if err != nil {
		return err
	}
	for _, gate := range held {
		r.shards = append(r.shards, &shard{partition: parkedPartition(r.of, gate.Sort), count: gate.Key, gate: gate, began: time.Now(), ended: gate.Version == 0, skip: map[string]bool{}})
	}
	r.worker = r.options.Worker
	within, goesOn, done := r.useJob(ctx)
	defer done()
	if goesOn {
		goesOn, err = r.workOn(within, firstFew, r.openAll)
		r.concludeJob(ctx, goesOn)
	}
	if err != nil || !goesOn || r.rows.gathers() {
		return err
	}
	messagesLeft := slices.ContainsFunc(r.shards, func(s *shard) bool { return s.gate.Version > 0 })
	if mine, err := r.hold(ctx, r.owner, whole(ctx)); err != nil || !mine { // whoever renews it raises the version that receipts count by
		return err
	}
	r.worker = r.options.Receipts
	r.shards = []*shard{{partition: parkedPartition(r.of, receiptsShard), count: r.record.Key, ended: r.worker == nil, skip: map[string]bool{}}}
	if goesOn, err = r.workOn(ctx, gateShards*parkedPage, r.finish); goesOn {
		r.untilTheHour(messagesLeft)
	}
	return err
}

// workOn works on what is in the shards, of at most so many threads at first. Between two passes it asks whether there is another. It reports whether the
// CRM takes something and there is time.
func (r *draining) workOn(ctx context.Context, most int, between func(ctx context.Context) (more bool, err error)) (goesOn bool, err error) {
	for r.left(ctx) {
		batch, err := r.next(ctx, most)
		if err != nil {
			return false, err
		}
		if len(batch) == 0 {
			more, err := between(ctx)
			if err != nil || !more {
				return err == nil, err
			}
			continue
		}
		mine, err := r.renews(ctx)
		if err != nil || !mine {
			return false, err
		}
		goesOn, err := r.deliver(ctx, batch)
		if err != nil || !goesOn {
			return false, err
		}
		most = gateShards * parkedPage
	}
	return false, nil
}

// restart begins another pass, gate being what counts the messages before it.
func (s *shard) restart(gate store.Record) {
	*s = shard{partition: s.partition, count: s.count, gate: gate, began: time.Now(), ended: s.ended, skip: s.skip}
}

// size returns how many bytes of sealed bodies are held.
func (s *shard) size() (n int) {
	for _, m := range s.held {
		n += len(m.Body)
	}
	return n
}

// next returns the first message of each thread, but for those that wait, of at most so many: the more there are to choose from, the wider
// are the CRM's calls.
func (r *draining) next(ctx context.Context, most int) ([]waitingMessage, error) {
	for again := true; again; { // twice at most
		errs := make([]error, len(r.shards))
		queue.SideBySide(r.shards, func(i int, s *shard) { errs[i] = r.fill(ctx, s) })
		moved, err := r.overtaken(ctx)
		if err = errors.Join(append(errs, err)...); err != nil {
			return nil, err
		}
		again = moved
	}
	var heads []waitingMessage
	seen := map[string]bool{}
	for _, s := range r.shards {
		for _, m := range s.held {
			if !seen[m.Group] {
				seen[m.Group] = true
				heads = append(heads, m)
			}
		}
	}
	heads = few(heads, most)
	taken := map[store.Key]bool{}
	for _, m := range heads {
		taken[m.record.Key] = true
	}
	for _, s := range r.shards {
		s.held = slices.DeleteFunc(s.held, func(m waitingMessage) bool { return taken[m.record.Key] })
	}
	return heads, nil
}

// overtaken has the pass over a shard begin again if something was parked since it began: that may be before what was read by now, and what is behind it
// in its thread among that. Where something is parked during that second read, too, it holds what the first one saw and what it saw before that: whatever is
// before it in its thread was parked before it. The rest is left for another pass: more may be parked than is read.
func (r *draining) overtaken(ctx context.Context) (again bool, err error) {
	var read []*shard
	var keys []store.Key
	for _, s := range r.shards {
		if s.read && r.worker == r.options.Worker { // receipts have no order
			read, keys = append(read, s), append(keys, s.count)
		}
		s.read = false
	}
	if len(keys) == 0 {
		return false, nil
	}
	held, err := r.options.Store.Get(ctx, keys...)
	for i, gate := range held {
		s := read[i]
		switch {
		case gate.Version == s.gate.Version:
			s.last = nil
		case s.last == nil:
			again = true
			last := map[string]string{}
			for _, m := range s.held {
				last[m.Group] = m.record.Sort
			}
			s.restart(gate)
			s.last = last
		default:
			s.held = slices.DeleteFunc(s.held, func(m waitingMessage) bool { return m.record.Sort > s.last[m.Group] })
			s.last, s.late = nil, true
		}
	}
	return again, err
}

// fill reads on in a shard, unless much of what was read is not in a batch yet.
func (r *draining) fill(ctx context.Context, s *shard) error {
	s.held = slices.DeleteFunc(s.held, func(m waitingMessage) bool { return s.leaves(m.Group) })
	if s.late && len(s.held) <= parkedPage/2 {
		s.restart(s.gate)
	}
	for !s.ended && !s.over && len(s.held) <= parkedPage/2 && s.size() <= parkedBytes {
		page, more, err := r.options.Store.List(ctx, store.Range{
			Partition: s.partition, After: s.after, Limit: parkedPage - len(s.held),
		})
		if err != nil {
			return err
		}
		if s.over = !more; len(page) > 0 {
			s.seen, s.read, s.after = true, true, page[len(page)-1].Sort
			s.held = append(s.held, r.read(ctx, s, page)...)
		}
	}
	return nil
}

// leaves reports whether a thread is left for the next run, and notes it.
func (s *shard) leaves(group string) bool {
	s.waits = s.waits || s.skip[group]
	return s.skip[group]
}

// read returns the messages of a page whose threads do not wait.
func (r *draining) read(ctx context.Context, s *shard, page []store.Record) (all []waitingMessage) {
	for _, record := range page {
		p, err := readParked(record)
		if err != nil {
			s.waits, s.blind = true, true
			r.options.Logger.ErrorContext(ctx, "parked delivery cannot be read", slog.String("partition", record.Partition), slog.String("sort", record.Sort))
			r.options.Meter.Count("ParkedUnreadable", 1)
			continue
		}
		if time.Now().Before(p.Next) {
			s.skip[p.Group] = true
		}
		if s.waits = s.waits || r.rows.has(p.ID); s.leaves(p.Group) || r.rows.has(p.ID) {
			continue
		}
		record.Data = nil // most of it is the body
		all = append(all, waitingMessage{s, record, queue.Received{
			Message: queue.Message{ID: p.ID, Group: p.Group, Body: []byte(p.Body), Trace: p.Trace}, Sequence: p.Sequence, Attempt: p.Attempt + 1, FirstSent: p.First,
		}})
	}
	return all
}

// few returns at most so many heads: those that waited longest and the one that waits for the shortest time, for what waits longest may be what the CRM
// refuses.
func few(heads []waitingMessage, most int) []waitingMessage {
	if len(heads) <= most {
		return heads
	}
	slices.SortStableFunc(heads, func(a, b waitingMessage) int { return a.FirstSent.Compare(b.FirstSent) })
	return append(heads[:most-1:most-1], heads[len(heads)-1])
}

// deliver has the worker decide what becomes of a batch, and removes what is done. It reports whether there is a reason to go on.
func (r *draining) deliver(ctx context.Context, batch []waitingMessage) (goesOn bool, err error) {
	worker := *r.worker
	worker.Handler = &drainHandler{r, worker.Handler}
	r.trouble, r.answered = nil, false
	err = r.process(ctx, &worker, batch)
	switch {
	case r.answered:
		if r.closure.Answers.IsZero() {
			r.closure.Answers = time.Now().UTC()
		}
		r.closure.Tries, r.closure.Probe = 0, time.Now().UTC()
		return true, err
	case r.trouble == nil:
		return true, err
	default:
		if r.closure.Kind == kindBatch {
			tellClosed(ctx, r.options.Logger, r.options.Meter, r.of, r.trouble, adviceOf(r.options.CRM, r.trouble.Code), r.worker != r.options.Worker)
		}
		r.closure.block(r.trouble, adviceOf(r.options.CRM, r.trouble.Code), r.options.Probe)
		r.options.Logger.WarnContext(ctx, "gate stays closed", slog.String("tenant", r.of.Tenant), slog.String("crm", r.of.CRM),
			slog.String("code", r.trouble.Code), slog.Time("probe", r.closure.Probe))
		return false, errors.Join(err, r.giveUpOld(ctx))
	}
}

// process has a worker decide what becomes of a batch, removes what is done and puts off what failed by itself.
func (r *draining) process(ctx context.Context, worker *queue.Worker, batch []waitingMessage) error {
	received := make([]queue.Received, len(batch))
	for i, m := range batch {
		received[i] = m.Received
	}
	gone := map[*shard][]store.Record{}
	for i, v := range worker.Process(ctx, received) {
		m := batch[i]
		if m.shard.waits = m.shard.waits || !v.Done; r.rows.has(m.ID) {
			continue
		}
		if !v.Done {
			m.shard.skip[m.Group] = true
			r.putOff(ctx, m, v.Wait)
			continue
		}
		gone[m.shard] = append(gone[m.shard], m.record)
	}
	errs := make([]error, len(r.shards))
	queue.SideBySide(r.shards, func(i int, s *shard) {
		for some := range slices.Chunk(gone[s], store.MaxWrite-1) {
			errs[i] = errors.Join(errs[i], r.remove(ctx, s, some))
		}
	})
	return errors.Join(errs...)
}

// putOff writes when a message is to be tried again, unless the next run may. Without it it is tried at the next.
func (r *draining) putOff(ctx context.Context, m waitingMessage, wait time.Duration) {
	if wait <= runEvery {
		return
	}
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	p := parked{
		ID: m.ID, Group: m.Group, Sequence: m.Sequence, Trace: m.Trace, Attempt: m.Attempt, First: m.FirstSent, Next: time.Now().Add(wait).UTC(), Body: string(m.Body),
	}
	data, err := json.Marshal(p)
	if err == nil {
		_, err = r.options.Store.Write(within, store.Change{Record: store.Record{Key: m.record.Key, Version: m.record.Version, Data: data}})
	}
	if err != nil {
		r.options.Logger.WarnContext(ctx, "parked delivery was not put off", slog.String("code", fault.Of(err).Code))
	}
}

// remove removes what is done, and takes it off the count, by one write. What was written anew meanwhile stays. Of a count that says fewer, because somebody
// wrote it or a part of the store was restored, what there is is taken: else what is done would stay parked, and its gate closed.
func (r *draining) remove(ctx context.Context, s *shard, records []store.Record) error {
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	changes := make([]store.Change, 0, len(records)+1)
	for _, record := range records {
		changes = append(changes, store.Change{Kind: store.Delete, Record: store.Record{Key: record.Key, Version: record.Version}})
	}
	return insist(within, func(ctx context.Context) error {
		for few := false; len(changes) > 0; {
			count, number, err := r.uncount(ctx, s, len(changes), few)
			if err != nil {
				return err
			}
			_, err = r.options.Store.Write(ctx, append([]store.Change{count}, changes...)...)
			conflict, lost := conflictOf(err)
			switch {
			case err == nil:
				s.gate.Version++
				s.gate.Number -= number
				return nil
			case !lost:
				return err
			case conflict.Index == 0:
				few = true
			default: // it was removed by a write whose reply was lost, or a receipt told more
				changes = slices.Delete(changes, conflict.Index-1, conflict.Index)
			}
		}
		return nil
	})
}

// uncount returns the change that takes n off the count of a shard, and how many that is. Few says that there may be fewer.
func (r *draining) uncount(ctx context.Context, s *shard, n int, few bool) (store.Change, int64, error) {
	number := int64(n)
	if !few {
		return store.Change{Kind: store.Add, Bound: math.MaxInt64, Record: store.Record{Key: s.count, Number: -number}}, number, nil
	}
	all, err := r.options.Store.Get(ctx, s.count)
	if err != nil {
		return store.Change{}, 0, err
	}
	held := all[0]
	number = min(number, behind(held))
	r.options.Logger.WarnContext(ctx, "fewer were counted than were parked", slog.String("tenant", r.of.Tenant), slog.String("crm", r.of.CRM))
	held.Number -= number
	return store.Change{Record: held}, number, nil
}

// giveUpOld gives up what has waited for as long as anything does, while the CRM takes nothing.
func (r *draining) giveUpOld(ctx context.Context) error {
	worker := *r.worker
	worker.Handler = refusing{r.trouble}
	for _, s := range r.shards {
		s.restart(s.gate)
		clear(s.skip)
	}
	for r.left(ctx) {
		batch, err := r.next(ctx, gateShards*parkedPage)
		if err != nil {
			return err
		}
		batch = slices.DeleteFunc(batch, func(m waitingMessage) bool { return time.Since(m.FirstSent) < queue.MaxAge })
		if len(batch) == 0 {
			return nil
		}
		if err := r.process(ctx, &worker, batch); err != nil {
			return err
		}
	}
	return nil
}

// refusing is a handler that delivers nothing, because a CRM takes nothing.
type refusing struct{ why *fault.Error }

// Handle returns the same error for all heads.
func (h refusing) Handle(_ context.Context, heads []queue.Received) []error {
	return slices.Repeat([]error{fault.New(fault.Blocked, h.why.Code, h.why)}, len(heads))
}

// drainHandler tells a CRM that takes nothing, whose messages all wait, from messages that fail by themselves.
type drainHandler struct {
	*draining
	inner queue.Handler
}

// Handle returns one error a head. Of one that waits for the CRM or the tenant it is queue.ErrNotStarted: nothing is held against it, until it has waited for
// as long as anything does. What fails by itself has been failing since the CRM answered at the earliest.
func (h *drainHandler) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := h.inner.Handle(ctx, heads)
	if len(errs) != len(heads) {
		return errs
	}
	answered := false
	h.rows.note(heads, errs)
	for _, err := range errs {
		took := err == nil
		answered = answered || took || fault.Of(err).Kind == fault.Permanent && OfCRM(h.options.Kind, err)
		if took && h.worker == h.options.Worker {
			h.closure.Delivered++
		}
	}
	h.answered = h.answered || answered
	if ctx.Err() != nil {
		return outOfTime(errs)
	}
	for i, err := range errs {
		if err == nil || errors.Is(err, queue.ErrNotStarted) {
			continue
		}
		why := h.blocks(err)
		if f := fault.Of(err); why == nil && (f.Kind == fault.Throttled || !answered && len(heads) > 1 && Unanswered(h.options.Kind, f)) {
			why = f
		}
		switch {
		case why == nil:
			errs[i] = h.since(err)
		case time.Since(heads[i].FirstSent) >= queue.MaxAge:
			h.trouble, errs[i] = why, fault.New(fault.Blocked, why.Code, err)
		default:
			h.trouble, errs[i] = why, queue.ErrNotStarted
		}
	}
	return errs
}

// outOfTime returns errs with what failed for want of time as not begun: it says nothing of the message, nor of the CRM.
func outOfTime(errs []error) []error {
	for i, err := range errs {
		if err != nil && fault.Of(err).Kind != fault.Permanent {
			errs[i] = queue.ErrNotStarted
		}
	}
	return errs
}

// blocks returns the fault that says that the CRM takes nothing, nil for any other error.
func (r *draining) blocks(err error) *fault.Error {
	if f := fault.Of(err); r.worker == r.options.Receipts && f.Kind == fault.Blocked {
		return f
	}
	return blocks(r.options.Kind, err)
}

// since lets a message fail since the CRM takes deliveries again at the earliest, and since now where nobody kept account: of what was parked for
// long its age says nothing.
func (r *draining) since(err error) error {
	failing, ok := errors.AsType[*queue.FailingError](err)
	if !ok {
		return &queue.FailingError{Since: time.Now(), Err: err}
	}
	from := r.closure.Answers
	if from.IsZero() {
		from = time.Now()
	}
	if failing.Since.Before(from) {
		return &queue.FailingError{Since: from, Attempt: failing.Attempt, Err: failing.Err}
	}
	return err
}
