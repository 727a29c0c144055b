package twilio

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
)

// maxMedia bounds the attachments read; a message has at most ten.
const maxMedia = 100

// leftovers is metadata.twilio: what has no place in the canonical event and says nothing about a person.
type leftovers struct {
	MessagingServiceSid string `json:"messagingServiceSid,omitempty"`
	MessageType         string `json:"messageType,omitempty"`
	Forwarded           bool   `json:"forwarded,omitempty"`
	FrequentlyForwarded bool   `json:"frequentlyForwarded,omitempty"`
	ReferralMedia       string `json:"referralMediaId,omitempty"`
	FallbackCause       string `json:"fallbackCause,omitempty"` // the error that made Twilio call the fallback URL
	MessageStatus       string `json:"messageStatus,omitempty"` // of a receipt, as received
}

// message reads an inbound message. Its time is the time of receipt, for the form holds none. Where Twilio recognised an
// opt-out word, it stays a message with Consent filled: the router changes the consent and logs the activity.
func message(f form, _ time.Time) ([]adapter.Parsed, error) {
	sid := f.first("MessageSid", "SmsMessageSid", "SmsSid")
	from, to := split(cmp.Or(f.value("From"), f.externalUser())), split(f.value("To"))
	switch {
	case sid == "":
		return nil, malformed("message_sid_missing")
	case from.bare == "":
		return nil, malformed("from_missing")
	case to.bare == "":
		return nil, malformed("to_missing")
	case !canonical.IsChannel(string(from.channel)):
		return nil, malformed("channel_malformed")
	}
	service := f.value("MessagingServiceSid")
	left := leftovers{
		MessagingServiceSid: service,
		MessageType:         f.value("MessageType"),
		Forwarded:           f.value("Forwarded") == "true",
		FrequentlyForwarded: f.value("FrequentlyForwarded") == "true",
		ReferralMedia:       f.value("ReferralMediaId"),
		FallbackCause:       f.value("ErrorCode"),
	}
	sender := person(f, from)
	event := canonical.Event{
		Type:              canonical.TypeMessage,
		Channel:           from.channel,
		Direction:         canonical.Inbound,
		ProviderMessageID: sid,
		Sender:            sender,
		Recipient:         ours(to),
		Actor:             &canonical.Actor{Kind: "customer"},
		RelatesTo:         relation(f),
		Message:           words(f),
		// What Twilio's own opt-out management made of the message. By then it has blocked or unblocked the number and has replied to
		// HELP. A word that it does not document is left to the router's own keywords.
		// See https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out.
		Consent:     consent.Of(strings.ToLower(f.value("OptOutType")), consent.SourceProvider),
		Attribution: attribution(f),
		Metadata:    left.metadata(),
	}
	return []adapter.Parsed{{
		Event: event,
		Kind:  "message", Key: sid,
		Addresses: []string{to.written, to.bare},
		Person:    cmp.Or(sender.Phone, sender.ID),
		Side:      cmp.Or(service, to.bare),
	}}, nil
}

// metadata returns the event's metadata, nil where nothing is left over.
func (l leftovers) metadata() map[string]json.RawMessage {
	if l == (leftovers{}) {
		return nil // as for most messages, and cheaper than to encode and see
	}
	encoded, _ := json.Marshal(l) // texts, booleans and a number always encode
	return map[string]json.RawMessage{Provider: encoded}
}

// person is the customer. A WhatsApp user may have no phone; then ExternalUserId (scoped to the business) is all there is.
func person(f form, from address) canonical.Participant {
	user := f.externalUser()
	p := canonical.Participant{Phone: from.phone, DisplayName: f.value("ProfileName")}
	switch id := cmp.Or(user, f.value("WaId")); {
	case strings.Contains(id, ":"):
		p.ID = id
	case id != "":
		p.ID = string(from.channel) + ":" + id
	case from.phone == "":
		p.ID = from.identifier()
	}
	if from.phone == "" {
		p.ChannelAddress = from.bare
	}
	p.Identifiers = identifiers(f.value("AccountSid"), from, split(user))
	if number := "+" + f.value("WaId"); from.channel == canonical.WhatsApp && canonical.IsE164(number) && number != from.phone {
		p.Identifiers = append(p.Identifiers, canonical.Identifier{Kind: canonical.KindPhone, Value: number}) // the same, written by other rules of its country
	}
	return p
}

// ours is the line: a number, or an agent, short code or name, which has no phone.
func ours(to address) canonical.Participant {
	if to.phone != "" {
		return canonical.Participant{Phone: to.phone}
	}
	return canonical.Participant{ChannelAddress: to.bare}
}

func words(f form) *canonical.Message {
	m := canonical.Message{Text: f.value("Body"), Attachments: media(f), Location: location(f)}
	if m.Text != "" {
		m.ContentType = "text/plain"
	}
	if text, payload := f.value("ButtonText"), f.value("ButtonPayload"); text != "" || payload != "" {
		m.Postback = &canonical.Postback{Text: text, Payload: payload}
	}
	return &m
}

// media counts for itself: NumMedia only says how many there should be.
func media(f form) []canonical.Attachment {
	var attachments []canonical.Attachment
	for i := range maxMedia {
		n := strconv.Itoa(i)
		url := f.value("MediaUrl" + n)
		if url == "" {
			break
		}
		attachments = append(attachments, canonical.Attachment{
			URL: url, ContentType: f.value("MediaContentType" + n), Access: &canonical.Access{Scheme: canonical.AccessBasic}, // an account may ask for it
		})
	}
	return attachments
}

// location leaves what is no number to be set aside.
func location(f form) *canonical.Location {
	latitude, longitude := f.value("Latitude"), f.value("Longitude")
	if latitude == "" && longitude == "" {
		return nil
	}
	return &canonical.Location{Latitude: degrees(latitude), Longitude: degrees(longitude), Label: f.value("Label"), Address: f.value("Address")}
}

func degrees(s string) float64 {
	value, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return value
}

// relation is what the message is about. A reaction is one by its type alone: which fields come with it is not documented, so that it
// stays a message with all that was written.
func relation(f form) *canonical.Relation {
	sid, sender, kind := f.value("OriginalRepliedMessageSid"), f.value("OriginalRepliedMessageSender"), "reply"
	switch {
	case strings.EqualFold(f.value("MessageType"), "reaction"):
		kind = "reaction"
	case sid == "":
		return nil
	}
	return &canonical.Relation{Kind: kind, ProviderMessageID: sid, Sender: sender}
}

// attribution is the advertisement a WhatsApp conversation began at.
func attribution(f form) *canonical.Attribution {
	a := canonical.Attribution{
		SourceType: f.value("ReferralSourceType"),
		SourceID:   f.value("ReferralSourceId"),
		SourceURL:  f.value("ReferralSourceUrl"),
		Headline:   f.value("ReferralHeadline"),
		Body:       f.value("ReferralBody"),
		ClickID:    f.value("ReferralCtwaClid"),
	}
	if a == (canonical.Attribution{}) {
		return nil
	}
	return new(a) // only here: most messages have none
}
