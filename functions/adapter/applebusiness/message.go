package applebusiness

import (
	"encoding/json"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/jsontext"
)

// said is the body of a webhook.
type said struct {
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
func (s *said) read(body jsontext.Value) {
	for name, v := range body.Members() {
		read := true
		switch name {
		case "type":
			s.kind = v.TextAt()
		case "id":
			s.id = v.TextAt()
		case "sourceId":
			s.source = v.TextAt()
		case "destinationId":
			s.business = v.TextAt()
		case "body":
			s.body, read = v.TextAt(), v[0] == '"'
		case "locale":
			s.locale, read = v.TextAt(), v[0] == '"'
		case "intent":
			s.intent, read = v.TextAt(), v[0] == '"'
		case "group":
			s.group, read = v.TextAt(), v[0] == '"'
		case "attachments":
			read = json.Unmarshal([]byte(v), &s.attachments) == nil // but for that member of one, all are read
		case "interactiveData":
			read = json.Unmarshal([]byte(v), &s.interactive) == nil
		case "interactiveDataRef":
			read = json.Unmarshal([]byte(v), &s.reference) == nil
		}
		if !read && v != "null" {
			s.malformed = name
		}
	}
}

// Parse implements adapter.Content: one webhook is one event, or none if it tells that somebody types.
func (c *content) Parse() ([]adapter.Parsed, error) {
	if err := c.decode(); err != nil {
		return nil, err
	}
	switch s := &c.said; {
	case s.kind == "typing_start", s.kind == "typing_end":
		return nil, nil
	case s.id == "":
		return nil, malformed("id_missing")
	case s.source == "":
		return nil, malformed("source_missing")
	case s.business == "":
		return nil, malformed("destination_missing")
	default:
		return []adapter.Parsed{c.event()}, nil
	}
}

// event reads what a person did.
func (c *content) event() adapter.Parsed {
	s := &c.said
	e := canonical.Event{
		Type:              canonical.TypeMessage,
		Channel:           canonical.IMessage,
		Direction:         canonical.Inbound,
		ProviderMessageID: s.id,
		Sender: canonical.Participant{
			ID: s.source, Identifiers: []canonical.Identifier{{Kind: canonical.KindApple, Scope: s.business, Value: s.source}},
		},
		Recipient: canonical.Participant{ChannelAddress: s.business},
		Metadata:  c.metadata(),
	}
	if s.intent != "" {
		e.Attribution = &canonical.Attribution{SourceType: "intent", SourceID: s.intent}
	}
	kind := "message"
	if s.kind == "close" {
		// The person closed the conversation or took it from their device: nothing is to be sent until they write again.
		kind, e.Type, e.Consent = "consent", canonical.TypeConsent, consent.Of(consent.Stop, consent.SourceProvider)
	} else {
		e.Message = s.message()
	}
	return adapter.Parsed{
		Event: e,
		Kind:  kind, Key: s.id,
		Addresses: []string{s.business, strings.TrimPrefix(s.business, "urn:biz:")},
		Person:    string(canonical.IMessage) + ":" + s.business + ":" + s.source,
		Side:      s.business,
		Vendor:    c.vendor(),
	}
}

// message returns what was said. What nobody here knows keeps its words and files.
func (s *said) message() *canonical.Message {
	m := &canonical.Message{Text: words(s.body)}
	if m.Text != "" {
		m.ContentType = "text/plain"
	}
	for _, f := range s.attachments {
		if a, ok := f.attachment(s.business); ok {
			m.Attachments = append(m.Attachments, a)
		}
	}
	if s.reference != nil {
		if a, ok := s.reference.attachment(s.business); ok {
			a.Name, a.ContentType = "interactive reply", "application/octet-stream"
			m.Attachments = append(m.Attachments, a)
		}
	}
	if s.kind == "text" {
		return m
	}
	kind := s.kind
	if s.kind == "interactive" {
		if m.Postback, kind = s.reply(); m.Postback != nil {
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
	s := &c.said
	var request, session, extension string
	if s.reference != nil {
		extension = s.reference.Extension
	}
	if i := s.interactive; i != nil {
		request, session, extension = i.Data.Request, i.Session, i.Extension
	}
	out := append(make([]byte, 0, 256), '{')
	for _, m := range [...][2]string{
		{"capabilities", strings.ToUpper(c.Header.Get("Capability-List"))}, // what the device can show: QUICK, LIST, TIME, AUTH, AUTH2, FORM
		{"device", c.Header.Get("Device-Agent")},
		{"locale", s.locale},
		{"intent", s.intent},
		{"group", s.group},
		{"requestIdentifier", request}, // of what a reply is to
		{"sessionIdentifier", session},
		{"bid", extension}, // whose reply it is: Apple's, or a business's own extension
		{"malformed", s.malformed},
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
	s := &c.said
	fields := make([]adapter.VendorField, 0, 8+len(s.attachments))
	for _, f := range [...]adapter.VendorField{
		{Name: "id", Value: s.id, Open: true},
		{Name: "type", Value: s.kind, Open: true},
		{Name: "destinationId", Value: s.business, Open: true},
		{Name: "sourceId", Value: s.source},
		{Name: "locale", Value: s.locale, Open: true},
		{Name: "intent", Value: s.intent, Open: true},
		{Name: "group", Value: s.group, Open: true},
		{Name: "body", Value: s.body},
	} {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	for _, a := range s.attachments {
		fields = append(fields, adapter.VendorField{Name: "mimeType", Value: a.Type, Open: true})
	}
	return fields
}
