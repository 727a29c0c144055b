// Package samples sends what the Sinch Conversation API sends: the samples beside it, and as many more as a load needs.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/sinch"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs the body, a nonce and the time, with dots between.
// See https://developers.sinch.com/docs/conversation/callbacks#validating-callbacks.
func (Channel) Sign(_ string, body []byte, token secret.Value, at time.Time) http.Header {
	sum := sha256.Sum256(body)
	nonce, timestamp := hex.EncodeToString(sum[:13]), strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte(string(body) + "." + nonce + "." + timestamp))
	const name = "X-Sinch-Webhook-Signature"
	return http.Header{
		name: {base64.StdEncoding.EncodeToString(mac.Sum(nil))}, name + "-Nonce": {nonce}, name + "-Timestamp": {timestamp}, name + "-Algorithm": {"HmacSHA256"},
	}
}

type identity struct {
	Channel  string `json:"channel"`
	Identity string `json:"identity"`
}

// callback is as much of a webhook as is looked at.
type callback struct {
	Message struct {
		ID      string
		Contact struct {
			Text struct{ Text string }    `json:"text_message"`
			Card struct{ Caption string } `json:"media_card_message"`
		} `json:"contact_message"`
	}
	Report struct {
		ID     string `json:"message_id"`
		Status string
		To     identity `json:"channel_identity"`
		Reason struct{ Code string }
	} `json:"message_delivery_report"`
}

// Identify reads a webhook.
func (Channel) Identify(body []byte) samples.Identity {
	var c callback
	switch err := json.Unmarshal(body, &c); {
	case err != nil:
		return samples.Identity{}
	case c.Message.ID != "":
		return samples.Identity{ID: c.Message.ID, Kind: "message", Key: c.Message.ID, Text: cmp.Or(c.Message.Contact.Text.Text, c.Message.Contact.Card.Caption)}
	case c.Report.ID != "":
		return samples.Identity{ID: c.Report.ID, Kind: "receipt", Key: strings.Join([]string{c.Report.ID, c.Report.Status, c.Report.Reason.Code, c.Report.To.Channel}, "|")}
	default:
		return samples.Identity{}
	}
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &sinch.Channel{}, nil }

// New returns an SMS of a person who has a phone, or the status of one of ours.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	at := cmp.Or(l.Sent, time.Now()).UTC().Format(time.RFC3339Nano)
	person := identity{Channel: "SMS", Identity: strings.TrimPrefix(l.Person, "+")}
	event := map[string]any{"app_id": l.Account.ProviderAccount, "project_id": "c36f3d3d-1513-4edd-ae42-000000000de0", "accepted_time": at, "event_time": at}
	switch l.Kind {
	case samples.Message:
		said := map[string]any{"text_message": map[string]string{"text": l.Text}}
		if l.Media != "" {
			said = map[string]any{"media_card_message": map[string]string{"caption": l.Text, "url": l.Media}}
		}
		event["message"] = map[string]any{
			"id": l.Number, "direction": "TO_APP", "contact_message": said, "channel_identity": person, "sender_id": strings.TrimPrefix(l.Line, "+"), "accept_time": at,
			"processing_mode": "CONVERSATION",
		}
	case samples.Status:
		status := map[string]string{"sending": "SWITCHING_CHANNEL", "sent": "QUEUED_ON_CHANNEL", "delivered": "DELIVERED", "read": "READ", "failed": "FAILED"}[l.Text]
		report := map[string]any{"message_id": l.Number, "status": status, "channel_identity": person, "processing_mode": "CONVERSATION"}
		if status == "" {
			return samples.Sample{}, false
		}
		if status == "FAILED" {
			report["reason"] = map[string]string{"code": cmp.Or(l.Problem, "UNKNOWN"), "sub_code": "UNSPECIFIED_SUB_CODE"}
		}
		event["message_delivery_report"] = report
	default:
		return samples.Sample{}, false
	}
	body, _ := json.Marshal(event) // texts always encode
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/sinch/events", JSON: body}, l.User == "" && (l.Channel == "" || l.Channel == canonical.SMS)
}
