package imessage

import (
	"strconv"

	"signalbox/shared/jsontext"
)

// maxDepth is how deep a document may be nested.
const maxDepth = 100

// Parse returns a document, and an error if it is none.
func Parse(data []byte) (jsontext.Value, error) { return jsontext.Parse(data, maxDepth) }

// Decode returns the message that an object is. A member of another type than it has by its description is left out: it costs no message.
func Decode(v jsontext.Value) Message {
	m := Message{Parts: -1}
	if v == "" || v[0] != '{' {
		return m
	}
	for name, value := range v.Members() {
		switch name {
		case "guid":
			m.GUID = text(value)
		case "text":
			m.Text = text(value)
		case "subject":
			m.Subject = text(value)
		case "handle":
			m.Handle = handle(value)
		case "chats":
			m.Chats = Chats(value)
		case "attachments":
			m.Attachments = attachments(value)
		case "balloonBundleId":
			m.Balloon = text(value)
		case "associatedMessageGuid":
			m.AssociatedGUID = text(value)
		case "associatedMessageType":
			if m.AssociatedType = text(value); m.AssociatedType == "" && number(value) > 0 { // as older servers write it
				m.AssociatedType = string(value)
			}
		case "associatedMessageEmoji":
			m.AssociatedEmoji = text(value)
		case "threadOriginatorGuid":
			m.ThreadOriginator = text(value)
		case "isDelivered":
			m.IsDelivered = value == "true"
		case "isFromMe":
			m.FromMe = value == "true"
		case "isAutoReply":
			m.AutoReply = value == "true"
		default:
			m.number(name, value)
		}
	}
	return m
}

// number sets a member that is a number.
func (m *Message) number(name string, v jsontext.Value) {
	switch name {
	case "dateCreated":
		m.Created = number(v)
	case "dateDelivered":
		m.DeliveredAt = number(v)
	case "dateRead":
		m.ReadAt = number(v)
	case "dateEdited":
		m.EditedAt = number(v)
	case "dateRetracted":
		m.RetractedAt = number(v)
	case "error":
		m.Error = number(v)
	case "itemType":
		m.ItemType = number(v)
	case "partCount":
		if v == "0" || number(v) != 0 {
			m.Parts = number(v)
		}
	}
}

// Chats returns the chats that an array is of.
func Chats(v jsontext.Value) (all []Chat) {
	for one := range v.Elements() {
		all = append(all, DecodeChat(one))
	}
	return all
}

// DecodeChat returns the chat that an object is.
func DecodeChat(v jsontext.Value) (c Chat) {
	if v == "" || v[0] != '{' {
		return c
	}
	for name, value := range v.Members() {
		switch name {
		case "guid":
			c.GUID = text(value)
		case "style":
			c.Style = number(value)
		case "chatIdentifier":
			c.Identifier = text(value)
		case "displayName":
			c.DisplayName = text(value)
		case "participants":
			for one := range value.Elements() {
				c.Participants = append(c.Participants, handle(one))
			}
		}
	}
	return c
}

func handle(v jsontext.Value) Handle {
	return Handle{Address: v.TextAt("address"), Service: v.TextAt("service")}
}

func attachments(v jsontext.Value) (all []Attachment) {
	for one := range v.Elements() {
		all = append(all, Attachment{
			GUID: one.TextAt("guid"), MIMEType: one.TextAt("mimeType"), TransferName: one.TextAt("transferName"), URL: one.TextAt("url"),
			TotalBytes: number(one.At("totalBytes")),
		})
	}
	return all
}

// text returns what a string means, "" for what is no string.
func text(v jsontext.Value) string {
	if v[0] != '"' {
		return ""
	}
	return v.Text()
}

// number returns a whole number, 0 for what is none.
func number(v jsontext.Value) int64 {
	if v == "" || v[0] > '9' { // null, true and false, as most are
		return 0
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
