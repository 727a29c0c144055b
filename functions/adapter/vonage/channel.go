// Package vonage reads the webhooks of Vonage's Messages API: SMS and MMS, RCS, WhatsApp and whatever other channel it carries, and the status
// of what was sent.
// See https://developer.vonage.com/en/api/messages and https://developer.vonage.com/en/getting-started/concepts/webhooks.
package vonage

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/jwt"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is Vonage's name in paths and events.
const Provider = "vonage"

// The kinds of webhook: the last part of the path. An application has a URL for each.
const (
	Messages = "messages"
	Status   = "status"
)

// tolerance is how far the time of a signature may be from when it came, either way. Vonage says nothing of it.
const tolerance = 5 * time.Minute

// maxDepth is how deep what Vonage sends may nest.
const maxDepth = 32

// Channel is Vonage's Messages API. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. What is not answered 200 comes again, signed anew, for a day.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:  Provider,
		Responses: map[string]webhook.Response{Messages: {Status: http.StatusOK}, Status: {Status: http.StatusOK}},
		Redelivery: adapter.RedeliveryPolicy{On: []int{
			http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}},
	}
}

// Decode implements adapter.Channel: a signature is over the body as it stands.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return content{w} }

type content struct{ adapter.Webhook }

// Verify implements adapter.Content: the Authorization header is a JSON Web Token signed by HMAC-SHA-256 and no other algorithm with the
// account's signature secret. It names the account, when it was made, and the hash of the body, without which anybody who has seen one token
// could send another body with it.
// See https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks.
func (c content) Verify(secrets secret.Versions) error {
	claims, err := jwt.Verify(c.Header.Get("Authorization"), secrets, func(s secret.Value) []byte { return []byte(s) })
	sum := sha256.Sum256(c.Body)
	switch {
	case err != nil:
		return err
	case subtle.ConstantTimeCompare([]byte(claims.TextAt("payload_hash")), []byte(hex.EncodeToString(sum[:]))) != 1:
		return rejected("body_hash_wrong")
	case claims.TextAt("api_key") != c.ProviderAccount:
		return rejected("account_mismatch")
	}
	return c.CheckTime(string(claims.At("iat")), tolerance, tolerance)
}

// Parse implements adapter.Content. A status is told from a message by what it says, whichever URL it came to.
func (c content) Parse() ([]adapter.Parsed, error) {
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil || body[0] != '{' {
		return nil, malformed("json_malformed")
	}
	p := read(body, c.Received)
	switch {
	case p.id == "":
		return nil, malformed("message_uuid_missing")
	case p.from.written == "":
		return nil, malformed("from_missing")
	case p.to.written == "":
		return nil, malformed("to_missing")
	case p.channel == "":
		return nil, malformed("channel_malformed")
	}
	if body.At("status") != "" {
		return p.status()
	}
	return p.message(), nil
}

func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }
