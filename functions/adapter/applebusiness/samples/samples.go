// Package samples sends what Apple sends to a messaging service provider: the samples beside it, and as many messages more as a load needs.
package samples

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/applebusiness"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// msp is that of the demo tenant.
const msp = "9d2f1c77-0a51-4e0e-8f0c-0d4c8d1a2b3c"

// Channel implements samples.Channel.
type Channel struct{}

// Wrap implements samples.Wrapper: a body is compressed.
func (Channel) Wrap(said []byte) []byte {
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, _ = w.Write(said) // a buffer takes all
	_ = w.Close()
	return compressed.Bytes()
}

// Sign signs for the demo tenant's account.
func (c Channel) Sign(to string, body []byte, token secret.Value, at time.Time) http.Header {
	return c.SignFor(samples.Account{ProviderAccount: msp, AuthToken: token}, to, body, at)
}

// SignFor implements samples.AccountSigner: a token for an MSP, which covers no body, and what a body says of itself.
// See https://register.apple.com/resources/messages/msp-rest-api/authorizing-messages.
func (Channel) SignFor(account samples.Account, _ string, body []byte, at time.Time) http.Header {
	key, _ := base64.StdEncoding.DecodeString(string(account.AuthToken))
	claims := fmt.Appendf(nil, `{"aud":%q,"iat":%d}`, account.ProviderAccount, at.Unix())
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(signed))
	header := http.Header{"Authorization": {"Bearer " + signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}}
	var m message
	if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		header.Set("Content-Encoding", "gzip")
		_ = json.NewDecoder(r).Decode(&m)
	} else {
		_ = json.Unmarshal(body, &m)
	}
	for name, value := range map[string]string{
		"Id": m.ID, "Source-Id": m.SourceID, "Destination-Id": m.DestinationID,
		"Capability-List": "QUICK,LIST,TIME,AUTH,AUTH2,FORM", "Device-Agent": "iPhone OS",
	} {
		header.Set(name, value)
	}
	return header
}

type message struct{ ID, Type, SourceID, DestinationID, Body string }

// Identify reads a body as it is before it is compressed.
func (Channel) Identify(body []byte) samples.Identity {
	var m message
	switch err := json.Unmarshal(body, &m); {
	case err != nil || m.ID == "":
		return samples.Identity{}
	case m.Type == "close":
		return samples.Identity{ID: m.ID, Kind: "consent", Key: m.ID}
	default:
		return samples.Identity{ID: m.ID, Kind: "message", Key: m.ID, Text: m.Body}
	}
}

// Receiver returns the channel that reads what is sent to a public base URL.
func (Channel) Receiver(string) (adapter.Channel, error) { return &applebusiness.Channel{}, nil }

// New returns a message of a person, whom Apple tells by nothing but an id of its own.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	body, _ := json.Marshal(map[string]any{ // texts always encode
		"v": 1, "type": "text", "id": l.Number, "sourceId": "urn:mbid:" + cmp.Or(l.User, l.Person), "destinationId": l.Line, "locale": "en_US", "body": l.Text,
	})
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/applebusiness/message", JSON: body}, l.Kind == samples.Message && l.Media == ""
}
