// Package twilio reads the webhooks of Twilio Programmable Messaging: SMS and MMS, RCS and WhatsApp, and the status of what
// was sent. Message webhooks become messages (with consent filled where Twilio itself recognised an opt-out word), status
// callbacks become receipts. Event Streams tells both of the whole account once more, with what others sent by it, and numbers that have
// changed hands.
// See https://www.twilio.com/docs/messaging/guides/webhook-request and
// https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks.
package twilio

import (
	"net/http"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

// Provider is Twilio's name in paths and events.
const Provider = "twilio"

// The kinds of webhook: the last part of the path.
const (
	Messages = "messages"
	Status   = "status"
	Events   = "events"
)

// Channel is Twilio. Make one with New.
type Channel struct{ bases []string }

// New returns the channel behind a public base URL ("https://hooks.example.net", perhaps with a port): what Twilio is
// configured to call and therefore signs. It returns ErrBaseURL for what cannot be one.
func New(publicBaseURL string) (*Channel, error) {
	urls, err := bases(publicBaseURL)
	if err != nil {
		return nil, err
	}
	return &Channel{urls}, nil
}

// Describe implements adapter.Channel. Twilio calls the fallback URL once and schedules nothing: a webhook that was not
// accepted is gone. It wants TwiML for a message and calls JSON an error (12300).
// See https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:   Provider,
		MediaHosts: []string{"api.twilio.com", ".us1.twilio.com", ".ie1.twilio.com", ".au1.twilio.com"}, // and what they redirect to, which is signed, needs none
		Responses: map[string]webhook.Response{
			Messages: {Status: http.StatusOK, ContentType: "text/xml", Body: []byte("<Response/>")},
			Status:   {Status: http.StatusNoContent},
			Events:   {Status: http.StatusNoContent},
		},
	}
}

// Decode implements adapter.Channel: a webhook is a form, whatever it claims to be, but for what is signed by the hash of its body.
func (c *Channel) Decode(w adapter.Webhook) adapter.Content {
	decoded := &content{Webhook: w, bases: c.bases}
	query, _ := decodeForm([]byte(w.RawQuery))
	if decoded.hash, decoded.hashed = query.lookup(bodyHash); !decoded.hashed {
		decoded.fields, decoded.complete = decodeForm(w.Body)
	}
	return decoded
}

// content is a webhook, decoded.
type content struct {
	adapter.Webhook
	bases    []string
	hash     string // of the body, as the query says
	hashed   bool   // it says so
	fields   form   // of a body that is not hashed
	complete bool   // they are all there are
}

// Parse implements adapter.Content: one form is one event, and Event Streams sends several. The account the content names must
// be the one whose token signed it, for a token is all that keeps one account's senders out of another's.
func (c *content) Parse() ([]adapter.Parsed, error) {
	switch {
	case c.Kind == Events:
		return c.stream()
	case c.hashed: // nothing that is sent to a messaging webhook
		return nil, malformed("json_not_supported")
	}
	if !c.complete {
		return nil, malformed("too_many_fields")
	}
	if len(c.fields) == 0 {
		return nil, malformed("form_empty")
	}
	if c.fields.value("AccountSid") != c.ProviderAccount {
		return nil, malformed("account_mismatch")
	}
	read := message
	if c.Kind == Status {
		read = callback
	}
	parsed, err := read(c.fields, c.Received)
	if err != nil {
		return nil, err
	}
	for i := range parsed {
		parsed[i].Vendor = vendor(c.fields)
	}
	return parsed, nil
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }
