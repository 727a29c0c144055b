// Package samples registers outreach as a sales tool would: the sample request beside it, and as many more as a load needs.
package samples

import (
	"encoding/json"
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/outreach"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs by https://www.standardwebhooks.com.
func (c Channel) Sign(_ string, body []byte, token secret.Value, at time.Time) http.Header {
	return standardwebhooks.Sign(token, "msg_"+c.Identify(body).ID, at, body)
}

// Identify reads a request.
func (Channel) Identify(body []byte) samples.Identity {
	var o struct {
		ID string
		To struct{ Phone string }
	}
	if json.Unmarshal(body, &o) != nil || o.ID == "" {
		return samples.Identity{}
	}
	return samples.Identity{ID: o.ID, Kind: "outreach", Key: o.ID, Asks: o.To.Phone}
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &outreach.Channel{}, nil }

// New returns something that was sent to a person.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	registered := map[string]any{
		"id": l.Number, "from": l.Line, "to": map[string]string{"phone": l.Person}, "channel": "sms",
		"sentAt": l.Sent.UTC().Format(time.RFC3339Nano), "text": "Shall we talk about Saturdays?",
	}
	if l.Of.ID != "" {
		registered["message"] = l.Of
	}
	body, _ := json.Marshal(registered) // texts always encode
	return samples.Sample{Name: "outreach", Path: "/v1/accounts/" + l.Account.ID + "/outreach/messages", JSON: body}, l.Kind == samples.Outreach
}
