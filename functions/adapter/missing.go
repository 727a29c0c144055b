package adapter

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const (
	lookedUp   = 50 // webhooks that are looked up in one call
	fetchBatch = 10 // events that are sent in one call
)

// piece is an event of what was fetched.
type piece struct {
	of      int // which webhook
	message queue.Message
	event   canonical.Event
}

// sendMissing sends what is not known of what was fetched, in its order. What cannot be used is told and left out: it is at the provider, and
// most of it is of numbers that are no lines.
func (r *Reparser) sendMissing(ctx context.Context, a tenant.Account, p *progress, found []Fetched) error {
	for some := range slices.Chunk(found, lookedUp) {
		var all []piece
		for i, f := range some {
			pieces, err := r.usable(ctx, a, p, i, f)
			if err != nil {
				return err
			}
			all = append(all, pieces...)
		}
		missing, err := r.missing(ctx, all)
		if err == nil {
			missing, err = r.fill(ctx, a, p, some, missing)
		}
		if err == nil {
			err = r.send(ctx, p, missing)
		}
		if err != nil {
			return err
		}
		p.Found += len(some)
	}
	return nil
}

// send sends events in their order.
func (r *Reparser) send(ctx context.Context, p *progress, missing []piece) error {
	for some := range slices.Chunk(missing, fetchBatch) {
		var work Batch
		for i := range some {
			work.add(some[i].message, &some[i].event, r.adapter.Lanes)
		}
		if _, err := r.adapter.publishAll(ctx, work, defaultBudget); err != nil {
			return err
		}
		p.Missing += len(some)
	}
	return nil
}

// fill completes what is missing and was fetched in part.
func (r *Reparser) fill(ctx context.Context, a tenant.Account, p *progress, found []Fetched, missing []piece) ([]piece, error) {
	var whole []piece
	filler, _ := r.fetcher.(Filler)
	filled := -1
	for _, m := range missing {
		switch f := found[m.of]; {
		case !f.Part || filler == nil:
			whole = append(whole, m)
		case m.of != filled:
			filled = m.of
			f, err := filler.Fill(ctx, a, f)
			if err != nil {
				return nil, err
			}
			pieces, err := r.usable(ctx, a, p, m.of, f)
			if err != nil {
				return nil, err
			}
			whole = append(whole, pieces...)
		}
	}
	return whole, nil
}

// usable returns the events of a webhook that was fetched, none of one that cannot be used.
func (r *Reparser) usable(ctx context.Context, a tenant.Account, p *progress, of int, f Fetched) (all []piece, err error) {
	err = r.adapter.catchPanic(ctx, func() (err error) {
		all, err = r.pieces(ctx, a, p, of, f)
		return err
	})
	if err != nil && fault.Of(err).Kind == fault.Permanent {
		r.adapter.Logger.InfoContext(ctx, "fetched webhook cannot be used", slog.String("account", a.ID), slog.String("code", fault.Of(err).Code))
		p.Unused++
		return nil, nil
	}
	return all, err
}

// missing returns those events that are not known: of which there is no record, or of a receipt whose message is not known to have got so far.
func (r *Reparser) missing(ctx context.Context, all []piece) (unknown []piece, err error) {
	held := map[store.Key]store.Record{}
	var keys []store.Key
	for _, m := range all {
		if key := knownBy(&m.event); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for some := range slices.Chunk(keys, store.MaxGet) {
		records, err := r.records.Get(ctx, some...)
		if err != nil {
			return nil, err
		}
		for i, record := range records {
			held[some[i]] = record
		}
	}
	for _, m := range all {
		if record := held[knownBy(&m.event)]; record.Version == 0 || !isKnown(&m.event, record) {
			unknown = append(unknown, m)
		}
	}
	return unknown, nil
}

// knownBy returns where it is kept that an event came.
func knownBy(e *canonical.Event) store.Key {
	if e.Type == canonical.TypeReceipt && e.RelatesTo != nil {
		return receipt.Key(e.TenantID, canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, e.RelatesTo.ProviderMessageID))
	}
	return delivery.RecordKey(e.TenantID, e.EventID)
}

// isKnown reports whether what is held under knownBy says as much as the event does.
func isKnown(e *canonical.Event, held store.Record) bool {
	if e.Type != canonical.TypeReceipt || e.Receipt == nil {
		return true
	}
	rank, _ := receipt.Rank(e.Receipt.State)
	return held.Number >= int64(rank)
}

// pieces parses a webhook that was fetched.
func (r *Reparser) pieces(ctx context.Context, a tenant.Account, p *progress, of int, f Fetched) (all []piece, err error) {
	w := Webhook{
		Request:  webhook.Request{Body: f.Body, Received: f.At},
		Provider: r.adapter.description.Provider, Kind: f.Kind, AccountID: a.ID, ProviderAccount: a.ProviderAccount,
		Fetched: time.Now(), Historical: p.History,
	}
	parsed, err := r.adapter.Channel.Decode(w).Parse()
	for i := range parsed {
		for _, told := range []*Parsed{optOut(&parsed[i], w.Received), &parsed[i]} {
			if told == nil {
				continue
			}
			message, err := r.adapter.message(ctx, w, told)
			if unused := unusable(told, err); unused != nil {
				return nil, unused
			}
			if err != nil {
				return nil, err
			}
			all = append(all, piece{of, message, told.Event})
		}
	}
	return all, err
}
