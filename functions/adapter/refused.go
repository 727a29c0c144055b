package adapter

import (
	"cmp"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/receipt"
)

// explain gives a receipt of a message that was given up its reason where the channel has none for it.
func explain(r *canonical.Receipt) {
	switch {
	case r == nil || r.Reason != "":
	case r.State == "failed":
		r.Reason = receipt.Unknown
	case r.State == "expired":
		r.Reason = receipt.Expired
	}
}

// optOut returns the consent that a receipt tells, nil for none: the message was not sent because of what the person said. It is not the
// message's, which has a record of its own in CRMs. It is of the end of the time that the receipt may be of, for a START may have come
// before the opt-out in it, or of when the receipt came, if that is earlier.
func optOut(p *Parsed, received time.Time) *Parsed {
	e := &p.Event
	if e.Type != canonical.TypeReceipt || e.Receipt == nil || e.Receipt.Reason != receipt.OptedOut || !receipt.IsEnd(e.Receipt.State) || p.Err != nil {
		return nil
	}
	told := *p
	told.Kind, told.Key = "consent", e.ProviderMessageID
	if e.RelatesTo != nil {
		told.Key = cmp.Or(e.RelatesTo.ProviderMessageID, told.Key)
	}
	if e.AccountID != "" { // another account's message
		told.Key = e.Provider + "|" + e.AccountID + "|" + told.Key
	}
	told.Event.Type, told.Event.Receipt, told.Event.Metadata = canonical.TypeConsent, nil, nil
	told.Event.ProviderMessageID = ""
	told.Event.Consent = consent.Of(consent.Stop, consent.SourceReceipt)
	if at := &told.Event.Timestamp; !at.IsZero() && p.Within > 0 {
		*at = at.Add(p.Within - time.Millisecond)
		if !at.Before(received) {
			*at = time.Time{} // when it came stands in
		}
	}
	return &told
}
