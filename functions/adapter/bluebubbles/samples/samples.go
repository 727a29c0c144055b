// Package samples sends what an agent's Mac sends: the samples beside it, and as many messages more of the same sort as a load needs.
package samples

import (
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
	"signalbox/functions/adapter/bluebubbles"
	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs by https://www.standardwebhooks.com, apart from the code that verifies. A webhook is called by its body here: a repeat has the same.
func (Channel) Sign(_ string, body []byte, token secret.Value, at time.Time) http.Header {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(token), "whsec_"))
	sum := sha256.Sum256(body)
	id, timestamp := "bb_"+hex.EncodeToString(sum[:16]), strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + timestamp + "." + string(body)))
	return http.Header{
		"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

// Identify reads a webhook of one event.
func (Channel) Identify(body []byte) samples.Identity {
	document, err := imessage.Parse(body)
	if err != nil {
		return samples.Identity{}
	}
	m := imessage.Decode(document.At("data"))
	if m.GUID == "" {
		return samples.Identity{}
	}
	of := samples.Identity{ID: m.GUID, Kind: "message", Key: m.GUID, Text: m.Text}
	_, reacts := m.Tapback()
	switch {
	case reacts:
		of.Kind, of.Text = "reaction", ""
	case m.Retracted():
		of = samples.Identity{ID: m.GUID + "|retracted", Kind: "retract", Key: m.GUID + "|retracted"}
	case m.Edited():
		of.Kind, of.Key = "edit", m.GUID+"|"+strconv.FormatInt(m.EditedAt, 10)
		of.ID = of.Key
	case m.Read(false):
		of = samples.Identity{ID: m.GUID, Kind: "receipt", Key: m.GUID + "|read"}
	case m.Delivered():
		of = samples.Identity{ID: m.GUID, Kind: "receipt", Key: m.GUID + "|delivered"}
	}
	return of
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &bluebubbles.Channel{}, nil }

// New returns a message of a person with a phone.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	if l.Kind != samples.Message || l.User != "" || l.Person == "" || l.Media != "" || l.Channel != "" && l.Channel != canonical.IMessage {
		return samples.Sample{}, false
	}
	at := l.Sent
	if at.IsZero() {
		at = time.Now()
	}
	body, _ := json.Marshal(map[string]any{"type": imessage.New, "data": map[string]any{ // texts, numbers and booleans always encode
		"guid": l.Number, "text": l.Text, "handle": map[string]any{"address": l.Person, "service": "iMessage"}, "attachments": []any{},
		"error": 0, "dateCreated": at.UnixMilli(), "dateRead": nil, "dateDelivered": nil, "isDelivered": true, "isFromMe": false, "itemType": 0,
		"associatedMessageGuid": nil, "associatedMessageType": nil, "balloonBundleId": nil, "threadOriginatorGuid": nil,
		"chats": []any{map[string]any{"guid": "iMessage;-;" + l.Person, "style": 45, "chatIdentifier": l.Person, "displayName": ""}},
	}})
	return samples.Sample{Name: "imessage", Path: "/v1/accounts/" + l.Account.ID + "/bluebubbles/messages", JSON: body}, true
}
