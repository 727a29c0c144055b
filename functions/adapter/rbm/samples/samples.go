// Package samples sends what Google's RCS for Business sends: the samples beside it, which say what is in the envelope, and as many more of
// the same sort as a load needs. Its signature is made as Google documents it and shares no code with the channel that checks it.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/rbm"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// envelope is what Pub/Sub wraps data in.
type envelope struct {
	Message struct {
		Data        []byte            `json:"data"`
		Attributes  map[string]string `json:"attributes"`
		MessageID   string            `json:"messageId"`
		PublishTime string            `json:"publishTime"`
	} `json:"message"`
	Subscription string `json:"subscription"`
}

// Wrap implements samples.Wrapper.
func (Channel) Wrap(said []byte) []byte {
	var e envelope
	e.Message.Data = said
	e.Message.Attributes = map[string]string{"product": "RBM", "project_number": "555201000"}
	e.Message.MessageID, e.Message.PublishTime = "14150481888479752", "2026-11-23T12:00:00.88Z"
	e.Subscription = "projects/acme-demo/subscriptions/rbm"
	wrapped, _ := json.Marshal(e) // texts always encode
	return wrapped
}

// unwrap returns what a body says, as it stands or out of its envelope.
func unwrap(body []byte) []byte {
	var e envelope
	if json.Unmarshal(body, &e) != nil || len(e.Message.Data) == 0 {
		return body
	}
	return e.Message.Data
}

// Sign signs the data of a body.
func (Channel) Sign(_ string, body []byte, token secret.Value, _ time.Time) http.Header {
	mac := hmac.New(sha512.New, []byte(token))
	_, _ = mac.Write(unwrap(body))
	return http.Header{"X-Goog-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
}

// Identify reads a message or an event, in its envelope or not.
func (Channel) Identify(body []byte) samples.Identity {
	var e struct {
		SenderPhoneNumber, PhoneNumber, AgentID, MessageID, EventID, EventType, Text string
	}
	if json.Unmarshal(unwrap(body), &e) != nil || e.AgentID == "" {
		return samples.Identity{}
	}
	person, id := cmp.Or(e.SenderPhoneNumber, e.PhoneNumber), cmp.Or(e.MessageID, e.EventID)
	if e.EventType == "" {
		return samples.Identity{ID: id, Kind: "message", Key: person + "|" + id, Text: e.Text}
	}
	return samples.Identity{ID: id, Kind: "receipt", Key: person + "|" + e.EventID}
}

// Receiver returns the channel that reads what is sent to a public base URL.
func (Channel) Receiver(string) (adapter.Channel, error) { return &rbm.Channel{}, nil }

// New returns a message of a person who has a phone, or how far a message of ours got.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	said := map[string]any{"agentId": l.Line, "senderPhoneNumber": l.Person, "messageId": l.Number}
	switch {
	case l.Kind == samples.Message && l.Person != "" && (l.Channel == "" || l.Channel == canonical.RCS):
		said["text"] = l.Text
		if l.Media != "" {
			said["userFile"] = map[string]any{"payload": map[string]any{"mimeType": "image/jpeg", "fileUri": l.Media}}
		}
	case l.Kind == samples.Status && (l.Text == "delivered" || l.Text == "read"):
		said["eventType"], said["eventId"] = strings.ToUpper(l.Text), l.Number+" "+l.Text
	default:
		return samples.Sample{}, false
	}
	if !l.Sent.IsZero() {
		said["sendTime"] = l.Sent.UTC().Format(time.RFC3339Nano)
	}
	body, _ := json.Marshal(said) // texts always encode
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/rbm/messages", JSON: body}, true
}
