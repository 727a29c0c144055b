// Package imessage is a message as a BlueBubbles server writes it: in webhooks and as the answer to queries. Both the channel and the relay read it
// by this package, so that what the relay lets through is what the channel makes of it.
// See https://github.com/BlueBubblesApp/bluebubbles-server, packages/server/src/server/api/serializers.
package imessage

import (
	"strconv"
	"strings"
)

// The types of webhooks that tell of a message. All others tell of the Mac, the server, or what people do beside writing.
const (
	New     = "new-message"
	Updated = "updated-message"
	Failed  = "message-send-error"
)

// Message is a message. Times are milliseconds of Unix time, 0 for never. What the Mac's own people wrote is FromMe.
type Message struct {
	GUID, Text, Subject string
	Handle              Handle // who wrote it; of FromMe nobody, or to whom
	Chats               []Chat // not there in an update
	Attachments         []Attachment
	Created             int64
	DeliveredAt, ReadAt int64
	EditedAt            int64
	RetractedAt         int64
	Error               int64
	IsDelivered         bool
	FromMe, AutoReply   bool
	ItemType            int64 // 0 is a message; others are changes of a group
	Parts               int64 // -1 where it does not say
	Balloon             string
	AssociatedGUID      string
	AssociatedType      string // a name, or digits
	AssociatedEmoji     string // of servers that know emoji of any kind
	ThreadOriginator    string
}

// Handle is somebody's address.
type Handle struct {
	Address string `json:"address"`
	Service string `json:"service"`
}

// Chat is where a message was written. Participants are those beside the Mac's own; the server leaves them out of what would be long.
type Chat struct {
	GUID         string   `json:"guid"`
	Style        int64    `json:"style"`
	Identifier   string   `json:"chatIdentifier"`
	DisplayName  string   `json:"displayName"`
	Participants []Handle `json:"participants"`
}

// Attachment is a file. URL is no member of the server's: the relay says where a file can be read, if it can.
type Attachment struct {
	GUID, MIMEType, TransferName, URL string
	TotalBytes                        int64
}

// groupStyle is the Style of a chat of several.
const groupStyle = 43

// Of returns what a chat is called, without the service: "iMessage;-;+15552010501" and "any;-;+15552010501" are one chat, which is called by
// the address of the other. It also reports whether it is a chat of several.
func (c *Chat) Of() (name string, group bool) {
	_, rest, ok := strings.Cut(c.GUID, ";")
	kind, name, named := strings.Cut(rest, ";")
	if !ok || !named || kind != "+" && kind != "-" {
		kind, name = "-", c.Identifier
		if c.Style == groupStyle {
			kind = "+"
		}
	}
	if kind == "+" {
		return name, true
	}
	return Address(name), false
}

// Service returns the service that a chat's guid begins with, "" where it is any.
func (c *Chat) Service() string {
	service, _, _ := strings.Cut(c.GUID, ";")
	if service == "any" {
		return ""
	}
	return service
}

// Address returns an address in the form in which it is compared: an e-mail address in small letters, a number without what is written
// between digits for the eye.
func Address(s string) string {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "@") {
		return strings.ToLower(s)
	}
	if !strings.HasPrefix(s, "+") || strings.Trim(s[1:], "0123456789") == "" {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-().", r) {
			return -1
		}
		return r
	}, s)
}

// Bare returns the guid of the message that an associated guid names: "p:0/<guid>" is of a part of it, "bp:<guid>" of what it holds.
func Bare(guid string) string {
	if _, bare, ok := strings.Cut(guid, "/"); ok {
		return bare
	}
	return strings.TrimPrefix(guid, "bp:")
}

// Delivered reports whether a message of ours reached the device of who it is for.
func (m *Message) Delivered() bool { return m.FromMe && (m.IsDelivered || m.DeliveredAt > 0) }

// Read reports whether a message of ours was read. In a chat of several nobody can tell by whom.
func (m *Message) Read(group bool) bool { return m.FromMe && m.ReadAt > 0 && !group }

// Retracted reports whether a message was taken back. Messages leaves it without any part and calls it edited; a part that is taken back of
// several leaves the others.
func (m *Message) Retracted() bool {
	return m.RetractedAt > 0 || m.EditedAt > 0 && m.Text == "" && len(m.Attachments) == 0 && (m.Parts <= 0)
}

// Edited reports whether the words of a message are not those that were sent first.
func (m *Message) Edited() bool { return m.EditedAt > 0 && m.Text != "" && !m.Retracted() }

// IsMessage reports whether it was written or sent by somebody. Others tell that a group has another name, picture or member.
func (m *Message) IsMessage() bool { return m.ItemType == 0 }

// State returns what may become of a message after it was sent, as far as it matters: equal states tell the same, whoever told them first. It is
// empty as long as there is nothing to tell but the message itself.
func (m *Message) State(group bool) string {
	var b strings.Builder
	for _, part := range []struct {
		name string
		has  bool
		at   int64
	}{
		{"delivered", m.Delivered(), 0},
		{"read", m.Read(group), 0},
		{"edited", m.Edited(), m.EditedAt},
		{"retracted", m.Retracted(), 0},
		{"failed", m.FromMe && m.Error != 0, m.Error},
	} {
		if part.has {
			b.WriteString("|" + part.name + strconv.FormatInt(part.at, 10))
		}
	}
	return b.String()
}
