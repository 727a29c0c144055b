package whatsapp

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// graph is where media are read by their ids: for seven days, with the account's API token.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media.
const graph = "https://graph.facebook.com/v24.0/"

// files is the host of the addresses that Meta tells then, which are good for five minutes and want the same token.
const files = "lookaside.fbsbx.com"

// words returns the content of a message of a kind. What has no shape here is kept with what Meta calls it.
func words(m object, kind string, left *leftovers) *canonical.Message {
	var w canonical.Message
	var o object
	if kind == "text" { // as most are: nothing else of it is read
		w.Text = m.get(kind).TextAt("body")
	} else {
		o = m.object(kind)
	}
	switch kind {
	case "image", "video", "audio", "voice", "document", "sticker":
		media(&w, o, kind, left)
	case "location":
		w.Location = location(o)
	case "contacts":
		w.Contacts = cards(m)
	case "order":
		w.Order = order(o)
	case "interactive":
		w.Postback = choice(o)
		kind = cmp.Or(o.text("type"), kind)
	case "button":
		w.Postback = postback(canonical.Postback{Text: o.text("text"), Payload: o.text("payload")})
	case "unsupported":
		w.Text = m.get("text").TextAt("body")
		kind = cmp.Or(o.text("type"), kind)
	case "system":
		kind = cmp.Or(o.text("type"), kind)
	}
	if m.text("type") == "unsupported" || isNothing(&w) {
		w.ContentType, w.Kind = canonical.ContentUnsupported, cmp.Or(kind, "unknown")
		problem := m.first("errors")
		left.addText("error", problem.text("code"))
		left.addText("errorTitle", problem.text("title"))
	}
	return &w
}

// isNothing reports whether there is no content that has a shape.
func isNothing(w *canonical.Message) bool {
	return w.Text == "" && w.Attachments == nil && w.Location == nil && w.Contacts == nil && w.Order == nil && w.Postback == nil
}

// media reads a file. The address that Meta may send with it holds for five minutes only.
func media(w *canonical.Message, o object, kind string, left *leftovers) {
	w.Text = o.text("caption")
	id := o.text("id")
	if id == "" || len(id) > 128 || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "" {
		return
	}
	w.Attachments = []canonical.Attachment{{
		URL: graph + id, ContentType: o.text("mime_type"), Name: o.text("filename"), SHA256: checksum(o.text("sha256")),
		Access: &canonical.Access{Scheme: canonical.AccessBearer, Member: "url", Hosts: []string{files}},
	}}
	if kind == "sticker" {
		left.addText("type", kind)
	}
	left.add("voice", o.get("voice"))
	left.add("animated", o.get("animated"))
}

// checksum returns a SHA-256 in hex, "" for what is none. Meta writes it in base64 in some webhooks and in hex in others.
func checksum(s string) string {
	if sum, err := hex.DecodeString(s); err == nil && len(sum) == 32 {
		return strings.ToLower(s)
	}
	if sum, err := base64.StdEncoding.DecodeString(s); err == nil && len(sum) == 32 {
		return hex.EncodeToString(sum)
	}
	return ""
}

// location leaves what is no number to be set aside.
func location(o object) *canonical.Location {
	if o == nil {
		return nil
	}
	return &canonical.Location{Latitude: degrees(o.text("latitude")), Longitude: degrees(o.text("longitude")), Label: o.text("name"), Address: o.text("address")}
}

func degrees(s string) float64 {
	value, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return value
}

// cards reads the contacts of a message.
func cards(m object) (all []canonical.Contact) {
	for _, o := range m.objects("contacts") {
		name := o.object("name")
		c := canonical.Contact{
			Name:         cmp.Or(name.text("formatted_name"), strings.TrimSpace(name.text("first_name")+" "+name.text("last_name"))),
			Organization: o.object("org").text("company"),
		}
		for _, p := range o.objects("phones") {
			if number := cmp.Or(p.text("phone"), adapter.Number(p.text("wa_id"))); number != "" {
				c.Phones = append(c.Phones, number)
			}
		}
		for _, e := range o.objects("emails") {
			if address := e.text("email"); address != "" {
				c.Emails = append(c.Emails, address)
			}
		}
		all = append(all, c)
	}
	return all
}

// shared returns the number of a customer who was asked for it and has shared it. Any other card may be of anybody.
func shared(m object) (numbers []canonical.Identifier) {
	cards := m.objects("contacts")
	if len(cards) != 1 || cards[0].text("origin") != "contact_request" {
		return nil
	}
	for _, p := range cards[0].objects("phones") {
		if number := adapter.Number(p.text("wa_id")); number != "" {
			numbers = append(numbers, canonical.Identifier{Kind: canonical.KindPhone, Value: number})
		}
	}
	return numbers
}

// order reads a basket. What it amounts to is not told, and left to whoever knows discounts.
func order(o object) *canonical.Order {
	if o == nil {
		return nil
	}
	basket := canonical.Order{Catalog: o.text("catalog_id"), Text: o.text("text")}
	for _, item := range o.objects("product_items") {
		quantity, _ := strconv.ParseInt(item.text("quantity"), 10, 64)
		basket.Items = append(basket.Items, canonical.OrderItem{ID: item.text("product_retailer_id"), Price: item.text("item_price"), Quantity: quantity})
		basket.Currency = cmp.Or(basket.Currency, item.text("currency"))
	}
	return &basket
}

// choice reads what a customer chose of what was offered, or filled in; nil is what has no shape here.
func choice(o object) *canonical.Postback {
	kind := o.text("type")
	r := o.object(kind)
	switch kind {
	case "button_reply":
		return postback(canonical.Postback{Text: r.text("title"), Payload: r.text("id")})
	case "list_reply":
		return postback(canonical.Postback{Kind: canonical.PostbackList, Text: r.text("title"), Payload: r.text("id"), Description: r.text("description")})
	case "nfm_reply":
		return form(r)
	default:
		return nil
	}
}

// postback returns one that says something.
func postback(p canonical.Postback) *canonical.Postback {
	if p.Text == "" && p.Payload == "" {
		return nil
	}
	return &p
}

// form reads the answers of a flow, which are JSON in a text. What is no object is one answer.
func form(r object) *canonical.Postback {
	const answers, token = "response_json", "flow_token"
	p := canonical.Postback{Kind: canonical.PostbackForm, Text: r.text("body"), Payload: r.text("name")}
	raw := r.text(answers)
	v, err := jsontext.Parse([]byte(raw), maxDepth)
	filled := read(v)
	if raw != "" && (err != nil || filled == nil) {
		p.Fields = map[string]string{answers: raw}
	}
	for _, answer := range filled {
		switch text := filled.text(answer.name); {
		case answer.name == token:
			p.Payload = cmp.Or(text, p.Payload)
		case p.Fields == nil:
			p.Fields = make(map[string]string, len(filled))
			fallthrough
		default:
			if v := answer.value; v[0] == '{' || v[0] == '[' {
				text = string(v.AppendCompact(nil))
			}
			p.Fields[answer.name] = text
		}
	}
	return &p
}
