package vonage

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// maxEmoji is how long in bytes an emoji is at most; what is longer is none.
const maxEmoji = 64

// payload is what messages and statuses have in common.
type payload struct {
	body           jsontext.Value
	id             string
	channel        canonical.Channel // "" if it is none
	from, to       address
	sent, received time.Time
}

// address is one side of a message.
type address struct{ written, phone string }

func read(body jsontext.Value, received time.Time) payload {
	channel := channelOf(body.TextAt("channel"))
	return payload{
		body: body, id: body.TextAt("message_uuid"), channel: channel, received: received, sent: adapter.PastTime(body.TextAt("timestamp"), received),
		from: side(channel, body.TextAt("from")), to: side(channel, body.TextAt("to")),
	}
}

// channelOf reads a channel. An MMS is an SMS with files, to and from the same numbers.
func channelOf(word string) canonical.Channel {
	switch {
	case word == "mms":
		return canonical.SMS
	case !canonical.IsChannel(word):
		return ""
	default:
		return canonical.Channel(word)
	}
}

// side reads an address. Numbers have no "+" before them; on channels where people have none digits are an id.
func side(channel canonical.Channel, written string) address {
	numbers := []canonical.Channel{canonical.SMS, canonical.RCS, canonical.WhatsApp, "viber_service"}
	if slices.Contains(numbers, channel) {
		return address{written, adapter.Number(written)}
	}
	return address{written: written}
}

// isOpen names the members that say nothing about a person.
func isOpen(name string) bool {
	switch name {
	case "channel", "message_uuid", "message_type", "timestamp", "status", "client_ref", "context_status", "context.message_uuid", "error.title", "error.type",
		"usage.currency", "usage.price", "sms.num_messages", "sms.total_count", "sms.count_total", "origin.network_code", "destination.network_code":
		return true
	default:
		return false
	}
}

// parsed returns an event between the two sides, the first of which is the sender.
func (p *payload) parsed(kind, key string, person, ours address, e canonical.Event) adapter.Parsed {
	known, them := person.phone, canonical.Participant{Phone: person.phone, DisplayName: p.body.TextAt("profile", "name")}
	if known == "" {
		known = string(p.channel) + ":" + person.written
		them.ID, them.ChannelAddress = known, person.written
	}
	us := canonical.Participant{Phone: ours.phone}
	if ours.phone == "" {
		us.ChannelAddress = ours.written
	}
	e.Channel, e.ProviderMessageID, e.Timestamp = p.channel, p.id, p.sent
	if e.Sender, e.Recipient = them, us; e.Direction == canonical.Status {
		e.Sender, e.Recipient = us, them
	}
	return adapter.Parsed{
		Event: e,
		Kind:  kind, Key: key,
		Addresses: []string{cmp.Or(ours.phone, ours.written), ours.written},
		Person:    known,
		Side:      cmp.Or(ours.phone, ours.written),
		Vendor:    adapter.JSONFields(p.body, isOpen),
	}
}

// message reads an inbound message. Its words STOP and START are nothing more to Vonage, so that the router reads them.
func (p *payload) message() []adapter.Parsed {
	e := canonical.Event{
		Type: canonical.TypeMessage, Direction: canonical.Inbound, Attribution: p.attribution(),
	}
	about, reaction := p.body.TextAt("context", "message_uuid"), p.body.At("reaction")
	switch {
	case about != "" && reaction != "":
		e.Type, e.RelatesTo = canonical.TypeReaction, &canonical.Relation{Kind: "reaction", ProviderMessageID: about}
		emoji := reaction.TextAt("emoji")
		e.Reaction = &canonical.Reaction{Emoji: emoji, Removed: emoji == "" || reaction.TextAt("action") == "unreact"}
		if emoji == "" || len(emoji) > maxEmoji {
			e.Reaction.Emoji = canonical.UnknownEmoji // of one that is taken back
		}
	case about != "":
		e.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: about, Sender: p.body.TextAt("context", "message_from")}
		fallthrough
	default:
		e.Message = p.words()
	}
	return []adapter.Parsed{p.parsed("message", p.id, p.from, p.to, e)}
}

