package twilio

import (
	"cmp"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/jsontext"
)

// The types of Event Streams that are read. Those of what was sent end with its status.
// See https://www.twilio.com/docs/events/event-types/messaging/outbound-message and its neighbours.
const (
	typeInbound    = "com.twilio.messaging.inbound-message.received"
	typeOutbound   = "com.twilio.messaging.message."
	typeReassigned = "com.twilio.messaging.reassigned-number.detected"
)

// maxNesting is more than twice what any event has.
const maxNesting = 32

// stream reads what a sink of Event Streams is sent: an array of CloudEvents, of which a subscription chooses types and the version of each.
// A version later than what is known here only adds members, and a type that is not known here tells nothing.
func (c *content) stream() ([]adapter.Parsed, error) {
	document, err := jsontext.Parse(c.Body, maxNesting)
	if err != nil {
		return nil, malformed("json_malformed")
	}
	if document[0] == '{' {
		document = "[" + document + "]"
	} else if document[0] != '[' {
		return nil, malformed("json_malformed")
	}
	var all []adapter.Parsed
	for event := range document.Elements() {
		parsed, err := c.streamed(event, event.At("data"))
		if err != nil {
			parsed = []adapter.Parsed{{Err: err}}
		}
		vendor := adapter.JSONFields(event, isOpenEvent)
		for i := range parsed {
			parsed[i].Unasked, parsed[i].Vendor = true, vendor
		}
		if all == nil { // as for most
			all = parsed
			continue
		}
		all = append(all, parsed...)
	}
	return all, nil
}

// streamed reads one event.
func (c *content) streamed(event, data jsontext.Value) ([]adapter.Parsed, error) {
	kind := event.TextAt("type")
	status, sent := strings.CutPrefix(kind, typeOutbound)
	if _, known := stateOf(status); sent && !known {
		status = strings.ToLower(data.TextAt("messageStatus"))
		_, sent = stateOf(status)
	}
	account := cmp.Or(data.TextAt("accountSid"), data.TextAt("account_sid"))
	switch {
	case !sent && kind != typeInbound && kind != typeReassigned:
		return nil, nil
	case account != c.ProviderAccount:
		return nil, malformed("account_mismatch")
	case sent:
		return c.outbound(data, status)
	case kind == typeInbound:
		return c.witness(data)
	default:
		return c.reassigned(event, data)
	}
}

// at returns when an event was, which is not after it was received.
func (c *content) at(written string) time.Time {
	told, ok := canonical.ParseTime(written)
	if !ok || told.After(c.Received) {
		return c.Received
	}
	return told
}

// formOf returns the parameters in which a webhook has the same as an event's data, so that both are read as one.
func formOf(data jsontext.Value, with ...field) form {
	return append(append(make(form, 0, 8), form{
		{"MessageSid", data.TextAt("messageSid")},
		{"AccountSid", data.TextAt("accountSid")},
		{"From", data.TextAt("from")},
		{"To", data.TextAt("to")},
		{"MessagingServiceSid", data.TextAt("messagingServiceSid")},
	}...), with...)
}

// witness reads a message that came. The webhook of it has files, buttons, places and names beside, and therefore counts if it comes.
func (c *content) witness(data jsontext.Value) ([]adapter.Parsed, error) {
	parsed, err := message(formOf(data,
		field{"Body", data.TextAt("body")},
		field{"OptOutType", data.TextAt("optOutType")},
		field{"ReferralCtwaClid", data.TextAt("referralCtwaClid")},
	), c.Received)
	for i := range parsed {
		parsed[i].Second, parsed[i].Event.Timestamp = true, c.at(data.TextAt("timestamp"))
	}
	return parsed, err
}

// outbound reads how far a message of the account's got, and the message: another program sent it, perhaps, and nothing else tells of it.
// Who wrote it is not told. Before Twilio sends it there is none, and that it was read is told long after.
func (c *content) outbound(data jsontext.Value, status string) ([]adapter.Parsed, error) {
	told := c.at(cmp.Or(data.TextAt("dateUpdated"), data.TextAt("timestamp")))
	code := strings.Trim(string(data.At("errorCode")), `"`)
	if strings.Trim(code, "0123456789") != "" || code == "0" {
		code = ""
	}
	parsed, err := callback(formOf(data,
		field{"MessageStatus", status}, field{"ErrorCode", code}, field{"RawDlrDoneDate", data.TextAt("rawDlrDoneDate")},
	), told)
	if err != nil {
		return nil, err
	}
	r := &parsed[0]
	if r.Event.Timestamp.IsZero() { // it is not the carrier's minute
		r.Event.Timestamp, r.Within = told, 0
	}
	if status == "read" || r.Event.Receipt.State == "queued" || r.Event.Receipt.State == "sending" {
		return parsed, nil
	}
	said := *r
	said.Kind, said.Key = "message", r.Event.ProviderMessageID
	said.Event.Type, said.Event.Direction, said.Event.Timestamp = canonical.TypeMessage, canonical.Outbound, c.at(data.TextAt("timestamp"))
	said.Event.Receipt, said.Event.RelatesTo = nil, nil
	said.Event.Message = &canonical.Message{Text: data.TextAt("body")}
	said.Event.Metadata = leftovers{MessagingServiceSid: data.TextAt("messagingServiceSid")}.metadata()
	if said.Event.Message.Text == "" { // one with words is another event, which takes its place
		said.Key += "|without_words"
	} else {
		said.Event.Message.ContentType = "text/plain"
	}
	return []adapter.Parsed{said, *r}, nil
}

// reassigned reads that a number is somebody else's now. Twilio sends no more to it from ours, for whoever has it now agreed to nothing:
// that is an opt-out of theirs.
func (c *content) reassigned(event, data jsontext.Value) ([]adapter.Parsed, error) {
	theirs, line := split(data.TextAt("to_number")), split(data.TextAt("from_number"))
	id := cmp.Or(data.TextAt("event_id"), event.TextAt("id"))
	switch {
	case string(data.At("is_reassigned")) == "false":
		return nil, nil
	case id == "":
		return nil, malformed("event_id_missing")
	case theirs.phone == "":
		return nil, malformed("to_missing")
	case line.bare == "":
		return nil, malformed("from_missing")
	}
	person, us, told := canonical.Participant{Phone: theirs.phone}, ours(line), c.at(data.TextAt("timestamp"))
	change := adapter.Parsed{
		Event: canonical.Event{
			Type: canonical.TypeIdentity, Channel: canonical.SMS, Direction: canonical.Inbound, Sender: person, Recipient: us, Timestamp: told,
			Identity: &canonical.Identity{
				Reason: canonical.Reassigned, Previous: []canonical.Identifier{{Kind: canonical.KindPhone, Value: theirs.phone}},
			},
		},
		Kind: "identity", Key: id,
		Addresses: []string{line.written, line.bare}, Person: theirs.phone, Side: line.bare,
	}
	if data.TextAt("consent_operation") != "opt-out-created" {
		return []adapter.Parsed{change}, nil
	}
	stop := change
	stop.Kind = "consent"
	stop.Event.Type, stop.Event.Direction, stop.Event.Identity = canonical.TypeConsent, canonical.Status, nil
	stop.Event.Sender, stop.Event.Recipient = us, person
	stop.Event.Consent = consent.Of(consent.Stop, consent.SourceProvider)
	if at := c.at(cmp.Or(data.TextAt("consent_updated_at"), data.TextAt("timestamp"))); at.After(told) {
		stop.Event.Timestamp = at
	}
	return []adapter.Parsed{change, stop}, nil
}
