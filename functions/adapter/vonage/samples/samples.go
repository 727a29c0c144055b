// Package samples sends what Vonage sends: the sample webhooks beside it, and as many more of the same sort as a load needs. Its signature is
// made as Vonage documents it and shares no code with the channel that checks it.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/vonage"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// demo is the API key of the demo tenant's account.
const demo = "a1b2c3d4"

// Sign signs for the demo tenant's account.
func (c Channel) Sign(to string, body []byte, token secret.Value, at time.Time) http.Header {
	return c.SignFor(samples.Account{ProviderAccount: demo, AuthToken: token}, to, body, at)
}

// SignFor implements samples.AccountSigner: a token made at a time over the hash of a body.
func (Channel) SignFor(account samples.Account, _ string, body []byte, at time.Time) http.Header {
	sum := sha256.Sum256(body)
	claims, _ := json.Marshal(map[string]any{ // texts and a number always encode
		"iat": at.Unix(), "jti": hex.EncodeToString(sum[:16]), "iss": "Vonage", "payload_hash": hex.EncodeToString(sum[:]), "api_key": account.ProviderAccount,
	})
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(account.AuthToken))
	_, _ = mac.Write([]byte(signed))
	return http.Header{"Authorization": {"Bearer " + signed + "." + encode(mac.Sum(nil))}}
}

// Identify reads a message or a status.
func (Channel) Identify(body []byte) samples.Identity {
	var m struct {
		ID     string `json:"message_uuid"`
		Status string
		Text   string
		Error  struct{ Title string }
	}
	switch err := json.Unmarshal(body, &m); {
	case err != nil || m.ID == "":
		return samples.Identity{}
	case m.Status != "":
		return samples.Identity{ID: m.ID, Kind: "receipt", Key: m.ID + "|" + m.Status + "|" + m.Error.Title}
	default:
		return samples.Identity{ID: m.ID, Kind: "message", Key: m.ID, Text: m.Text}
	}
}

// Receiver returns the channel that reads what is sent to a public base URL.
func (Channel) Receiver(string) (adapter.Channel, error) { return &vonage.Channel{}, nil }

// New returns a message of a person who has a phone, or how far a message of ours got.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	line, person := strings.TrimPrefix(l.Line, "+"), strings.TrimPrefix(l.Person, "+")
	m := map[string]any{"message_uuid": l.Number, "channel": cmp.Or(l.Channel, canonical.SMS), "from": person, "to": line}
	kind := "messages"
	switch {
	case person == "":
		return samples.Sample{}, false
	case l.Kind == samples.Message:
		m["message_type"], m["text"] = "text", l.Text
		if l.Media != "" {
			m["image"] = map[string]string{"url": l.Media}
		}
		if l.Name != "" {
			m["profile"] = map[string]string{"name": l.Name}
		}
	case l.Kind == samples.Status, l.Kind == samples.Refused:
		statuses := map[string]string{"sent": "submitted", "delivered": "delivered", "read": "read", "failed": "rejected"}
		kind, m["from"], m["to"], m["status"] = "status", line, person, statuses[l.Text]
		if l.Kind == samples.Refused {
			m["status"], l.Problem = "rejected", "1240"
		}
		if l.Problem != "" {
			m["error"] = map[string]string{"type": "https://developer.vonage.com/api-errors/messages#" + l.Problem, "title": l.Problem}
		}
	default:
		return samples.Sample{}, false
	}
	if !l.Sent.IsZero() {
		m["timestamp"] = l.Sent.UTC().Format(time.RFC3339Nano)
	}
	body, _ := json.Marshal(m) // texts always encode
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/vonage/" + kind, JSON: body}, m["status"] != ""
}
