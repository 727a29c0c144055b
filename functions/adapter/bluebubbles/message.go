package bluebubbles

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/canonical"
	"signalbox/shared/receipt"
)

// local is where a server holds its files: it listens on this port, and none but programs of the Mac reach it there.
const local = "http://localhost:1234/api/v1/attachment/"

// reading is one message as it is read: who wrote to whom, and what is the same of all that is told of it.
type reading struct {
	*imessage.Message
	content
	fresh   bool            // it is told for the first time
	base    canonical.Event // what its events have in common
	person  string          // whose thread it is of
	side    string          // our side of the conversation
	isGroup bool
	vendor  []adapter.VendorField
}

// sides finds out who wrote to whom, and where.
func (r *reading) sides() error {
	chat := &r.Chats[0]
	name, group := chat.Of()
	if name == "" {
		return malformed(CodeChat)
	}
	r.isGroup, r.side = group, r.ProviderAccount
	r.base = canonical.Event{Channel: channelOf(chat, r.Handle), Direction: canonical.Inbound}
	us := ours(r.ProviderAccount)
	them, person := r.someone(name)
	if group {
		var err error
		if them, person, err = r.writer(chat, name, us); err != nil {
			return err
		}
		r.side = name
	}
	r.person, r.base.Sender, r.base.Recipient = person, them, us
	if r.FromMe {
		r.base.Direction, r.base.Sender, r.base.Recipient = canonical.Outbound, us, them
		r.base.Actor = &canonical.Actor{Kind: "agent", Via: r.AccountID}
	}
	return nil
}

// writer returns who wrote in a chat of several, of what we wrote the chat itself, and adds everybody to the participants.
func (r *reading) writer(chat *imessage.Chat, name string, us canonical.Participant) (them canonical.Participant, person string, err error) {
	them, person = r.group(chat, name)
	r.base.Participants = append(r.base.Participants, them)
	writer := imessage.Address(r.Handle.Address)
	listed := r.FromMe
	for _, p := range chat.Participants {
		other, _ := r.someone(imessage.Address(p.Address))
		r.base.Participants = append(r.base.Participants, other)
		listed = listed || imessage.Address(p.Address) == writer
	}
	if !r.FromMe {
		if writer == "" {
			return them, person, malformed(CodeSender)
		}
		in := them.Identifiers
		them, person = r.someone(writer)
		if !listed {
			r.base.Participants = append(r.base.Participants, them)
		}
		them.Identifiers = append(slices.Clip(them.Identifiers), in...)
	}
	r.base.Participants = append(r.base.Participants, us)
	return them, person, nil
}

// channelOf returns what a message went by. A chat whose guid names no service has people of several; then the sender's says it.
func channelOf(chat *imessage.Chat, from imessage.Handle) canonical.Channel {
	switch cmp.Or(chat.Service(), from.Service) {
	case "SMS":
		return canonical.SMS
	case "RCS":
		return canonical.RCS
	default: // iMessage, and iMessageLite by satellite
		return canonical.IMessage
	}
}

// ours is the line: what people write to.
func ours(address string) canonical.Participant {
	if canonical.IsE164(address) {
		return canonical.Participant{Phone: address}
	}
	return canonical.Participant{ChannelAddress: address}
}

// someone returns who has an address, and what their thread is made of: the number whatever the service, so that iMessage falling back to SMS
// stays one thread.
func (r *reading) someone(address string) (p canonical.Participant, person string) {
	if canonical.IsE164(address) {
		return canonical.Participant{Phone: address}, address
	}
	p = canonical.Participant{ID: string(r.base.Channel) + ":" + address, ChannelAddress: address}
	if strings.Contains(address, "@") {
		p.ID = string(canonical.IMessage) + ":" + address
		p.Identifiers = []canonical.Identifier{{Kind: canonical.KindEmail, Value: address}}
	}
	return p, p.ID
}

// group returns a chat of several as a participant: who writes to it writes to nobody alone. It is also one of the participants, so that a group
// is seen to be one where the server leaves the others out.
func (r *reading) group(chat *imessage.Chat, name string) (p canonical.Participant, person string) {
	p = canonical.Participant{
		ID: string(canonical.IMessage) + ":" + r.AccountID + ":" + name, DisplayName: chat.DisplayName,
		Identifiers: []canonical.Identifier{{Kind: canonical.KindChat, Scope: r.AccountID, Value: name}},
	}
	return p, p.ID
}

// events returns what a message tells, in the order in which it came to be. Each has an id of its own, so that it is the same event whichever
// webhook tells of it, and how often.
func (r *reading) events() []adapter.Parsed {
	all := make([]adapter.Parsed, 0, 1)
	tapback, reacts := r.Tapback()
	if r.fresh && !r.Retracted() {
		if reacts && tapback.Emoji != "" {
			all = append(all, r.reaction(tapback))
		} else {
			all = append(all, r.message(tapback, reacts))
		}
	}
	if !reacts { // what becomes of a reaction nobody asks
		all = r.receipts(all)
	}
	switch {
	case r.Retracted():
		all = append(all, r.about("retract", "|retracted", canonical.TypeRetract, cmp.Or(r.RetractedAt, r.EditedAt)))
	case r.Edited() && !reacts:
		edit := r.about("edit", "|"+strconv.FormatInt(r.EditedAt, 10), canonical.TypeEdit, r.EditedAt)
		edit.Event.Message = &canonical.Message{Text: r.words()}
		all = append(all, edit)
	}
	return all
}

