// Package samples sends what Meta sends: the sample webhooks beside it, and as many more of the same sort as a load needs. Its signature is made
// as Meta documents it and shares no code with the channel that checks it.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/whatsapp"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs a body with an app secret.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint.
func (Channel) Sign(_ string, body []byte, token secret.Value, _ time.Time) http.Header {
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write(body)
	return http.Header{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
}

// call is a webhook as far as a sample is read.
type call struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

type entry struct {
	ID      string   `json:"id"`
	Changes []change `json:"changes"`
}

type change struct {
	Field string `json:"field"`
	Value value  `json:"value"`
}

type value struct {
	Product  string         `json:"messaging_product"`
	Metadata metadata       `json:"metadata"`
	Contacts []contact      `json:"contacts,omitempty"`
	Messages []message      `json:"messages,omitempty"`
	Echoes   []message      `json:"message_echoes,omitempty"`
	Statuses []statusUpdate `json:"statuses,omitempty"`
}

type metadata struct {
	Number string `json:"display_phone_number"`
	ID     string `json:"phone_number_id"`
}

type contact struct {
	Profile struct {
		Name string `json:"name,omitempty"`
	} `json:"profile"`
	Number string `json:"wa_id,omitempty"`
	User   string `json:"user_id,omitempty"`
}

type message struct {
	From  string `json:"from,omitempty"`
	User  string `json:"from_user_id,omitempty"`
	ID    string `json:"id"`
	Time  string `json:"timestamp"`
	Type  string `json:"type"`
	Text  *text  `json:"text,omitempty"`
	Image *image `json:"image,omitempty"`
}

type text struct {
	Body string `json:"body"`
}

type image struct {
	Caption string `json:"caption,omitempty"`
	Type    string `json:"mime_type"`
	SHA256  string `json:"sha256"`
	ID      string `json:"id"`
}

type statusUpdate struct {
	ID     string    `json:"id"`
	Status string    `json:"status"`
	Time   string    `json:"timestamp"`
	To     string    `json:"recipient_id"`
	Errors []problem `json:"errors,omitempty"`
}

type problem struct {
	Code  int    `json:"code"`
	Title string `json:"title"`
}

// Identify reads a webhook of one event.
func (Channel) Identify(body []byte) samples.Identity {
	var c call
	if json.Unmarshal(body, &c) != nil || len(c.Entry) == 0 || len(c.Entry[0].Changes) == 0 {
		return samples.Identity{}
	}
	v := c.Entry[0].Changes[0].Value
	if len(v.Statuses) > 0 {
		of, code := v.Statuses[0], ""
		if len(of.Errors) > 0 {
			code = strconv.Itoa(of.Errors[0].Code)
		}
		return samples.Identity{ID: of.ID, Kind: "receipt", Key: of.ID + "|" + of.Status + "|" + code}
	}
	told := append(v.Messages, v.Echoes...)
	if len(told) == 0 {
		return samples.Identity{}
	}
	about := samples.Identity{ID: told[0].ID, Kind: "message", Key: told[0].ID}
	if told[0].Text != nil {
		about.Text = told[0].Text.Body
	}
	return about
}

// Receiver returns the channel that reads what is sent to a public base URL.
func (Channel) Receiver(string) (adapter.Channel, error) { return &whatsapp.Channel{}, nil }

// New returns a message of a person, or how far a message of ours got.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	sent := cmp.Or(l.Sent, time.Now().Add(-time.Second))
	v := value{Product: "whatsapp", Metadata: metadata{strings.TrimPrefix(l.Line, "+"), "phone-of-" + strings.TrimPrefix(l.Line, "+")}}
	number, id, at := strings.TrimPrefix(l.Person, "+"), "wamid."+l.Number, strconv.FormatInt(sent.Unix(), 10)
	switch {
	case l.Kind == samples.Message && (l.Channel == "" || l.Channel == canonical.WhatsApp):
		m := message{From: number, User: l.User, ID: id, Time: at, Type: "text", Text: &text{l.Text}}
		if l.Media != "" {
			m.Type, m.Text, m.Image = "image", nil, &image{l.Text, "image/jpeg", strings.Repeat("0", 64), l.Number}
		}
		who := contact{Number: number, User: l.User}
		who.Profile.Name = l.Name
		v.Contacts, v.Messages = []contact{who}, []message{m}
	case l.Kind == samples.Status:
		s := statusUpdate{ID: id, Status: l.Text, Time: at, To: number}
		if code, err := strconv.Atoi(l.Problem); err == nil {
			s.Errors = []problem{{code, "problem"}}
		}
		v.Statuses = []statusUpdate{s}
	default:
		return samples.Sample{}, false
	}
	body, _ := json.Marshal(call{"whatsapp_business_account", []entry{{"102030405060701", []change{{"messages", v}}}}}) // texts always encode
	return samples.Sample{Name: id, Path: "/v1/accounts/" + l.Account.ID + "/whatsapp/messages", JSON: body}, true
}
