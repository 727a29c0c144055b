package outreach

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
)

// summary is that of an outreach without words: the channel's own affair what it was.
const summary = "[outreach]"

// outreach is a request whose members have their forms.
type outreach struct {
	id, from string
	to       canonical.Participant
	channel  canonical.Channel
	sentAt   time.Time
	written  string // sentAt as received
	text     string
	sequence string
	actor    canonical.Actor // zero: nobody says so, a program did
	message  message         // zero: nobody says which
}

// message names a message of a provider, by which receipts and whoever else tells of it are told to be about the same.
type message struct{ provider, account, id string }

// parsed returns the one event of a request. The person is what inbound messages of theirs carry, so that the thread is the same.
func (o *outreach) parsed() adapter.Parsed {
	event := canonical.Event{
		Type:              canonical.TypeMessage,
		Channel:           o.channel,
		Direction:         canonical.Outbound,
		Provider:          o.message.provider,
		AccountID:         o.message.account,
		ProviderMessageID: cmp.Or(o.message.id, o.id),
		Sender:            ours(o.from),
		Recipient:         o.to,
		Actor:             &o.actor,
		Message:           &canonical.Message{Text: o.text},
		Timestamp:         o.sentAt,
	}
	if o.actor.Kind == "" {
		event.Actor = &canonical.Actor{Kind: "automation", Via: Provider}
	}
	if strings.TrimSpace(o.text) == "" {
		event.Message.Summary = summary
	}
	if o.sequence != "" {
		encoded, _ := json.Marshal(map[string]string{"sequence": o.sequence}) // a string always encodes
		event.Metadata = map[string]json.RawMessage{Provider: encoded}
	}
	return adapter.Parsed{
		Event: event,
		Kind:  "outreach", Key: o.id,
		Addresses: []string{o.from},
		Person:    cmp.Or(o.to.Phone, o.to.ID),
		Side:      o.from,
		Vendor:    o.vendor(),
	}
}

// ours is the line: a number, or an agent, short code, name or mailbox, which has no phone.
func ours(from string) canonical.Participant {
	bare := from
	if channel, rest, ok := strings.Cut(from, ":"); ok && canonical.IsChannel(channel) {
		bare = rest
	}
	if canonical.IsE164(bare) {
		return canonical.Participant{Phone: bare}
	}
	return canonical.Participant{ChannelAddress: bare}
}

// vendor hands on what was received, each member with whether its value may be kept under the policy "redacted". Members that are
// not known are not handed on: even their names may be personal.
func (o *outreach) vendor() []adapter.VendorField {
	fields := []adapter.VendorField{
		{Name: "actor.kind", Value: o.actor.Kind, Open: true},
		{Name: "actor.via", Value: o.actor.Via},
		{Name: "channel", Value: string(o.channel), Open: true},
		{Name: "from", Value: o.from},
		{Name: "id", Value: o.id, Open: true},
		{Name: "message.account", Value: o.message.account, Open: true},
		{Name: "message.id", Value: o.message.id, Open: true},
		{Name: "message.provider", Value: o.message.provider, Open: true},
		{Name: "sentAt", Value: o.written, Open: true},
		{Name: "sequence", Value: o.sequence, Open: true},
		{Name: "text", Value: o.text},
		{Name: "to.id", Value: o.to.ID},
		{Name: "to.name", Value: o.to.DisplayName},
		{Name: "to.phone", Value: o.to.Phone},
	}
	return slices.DeleteFunc(fields, func(f adapter.VendorField) bool { return f.Value == "" })
}
