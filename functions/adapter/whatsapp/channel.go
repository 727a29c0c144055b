// Package whatsapp reads the webhooks of Meta's WhatsApp Cloud API. One call may hold many messages, statuses and changes of many numbers
// and tenants: each is an event of the number that it names. Beside what customers write it reads what colleagues wrote in the WhatsApp
// Business app, what Meta's own agent wrote, what customers think of marketing, and the history that is imported once.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview.
package whatsapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "whatsapp"

// Messages is the only kind of webhook: an app has one URL for everything.
const Messages = "messages"

// maxDepth is how deep the JSON of a webhook nests at most. Real ones nest less than 20 deep.
const maxDepth = 64

// Channel is the WhatsApp Cloud API. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. Meta repeats what is not answered 200, less and less often, for up to seven days.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:  Provider,
		Responses: map[string]webhook.Response{Messages: {Status: http.StatusOK}},
		Redelivery: adapter.RedeliveryPolicy{On: []int{
			http.StatusForbidden, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}},
		Gets:       true,
		MediaHosts: []string{"graph.facebook.com"},
	}
}

// Decode implements adapter.Channel: the signature is made over the body as it stands.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return content{w} }

// content is one webhook.
type content struct{ adapter.Webhook }

// Handshake implements adapter.Handshaker. Meta asks each time somebody saves the URL or the verify token.
func (c content) Handshake(tokens secret.Versions) (answer webhook.Response, asks bool) {
	query, err := url.ParseQuery(c.RawQuery)
	switch {
	case c.Method != http.MethodGet || err != nil || query.Get("hub.mode") != "subscribe":
		return webhook.Response{}, false
	case !isToken(query.Get("hub.verify_token"), tokens):
		return webhook.Response{Status: http.StatusForbidden}, true
	}
	return webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte(query.Get("hub.challenge"))}, true
}

// isToken reports whether given is one of tokens, in a time that says nothing of them.
func isToken(given string, tokens secret.Versions) (ok bool) {
	sum := sha256.Sum256([]byte(given))
	for _, token := range tokens {
		want := sha256.Sum256([]byte(token))
		ok = subtle.ConstantTimeCompare(sum[:], want[:]) == 1 && token != "" || ok
	}
	return ok
}

// Verify implements adapter.Content. The signature is made with the app's secret over the bytes that were sent, in which Meta escapes what is
// not ASCII, and slashes: bytes of another JSON encoder have another signature.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint.
func (c content) Verify(tokens secret.Versions) error {
	header := c.Header.Get("X-Hub-Signature-256")
	if header == "" {
		return fault.New(fault.Rejected, "signature_missing", nil)
	}
	var given [sha256.Size]byte
	digits, ok := strings.CutPrefix(header, "sha256=")
	if !ok || len(digits) != hex.EncodedLen(len(given)) {
		return fault.New(fault.Rejected, "signature_malformed", nil)
	}
	if _, err := hex.Decode(given[:], []byte(digits)); err != nil {
		return fault.New(fault.Rejected, "signature_malformed", nil)
	}
	for _, token := range tokens {
		if token == "" { // an empty key would let anybody sign
			continue
		}
		mac := hmac.New(sha256.New, []byte(token))
		_, _ = mac.Write(c.Body)
		var sum [sha256.Size]byte
		if hmac.Equal(mac.Sum(sum[:0]), given[:]) {
			return nil
		}
	}
	return fault.New(fault.Rejected, "signature_wrong", nil)
}

// Parse implements adapter.Content: every change of every entry. A field that is not read here (the state of a template, of an account, a
// call) is no event, whatever it holds.
func (c content) Parse() ([]adapter.Parsed, error) {
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil {
		return nil, malformed("json_malformed")
	}
	if body.TextAt("object") != "whatsapp_business_account" {
		return nil, malformed("object_unknown")
	}
	entries := body.At("entry")
	if entries == "" || !isList(entries) {
		return nil, malformed("entry_malformed")
	}
	r := reader{scope: c.ProviderAccount, received: c.Received}
	for entry := range entries.Elements() {
		changes := entry.At("changes")
		if !isList(changes) {
			return nil, malformed("entry_malformed")
		}
		for change := range changes.Elements() {
			if err := r.change(change); err != nil {
				return nil, err
			}
		}
	}
	return r.parsed, nil
}

// malformed is a fault of a webhook, or of one event of it.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }
