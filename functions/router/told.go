package router

import (
	"context"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// tellProviders keeps what is to be told, by the functions of the channels, of a change of consent to providers that keep lists of their own:
// for each line whose account tells its provider, if the change is what holds there now. It is kept before the event has a record, and
// writing it again changes nothing. A provider is not told what it said itself of a line.
func (r *Router) tellProviders(ctx context.Context, e *canonical.Event, c *canonical.Consent, held consent.Held, x change) error {
	if ofMarketing(c) {
		return nil
	}
	var records []store.Record
	for _, line := range x.tenant.Lines {
		if !line.Tells || line.ID == e.LineID && (c.Source == consent.SourceProvider || c.Source == consent.SourceReceipt) {
			continue
		}
		for _, w := range wordsOf(e, line, x.tenant, held) {
			w.Digest, w.Address = x.who.Address, identifier(e.Customer())
			sealed, err := r.sealer.SealTenant(ctx, w.Place(), []byte(w.Address))
			if err != nil {
				return err
			}
			record := w.Record(sealed)
			record.Expires = time.Now().Add(Retention) // of an account that tells no more it may not lie there for ever
			records = append(records, record)
		}
	}
	for some := range slices.Chunk(records, store.MaxWrite) {
		if err := r.Store.Note(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// wordsOf returns what is to be told of an event for a line, on those of its channels where what holds is the event's.
func wordsOf(e *canonical.Event, line tenant.Line, t tenant.Tenant, held consent.Held) (all []consent.Word) {
	for _, channel := range line.Channels {
		now := t.Consent.May(held.Address, held.Person, consent.Question{Channel: channel, Line: line.ID, Purpose: consent.Messaging})
		if now.Mark.EventID != e.EventID || now.Verdict == consent.Unknown {
			continue
		}
		w := consent.Word{
			Tenant: e.TenantID, Account: line.AccountID, Line: line.ID, Sender: line.Address, Channel: channel,
			State: consent.OptedIn, Source: now.Mark.Source, At: now.Mark.At, EventID: e.EventID,
		}
		if now.Verdict == consent.Denied {
			w.State = consent.OptedOut
		}
		all = append(all, w)
	}
	return all
}
