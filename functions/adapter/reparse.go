package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// The codes of webhooks that cannot be parsed again.
const (
	CodeProvider  = "other_provider"        // another provider's function is to be asked
	CodeBytes     = "bytes_incomplete"      // what was received is gone
	CodeAccount   = "account_unknown"       // the account it came to is not configured any more
	CodeUnwritten = "dead_letter_unwritten" // its bytes were kept, and the record that says why was not
)

// Reparser parses webhooks again that were dead letters, from the bytes that were received: by the provider's own code, with
// the configuration in force now. They were authentic when they came, and signatures are not kept, so that none is checked
// again. It is safe to be asked twice: the events have the ids they would have had.
type Reparser struct {
	adapter  *Adapter
	records  store.Store
	bytes    store.Store // the table of received bytes, where what waits to be retried is listed, too
	claims   *idempotency.Reopener
	reporter redrive.Reporter
	fetcher  Fetcher // nil where the provider cannot be asked
	teller   Teller  // nil where the provider cannot be told
	accounts Accounts
}

// NewReparser returns a Reparser for the channel of a; it needs neither its DeadLetterWriter nor its tokens.
func NewReparser(a *Adapter, records, received store.Store) *Reparser {
	return &Reparser{
		adapter: a, records: records, bytes: received, claims: idempotency.NewReopener(records),
		reporter: redrive.Reporter{Done: "redrive", Failed: "not parsed again", Metric: "Redriven", Logger: a.Logger, Meter: a.Meter},
	}
}

// Reparse executes a request for ids of dead letters, or that of a schedule for those that are due, redrive.Again. One that
// is invalid is a Result with Problems; the error is what is not its fault, by its code alone: the same request may be sent again.
func (r *Reparser) Reparse(ctx context.Context, q redrive.Common) (redrive.Result, error) {
	if q.Action == redrive.Again {
		err := r.retryDue(ctx)
		var untold error
		if err == nil && r.teller != nil { // before what may take all of the time
			untold = r.tellAll(ctx)
		}
		if err == nil && r.fetcher != nil {
			err = r.lookAtAll(ctx)
		}
		err = errors.Join(err, untold)
		if err != nil {
			_, err = r.reporter.Report(ctx, q, redrive.Result{}, err)
		}
		return redrive.Result{}, err
	}
	problems := q.Check(redrive.Plan, redrive.Redrive)
	if len(q.IDs) == 0 {
		problems = append(problems, "ids are required")
	}
	if len(problems) > 0 {
		return redrive.Result{Problems: problems}, nil
	}
	result, err := r.reparse(ctx, q)
	return r.reporter.Report(ctx, q, result, err)
}

// letter is one dead letter.
type letter struct {
	held   store.Record
	record deadletter.Record
}

func (r *Reparser) reparse(ctx context.Context, q redrive.Common) (redrive.Result, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(q.IDs)))
	keys := make([]store.Key, len(ids))
	for i, id := range ids {
		keys[i] = deadletter.Key(deadletter.Record{ID: id, Tenant: q.Tenant, Stage: deadletter.StageReceive})
	}
	held, err := r.records.Get(ctx, keys...)
	if err != nil {
		return redrive.Result{}, err
	}
	var result redrive.Result
	var letters []letter
	for i, record := range held {
		rec, ok := deadletter.Read(record)
		if !ok {
			result.Add(redrive.Item{ID: ids[i], Stage: deadletter.StageReceive, Outcome: redrive.Missing})
			continue
		}
		letters = append(letters, letter{held: record, record: rec})
	}
	slices.SortFunc(letters, func(a, b letter) int { return a.record.First.Compare(b.record.First) }) // as they came
	if len(letters) > 0 && q.Action == redrive.Redrive {
		subjects := make([]string, len(letters))
		for i, l := range letters {
			subjects[i] = deadletter.StageReceive + " " + l.record.ID
		}
		if err := q.Audit(ctx, r.records, subjects); err != nil {
			return redrive.Result{}, err
		}
	}
	for i := range letters {
		result.Add(r.reparseOne(ctx, q, &letters[i]))
	}
	return result, nil
}

// reparseOne parses one webhook again. For a plan nothing is sent, and the outcome is what it would be.
func (r *Reparser) reparseOne(ctx context.Context, q redrive.Common, l *letter) redrive.Item {
	item := redrive.Item{ID: l.record.ID, Stage: deadletter.StageReceive, Outcome: redrive.Ready, Code: l.record.Code}
	ctx = telemetry.WithTrace(telemetry.WithEvent(ctx, l.record.ID), l.record.Trace)
	generation, err := r.parse(ctx, q.Action == redrive.Redrive, l)
	switch {
	case err != nil:
		item.Outcome, item.Code = redrive.Failed, fault.Of(err).Code
	case q.Action == redrive.Redrive:
		item.Outcome, item.Code, item.Generation = redrive.Redriven, "", generation
		r.adapter.Logger.InfoContext(ctx, "webhook parsed again", slog.Int("generation", generation))
		if err := deadletter.Settle(ctx, r.records, l.held, deadletter.Redriven, generation); err != nil {
			r.adapter.Logger.WarnContext(ctx, "webhook was parsed again and is not marked so", slog.String("code", fault.Of(err).Code))
		}
	}
	return item
}

