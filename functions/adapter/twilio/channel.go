// Package twilio reads the webhooks of Twilio Programmable Messaging: SMS and MMS, RCS and WhatsApp, and the status of what
// was sent. Message webhooks become messages (with consent filled where Twilio itself recognised an opt-out word), status
// callbacks become receipts.
// See https://www.twilio.com/docs/messaging/guides/webhook-request and
// https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks.
package twilio

import (
	"net/http"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is Twilio's name in paths and events.
const Provider = "twilio"

// The kinds of webhook: the last part of the path.
const (
	Messages = "messages"
	Status   = "status"
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
		Provider: Provider,
		Responses: map[string]webhook.Response{
			Messages: {Status: http.StatusOK, ContentType: "text/xml", Body: []byte("<Response/>")},
			Status:   {Status: http.StatusNoContent},
		},
		Redelivery: adapter.RedeliveryPolicy{},
	}
}

// Verify implements adapter.Channel.
func (c *Channel) Verify(r webhook.Request, tokens secret.Versions) error {
	return verify(c.bases, r, tokens)
}

// Parse implements adapter.Channel: one webhook is one event, and two if a receipt tells of an opt-out. The account the content names must be the one whose token
// signed it, for a token is all that keeps one account's senders out of another's.
func (*Channel) Parse(w adapter.Webhook) ([]adapter.Parsed, error) {
	if _, ok := queryValue(w.RawQuery, bodyHash); ok { // Event Streams and the like: nothing that is sent to a messaging webhook
		return nil, malformed("json_not_supported")
	}
	fields, complete := decodeForm(w.Body)
	if !complete {
		return nil, malformed("too_many_fields")
	}
	if len(fields) == 0 {
		return nil, malformed("form_empty")
	}
	if fields.value("AccountSid") != w.ProviderAccount {
		return nil, malformed("account_mismatch")
	}
	read := message
	if w.Kind == Status {
		read = callback
	}
	parsed, err := read(fields, w.Received)
	if err != nil {
		return nil, err
	}
	for i := range parsed {
		parsed[i].Vendor = vendor(fields)
	}
	return parsed, nil
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }
