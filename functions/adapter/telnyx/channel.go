// Package telnyx reads the webhooks of Telnyx Messaging: SMS and MMS, RCS, and what became of messages that were sent. All come to one
// kind of webhook, for Telnyx has one URL for both; a message is one event, and so is the status of each recipient.
// See https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks and
// https://developers.telnyx.com/docs/messaging/messages/receiving-rcs-webhooks.
package telnyx

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "telnyx"

// Messages is the only kind of webhook: the last part of the path.
const Messages = "messages"

// The headers of a signature.
const (
	signatureHeader = "Telnyx-Signature-Ed25519"
	timestampHeader = "Telnyx-Timestamp"
)

const (
	tolerance = 5 * time.Minute // between the clocks, and of how old a webhook may be
	maxDepth  = 32              // of a document
)

// Channel is Telnyx. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. Telnyx waits two seconds, tries a URL three times and then the failover URL, whatever the status.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:   Provider,
		Responses:  map[string]webhook.Response{Messages: {Status: http.StatusOK}},
		Redelivery: adapter.RepeatedByPrograms(),
	}
}

// Decode implements adapter.Channel: the signature is over the bytes that were received.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return content{w} }

type content struct{ adapter.Webhook }

// Verify implements adapter.Content: Ed25519 over the timestamp, "|" and the body, by the account's public key, which is its token.
func (c content) Verify(tokens secret.Versions) error {
	timestamp := c.Header.Get(timestampHeader)
	if err := c.CheckTime(timestamp, tolerance, tolerance); err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(c.Header.Get(signatureHeader))
	if err != nil || len(signature) != ed25519.SignatureSize {
		return fault.New(fault.Rejected, "signature_malformed", nil)
	}
	signed := append(append(make([]byte, 0, len(timestamp)+1+len(c.Body)), timestamp+"|"...), c.Body...)
	for _, token := range tokens {
		key, err := base64.StdEncoding.DecodeString(string(token))
		if err == nil && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, signed, signature) {
			return nil
		}
	}
	return fault.New(fault.Rejected, "signature_wrong", nil)
}

// Parse implements adapter.Content. What is no event of a message (a number that was ordered, a profile that was changed) is none of ours.
func (c content) Parse() ([]adapter.Parsed, error) {
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil {
		return nil, malformed("json_malformed")
	}
	data := body.At("data")
	payload := data.At("payload")
	var parsed []adapter.Parsed
	switch event := data.TextAt("event_type"); event {
	case "":
		return nil, malformed("event_type_missing")
	case "message.received":
		parsed, err = received(data, payload)
	case "message.sent", "message.finalized", "message.read":
		parsed, err = statuses(event, data, payload)
	}
	if err != nil {
		return nil, err
	}
	for i := range parsed {
		parsed[i].Vendor = adapter.JSONFields(data, isOpen)
	}
	return parsed, nil
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }

// isOpen names the fields that say nothing about a person. New ones are personal until listed.
func isOpen(name string) bool {
	switch name {
	case "event_type", "id", "occurred_at", "record_type", "payload.completed_at", "payload.cost.amount", "payload.cost.currency",
		"payload.direction", "payload.encoding", "payload.errors.code", "payload.id", "payload.media.content_type", "payload.media.size",
		"payload.messaging_profile_id", "payload.organization_id", "payload.parts", "payload.received_at", "payload.record_type",
		"payload.sent_at", "payload.to.status", "payload.type":
		return true
	default:
		return false
	}
}
