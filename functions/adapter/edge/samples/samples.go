// Package samples tells events as a program of the tenant's would: the sample request beside it, and as many messages more as a load needs.
package samples

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Channel implements samples.Channel.
type Channel struct{}

// visit is whose page tells an event that says nothing of its sender: the page of a visitor to the demo tenant's site.
func visit() session.Claims {
	return session.Claims{Account: "demo-edge", Visitor: "demo-visitor", Name: "Vera Visitor", Line: "chat.acme.example", Origin: "https://acme.example"}
}

// Sign signs by https://www.standardwebhooks.com, and has a session for a page. A request is called by its body: a repeat has the same.
func (Channel) Sign(_ string, body []byte, token secret.Value, at time.Time) http.Header {
	sum := sha256.Sum256(body)
	header := standardwebhooks.Sign(token, "msg_"+hex.EncodeToString(sum[:16]), at, body)
	if read(body).fromPage() {
		minted, err := session.Mint(token, visit(), at, session.MaxLife)
		if err != nil {
			return header // with a key that nobody has
		}
		header.Del(standardwebhooks.HeaderSignature)
		header.Set("Authorization", "Bearer "+minted)
		header.Set("Origin", visit().Origin)
	}
	return header
}

// event is what is looked at of a request of one event.
type event struct {
	EventID, ProviderMessageID string
	Channel                    canonical.Channel
	Message                    struct{ Text string }
}

func read(body []byte) (e event) {
	_ = json.Unmarshal(body, &e) // the zero event is none
	return e
}

// fromPage reports whether a page tells the event: all else names its channel.
func (e event) fromPage() bool { return e.EventID != "" && e.Channel == "" }

// Identify reads a request of one event.
func (Channel) Identify(body []byte) samples.Identity {
	e := read(body)
	switch {
	case e.EventID == "":
		return samples.Identity{}
	case e.fromPage(): // whose messages have no name but the event's
		key := fmt.Sprintf("visitor %d:%s%s", len(visit().Visitor), visit().Visitor, e.EventID)
		id := canonical.NewEventID("demo", edge.Provider, visit().Account, "event", key)
		return samples.Identity{ID: "event:" + string(id), Kind: "event", Key: key, Text: e.Message.Text}
	default:
		return samples.Identity{ID: cmp.Or(e.ProviderMessageID, e.EventID), Kind: "event", Key: "0:" + e.EventID, Text: e.Message.Text}
	}
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
	told := map[string]any{
		"eventId": l.Number, "channel": cmp.Or(l.Channel, canonical.SMS), "direction": canonical.Outbound, "sender": line, "recipient": person,
	}
	switch l.Kind {
	case samples.Message:
		told["direction"], told["sender"], told["recipient"], told["message"] = canonical.Inbound, person, line, message
	case samples.Answer:
		told["actor"], told["message"] = canonical.Actor{Kind: "agent", Via: l.Name}, message
		told["recipient"] = canonical.Participant{Phone: l.Person}
		if l.Of.ID != "" {
			told["provider"], told["accountId"], told["providerMessageId"] = l.Of.Provider, l.Of.Account, l.Of.ID
		}
	case samples.Status:
		told["eventId"], told["providerMessageId"], told["direction"] = l.Number+" "+l.Text, l.Number, canonical.Status
		told["type"], told["receipt"] = canonical.TypeReceipt, canonical.Receipt{State: l.Text, Error: l.Problem}
	default:
		return samples.Sample{}, false
	}
	if !l.Sent.IsZero() {
		told["timestamp"] = l.Sent
	}
	body, _ := json.Marshal(told) // texts always encode
	return samples.Sample{Name: "event", Path: "/v1/accounts/" + l.Account.ID + "/edge/events", JSON: body}, l.User == ""
}