// words reads what was said by what is there, and by the type where that is nothing that is known.
func (p *payload) words() *canonical.Message {
	m, kind := &canonical.Message{Text: p.body.TextAt("text")}, ""
	for name, v := range p.body.Members() {
		switch name {
		case "message_type":
			kind = p.body.TextAt(name)
		case "image", "audio", "video", "file", "vcard", "sticker":
			addFile(m, name, v)
		case "content": // of an MMS with several
			for file := range v.Elements() {
				addFile(m, file.TextAt("type"), file)
			}
		case "reply", "button":
			m.Postback = postback(v)
		case "location":
			m.Location = location(v)
		case "order":
			m.Order = order(v)
		}
	}
	if m.Text == "" && m.Postback == nil && m.Location == nil && m.Order == nil && m.Attachments == nil && kind != "" && kind != "text" {
		m.ContentType, m.Kind = canonical.ContentUnsupported, kind
	}
	return m
}

// addFile adds a file, whose caption is part of what was said. Of its MIME type no more is told than what comes before the slash.
func addFile(m *canonical.Message, kind string, file jsontext.Value) {
	if caption := file.TextAt("caption"); caption != "" && caption != m.Text {
		m.Text = strings.TrimSpace(m.Text + "\n" + caption)
	}
	a := canonical.Attachment{URL: file.TextAt("url"), Name: file.TextAt("name")}
	switch kind {
	case "image", "audio", "video":
		a.ContentType = kind + "/*"
	case "vcard":
		a.ContentType = "text/vcard"
	case "sticker":
		a.ContentType = "image/webp"
	}
	if a.URL != "" {
		m.Attachments = append(m.Attachments, a)
	}
}

// postback reads what was tapped: a reply, a row of a list, or a button, whose payload is a text or, on WhatsApp, may be an object.
func postback(v jsontext.Value) *canonical.Postback {
	p := &canonical.Postback{
		Text:        cmp.Or(v.TextAt("title"), v.TextAt("text")),
		Payload:     cmp.Or(v.TextAt("id"), v.TextAt("payload"), string(v.At("payload"))),
		Description: v.TextAt("description"),
	}
	switch {
	case p.Text == "" && p.Payload == "":
		return nil
	case p.Description != "": // of rows alone
		p.Kind = canonical.PostbackList
	}
	return p
}

func location(v jsontext.Value) *canonical.Location {
	if v == "" || v[0] != '{' {
		return nil
	}
	return &canonical.Location{Latitude: v.At("lat").Float64(), Longitude: v.At("long").Float64(), Label: v.TextAt("name"), Address: v.TextAt("address")}
}

func order(v jsontext.Value) *canonical.Order {
	if v.At("product_items") == "" && v.TextAt("catalog_id") == "" {
		return nil
	}
	o := &canonical.Order{Catalog: v.TextAt("catalog_id"), Text: v.TextAt("text")}
	for item := range v.At("product_items").Elements() {
		o.Currency = cmp.Or(o.Currency, item.TextAt("currency"))
		o.Items = append(o.Items, canonical.OrderItem{ID: item.TextAt("product_retailer_id"), Price: unquoted(item.At("item_price")), Quantity: item.At("quantity").Int64()})
	}
	return o
}

// unquoted returns a number as it is written: some are texts.
func unquoted(v jsontext.Value) string { return strings.Trim(string(v), `"`) }

// attribution is the advertisement or post that a conversation on WhatsApp began at.
func (p *payload) attribution() *canonical.Attribution {
	r := p.body.At("whatsapp", "referral")
	if r == "" {
		return nil
	}
	return &canonical.Attribution{
		SourceType: r.TextAt("source_type"), SourceID: r.TextAt("source_id"), SourceURL: r.TextAt("source_url"),
		Headline: r.TextAt("headline"), Body: r.TextAt("body"), ClickID: r.TextAt("ctwa_clid"),
	}
}
