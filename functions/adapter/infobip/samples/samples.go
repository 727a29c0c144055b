// Package samples sends what Infobip sends: the samples beside it, and as many more as a load needs.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/infobip"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign secures a body as the notification profile of the demo's account does, which its token describes.
func (Channel) Sign(_ string, body []byte, token secret.Value, _ time.Time) http.Header {
	key := strings.TrimPrefix(string(token), "hmac:sha256:X-Hub-Signature:hex:")
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return http.Header{"X-Hub-Signature": {hex.EncodeToString(mac.Sum(nil))}}
}

// webhook is as much of a webhook of one result as is looked at.
type webhook struct {
	Results []struct {
		ID      string `json:"messageId"`
		Content []struct{ Type, Text string }
		Status  struct{ Name, GroupName string }
		Error   struct{ Name string }
		SeenAt  string
	}
}

// Identify reads a webhook of one result.
func (Channel) Identify(body []byte) samples.Identity {
	var w webhook
	if json.Unmarshal(body, &w) != nil || len(w.Results) != 1 || w.Results[0].ID == "" {
		return samples.Identity{}
	}
	r := w.Results[0]
	i := samples.Identity{ID: r.ID, Kind: "message", Key: r.ID}
	failed := r.Status.GroupName == "UNDELIVERABLE" || r.Status.GroupName == "REJECTED" || r.Status.GroupName == "EXPIRED"
	switch {
	case r.SeenAt != "":
		i.Kind, i.Key = "receipt", r.ID+"|read|"
	case failed && r.Error.Name == "NO_ERROR":
		i.Kind, i.Key = "receipt", r.ID+"|"+r.Status.Name+"|"+r.Status.Name
	case failed && r.Status.Name != "REJECTED_CANCELED":
		i.Kind, i.Key = "receipt", r.ID+"|"+r.Status.Name+"|"+r.Error.Name
	case r.Status.Name != "":
		i.Kind, i.Key = "receipt", r.ID+"|"+r.Status.Name+"|"
	case len(r.Content) > 0 && r.Content[0].Type == "REACTION":
		i.Kind = "reaction"
	case len(r.Content) > 0 && r.Content[0].Type == "TEXT":
		i.Text = r.Content[0].Text
	}
	return i
}

// Receiver returns the channel that reads what is sent.
func (Channel) Receiver(string) (adapter.Channel, error) { return &infobip.Channel{}, nil }

// New returns a message of a person who has a phone, or the report of one of ours.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	at := cmp.Or(l.Sent, time.Now()).UTC().Format("2006-01-02T15:04:05.000-0700")
	channel := strings.ToUpper(string(cmp.Or(l.Channel, canonical.SMS)))
	person, ours := strings.TrimPrefix(l.Person, "+"), strings.TrimPrefix(l.Line, "+")
	result := map[string]any{"messageId": l.Number, "channel": channel, "messageCount": 1}
	switch l.Kind {
	case samples.Message:
		content := []any{map[string]any{"type": "TEXT", "text": l.Text, "cleanText": l.Text, "keyword": ""}}
		if l.Media != "" {
			content = append(content, map[string]any{"type": "IMAGE", "url": l.Media})
		}
		result["event"], result["sender"], result["destination"], result["content"], result["receivedAt"] = "MO", person, ours, content, at
	case samples.Status:
		result["event"], result["sender"], result["destination"], result["sentAt"], result["doneAt"] = "DELIVERY", ours, person, at, at
		status, failure := report(l)
		result["status"], result["error"] = status, failure
		if l.Text == "read" {
			delete(result, "status")
			result["seenAt"] = at
		}
	default:
		return samples.Sample{}, false
	}
	body, _ := json.Marshal(map[string]any{"results": []any{result}, "messageCount": 1, "pendingMessageCount": 0}) // texts always encode
	return samples.Sample{Name: l.Number, Path: "/v1/accounts/" + l.Account.ID + "/infobip/messages", JSON: body}, l.User == ""
}

// report returns the status and the error of a report.
func report(l samples.Load) (status, failure map[string]any) {
	named := map[string][2]string{
		"queued": {"ACCEPTED", "ACCEPTED"}, "sending": {"PENDING", "PENDING_ENROUTE"}, "sent": {"DELIVERED", "DELIVERED_TO_OPERATOR"},
		"delivered": {"DELIVERED", "DELIVERED_TO_HANDSET"}, "failed": {"UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED"}, "canceled": {"REJECTED", "REJECTED_CANCELED"},
	}[l.Text]
	return map[string]any{"groupName": named[0], "name": named[1], "description": "of a sample"}, map[string]any{"name": cmp.Or(l.Problem, "NO_ERROR"), "permanent": false}
}