// parse reads a webhook, and sends what it says.
func (r *Reparser) parse(ctx context.Context, send bool, l *letter) (generation int, err error) {
	w, err := r.webhook(ctx, l.record)
	if err != nil {
		return 0, err
	}
	var work Batch
	err = r.adapter.catchPanic(ctx, func() (err error) {
		work, err = r.adapter.Parse(ctx, w, r.adapter.Channel.Decode(w))
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case !send:
		return 0, work.Unused
	}
	generation, err = r.claims.NextGeneration(ctx, deadletter.Key(l.record).Partition, max(l.record.Generation, l.record.RedrivenAs))
	if err != nil {
		return 0, err
	}
	work.regenerate(generation)
	for part := range work.parts() {
		if _, err = r.adapter.publishAll(ctx, part, defaultBudget); err != nil {
			return 0, err
		}
	}
	if r.adapter.Outbox != nil {
		if err = r.adapter.Outbox.keepAll(ctx, work.outbox); err != nil {
			return 0, err
		}
	}
	return generation, work.Unused // it stays a dead letter until every address of it has a line
}

// parts yields the messages in their order, as many at a time as are published at once.
func (w *Batch) parts() iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		for some := range slices.Chunk(w.Messages, maxAtOnce) {
			if !yield(Batch{Messages: some}) {
				return
			}
		}
		for some := range slices.Chunk(w.Later, maxAtOnce) {
			if !yield(Batch{Later: some}) {
				return
			}
		}
		for kind, messages := range w.Lanes {
			for some := range slices.Chunk(messages, maxAtOnce) {
				if !yield(Batch{Lanes: map[canonical.Type][]queue.Message{kind: some}}) {
					return
				}
			}
		}
	}
}

// regenerate gives the messages ids that were never used: the queue drops what it was sent in the last five minutes.
func (w *Batch) regenerate(generation int) {
	suffix := ":" + strconv.Itoa(generation)
	for i := range w.Messages {
		w.Messages[i].ID += suffix
	}
	for i := range w.Later {
		w.Later[i].ID += suffix
	}
	for _, messages := range w.Lanes {
		for i := range messages {
			messages[i].ID += suffix
		}
	}
}

// readPart returns one record of what was received. An earlier release sealed neither the head nor any part; the head sets sealed, which
// holds for the parts.
func (r *Reparser) readPart(ctx context.Context, rec deadletter.Record, key store.Key, sealed *bool) ([]byte, error) {
	held, err := r.bytes.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if held[0].Version == 0 {
		return nil, fault.New(fault.Permanent, CodeBytes, nil)
	}
	if key.Sort == headSort {
		*sealed = keyring.Sealed(held[0].Data)
	}
	if !*sealed {
		return held[0].Data, nil
	}
	return r.adapter.sealer.Open(ctx, sealedFor(rec, key.Sort), held[0].Data)
}

// webhook puts a webhook together as it was received.
func (r *Reparser) webhook(ctx context.Context, rec deadletter.Record) (Webhook, error) {
	var sealed bool
	described, err := r.readPart(ctx, rec, store.Key{Partition: rec.BytesKey, Sort: headSort}, &sealed)
	if err != nil {
		return Webhook{}, err
	}
	var head received
	if json.Unmarshal(described, &head) != nil {
		return Webhook{}, fault.New(fault.Permanent, CodeBytes, nil)
	}
	_, kind, ok := r.adapter.route(head.Path)
	if !ok || head.Provider != r.adapter.description.Provider {
		return Webhook{}, fault.New(fault.Permanent, CodeProvider, nil)
	}
	var body bytes.Buffer
	for part := range head.Parts {
		data, err := r.readPart(ctx, rec, deadletter.PartKey(rec, part), &sealed)
		if err != nil {
			return Webhook{}, err
		}
		body.Write(data)
	}
	if body.Len() != head.Size {
		return Webhook{}, fault.New(fault.Permanent, CodeBytes, nil)
	}
	account, err := r.adapter.Directory.Account(ctx, head.Account)
	if errors.Is(err, tenant.ErrUnknown) {
		return Webhook{}, fault.New(fault.Permanent, CodeAccount, nil)
	}
	if err != nil {
		return Webhook{}, err
	}
	header := http.Header{}
	maps.Copy(header, head.Header)
	if head.ContentType != "" {
		header.Set("Content-Type", head.ContentType)
	}
	return Webhook{
		Request: webhook.Request{
			Method: http.MethodPost, Path: head.Path, RawQuery: head.Query, Header: header, Body: body.Bytes(), Received: head.Received,
		},
		Provider: head.Provider, Kind: kind, AccountID: account.ID, ProviderAccount: account.ProviderAccount,
	}, nil
}
