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
	var e struct{ EventID, ProviderMessageID string }
	if json.Unmarshal(body, &e) != nil || e.EventID == "" {
		return samples.Identity{}
	}
	return samples.Identity{ID: cmp.Or(e.ProviderMessageID, e.EventID), Kind: "event", Key: "0:" + e.EventID}
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &edge.Channel{}, nil }

// New returns a message of a person who has a phone.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	message := canonical.Message{Text: l.Text}
	if l.Media != "" {
		message.Attachments = []canonical.Attachment{{URL: l.Media, ContentType: "image/jpeg"}}
	}
	body, _ := json.Marshal(map[string]any{ // texts always encode
		"eventId": l.Number, "channel": cmp.Or(l.Channel, canonical.SMS), "direction": canonical.Inbound,
		"sender": canonical.Participant{Phone: l.Person, DisplayName: l.Name}, "recipient": canonical.Participant{Phone: l.Line},
		"message": message,
	})
	return samples.Sample{Name: "event", Path: "/v1/accounts/" + l.Account.ID + "/edge/events", JSON: body}, l.Kind == samples.Message && l.User == ""
}
