package applebusiness

import (
	"encoding/json"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/jsontext"
)

// payload is the body of a webhook.
type payload struct {
	kind          string
	id            string
	source        string // the person, to this business alone
	business      string
	locale        string // of the person's device
	intent, group string // why, and to which department, by the link that the person came by
	body          string
	attachments   []file
	interactive   *interactive
	reference     *reference // in place of interactive data that is larger than 10 KB, or beside it
	malformed     string     // the last member that could not be read
}

// read reads a body. A member that is not what it should be is left out, and its name is kept.
func (p *payload) read(body jsontext.Value) {
	for name, v := range body.Members() {
		read := true
		switch name {
		case "type":
			p.kind = v.TextAt()
		case "id":
			p.id = v.TextAt()
		case "sourceId":
			p.source = v.TextAt()
		case "destinationId":
			p.business = v.TextAt()
		case "body":
			p.body, read = v.TextAt(), v[0] == '"'
		case "locale":
			p.locale, read = v.TextAt(), v[0] == '"'
		case "intent":
			p.intent, read = v.TextAt(), v[0] == '"'
		case "group":
			p.group, read = v.TextAt(), v[0] == '"'
		case "attachments":
			read = json.Unmarshal([]byte(v), &p.attachments) == nil // but for that member of one, all are read
		case "interactiveData":
			read = json.Unmarshal([]byte(v), &p.interactive) == nil
		case "interactiveDataRef":
			read = json.Unmarshal([]byte(v), &p.reference) == nil
		}
		if !read && v != "null" {
			p.malformed = name
		}
	}
}

// Parse implements adapter.Content: one webhook is one event, or none if it tells that somebody types.
func (c *content) Parse() ([]adapter.Parsed, error) {
	if err := c.decode(); err != nil {
		return nil, err
	}
	switch p := &c.payload; {
	case p.kind == "typing_start", p.kind == "typing_end":
		return nil, nil
	case p.id == "":
		return nil, malformed("id_missing")
	case p.source == "":
		return nil, malformed("source_missing")
	case p.business == "":
		return nil, malformed("destination_missing")
	default:
		return []adapter.Parsed{c.event()}, nil
	}
}

// event reads what a person did.
func (c *content) event() adapter.Parsed {
	p := &c.payload
	e := canonical.Event{
		Type:              canonical.TypeMessage,
		Channel:           canonical.IMessage,
		Direction:         canonical.Inbound,
		ProviderMessageID: p.id,
		Sender: canonical.Participant{
			ID: p.source, Identifiers: []canonical.Identifier{{Kind: canonical.KindApple, Scope: p.business, Value: p.source}},
		},
		Recipient: canonical.Participant{ChannelAddress: p.business},
		Metadata:  c.metadata(),
	}
	if p.intent != "" {
		e.Attribution = &canonical.Attribution{SourceType: "intent", SourceID: p.intent}
	}
	kind := "message"
	if p.kind == "close" {
		// The person closed the conversation or took it from their device: nothing is to be sent until they write again.
		kind, e.Type, e.Consent = "consent", canonical.TypeConsent, consent.Of(consent.Stop, consent.SourceProvider)
	} else {
		e.Message = p.message()
	}
	return adapter.Parsed{
		Event: e,
		Kind:  kind, Key: p.id,
		Addresses: []string{p.business, strings.TrimPrefix(p.business, "urn:biz:")},
		Person:    string(canonical.IMessage) + ":" + p.business + ":" + p.source,
		Side:      p.business,
		Vendor:    c.vendor(),
	}
}

// message returns what was said. What nobody here knows keeps its words and files.
func (p *payload) message() *canonical.Message {
	m := &canonical.Message{Text: words(p.body)}
	for _, f := range p.attachments {
		if a, ok := f.attachment(p.business); ok {
			m.Attachments = append(m.Attachments, a)
		}
	}
	if p.reference != nil {
		if a, ok := p.reference.attachment(p.business); ok {
			a.Name, a.ContentType = "interactive reply", "application/octet-stream"
			m.Attachments = append(m.Attachments, a)
		}
	}
	if p.kind == "text" {
		return m
	}
	kind := p.kind
	if p.kind == "interactive" {
		if m.Postback, kind = p.reply(); m.Postback != nil {
			return m
		}
	}
	m.ContentType, m.Kind = canonical.ContentUnsupported, kind
	return m
}

// words returns a text without the characters that stand where its attachments were.
func words(body string) string {
	if !strings.Contains(body, placeholder) {
		return body
	}
	return strings.TrimSpace(strings.ReplaceAll(body, placeholder, ""))
}

const placeholder = "\ufffc"

// metadata returns metadata.applebusiness: what has no place in the event and says nothing about a person. Its headers are those of the delivery:
// a dead letter that is parsed again has none.
func (c *content) metadata() map[string]json.RawMessage {
	p := &c.payload
	var request, session, extension string
	if p.reference != nil {
		extension = p.reference.Extension
	}
	if i := p.interactive; i != nil {
		request, session, extension = i.Data.Request, i.Session, i.Extension
	}
	out := append(make([]byte, 0, 256), '{')
	for _, m := range [...][2]string{
		{"capabilities", strings.ToUpper(c.Header.Get("Capability-List"))}, // what the device can show: QUICK, LIST, TIME, AUTH, AUTH2, FORM
		{"device", c.Header.Get("Device-Agent")},
		{"locale", p.locale},
		{"intent", p.intent},
		{"group", p.group},
		{"requestIdentifier", request}, // of what a reply is to
		{"sessionIdentifier", session},
		{"bid", extension}, // whose reply it is: Apple's, or a business's own extension
		{"malformed", p.malformed},
	} {
		if m[1] == "" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = jsontext.AppendString(append(jsontext.AppendString(out, m[0]), ':'), m[1])
	}
	if len(out) == 1 {
		return nil
	}
	return map[string]json.RawMessage{Provider: append(out, '}')}
}

// vendor returns what was received, without interactive data: that of Apple Pay and of a sign-in holds what must not be kept.
func (c *content) vendor() []adapter.VendorField {
	p := &c.payload
	fields := make([]adapter.VendorField, 0, 8+len(p.attachments))
	for _, f := range [...]adapter.VendorField{
		{Name: "id", Value: p.id, Open: true},
		{Name: "type", Value: p.kind, Open: true},
		{Name: "destinationId", Value: p.business, Open: true},
		{Name: "sourceId", Value: p.source},
		{Name: "locale", Value: p.locale, Open: true},
		{Name: "intent", Value: p.intent, Open: true},
		{Name: "group", Value: p.group, Open: true},
		{Name: "body", Value: p.body},
	} {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	for _, a := range p.attachments {
		fields = append(fields, adapter.VendorField{Name: "mimeType", Value: a.Type, Open: true})
	}
	return fields
}
