package canonical

import "slices"

// Message is content. Summary is always filled, so that an attachment-only message has a subject in a CRM.
type Message struct {
	Text        string       `json:"text,omitempty"`
	Summary     string       `json:"summary,omitempty"`
	ContentType string       `json:"contentType,omitempty"` // a MIME type of Text, "text/plain" by default, or one of the two below
	Kind        string       `json:"kind,omitempty"`        // of ContentUnsupported: what the provider calls it
	Attachments []Attachment `json:"attachments,omitzero"`
	Suggestions []Suggestion `json:"suggestions,omitzero"`
	Postback    *Postback    `json:"postback,omitempty"`
	Template    *Template    `json:"template,omitempty"`
	Location    *Location    `json:"location,omitempty"`
	Cards       []Card       `json:"cards,omitzero"` // several are a carousel
	List        *List        `json:"list,omitempty"`
	Contacts    []Contact    `json:"contacts,omitzero"`
	Order       *Order       `json:"order,omitempty"`
}

// What a ContentType is beside a MIME type.
const (
	ContentEncrypted   = "encrypted"   // it arrived end-to-end encrypted and has no content here: who is to read it has it on a device
	ContentUnsupported = "unsupported" // it is of a Kind that has no shape here, and what has one stands beside
)

// Attachment is a file the provider holds.
type Attachment struct {
	URL         string  `json:"url"`
	ContentType string  `json:"contentType,omitempty"`
	Name        string  `json:"name,omitempty"`
	Size        int64   `json:"size,omitempty"`   // bytes, 0 when unknown
	SHA256      string  `json:"sha256,omitempty"` // of its bytes in hex, by the provider's word
	Access      *Access `json:"access,omitempty"`
}

// Access says how an attachment is read from its URL; without one, as any page is. It may hold a key, and goes to nobody but who reads the file.
type Access struct {
	Scheme string `json:"scheme,omitempty"` // the account's credentials that are sent: none, or one of those below; the set is open, and one that is not known is not read
	Header string `json:"header,omitempty"` // of AccessHeader: its name
	Member string `json:"member,omitempty"` // the URL returns JSON, whose member of this dotted name is the file's own URL
	Cipher string `json:"cipher,omitempty"` // what the bytes are encrypted with, such as CipherAES256CTR; never without a key
	Key    string `json:"key,omitempty"`    // in hex
	// Hosts that the credentials go to beside the URL's own: exact, or all below one that is written with a dot in front.
	Hosts   []string          `json:"hosts,omitzero"`
	Headers map[string]string `json:"headers,omitzero"` // that the request for the URL has beside the credentials; no other request has them
}

// The schemes of an Access, and its ciphers.
const (
	AccessBasic  = "basic"     // the provider's account and the API token, or else the auth token
	AccessBearer = "bearer"    // the API token
	AccessApp    = "app"       // the same, as Authorization: App
	AccessKey    = "accesskey" // the same, as Authorization: AccessKey
	AccessHeader = "header"    // the API token in a header of the provider's own
	AccessJWT    = "jwt"       // a token made now, issued by the provider's account: HS256, its key the bytes of the auth token's base64

	CipherAES256CTR = "aes-256-ctr" // the counter starts at 0
)

// WithoutAccess returns the message with attachments that do not say how they are read. The receiver keeps that.
func (m *Message) WithoutAccess() *Message {
	if !slices.ContainsFunc(m.Attachments, hasAccess) && !slices.ContainsFunc(m.Cards, func(c Card) bool { return c.Media != nil && hasAccess(*c.Media) }) {
		return m
	}
	without := *m
	without.Attachments, without.Cards = slices.Clone(m.Attachments), slices.Clone(m.Cards)
	for i := range without.Attachments {
		without.Attachments[i].Access = nil
	}
	for i, c := range without.Cards {
		if c.Media != nil {
			media := *c.Media
			media.Access = nil
			without.Cards[i].Media = &media
		}
	}
	return &without
}

func hasAccess(a Attachment) bool { return a.Access != nil }

// Suggestion is a button or reply that was offered.
type Suggestion struct {
	Text     string `json:"text"`
	Postback string `json:"postback,omitempty"`
	Kind     string `json:"kind,omitempty"` // what a tap does: it replies, or is one of the kinds below; the set is open
	URL      string `json:"url,omitempty"`  // what a tap opens: a page (http, https), or a number or address (tel, sms, mailto, geo)
}

// The kinds of suggestions that do not reply.
const (
	SuggestURL           = "url"
	SuggestCall          = "call"
	SuggestLocation      = "location"       // it shows a place
	SuggestCalendar      = "calendar"       // it makes an entry
	SuggestShareLocation = "share_location" // it asks where the person is
)

// Postback is what a person chose of what was offered, or filled in: Payload is the exact id its sender had set. One of Text, Payload and Fields
// is there.
type Postback struct {
	Text        string            `json:"text,omitempty"`
	Payload     string            `json:"payload,omitempty"`
	Kind        string            `json:"kind,omitempty"` // what it was chosen of: a button, or one of the kinds below; the set is open
	Description string            `json:"description,omitempty"`
	Fields      map[string]string `json:"fields,omitzero"` // a form's questions and answers
}

// The kinds of postbacks beside that of a button.
const (
	PostbackList   = "list"
	PostbackPicker = "picker" // of times, or of items
	PostbackForm   = "form"
)

// Card is a title, a text, a picture or film, and buttons.
type Card struct {
	Title       string       `json:"title,omitempty"`
	Text        string       `json:"text,omitempty"`
	Media       *Attachment  `json:"media,omitempty"`
	Suggestions []Suggestion `json:"suggestions,omitzero"`
}

// List is what a person may choose from, behind a button.
type List struct {
	Title  string `json:"title,omitempty"`
	Button string `json:"button,omitempty"`
	Items  []Item `json:"items,omitzero"`
}

// Item is a row of a list. Those of one section follow one another.
type Item struct {
	ID          string `json:"id,omitempty"` // the Payload of a Postback
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Section     string `json:"section,omitempty"`
}

// Contact is somebody's card, as it was sent. Nobody is found by it.
type Contact struct {
	Name         string   `json:"name,omitempty"`
	Organization string   `json:"organization,omitempty"`
	Phones       []string `json:"phones,omitzero"`
	Emails       []string `json:"emails,omitzero"`
}

// Order is what a person put into a basket. Its amounts are decimal numbers, as the provider writes them.
type Order struct {
	ID       string      `json:"id,omitempty"`
	Catalog  string      `json:"catalog,omitempty"`
	Text     string      `json:"text,omitempty"`     // what the person wrote to it
	Currency string      `json:"currency,omitempty"` // ISO 4217
	Total    string      `json:"total,omitempty"`
	Items    []OrderItem `json:"items,omitzero"`
}

// OrderItem is a line of an order.
type OrderItem struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
	Price    string `json:"price,omitempty"` // of one
	Quantity int64  `json:"quantity,omitempty"`
}

// Template is a pre-approved message and what was filled in.
type Template struct {
	ID        string            `json:"id"`
	Variables map[string]string `json:"variables,omitzero"`
}

// Location is a place in degrees (WGS 84).
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Label     string  `json:"label,omitempty"`
	Address   string  `json:"address,omitempty"`
}
