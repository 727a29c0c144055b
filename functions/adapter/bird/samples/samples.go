// Package samples sends what Bird sends: the samples beside it, and as many more as a load needs.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/bird"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs the time, the URL and the hash of a body.
// See https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription.
func (Channel) Sign(to string, body []byte, token secret.Value, at time.Time) http.Header {
	timestamp, sum := strconv.FormatInt(at.Unix(), 10), sha256.Sum256(body)
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(timestamp + "\n" + to + "\n"))
	mac.Write(sum[:])
	return http.Header{"Messagebird-Request-Timestamp": {timestamp}, "Messagebird-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
}

// Identify reads a webhook.
func (Channel) Identify(body []byte) samples.Identity {
	var w struct {
		Payload struct {
			ID, Status, Direction string
			Body                  struct{ Text struct{ Text string } }
		}
	}
	if json.Unmarshal(body, &w) != nil || w.Payload.ID == "" {
		return samples.Identity{}
	}
	p := w.Payload
	if p.Direction == "outgoing" {
		return samples.Identity{ID: p.ID, Kind: "receipt", Key: p.ID + "|" + p.Status}
	}
	return samples.Identity{ID: p.ID, Kind: "message", Key: p.ID, Text: p.Body.Text.Text}
}

// Receiver returns the channel that reads what is sent to a public base URL.
func (Channel) Receiver(publicBaseURL string) (adapter.Channel, error) {
	return bird.New(publicBaseURL)
}

// New returns a message of a person who has a phone, or the status of one of ours. Bird tells of no message that was read, and has no code
// of its own for what went wrong.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	at := cmp.Or(l.Sent, time.Now()).UTC().Format(time.RFC3339Nano)
	contact := map[string]any{"identifierKey": "phonenumber", "identifierValue": l.Person}
	content := map[string]any{"type": "text", "text": map[string]any{"text": l.Text}}
	if l.Media != "" {
		content = map[string]any{"type": "image", "image": map[string]any{"text": l.Text, "images": []any{map[string]any{"mediaUrl": l.Media}}}}
	}
	payload := map[string]any{"id": l.Number, "channelId": l.Line, "createdAt": at, "lastStatusAt": at}
	event := ".inbound"
	switch l.Kind {
	case samples.Message:
		payload["direction"], payload["status"], payload["body"] = "incoming", "delivered", content
		payload["sender"] = map[string]any{"contact": contact}
	case samples.Status:
		status := map[string]string{"queued": "accepted", "sending": "processing", "sent": "sent", "delivered": "delivered", "failed": "delivery_failed", "canceled": "skipped"}[l.Text]
		if status == "" || l.Problem != "" {
			return samples.Sample{}, false
		}
		event = ".outbound"
		payload["direction"], payload["status"], payload["receiver"] = "outgoing", status, map[string]any{"contacts": []any{contact}}
	default:
		return samples.Sample{}, false
	}
	body, _ := json.Marshal(map[string]any{"service": "channels", "event": string(cmp.Or(l.Channel, canonical.SMS)) + event, "payload": payload}) // texts always encode
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/bird/messages", JSON: body}, l.User == ""
}
