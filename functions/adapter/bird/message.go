package bird

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// channelOf reads what stands before the dot of an event.
func channelOf(platform string) canonical.Channel {
	switch platform {
	case "rcs", "google-rcs", "rcs-business-messaging":
		return canonical.RCS
	case "apple-business-chat", "abc", "apple-messages":
		return canonical.IMessage
	default:
		return canonical.Channel(strings.ReplaceAll(platform, "-", "_"))
	}
}

// message is what an event tells of a message.
type message struct {
	jsontext.Value
	channel   canonical.Channel
	workspace string // which its identifiers are of
}

// contact returns the person of a side, and what their thread is made of. A message of ours may have several: the first counts.
func (m message) contact(side jsontext.Value) (p canonical.Participant, identifier string) {
	c := side.At("contact")
	for first := range side.At("contacts").Elements() {
		c = cmp.Or(c, first)
	}
	p.DisplayName = c.TextAt("annotations", "name")
	value := c.TextAt("identifierValue")
	switch {
	case canonical.IsE164(value):
		p.Phone = value
		return p, value
	case value == "":
		return p, ""
	case c.TextAt("identifierKey") == "whatsappbsuid":
		p.Identifiers = []canonical.Identifier{{Kind: canonical.KindBSUID, Scope: m.workspace, Value: value}}
	}
	p.ID = string(m.channel) + ":" + value
	return p, p.ID
}

// event returns what an event about a message has, whatever it tells. Our side is the channel, in Bird's sense: a number or an account of a
// workspace.
func (m message) event(kind canonical.Type, person string) (p adapter.Parsed, who canonical.Participant, err error) {
	ours := m.TextAt("channelId")
	who, identifier := m.contact(m.At(person))
	p = adapter.Parsed{
		Event: canonical.Event{Type: kind, Channel: m.channel, ProviderMessageID: m.TextAt("id")},
		Kind:  string(kind), Addresses: []string{ours}, Person: identifier, Side: ours,
	}
	switch {
	case p.Event.ProviderMessageID == "":
		err = malformed("message_id_missing")
	case ours == "":
		err = malformed("channel_id_missing")
	case identifier == "":
		err = malformed("contact_missing")
	case !canonical.IsChannel(string(m.channel)):
		err = malformed("channel_malformed")
	}
	return p, who, err
}

// received reads an inbound message.
func (m message) received() (adapter.Parsed, error) {
	p, who, err := m.event(canonical.TypeMessage, "sender")
	e := &p.Event
	e.Direction, e.Sender, e.Recipient = canonical.Inbound, who, canonical.Participant{ChannelAddress: p.Side}
	e.Message, e.Timestamp = words(m.At("body")), adapter.Time(m.TextAt("createdAt"))
	if about := m.TextAt("replyTo", "id"); about != "" {
		e.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: about}
	}
	p.Key = e.ProviderMessageID
	return p, err
}

// words reads a body: its type names the member that holds the content.
func words(body jsontext.Value) *canonical.Message {
	kind := body.TextAt("type")
	content := body.At(kind)
	m := &canonical.Message{Text: content.TextAt("text")}
	switch kind {
	case "text", "action":
	case "image", "file", "gif":
		for _, name := range []string{"images", "files"} {
			for file := range content.At(name).Elements() {
				m.Attachments = append(m.Attachments, canonical.Attachment{
					URL: file.TextAt("mediaUrl"), ContentType: file.TextAt("contentType"), Name: cmp.Or(file.TextAt("filename"), file.TextAt("altText")),
					Access: &canonical.Access{Scheme: canonical.AccessKey},
				})
			}
		}
	case "location":
		m.Location = &canonical.Location{
			Latitude: content.At("coordinates", "latitude").Float64(), Longitude: content.At("coordinates", "longitude").Float64(),
			Label: content.TextAt("location", "label"), Address: content.TextAt("location", "address"),
		}
	default:
		m.ContentType, m.Kind = canonical.ContentUnsupported, cmp.Or(kind, "body")
	}
	for tapped := range content.At("actions").Elements() {
		if p := tapped.At("postback"); p != "" {
			m.Postback = &canonical.Postback{Text: p.TextAt("text"), Payload: p.TextAt("payload")}
		}
	}
	if p := content.At("postback"); p != "" {
		m.Postback = &canonical.Postback{Text: p.TextAt("text"), Payload: p.TextAt("payload")}
	}
	return m
}

// stateOf reads the status of a message of ours.
func stateOf(status string) (state string, ok bool) {
	switch status {
	case "accepted":
		return "queued", true
	case "processing":
		return "sending", true
	case "sent", "delivered":
		return status, true
	case "delivery_failed", "sending_failed", "rejected":
		return "failed", true
	case "skipped", "deleted":
		return "canceled", true
	default:
		return "", false
	}
}

// reported reads what became of a message of ours.
func (m message) reported() (adapter.Parsed, error) {
	p, who, err := m.event(canonical.TypeReceipt, "receiver")
	status := m.TextAt("status")
	state, known := stateOf(status)
	if err == nil && !known {
		err = malformed("status_unknown")
	}
	e := &p.Event
	e.Direction, e.Sender, e.Recipient = canonical.Status, canonical.Participant{ChannelAddress: p.Side}, who
	e.RelatesTo = &canonical.Relation{Kind: "receipt", ProviderMessageID: e.ProviderMessageID}
	e.Timestamp = adapter.Time(cmp.Or(m.TextAt("lastStatusAt"), m.TextAt("updatedAt")))
	e.Receipt = &canonical.Receipt{State: state, At: e.Timestamp}
	if state == "failed" { // what it means Bird passes on as each channel says it: there is no one table
		e.Receipt.Error = cmp.Or(m.TextAt("failure", "code"), string(m.At("failure", "code")), m.TextAt("reason"), status)
	}
	p.Key = e.ProviderMessageID + "|" + status
	return p, err
}
