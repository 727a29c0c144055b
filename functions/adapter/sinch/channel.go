// Package sinch reads the webhooks of the Sinch Conversation API: what people write on any channel of an app, how far its messages got, and
// who opted in or out at Sinch.
// See https://developers.sinch.com/docs/conversation/callbacks.
package sinch

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "sinch"

// Events is the only kind of webhook: the last part of the path.
const Events = "events"

// How far the time of a signature may be from when it came. Whether a webhook that comes again is signed again is not documented, and they come
// for nearly a day; a replay has no second effect.
const (
	longestAgo   = 24 * time.Hour
	longestAhead = 5 * time.Minute
)

// maxDepth is how deep what Sinch sends may nest.
const maxDepth = 64

// Channel is the Sinch Conversation API. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. Of which webhooks come again after which answer the Conversation API promises nothing, so that none is
// left to it.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:  Provider,
		Responses: map[string]webhook.Response{Events: {Status: http.StatusOK}},
	}
}

// Decode implements adapter.Channel: the signature is made over the body as it stands.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return &content{w} }

// content is one webhook.
type content struct{ adapter.Webhook }

// Verify implements adapter.Content: base64(HMAC-SHA-256(secret, body "." nonce "." timestamp)).
// See https://developers.sinch.com/docs/conversation/callbacks#validating-callbacks.
func (c *content) Verify(secrets secret.Versions) error {
	const name = "X-Sinch-Webhook-Signature"
	given, nonce, timestamp := c.Header.Get(name), c.Header.Get(name+"-Nonce"), c.Header.Get(name+"-Timestamp")
	switch algorithm := c.Header.Get(name + "-Algorithm"); {
	case given == "" || nonce == "" || timestamp == "":
		return rejected("signature_missing")
	case algorithm != "" && !strings.EqualFold(algorithm, "HmacSHA256"):
		return rejected("signature_algorithm")
	}
	for _, s := range secrets {
		if s == "" { // an empty key would let anybody sign
			continue
		}
		mac := hmac.New(sha256.New, []byte(s))
		_, _ = mac.Write(c.Body)
		_, _ = mac.Write([]byte("." + nonce + "." + timestamp))
		var sum [sha256.Size]byte
		var expected [(sha256.Size + 2) / 3 * 4]byte
		base64.StdEncoding.Encode(expected[:], mac.Sum(sum[:0]))
		if subtle.ConstantTimeCompare(expected[:], []byte(given)) != 1 {
			continue
		}
		return c.CheckTime(timestamp, longestAgo, longestAhead)
	}
	return rejected("signature_wrong")
}

// Parse implements adapter.Content. The app that the content names must be the one whose webhook has the secret.
func (c *content) Parse() ([]adapter.Parsed, error) {
	document, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil || document[0] != '{' {
		return nil, malformed("json_malformed")
	}
	if document.TextAt("app_id") != c.ProviderAccount {
		return nil, malformed("account_mismatch")
	}
	for name, v := range document.Members() {
		read, known := readerOf(name)
		switch {
		case !known || v == "null":
		case read == nil:
			return nil, nil
		default:
			return read(&callback{document: document, what: v, app: c.ProviderAccount})
		}
	}
	return nil, malformed("trigger_unknown")
}

func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }

func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }
