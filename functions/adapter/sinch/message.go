package sinch

import (
	"cmp"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/jsontext"
)

// from returns an event of whom the channel identity names.
func (c *callback) from(kind, key string) (adapter.Parsed, error) {
	return c.parsed(kind, key, c.what.TextAt("channel_identity", "channel"), c.what.TextAt("channel_identity", "identity"))
}

// message reads what a person wrote.
func (c *callback) message() ([]adapter.Parsed, error) {
	id, said := c.what.TextAt("id"), c.what.At("contact_message")
	p, err := c.from("message", id)
	p.Event.Type, p.Event.ProviderMessageID, p.Event.Message = canonical.TypeMessage, id, read(said)
	if to := cmp.Or(said.TextAt("reply_to", "message_id"), said.TextAt("choice_response_message", "message_id")); to != "" {
		p.Event.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: to}
	}
	return []adapter.Parsed{p}, err
}

// event reads what a person did beside writing: nothing while they type, that they deleted the conversation, and else what Sinch calls it.
func (c *callback) event() ([]adapter.Parsed, error) {
	kind, body := first(c.what.At("contact_event"))
	if kind == "" {
		kind, body = first(c.what.At("contact_message_event"))
	}
	p, err := c.from("event", c.what.TextAt("id"))
	switch kind {
	case "composing_event", "composing_end_event":
		return nil, nil
	case "conversation_deleted_event":
		p.Event.Type, p.Event.Consent = canonical.TypeConsent, consent.Of(consent.Stop, consent.SourceProvider)
	default:
		p.Event.Type, p.Event.ProviderMessageID = canonical.TypeMessage, c.what.TextAt("id")
		p.Event.Message = unsupported(cmp.Or(kind, "event"), body.TextAt("text"))
	}
	return []adapter.Parsed{p}, err
}

// unsupported reads what a channel sent that Sinch has no words for.
func (c *callback) unsupported() ([]adapter.Parsed, error) {
	id := c.what.TextAt("id")
	p, err := c.from("unsupported", cmp.Or(id, c.document.TextAt("accepted_time")))
	p.Event.Type, p.Event.ProviderMessageID, p.Event.Message = canonical.TypeMessage, id, unsupported("unsupported_callback", "")
	return []adapter.Parsed{p}, err
}

// unsupported returns a message of a kind that has no shape here.
func unsupported(kind, text string) *canonical.Message {
	return &canonical.Message{ContentType: canonical.ContentUnsupported, Kind: kind, Text: text}
}

// first returns the name and the value of the member of an object that says what it is, "" where there is none.
func first(v jsontext.Value) (name string, value jsontext.Value) {
	if v == "" || v[0] != '{' {
		return "", ""
	}
	for name, value = range v.Members() {
		if name != "reply_to" && value != "null" {
			return name, value
		}
	}
	return "", ""
}

// read reads a contact's message.
func read(said jsontext.Value) *canonical.Message {
	kind, body := first(said)
	switch kind {
	case "text_message":
		return &canonical.Message{Text: body.TextAt("text")}
	case "media_message", "media_card_message":
		m := &canonical.Message{Text: body.TextAt("caption")}
		if url := body.TextAt("url"); url != "" {
			m.Attachments = []canonical.Attachment{{URL: url, Name: body.TextAt("filename_override")}}
		}
		return m
	case "location_message":
		return &canonical.Message{Location: &canonical.Location{
			Latitude: body.At("coordinates", "latitude").Float64(), Longitude: body.At("coordinates", "longitude").Float64(),
			Label: cmp.Or(body.TextAt("title"), body.TextAt("label")),
		}}
	case "choice_response_message":
		return &canonical.Message{Postback: &canonical.Postback{Payload: body.TextAt("postback_data")}}
	case "product_response_message":
		return &canonical.Message{Order: order(body)}
	case "channel_specific_message":
		if reply := body.At("message", "nfm_reply"); reply != "" {
			return &canonical.Message{Postback: form(reply)}
		}
		return unsupported(cmp.Or(body.TextAt("message_type"), kind), "")
	default: // fallback_message, and what is new
		return unsupported(cmp.Or(kind, "contact_message"), "")
	}
}

// order reads the products that a person chose.
func order(body jsontext.Value) *canonical.Order {
	o := &canonical.Order{Catalog: body.TextAt("catalog_id"), Text: body.TextAt("title")}
	for product := range body.At("products").Elements() {
		item := canonical.OrderItem{ID: product.TextAt("id"), Quantity: product.At("quantity").Int64()}
		if price := product.At("item_price"); price != "" && price[0] != '"' {
			item.Price = string(price)
		}
		o.Currency, o.Items = cmp.Or(o.Currency, product.TextAt("currency")), append(o.Items, item)
	}
	return o
}

// form reads the answers of a WhatsApp flow, which come as a text of JSON.
func form(reply jsontext.Value) *canonical.Postback {
	answers, _ := jsontext.Parse([]byte(reply.TextAt("response_json")), maxDepth) // "" for what is none
	return &canonical.Postback{Kind: canonical.PostbackForm, Text: cmp.Or(reply.TextAt("body"), reply.TextAt("name")), Fields: adapter.Answers(answers)}
}
