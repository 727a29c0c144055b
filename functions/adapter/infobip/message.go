package infobip

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// channelOf reads a channel. The SMS API names none; an MMS is an SMS with files. What has no name here keeps its own.
func channelOf(result jsontext.Value) canonical.Channel {
	switch name := result.TextAt("channel"); name {
	case "", "SMS", "MMS":
		return canonical.SMS
	case "APPLE_MB":
		return canonical.IMessage
	default:
		return canonical.Channel(strings.ToLower(name))
	}
}

// hasNumbers reports whether people are known by phone numbers on a channel. What looks like one elsewhere is anything else.
func hasNumbers(channel canonical.Channel) bool {
	return channel == canonical.SMS || channel == canonical.RCS || channel == canonical.WhatsApp || channel == "viber_bm"
}

// ours returns our side: a number is written without its "+".
func ours(address string) canonical.Participant {
	if number := adapter.Number(address); number != "" {
		return canonical.Participant{Phone: number}
	}
	return canonical.Participant{ChannelAddress: address}
}

// person returns the customer's side.
func person(address string, channel canonical.Channel) canonical.Participant {
	if p := ours(address); p.Phone != "" && hasNumbers(channel) {
		return p
	}
	return canonical.Participant{ID: string(channel) + ":" + address, ChannelAddress: address}
}

// sides reads who wrote to whom. The Messages API and the SMS API have names of their own.
func sides(result jsontext.Value) (from, to string) {
	return cmp.Or(result.TextAt("sender"), result.TextAt("from")), cmp.Or(result.TextAt("destination"), result.TextAt("to"))
}

// complete returns an event of a message with what all of them have.
func complete(e canonical.Event, who canonical.Participant, side, key string) adapter.Parsed {
	return adapter.Parsed{
		Event: e, Kind: string(e.Type), Key: key,
		Addresses: []string{side, "+" + strings.TrimPrefix(side, "+")},
		Person:    cmp.Or(who.Phone, who.ID),
		Side:      side,
	}
}

// received reads an inbound message.
func received(result jsontext.Value) (adapter.Parsed, error) {
	id, channel := result.TextAt("messageId"), channelOf(result)
	from, to := sides(result)
	switch {
	case id == "":
		return adapter.Parsed{}, malformed("message_id_missing")
	case from == "":
		return adapter.Parsed{}, malformed("sender_missing")
	case to == "":
		return adapter.Parsed{}, malformed("destination_missing")
	case !canonical.IsChannel(string(channel)):
		return adapter.Parsed{}, malformed("channel_malformed")
	}
	who := person(from, channel)
	if channel == canonical.IMessage {
		who.Identifiers = []canonical.Identifier{{Kind: canonical.KindApple, Scope: to, Value: from}}
	}
	e := canonical.Event{
		Type: canonical.TypeMessage, Channel: channel, Direction: canonical.Inbound, ProviderMessageID: id,
		Sender: who, Recipient: ours(to), Timestamp: adapter.Time(result.TextAt("receivedAt")),
	}
	about := result.TextAt("pairedMessageId")
	if about != "" {
		e.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: about}
	}
	e.Message = &canonical.Message{Text: result.TextAt("text")}
	for part := range result.At("content").Elements() {
		if part.TextAt("type") == "REACTION" && about != "" {
			e.Type, e.Message = canonical.TypeReaction, nil
			e.Reaction = &canonical.Reaction{Emoji: cmp.Or(part.TextAt("emoji"), canonical.UnknownEmoji), Removed: part.TextAt("action") == "REMOVED"}
			e.RelatesTo.Kind = "reaction"
			break
		}
		add(e.Message, part)
	}
	if m := e.Message; m != nil && result.At("content") == "" && result.At("text") == "" {
		m.ContentType, m.Kind = canonical.ContentUnsupported, cmp.Or(result.TextAt("message", "type"), "message")
	}
	return complete(e, who, to, id), nil
}

// add adds a part of a message: its words, or what goes with them.
func add(m *canonical.Message, part jsontext.Value) {
	text := part.TextAt("text")
	switch kind := part.TextAt("type"); kind {
	case "TEXT", "SUBJECT":
	case "URL":
		text = part.TextAt("url")
	case "IMAGE", "AUDIO", "VIDEO", "DOCUMENT", "FILE":
		m.Attachments = append(m.Attachments, canonical.Attachment{
			URL: part.TextAt("url"), ContentType: kindOf(kind), Access: &canonical.Access{Scheme: canonical.AccessApp},
		})
	case "BUTTON_REPLY":
		m.Postback = &canonical.Postback{Text: text, Payload: cmp.Or(part.TextAt("payload"), part.TextAt("id"))}
		return
	case "LIST_REPLY":
		m.Postback = &canonical.Postback{Text: text, Payload: part.TextAt("id"), Kind: canonical.PostbackList}
		return
	case "LOCATION":
		m.Location = &canonical.Location{Latitude: part.At("latitude").Float64(), Longitude: part.At("longitude").Float64()}
	case "FLOW_RESPONSE":
		m.Postback = &canonical.Postback{Text: "form", Kind: canonical.PostbackForm, Fields: adapter.Answers(part.At("response"))}
	case "FORM_RESPONSE":
		m.Postback = &canonical.Postback{Text: "form", Kind: canonical.PostbackForm, Fields: choices(part)}
		return
	case "PAYMENT_RESPONSE":
		m.Postback = &canonical.Postback{Text: part.TextAt("status"), Payload: part.TextAt("referenceId"), Kind: "payment"}
	default:
		m.ContentType, m.Kind = canonical.ContentUnsupported, cmp.Or(kind, "content")
	}
	if text != "" {
		m.Text = strings.TrimPrefix(m.Text+"\n"+text, "\n")
	}
}

// choices returns what was chosen on each page of a form.
func choices(part jsontext.Value) map[string]string {
	fields := map[string]string{}
	for selection := range part.At("selections").Elements() {
		var chosen []string
		for item := range selection.At("items").Elements() {
			chosen = append(chosen, cmp.Or(item.TextAt("title"), item.TextAt("value")))
		}
		fields[cmp.Or(selection.TextAt("text"), selection.TextAt("pageIdentifier"))] = strings.Join(chosen, ", ")
	}
	return fields
}

// kindOf returns the kind of a file, of which Infobip tells no more.
func kindOf(part string) string {
	switch part {
	case "IMAGE", "AUDIO", "VIDEO":
		return strings.ToLower(part) + "/*"
	default:
		return ""
	}
}
