// Package rbm reads the webhooks of Google's RCS for Business: what people write to the agents of a partner, how far the partner's messages
// got, and whether people still want to hear from an agent. One webhook is one event, wrapped as Pub/Sub wraps it.
// See https://developers.google.com/business-communications/rcs-business-messaging/guides/integrate/webhooks.
package rbm

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"net/http"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "rbm"

// Messages is the only kind of webhook: the last part of the path.
const Messages = "messages"

// header is where the signature is.
const header = "X-Goog-Signature"

// maxDepth is how deep what Google sends may nest: it nests four levels.
const maxDepth = 32

// Channel is RCS for Business. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. Whatever is not answered 200 comes again, with growing gaps of up to ten minutes, for seven days, and
// holds up what else the partner is sent: a webhook that cannot be read is therefore kept here, and answered like any other.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:  Provider,
		Responses: map[string]webhook.Response{Messages: {Status: http.StatusOK}},
		Redelivery: adapter.RedeliveryPolicy{On: []int{
			http.StatusForbidden, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests,
			http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}},
	}
}

// Decode implements adapter.Channel: what is signed is what the data in the envelope stands for.
func (*Channel) Decode(w adapter.Webhook) adapter.Content {
	c := &content{Webhook: w}
	envelope, err := jsontext.Parse(w.Body, maxDepth)
	if err != nil {
		return c
	}
	c.token, c.secret = envelope.TextAt("clientToken"), envelope.TextAt("secret")
	if c.data, err = base64.StdEncoding.DecodeString(envelope.TextAt("message", "data")); err != nil {
		c.data = nil
	}
	return c
}

// content is one webhook.
type content struct {
	adapter.Webhook
	token, secret string // of a handshake
	data          []byte // nothing if it is missing, for any reason
}

// Handshake implements adapter.Handshaker: whoever configures the URL is asked for the value of secret, which is returned as it stands to one
// who knows the client token.
func (c *content) Handshake(tokens secret.Versions) (answer webhook.Response, asks bool) {
	if c.secret == "" || len(c.data) > 0 {
		return webhook.Response{}, false
	}
	for _, token := range tokens {
		if token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) == 1 {
			return webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte(c.secret)}, true
		}
	}
	return webhook.Response{Status: http.StatusForbidden}, true
}

// Verify implements adapter.Content. The signature is base64(HMAC-SHA-512(client token, data)), of the data without its base64. Nothing else
// of the request is covered, and nothing else of it is read.
func (c *content) Verify(tokens secret.Versions) error {
	given := c.Header.Get(header)
	switch {
	case given == "":
		return rejected("signature_missing")
	case len(c.data) == 0:
		return rejected("data_missing")
	}
	for _, token := range tokens {
		if token == "" { // an empty key would let anybody sign
			continue
		}
		mac := hmac.New(sha512.New, []byte(token))
		_, _ = mac.Write(c.data)
		var sum [sha512.Size]byte
		var expected [(sha512.Size + 2) / 3 * 4]byte
		base64.StdEncoding.Encode(expected[:], mac.Sum(sum[:0]))
		if subtle.ConstantTimeCompare(expected[:], []byte(given)) == 1 {
			return nil
		}
	}
	return rejected("signature_wrong")
}

// Parse implements adapter.Content.
func (c *content) Parse() ([]adapter.Parsed, error) {
	data, err := jsontext.Parse(c.data, maxDepth)
	if err != nil || data[0] != '{' {
		return nil, malformed("data_malformed")
	}
	p := read(data, c.Received)
	return p.parsed()
}

func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }
