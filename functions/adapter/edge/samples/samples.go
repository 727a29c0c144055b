// Package samples tells events as a program of the tenant's would: the sample request beside it, and as many messages more as a load needs.
package samples

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs by https://www.standardwebhooks.com. A request is called by its body: a repeat has the same.
func (Channel) Sign(_ string, body []byte, token secret.Value, at time.Time) http.Header {
	sum := sha256.Sum256(body)
	return standardwebhooks.Sign(token, "msg_"+hex.EncodeToString(sum[:16]), at, body)
}

// Identify reads a request of one event.
func (Channel) Identify(body []byte) samples.Identity {
	var e struct {
		EventID, ProviderMessageID string
		Message                    struct{ Text string }
	}
	if json.Unmarshal(body, &e) != nil || e.EventID == "" {
		return samples.Identity{}
	}
	return samples.Identity{ID: cmp.Or(e.ProviderMessageID, e.EventID), Kind: "event", Key: "0:" + e.EventID, Text: e.Message.Text}
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &edge.Channel{}, nil }

// New returns a message of a person who has a phone, what somebody of ours wrote to them, or how far that got.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	person, line := canonical.Participant{Phone: l.Person, DisplayName: l.Name}, canonical.Participant{Phone: l.Line}
	message := canonical.Message{Text: l.Text}
	if l.Media != "" {
		message.Attachments = []canonical.Attachment{{URL: l.Media, ContentType: "image/jpeg"}}
	}
	event := map[string]any{
		"eventId": l.Number, "channel": cmp.Or(l.Channel, canonical.SMS), "direction": canonical.Outbound, "sender": line, "recipient": person,
	}
	switch l.Kind {
	case samples.Message:
		event["direction"], event["sender"], event["recipient"], event["message"] = canonical.Inbound, person, line, message
	case samples.Answer:
		event["actor"], event["message"] = canonical.Actor{Kind: "agent", Via: l.Name}, message
		event["recipient"] = canonical.Participant{Phone: l.Person}
		if l.Of.ID != "" {
			event["provider"], event["accountId"], event["providerMessageId"] = l.Of.Provider, l.Of.Account, l.Of.ID
		}
	case samples.Status:
		event["eventId"], event["providerMessageId"], event["direction"] = l.Number+" "+l.Text, l.Number, canonical.Status
		event["type"], event["receipt"] = canonical.TypeReceipt, canonical.Receipt{State: l.Text, Error: l.Problem}
	default:
		return samples.Sample{}, false
	}
	if !l.Sent.IsZero() {
		event["timestamp"] = l.Sent
	}
	body, _ := json.Marshal(event) // texts always encode
	return samples.Sample{Name: "event", Path: "/v1/accounts/" + l.Account.ID + "/edge/events", JSON: body}, l.User == ""
}
