// Package samples sends what Telnyx sends: the samples beside it, and as many more as a load needs.
package samples

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/telnyx"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs the time, "|" and the body with the key whose public half the demo's account has: Telnyx alone has the private one of a real
// account. See https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks.
func (Channel) Sign(_ string, body []byte, _ secret.Value, at time.Time) http.Header {
	key := ed25519.NewKeyFromSeed([]byte("local-use-only-telnyx-seed-of-32"))
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature := ed25519.Sign(key, append([]byte(timestamp+"|"), body...))
	return http.Header{"Telnyx-Timestamp": {timestamp}, "Telnyx-Signature-Ed25519": {base64.StdEncoding.EncodeToString(signature)}}
}

// event is as much of a webhook as is looked at.
type event struct {
	Data struct {
		Type    string `json:"event_type"`
		Payload struct {
			ID   string
			Text string
			Body struct{ Text string }
			To   []struct {
				Number string `json:"phone_number"`
				Status string
			}
			Errors []struct{ Code string }
		}
	}
}

// Identify reads a webhook.
func (Channel) Identify(body []byte) samples.Identity {
	var e event
	if json.Unmarshal(body, &e) != nil || e.Data.Payload.ID == "" || len(e.Data.Payload.To) == 0 {
		return samples.Identity{}
	}
	p := e.Data.Payload
	if e.Data.Type == "message.received" {
		return samples.Identity{ID: p.ID, Kind: "message", Key: p.ID, Text: cmp.Or(p.Text, p.Body.Text)}
	}
	to, code := p.To[0], ""
	if len(p.Errors) > 0 {
		code = p.Errors[0].Code
	}
	if e.Data.Type == "message.read" {
		to.Status = "read"
	}
	return samples.Identity{ID: p.ID, Kind: "receipt", Key: p.ID + "|" + to.Number + "|" + to.Status + "|" + code}
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &telnyx.Channel{}, nil }

// New returns an SMS of a person who has a phone, or the status of one of ours.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	side := func(number, status string) map[string]any {
		return map[string]any{"phone_number": number, "status": status, "carrier": "Acme Wireless", "line_type": "Wireless"}
	}
	at := cmp.Or(l.Sent, time.Now()).UTC().Format("2006-01-02T15:04:05.000-07:00")
	payload := map[string]any{
		"record_type": "message", "id": l.Number, "type": "SMS", "messaging_profile_id": "4000eba1-a0c0-4563-9925-b25e842a7c00",
		"text": l.Text, "media": []any{}, "errors": []any{}, "encoding": "GSM-7", "parts": 1, "received_at": at,
	}
	kind := "message.received"
	switch l.Kind {
	case samples.Message:
		payload["direction"], payload["from"], payload["to"] = "inbound", side(l.Person, ""), []any{side(l.Line, "webhook_delivered")}
		if l.Media != "" {
			payload["type"], payload["media"] = "MMS", []any{map[string]any{"url": l.Media, "content_type": "image/jpeg"}}
		}
	case samples.Status, samples.Refused:
		state := l.Text
		if kind = "message.finalized"; l.Kind == samples.Refused { // https://developers.telnyx.com/docs/messaging/messages/error-codes
			state, l.Problem = "failed", "40300"
		}
		if state == "failed" {
			state = "delivery_failed"
		}
		payload["text"], payload["direction"], payload["from"], payload["to"] = "", "outbound", side(l.Line, ""), []any{side(l.Person, state)}
		if l.Problem != "" {
			payload["errors"] = []any{map[string]any{"code": l.Problem, "title": "Not delivered"}}
		}
	default:
		return samples.Sample{}, false
	}
	body, _ := json.Marshal(map[string]any{"data": map[string]any{
		"record_type": "event", "id": l.Number, "event_type": kind, "occurred_at": at, "payload": payload,
	}}) // texts always encode
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/telnyx/messages", JSON: body}, l.User == "" && (l.Channel == "" || l.Channel == canonical.SMS)
}
