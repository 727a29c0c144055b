package rbm

import (
	"cmp"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/jsontext"
	"signalbox/shared/receipt"
)

// payload is what one webhook says.
// See https://developers.google.com/business-communications/rcs-business-messaging/reference/rest/v1/UserMessage, UserEvent, ServerEvent,
// AgentLaunchEvent and CapabilityCallbackResponse beside it.
type payload struct {
	data               jsontext.Value
	person, agent      string // the two sides
	message, id        string // what a message is called, and the webhook's event
	kind               string // of an event; "" of a message
	sent, received     time.Time
	launch, capability bool // it is about that, and of no conversation
}

// read reads what webhooks have in common. The person is named by one member in what they do, and by another in what Google does.
func read(data jsontext.Value, received time.Time) payload {
	return payload{
		data: data, received: received,
		person:     cmp.Or(data.TextAt("senderPhoneNumber"), data.TextAt("phoneNumber")),
		agent:      data.TextAt("agentId"),
		message:    data.TextAt("messageId"),
		id:         data.TextAt("eventId"),
		kind:       data.TextAt("eventType"),
		sent:       adapter.PastTime(data.TextAt("sendTime"), received),
		launch:     data.At("newLaunchState") != "",
		capability: data.At("rbmEnabled") != "" || data.At("features") != "",
	}
}

// isOpen names the members that say nothing about a person.
func isOpen(name string) bool {
	switch name {
	case "agentId", "messageId", "eventId", "eventType", "sendTime", "carrier", "userFile.payload.mimeType", "userFile.payload.fileSizeBytes", "suggestionResponse.type":
		return true
	default:
		return strings.HasPrefix(name, "richMessageClassification.")
	}
}

// parsed returns the events that a webhook amounts to: none if it is of no conversation, or of somebody who is still typing.
func (p *payload) parsed() ([]adapter.Parsed, error) {
	switch {
	case p.kind == "IS_TYPING", p.kind == "" && p.message == "" && (p.launch || p.capability):
		return nil, nil
	case p.agent == "":
		return nil, malformed("agent_missing")
	case p.person == "":
		return nil, malformed("phone_number_missing")
	}
	switch p.kind {
	case "":
		return p.userMessage()
	case "DELIVERED", "READ", "TTL_EXPIRATION_REVOKED", "TTL_EXPIRATION_REVOKE_FAILED":
		return p.receipt()
	case "UNSUBSCRIBE":
		return p.consent(consent.Stop, consent.Marketing)
	case "SUBSCRIBE": // by its description it opens everything
		return p.consent(consent.Start, consent.Messaging, consent.Marketing)
	default:
		return nil, malformed("event_type_unknown")
	}
}

// event returns an event of a kind between the person and the agent. Its id is unique for a person only.
func (p *payload) event(kind, id string, e canonical.Event) adapter.Parsed {
	known, person, ours := p.person, canonical.Participant{Phone: p.person}, canonical.Participant{ChannelAddress: p.agent}
	if !canonical.IsE164(known) {
		known = string(canonical.RCS) + ":" + known
		person = canonical.Participant{ID: known}
	}
	e.Channel, e.Timestamp = canonical.RCS, p.sent
	e.Sender, e.Recipient = person, ours
	if e.Direction == canonical.Status {
		e.Sender, e.Recipient = ours, person
	}
	bare, _ := strings.CutSuffix(p.agent, "@rbm.goog")
	return adapter.Parsed{
		Event: e,
		Kind:  kind, Key: known + "|" + id,
		Addresses: []string{p.agent, bare},
		Person:    known,
		Side:      p.agent,
		Vendor:    adapter.JSONFields(p.data, isOpen),
	}
}

// receipt reads how far a message of ours got. One whose time ran out without the message being taken back may still arrive.
// See https://developers.google.com/business-communications/rcs-business-messaging/guides/build/messages/send#expire.
func (p *payload) receipt() ([]adapter.Parsed, error) {
	if p.message == "" {
		return nil, malformed("message_id_missing")
	}
	r := canonical.Receipt{At: cmp.Or(p.sent, p.received)}
	switch p.kind {
	case "DELIVERED":
		r.State = "delivered"
	case "READ":
		r.State = "read"
	case "TTL_EXPIRATION_REVOKED":
		r.State, r.Error, r.Reason = "expired", p.kind, receipt.Expired
	default:
		r.State, r.Error = "sent", p.kind
	}
	return []adapter.Parsed{p.event("receipt", cmp.Or(p.id, p.message+"|"+p.kind), canonical.Event{
		Type:              canonical.TypeReceipt,
		Direction:         canonical.Status,
		ProviderMessageID: p.message,
		RelatesTo:         &canonical.Relation{Kind: "receipt", ProviderMessageID: p.message},
		Receipt:           &r,
	})}, nil
}

// consent reads a change of it, for each purpose. By its description UNSUBSCRIBE is about what nobody needs, promotions say, of the agent and
// its business. The word that the phone sends at the same moment, STOP in the language of the country, comes as a message, closes what such a
// word closes, and is what people see in a CRM: this is the provider's word on it.
// See https://developers.google.com/business-communications/rcs-business-messaging/guides/build/events/receive-events.
func (p *payload) consent(keyword string, purposes ...string) (all []adapter.Parsed, err error) {
	if p.id == "" {
		return nil, malformed("event_id_missing")
	}
	for _, purpose := range purposes {
		c := consent.Of(keyword, consent.SourceProvider)
		c.Purpose = purpose
		all = append(all, p.event("consent", p.id+"|"+purpose, canonical.Event{Type: canonical.TypeConsent, Direction: canonical.Status, Consent: c}))
	}
	return all, nil
}
