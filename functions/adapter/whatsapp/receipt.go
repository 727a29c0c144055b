package whatsapp

import (
	"cmp"
	"encoding/json"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
)

// status reads how far a message of ours got. That somebody has listened to it, or deleted it on a device of theirs, is no state, and what
// becomes of a payment is another matter.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status.
func (c *change) status(s object) {
	id, state := s.text("id"), s.text("status")
	switch state {
	case "sent", "delivered", "read", "failed":
	case "played", "deleted", "warning":
		return
	default:
		if s.text("type") != "payment" {
			c.fail("status_unknown")
		}
		return
	}
	person, member := c.recipient(s)
	switch {
	case id == "":
		c.fail("message_id_missing")
		return
	case nobody(person):
		c.fail("customer_missing")
		return
	}
	problem := s.first("errors")
	code, at := problem.text("code"), c.instant(s.text("timestamp"))
	key := id + "|" + state + "|" + code
	if member {
		key += "|" + person.ID
	}
	c.add(adapter.Parsed{Kind: "receipt", Key: key, Event: canonical.Event{
		Type: canonical.TypeReceipt, Direction: canonical.Status, ProviderMessageID: id, Timestamp: at,
		RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: id},
		Receipt:   &canonical.Receipt{State: state, At: cmp.Or(at, c.received), Error: code, Reason: reason(code, state)},
		Metadata:  statusMetadata(s, state, problem.text("title")),
	}}, person)
	if code == marketingStopped && state == "failed" {
		said := canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceReceipt, Purpose: consent.Marketing}
		c.consent(said, canonical.Status, person, id, s)
	}
}

// recipient returns whom a message of ours was to, and reports whether they are told of as a member of a group.
func (c *change) recipient(s object) (person canonical.Participant, member bool) {
	if s.text("recipient_type") == "group" {
		return c.person(s.text("recipient_participant_id"), s.text("recipient_participant_user_id"), s.text("recipient_participant_parent_user_id")), true
	}
	return c.person(s.text("recipient_id"), s.text("recipient_user_id"), s.text("recipient_parent_user_id")), false
}

// statusMetadata returns what of a status has no place in the event.
func statusMetadata(s object, state, title string) map[string]json.RawMessage {
	var left leftovers
	left.addText("status", state)
	left.addText("errorTitle", title)
	left.add("pricing", s.get("pricing"))
	left.add("conversation", s.get("conversation"))
	left.addText("callbackData", s.text("biz_opaque_callback_data"))
	return left.metadata()
}

// consent adds what a customer thinks of marketing.
func (c *change) consent(said canonical.Consent, direction canonical.Direction, person canonical.Participant, key string, raw object) {
	e := canonical.Event{Type: canonical.TypeConsent, Direction: direction, Consent: &said, Timestamp: c.instant(raw.text("timestamp"))}
	c.add(adapter.Parsed{Event: e, Kind: "consent", Key: key}, person)
}

// preference reads what a customer set in WhatsApp itself: only they can change it. Messages that are no marketing stay allowed.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences.
func (c *change) preference(p object) {
	person, value := c.person(p.text("wa_id"), p.text("user_id"), p.text("parent_user_id")), p.text("value")
	said := canonical.Consent{Keyword: consent.Start, State: consent.OptedIn, Source: consent.SourceProvider, Purpose: consent.Marketing}
	switch value {
	case "stop":
		said.Keyword, said.State = consent.Stop, consent.OptedOut
	case "resume", "signup":
	default:
		c.fail("preference_unknown")
		return
	}
	switch {
	case p.text("category") != "marketing_messages":
		c.fail("preference_unknown")
	case nobody(person):
		c.fail("customer_missing")
	default:
		c.consent(said, canonical.Inbound, person, person.ID+"|"+value+"|"+p.text("timestamp"), p)
	}
}
