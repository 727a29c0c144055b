// Package bird reads the webhooks of Bird's Channels API, which was MessageBird's: SMS, WhatsApp, RCS and the other channels of a workspace,
// and the status of what was sent. All events may come to one kind of webhook.
// See https://docs.bird.com/api/channels-api/message-status-and-interactions and
// https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription.
package bird

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "bird"

// Messages is the only kind of webhook: the last part of the path.
const Messages = "messages"

// The headers of a signature.
const (
	signatureHeader = "Messagebird-Signature"
	timestampHeader = "Messagebird-Request-Timestamp"
)

const (
	tolerance = 5 * time.Minute // between the clocks, and of how old a webhook may be: the window is ours
	maxDepth  = 32              // of a document
)

// ErrBaseURL is a public base URL that nothing can be signed against.
var ErrBaseURL = errors.New("bird: the public base URL must be http or https with a host and without query, fragment or user")

// Channel is Bird. Make one with New.
type Channel struct{ base string }

// New returns the channel behind a public base URL, which is part of what Bird signs. It returns ErrBaseURL for what cannot be one.
func New(publicBaseURL string) (*Channel, error) {
	u, err := url.Parse(publicBaseURL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, ErrBaseURL
	}
	return &Channel{strings.TrimSuffix(publicBaseURL, "/")}, nil
}

// Describe implements adapter.Channel. Bird sends what is not answered 2xx again, for eight hours.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:   Provider,
		Responses:  map[string]webhook.Response{Messages: {Status: http.StatusOK}},
		Redelivery: adapter.RepeatedByPrograms(),
		MediaHosts: []string{"media.api.bird.com", "media.nest.messagebird.com"},
	}
}

// Decode implements adapter.Channel: the signature is over the bytes that were received.
func (c *Channel) Decode(w adapter.Webhook) adapter.Content { return content{w, c.base} }

type content struct {
	adapter.Webhook
	base string
}

// Verify implements adapter.Content: HMAC-SHA-256 with the signing key of the subscription over the timestamp, the URL and the SHA-256 of the
// body, as bytes, with a line feed between.
func (c content) Verify(tokens secret.Versions) error {
	timestamp := c.Header.Get(timestampHeader)
	if err := c.CheckTime(timestamp, tolerance, tolerance); err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(c.Header.Get(signatureHeader))
	if err != nil {
		return fault.New(fault.Rejected, "signature_malformed", nil)
	}
	at := c.base + c.Path
	if c.RawQuery != "" {
		at += "?" + c.RawQuery
	}
	body := sha256.Sum256(c.Body)
	signed := append([]byte(timestamp+"\n"+at+"\n"), body[:]...)
	for _, token := range tokens {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write(signed)
		if token != "" && hmac.Equal(mac.Sum(nil), signature) {
			return nil
		}
	}
	return fault.New(fault.Rejected, "signature_wrong", nil)
}

// Parse implements adapter.Content. What is no message and no status of one (a channel that was made, an e-mail that was opened) is none of ours.
func (c content) Parse() ([]adapter.Parsed, error) {
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil {
		return nil, malformed("json_malformed")
	}
	event, payload := body.TextAt("event"), body.At("payload")
	platform, what, ok := strings.Cut(event, ".")
	var parsed adapter.Parsed
	switch m := (message{payload, channelOf(platform), c.ProviderAccount}); {
	case !ok:
		return nil, malformed("event_missing")
	case what == "inbound":
		parsed, err = m.received()
	case what == "outbound":
		parsed, err = m.reported()
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	parsed.Vendor = adapter.JSONFields(payload, isOpen)
	return []adapter.Parsed{parsed}, nil
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }

// isOpen names the fields that say nothing about a person. New ones are personal until listed.
func isOpen(name string) bool {
	switch name {
	case "body.type", "channelId", "createdAt", "direction", "failure.code", "id", "lastStatusAt", "receiver.connector.id", "sender.connector.id", "status", "updatedAt":
		return true
	default:
		return false
	}
}
