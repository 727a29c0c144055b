package whatsapp

import (
	"cmp"

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
	to := [3]string{"recipient_id", "recipient_user_id", "recipient_parent_user_id"}
	if s.text("recipient_type") == "group" {
		to = [3]string{"recipient_participant_id", "recipient_participant_user_id", "recipient_participant_parent_user_id"}
	}
	person := c.person(s.text(to[0]), s.text(to[1]), s.text(to[2]))
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
	e := canonical.Event{
		Type: canonical.TypeReceipt, Direction: canonical.Status, ProviderMessageID: id, Timestamp: at,
		RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: id},
		Receipt:   &canonical.Receipt{State: state, At: cmp.Or(at, c.received), Error: code, Reason: reason(code, state)},
	}
	var left leftovers
	left.addText("status", state)
	left.addText("errorTitle", problem.text("title"))
	left.add("pricing", s.get("pricing"))
	left.add("conversation", s.get("conversation"))
	left.addText("callbackData", s.text("biz_opaque_callback_data"))
	e.Metadata = left.metadata()
	key := id + "|" + state + "|" + code
	if to[0] != "recipient_id" {
		key += "|" + person.ID
	}
	c.add(adapter.Parsed{Event: e, Kind: "receipt", Key: key}, person)
	if code == marketingStopped && state == "failed" {
		c.consent(canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceReceipt, Purpose: consent.Marketing}, told{direction: canonical.Status}, person, id, s)
	}
}

// consent adds what a customer thinks of marketing.
func (c *change) consent(said canonical.Consent, t told, person canonical.Participant, key string, raw object) {
	e := canonical.Event{Type: canonical.TypeConsent, Direction: t.direction, Consent: &said, Timestamp: c.instant(raw.text("timestamp"))}
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
		c.consent(said, told{direction: canonical.Inbound}, person, person.ID+"|"+value+"|"+p.text("timestamp"), p)
	}
}
