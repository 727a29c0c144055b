package demo

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's signature is HMAC-SHA1
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// samples are in files of these patterns, below the root of the repository: what is sent first is first.
func samples() []string { return []string{"events/outreach/*.json", "events/twilio/*.json"} }

// Sample is one request: a form as Twilio would send it, or an outreach as a sales tool would register it.
type Sample struct {
	Name string          `json:"name"`
	Path string          `json:"path"`
	Form [][2]string     `json:"form"` // in the order they are sent
	JSON json.RawMessage `json:"json"` // of an outreach, sent as it stands
	// Shows is, of a status callback, the state that every CRM is to show of the message: the callback's own status, and the
	// furthest of those that are sent of the message. Empty for a message.
	Shows string `json:"shows,omitempty"`
}

// Samples reads the sample webhooks in the order of their files.
func Samples(root string) ([]Sample, error) {
	var files []string
	for _, pattern := range samples() {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("demo: there are no samples in %s", pattern)
		}
		files = append(files, found...)
	}
	out := make([]Sample, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // the repository's own
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		if err := json.Unmarshal(data, &out[i]); err != nil {
			return nil, fmt.Errorf("demo: %s: %w", filepath.Base(file), err)
		}
	}
	return out, nil
}

// Outreach is what a sample registers: something we sent to a person that waits for an answer.
type Outreach struct {
	ID string
	To struct{ Phone string }
}

// NewOutreach answers the sample of something that was sent to a phone from the demo tenant's number.
func NewOutreach(id, phone string, sent time.Time) Sample {
	body, _ := json.Marshal(map[string]any{ // texts always encode
		"id": id, "from": "+15557654321", "to": map[string]string{"phone": phone}, "channel": "sms",
		"sentAt": sent.UTC().Format(time.RFC3339Nano), "text": "Shall we talk about Saturdays?",
	})
	return Sample{Name: outreach, Path: "/v1/accounts/demo-outreach/outreach/messages", JSON: body}
}

// Outreach answers what a sample registers, and false for a webhook of Twilio's.
func (s Sample) Outreach() (o Outreach, ok bool) {
	return o, len(s.JSON) > 0 && json.Unmarshal(s.JSON, &o) == nil
}

// ID answers what the sender calls the message.
func (s Sample) ID() string {
	if o, ok := s.Outreach(); ok {
		return o.ID
	}
	return s.field("MessageSid")
}

func (s Sample) field(name string) string {
	for _, pair := range s.Form {
		if pair[0] == name {
			return pair[1]
		}
	}
	return ""
}

// body answers what is sent.
func (s Sample) body() string {
	if len(s.JSON) > 0 {
		return string(s.JSON)
	}
	parts := make([]string, len(s.Form))
	for i, pair := range s.Form {
		parts[i] = url.QueryEscape(pair[0]) + "=" + url.QueryEscape(pair[1])
	}
	return strings.Join(parts, "&")
}

// sign answers the X-Twilio-Signature of a sample sent to a URL: the names in byte order, each with its distinct values in order.
// See https://www.twilio.com/docs/usage/security#validating-requests.
func (s Sample) sign(token, to string) string {
	values := map[string][]string{}
	for _, pair := range s.Form {
		values[pair[0]] = append(values[pair[0]], pair[1])
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = mac.Write([]byte(to))
	for _, name := range names {
		slices.Sort(values[name])
		for _, value := range slices.Compact(values[name]) {
			_, _ = mac.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
