// Package infobip reads the webhooks of Infobip: its Messages API, which carries SMS, MMS, RCS, WhatsApp, Apple Messages and others in one
// form, and its SMS API, which came before. Messages, reports of delivery and reports that a message was seen come to one kind of webhook,
// up to two thousand in one.
// See https://www.infobip.com/docs/api/platform/messages-api and https://www.infobip.com/docs/api/channels/sms.
package infobip

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // one that an account may choose
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "infobip"

// Messages is the only kind of webhook: the last part of the path.
const Messages = "messages"

const maxDepth = 32 // of a document

// Channel is Infobip. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. When Infobip sends a webhook again is not public: it is taken to do so after what programs repeat on.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:   Provider,
		Responses:  map[string]webhook.Response{Messages: {Status: http.StatusOK}},
		Redelivery: adapter.RepeatedByPrograms(),
		MediaHosts: []string{".api.infobip.com"},
	}
}

// Decode implements adapter.Channel: what is signed, if anything, is the bytes that were received.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return content{w} }

type content struct{ adapter.Webhook }

// Verify implements adapter.Content. A token says how the webhooks of its notification profile are secured:
//
//	basic:<user>:<password>                          Authorization: Basic
//	hmac:<hash>:<header>:<encoding>:<secret key>     an HMAC of the body: sha1, sha256 or sha512, in hex or base64
//
// The header of the second and how it is encoded are not public, and therefore the account's.
func (c content) Verify(tokens secret.Versions) error {
	for _, token := range tokens {
		scheme, rest, _ := strings.Cut(string(token), ":")
		switch scheme {
		case "basic":
			if user, password, ok := (&http.Request{Header: c.Header}).BasicAuth(); ok && equal(user+":"+password, rest) {
				return nil
			}
		case "hmac":
			if verify(rest, c.Webhook) {
				return nil
			}
		}
	}
	return fault.New(fault.Rejected, "signature_wrong", nil)
}

// verify reports whether the HMAC is right that a token without its scheme describes.
func verify(token string, w adapter.Webhook) bool {
	parts := strings.SplitN(token, ":", 4)
	if len(parts) != 4 || parts[3] == "" {
		return false
	}
	var sum func() hash.Hash
	switch parts[0] {
	case "sha1":
		sum = sha1.New
	case "sha256":
		sum = sha256.New
	case "sha512":
		sum = sha512.New
	default:
		return false
	}
	mac := hmac.New(sum, []byte(parts[3]))
	mac.Write(w.Body)
	decode := hex.DecodeString
	if parts[2] == "base64" {
		decode = base64.StdEncoding.DecodeString
	}
	got, err := decode(w.Header.Get(parts[1]))
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

// equal compares in constant time, also where the lengths differ.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return a != "" && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Parse implements adapter.Content. A webhook without results is a question whether somebody listens.
func (c content) Parse() ([]adapter.Parsed, error) {
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil {
		return nil, malformed("json_malformed")
	}
	if body.At("results") == "" {
		return nil, malformed("results_missing")
	}
	var parsed []adapter.Parsed
	for result := range body.At("results").Elements() {
		read := received
		switch {
		case strings.HasPrefix(result.TextAt("event"), "TYPING"):
			continue
		case result.At("seenAt") != "", result.At("status") != "":
			read = reported
		}
		one, err := read(result)
		one.Err = err // one of two thousand keeps no other waiting
		one.Vendor = adapter.JSONFields(result, isOpen)
		parsed = append(parsed, one)
	}
	return parsed, nil
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }

// isOpen names the fields that say nothing about a person. New ones are personal until listed.
func isOpen(name string) bool {
	switch name {
	case "applicationId", "bulkId", "campaignReferenceId", "channel", "content.type", "doneAt", "entityId", "error.groupId", "error.groupName", "error.id",
		"error.name", "error.permanent", "event", "messageCount", "messageId", "pairedMessageId", "platform.applicationId", "platform.entityId",
		"price.currency", "price.pricePerMessage", "receivedAt", "seenAt", "sentAt", "smsCount", "status.groupId", "status.groupName", "status.id", "status.name":
		return true
	default:
		return false
	}
}
