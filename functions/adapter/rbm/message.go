package rbm

import (
	"cmp"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// userMessage reads what a person said. The guides show messages with an event's id in place of a message's.
func (p *payload) userMessage() ([]adapter.Parsed, error) {
	id := cmp.Or(p.message, p.id)
	if id == "" {
		return nil, malformed("message_id_missing")
	}
	return []adapter.Parsed{p.event("message", id, canonical.Event{
		Type:              canonical.TypeMessage,
		Direction:         canonical.Inbound,
		ProviderMessageID: id,
		Message:           words(p.data),
	})}, nil
}

func words(data jsontext.Value) *canonical.Message {
	m := &canonical.Message{Text: data.TextAt("text"), Postback: postback(data.At("suggestionResponse")), Location: location(data.At("location"))}
	if file, ok := attachment(data.At("userFile")); ok {
		m.Attachments = []canonical.Attachment{file}
	}
	if m.Text == "" && m.Postback == nil && m.Location == nil && m.Attachments == nil {
		if m.Kind = unread(data); m.Kind != "" {
			m.ContentType = canonical.ContentUnsupported
		}
	}
	return m
}

// unread returns the name of what a message holds that nothing could be made of, "" if it holds nothing.
func unread(data jsontext.Value) string {
	for name := range data.Members() {
		if !isOpen(name) && name != "senderPhoneNumber" && name != "phoneNumber" && name != "text" && name != "richMessageClassification" {
			return name
		}
	}
	return ""
}

// postback reads a suggestion that was tapped: a reply says its text, an action does something on the phone.
func postback(suggestion jsontext.Value) *canonical.Postback {
	if suggestion == "" {
		return nil // as of most messages, and cheaper than to look
	}
	p := &canonical.Postback{Text: suggestion.TextAt("text"), Payload: suggestion.TextAt("postbackData")}
	switch {
	case p.Text == "" && p.Payload == "":
		return nil
	case suggestion.TextAt("type") == "ACTION":
		p.Kind = "action"
	}
	return p
}

// attachment reads a file. The thumbnail is a smaller picture of it, and stands in where that is all there is.
func attachment(file jsontext.Value) (a canonical.Attachment, ok bool) {
	for _, of := range [...]string{"payload", "thumbnail"} {
		info := file.At(of)
		if a.URL = info.TextAt("fileUri"); a.URL == "" {
			continue
		}
		a.ContentType, a.Name, a.Size = info.TextAt("mimeType"), info.TextAt("fileName"), info.At("fileSizeBytes").Int64()
		return a, true
	}
	return a, false
}

// location reads a place. A degree that is missing is zero, which the encoding leaves out; one that is no number is left to be set aside.
func location(v jsontext.Value) *canonical.Location {
	if v == "" || v[0] != '{' {
		return nil
	}
	return &canonical.Location{Latitude: degrees(v.At("latitude")), Longitude: degrees(v.At("longitude"))}
}

func degrees(v jsontext.Value) float64 {
	if v == "" {
		return 0
	}
	return v.Float64()
}
