package sinch

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/jsontext"
)

// callback is a webhook: what it is about, in a document that says when, and for which app.
type callback struct {
	document, what jsontext.Value
	app            string
}

// reader reads what a trigger brings; nil for what says nothing about a conversation.
type reader func(c *callback) ([]adapter.Parsed, error)

// readerOf returns the reader of a member of the document, and false for one that no trigger has.
func readerOf(name string) (read reader, known bool) {
	switch name {
	case "message":
		return (*callback).message, true
	case "message_delivery_report":
		return (*callback).report, true
	case "event":
		return (*callback).event, true
	case "opt_in_notification":
		return (*callback).optIn, true
	case "opt_out_notification":
		return (*callback).optOut, true
	case "unsupported_callback":
		return (*callback).unsupported, true
	case "message_redaction", // the same message with personal data taken out: the first of the two to come would stand
		"message_submit_notification", "event_delivery_report", "capability_notification", "channel_event_notification",
		"contact_create_notification", "contact_update_notification", "contact_delete_notification", "contact_merge_notification",
		"duplicated_contact_identities_notification", "conversation_start_notification", "conversation_stop_notification",
		"conversation_delete_notification", "smart_conversation_notification", "record_notification":
		return nil, true
	default:
		return nil, false
	}
}

// channelOf returns the channel that Sinch calls so: one of its list, or one that is new.
func channelOf(name string) canonical.Channel {
	switch name {
	case "SMS", "MMS": // one number
		return canonical.SMS
	case "RCS":
		return canonical.RCS
	case "WHATSAPP":
		return canonical.WhatsApp
	case "APPLEBC":
		return canonical.IMessage
	case "VIBERBM":
		return "viber"
	default: // MESSENGER, INSTAGRAM, TELEGRAM, KAKAOTALK, KAKAOTALKCHAT, LINE, WECHAT
		return canonical.Channel(strings.ToLower(name))
	}
}

// parsed returns an event of a person that channel and identity name, with what all have.
func (c *callback) parsed(kind, key, channel, identity string) (adapter.Parsed, error) {
	e := canonical.Event{Channel: channelOf(channel), Direction: canonical.Inbound, Timestamp: cmp.Or(adapter.Time(c.document.TextAt("event_time")), adapter.Time(c.document.TextAt("accepted_time")))}
	switch {
	case key == "":
		return adapter.Parsed{}, malformed("id_missing")
	case identity == "":
		return adapter.Parsed{}, malformed("identity_missing")
	case !canonical.IsChannel(string(e.Channel)):
		return adapter.Parsed{}, malformed("channel_malformed")
	}
	sender := c.what.TextAt("sender_id")
	theirs, ours := c.customer(e.Channel, identity), canonical.Participant{ChannelAddress: cmp.Or(sender, c.app)}
	if number := adapter.Number(sender); number != "" {
		ours = canonical.Participant{Phone: number}
	}
	e.Sender, e.Recipient = theirs, ours
	return adapter.Parsed{
		Event: e,
		Kind:  kind, Key: key,
		Addresses: []string{ours.Phone, sender, c.app},
		Person:    cmp.Or(theirs.Phone, theirs.ID),
		Side:      cmp.Or(sender, c.app),
		Vendor:    adapter.JSONFields(c.document, isOpen),
	}, nil
}

// customer returns whom an identity names on a channel. A number has no plus at Sinch.
func (c *callback) customer(channel canonical.Channel, identity string) canonical.Participant {
	p := canonical.Participant{ChannelAddress: identity}
	switch channel {
	case canonical.SMS, canonical.RCS, canonical.WhatsApp, "viber":
		if number := adapter.Number(identity); number != "" {
			return canonical.Participant{Phone: number}
		}
	default:
	}
	p.ID = string(channel) + ":" + c.app + ":" + identity
	switch channel {
	case canonical.WhatsApp: // a user whose number is hidden, by an identifier to the business
		p.ID = "whatsapp:" + identity
		p.Identifiers = []canonical.Identifier{{Kind: canonical.KindBSUID, Scope: c.app, Value: identity}}
	case canonical.IMessage:
		p.Identifiers = []canonical.Identifier{{Kind: canonical.KindApple, Scope: c.app, Value: identity}}
	default:
	}
	return p
}

// isOpen names the fields that say nothing about a person. New ones come without notice and are personal until listed.
func isOpen(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "app_id", "project_id", "accepted_time", "event_time", "accept_time", "correlation_id", "id", "direction", "channel", "conversation_id", "contact_id", "message_id",
		"processing_mode", "status", "code", "sub_code", "channel_code", "request_id", "injected", "catalog_id", "marketplace", "currency", "item_price", "quantity",
		"message_type":
		return true
	default:
		return false
	}
}

// optIn reads that a person opted in. One that was registered by request is a program's word, of which no evidence comes with it: it opens
// nothing that the person closed.
func (c *callback) optIn() ([]adapter.Parsed, error) {
	if c.what.TextAt("request_id") != "" {
		return nil, nil
	}
	return c.opted(consent.Start, "OPT_IN_SUCCEEDED")
}

// optOut reads that Sinch registered that a person opted out.
func (c *callback) optOut() ([]adapter.Parsed, error) {
	return c.opted(consent.Stop, "OPT_OUT_SUCCEEDED")
}

// opted reads a registration; one that did not succeed changes nothing.
func (c *callback) opted(keyword, succeeded string) ([]adapter.Parsed, error) {
	if c.what.TextAt("status") != succeeded {
		return nil, nil
	}
	identity := c.what.TextAt("identity")
	key := cmp.Or(c.what.TextAt("request_id"), identity+"|"+c.document.TextAt("accepted_time"))
	p, err := c.parsed("consent", keyword+"|"+key, c.what.TextAt("channel"), identity)
	p.Event.Type, p.Event.Consent = canonical.TypeConsent, consent.Of(keyword, consent.SourceProvider)
	return []adapter.Parsed{p}, err
}