// parsed returns an event of the message.
func (r *reading) parsed(kind, key string, t canonical.Type, at int64) adapter.Parsed {
	e := r.base
	e.Type, e.Timestamp = t, r.time(at)
	e.Flags.AutoReply = r.AutoReply && !r.FromMe
	return adapter.Parsed{
		Event: e, Kind: kind, Key: key, Person: r.person, Side: r.side,
		Addresses: []string{r.ProviderAccount}, Vendor: r.vendor,
	}
}

// about returns an event that is about the message, and is called by what tells it from others of the message.
func (r *reading) about(kind, suffix string, t canonical.Type, at int64) adapter.Parsed {
	p := r.parsed(kind, r.GUID+suffix, t, at)
	p.Event.ProviderMessageID = p.Key
	p.Event.RelatesTo = &canonical.Relation{Kind: kind, ProviderMessageID: r.GUID}
	return p
}

// message returns what was written. What is no text has the name of the app that made it, and its words if it has any.
func (r *reading) message(tapback imessage.Tapback, reacts bool) adapter.Parsed {
	p := r.parsed("message", r.GUID, canonical.TypeMessage, r.Created)
	m := &canonical.Message{Text: r.words(), Attachments: r.files()}
	switch {
	case reacts: // with a sticker, or an emoji that the server does not tell
		p.Event.RelatesTo = &canonical.Relation{Kind: "reaction", ProviderMessageID: tapback.Of}
	case r.ThreadOriginator != "" && r.ThreadOriginator != r.GUID:
		p.Event.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: r.ThreadOriginator}
	}
	if kind := r.app(); kind != "" && !reacts {
		m.ContentType, m.Kind = canonical.ContentUnsupported, kind
	}
	p.Event.ProviderMessageID, p.Event.Message = r.GUID, m
	return p
}

// app returns what made a message that is no text, "" for a text. A link with its picture is a text.
func (r *reading) app() string {
	switch {
	case r.Balloon == "com.apple.messages.URLBalloonProvider":
		return ""
	case r.Balloon != "":
		return r.Balloon
	case r.AssociatedGUID != "" && r.AssociatedType != "":
		return "associated " + r.AssociatedType
	default:
		return ""
	}
}

// words returns the text, behind the subject if there is one.
func (r *reading) words() string {
	if r.Subject != "" && r.Text != "" {
		return r.Subject + "\n" + r.Text
	}
	return cmp.Or(r.Text, r.Subject)
}

// files returns the attachments. What an app keeps of a message for itself is none.
func (r *reading) files() []canonical.Attachment {
	var all []canonical.Attachment
	for _, a := range r.Attachments {
		if strings.HasSuffix(a.TransferName, ".pluginPayloadAttachment") {
			continue
		}
		all = append(all, canonical.Attachment{
			URL:         cmp.Or(a.URL, local+url.PathEscape(a.GUID)+"/download"),
			ContentType: a.MIMEType, Name: a.TransferName, Size: max(a.TotalBytes, 0),
		})
	}
	return all
}

// reaction returns a tapback. It has a guid of its own.
func (r *reading) reaction(t imessage.Tapback) adapter.Parsed {
	p := r.parsed("reaction", r.GUID, canonical.TypeReaction, r.Created)
	p.Event.ProviderMessageID = r.GUID
	p.Event.RelatesTo = &canonical.Relation{Kind: "reaction", ProviderMessageID: t.Of}
	p.Event.Reaction = &canonical.Reaction{Emoji: t.Emoji, Removed: t.Removed}
	return p
}

// receipts adds how far a message of ours got.
func (r *reading) receipts(to []adapter.Parsed) []adapter.Parsed {
	add := func(state, suffix string, at int64) {
		p := r.about("receipt", "|"+state+suffix, canonical.TypeReceipt, at)
		p.Event.Direction, p.Event.ProviderMessageID, p.Event.Actor = canonical.Status, r.GUID, nil
		p.Event.Receipt = &canonical.Receipt{State: state, At: cmp.Or(p.Event.Timestamp, r.Received)}
		to = append(to, p)
	}
	if r.Delivered() {
		add("delivered", "", r.DeliveredAt)
	}
	if r.Read(r.isGroup) {
		add("read", "", r.ReadAt)
	}
	if r.FromMe && r.Error != 0 {
		code := strconv.FormatInt(r.Error, 10)
		add("failed", "|"+code, 0)
		failed := to[len(to)-1].Event.Receipt
		failed.Error, failed.Reason = code, reason(r.Error)
	}
	return to
}

// reason returns why a message was not sent, by Messages' code of it.
func reason(code int64) string {
	if code == 22 { // the recipient is not registered with iMessage; by SMS the number may be reached
		return receipt.Unreachable
	}
	return receipt.Unknown
}

// time returns the time of milliseconds, zero where there is none. What a Mac's clock says that is ahead has happened by ours.
func (r *reading) time(ms int64) time.Time {
	if ms <= 0 || ms > r.Received.UnixMilli() {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// isOpen reports whether a value that the server writes under a name says nothing of a person.
func isOpen(name string) bool {
	switch name {
	case "type", "data.guid", "data.handle.service", "data.error", "data.itemType", "data.isFromMe", "data.isDelivered", "data.partCount",
		"data.dateCreated", "data.dateDelivered", "data.dateRead", "data.dateEdited", "data.dateRetracted", "data.chats.style",
		"data.balloonBundleId", "data.associatedMessageGuid", "data.associatedMessageType", "data.threadOriginatorGuid", "data.expressiveSendStyleId",
		"data.attachments.guid", "data.attachments.uti", "data.attachments.mimeType", "data.attachments.totalBytes":
		return true
	default:
		return false
	}
}
