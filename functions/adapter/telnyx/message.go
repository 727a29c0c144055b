package telnyx

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// channelOf reads the type of a message. An MMS is an SMS with files.
func channelOf(payload jsontext.Value) canonical.Channel {
	switch kind := payload.TextAt("type"); {
	case kind == "SMS", kind == "MMS":
		return canonical.SMS
	case kind != "":
		return canonical.Channel(strings.ToLower(kind))
	case payload.At("body") != "": // of RCS alone: what Telnyx documents of it has no type
		return canonical.RCS
	default:
		return canonical.SMS
	}
}

// address reads one side of a message: a number, or an agent.
func address(side jsontext.Value) string {
	return cmp.Or(side.TextAt("phone_number"), side.TextAt("agent_id"))
}

// person returns the customer's side of a message.
func person(side jsontext.Value) canonical.Participant {
	return participant(address(side))
}

func participant(address string) canonical.Participant {
	if canonical.IsE164(address) {
		return canonical.Participant{Phone: address}
	}
	return canonical.Participant{ChannelAddress: address}
}

// received reads an inbound message.
func received(data, payload jsontext.Value) ([]adapter.Parsed, error) {
	id, from, channel := payload.TextAt("id"), address(payload.At("from")), channelOf(payload)
	var ours []string
	for to := range payload.At("to").Elements() {
		ours = append(ours, address(to))
	}
	switch {
	case id == "":
		return nil, malformed("message_id_missing")
	case from == "":
		return nil, malformed("from_missing")
	case len(ours) == 0 || ours[0] == "":
		return nil, malformed("to_missing")
	case !canonical.IsChannel(string(channel)):
		return nil, malformed("channel_malformed")
	}
	return []adapter.Parsed{{
		Event: canonical.Event{
			Participants: group(payload),
			Type:         canonical.TypeMessage, Channel: channel, Direction: canonical.Inbound, ProviderMessageID: id,
			Sender: person(payload.At("from")), Recipient: participant(ours[0]), Message: words(payload),
			Timestamp: adapter.Time(cmp.Or(payload.TextAt("received_at"), data.TextAt("occurred_at"))),
		},
		Kind: "message", Key: id,
		Addresses: append(ours, payload.TextAt("messaging_profile_id")),
		Person:    from,
		Side:      ours[0],
	}}, nil
}

// group returns all of a group, who stand in to and cc beside the sender; nil for a message to us alone.
func group(payload jsontext.Value) []canonical.Participant {
	all := []canonical.Participant{person(payload.At("from"))}
	for _, name := range []string{"to", "cc"} {
		for member := range payload.At(name).Elements() {
			if a := cmp.Or(address(member), member.TextAt()); a != "" {
				all = append(all, participant(a))
			}
		}
	}
	if len(all) <= 2 {
		return nil
	}
	return all
}

// maxSubject is how long a subject may be in bytes: an MMS has 40 characters of one.
const maxSubject = 1024

// words reads the content: of SMS and MMS it stands in the payload, of RCS in its body, as Google's API has it in other letters.
func words(payload jsontext.Value) *canonical.Message {
	m := canonical.Message{Text: cmp.Or(payload.TextAt("text"), payload.TextAt("body", "text"))}
	if subject := payload.TextAt("subject"); subject != "" && len(subject) <= maxSubject {
		m.Text = strings.TrimSpace(subject + "\n" + m.Text)
	}
	for file := range payload.At("media").Elements() {
		m.Attachments = append(m.Attachments, canonical.Attachment{
			URL: file.TextAt("url"), ContentType: file.TextAt("content_type"), SHA256: file.TextAt("sha256"), Size: file.At("size").Int64(),
		})
	}
	body := payload.At("body")
	if file := body.At("user_file", "payload"); file != "" {
		m.Attachments = append(m.Attachments, canonical.Attachment{
			URL: file.TextAt("file_uri"), ContentType: file.TextAt("mime_type"), Name: file.TextAt("file_name"), Size: file.At("file_size_bytes").Int64(),
		})
	}
	if tapped := body.At("suggestion_response"); tapped != "" {
		m.Postback = &canonical.Postback{Text: tapped.TextAt("text"), Payload: tapped.TextAt("postback_data")}
	}
	if place := body.At("location"); place != "" {
		m.Location = &canonical.Location{Latitude: place.At("latitude").Float64(), Longitude: place.At("longitude").Float64()}
	}
	if kind := other(body); kind != "" && m.Text == "" && m.Attachments == nil && m.Postback == nil && m.Location == nil {
		m.ContentType, m.Kind = canonical.ContentUnsupported, kind
	}
	return &m
}

// other returns what a content of RCS calls itself: the first name of the body.
func other(body jsontext.Value) string {
	if body != "" && body[0] == '{' {
		for name := range body.Members() {
			return name
		}
	}
	return ""
}
