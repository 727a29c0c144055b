// Package samples sends the sample webhooks of events/ to a Signalbox wherever it runs, signed as their providers sign them, and
// looks into the CRM simulators for what became of them.
package samples

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// patterns are of the files that hold samples, below the root of the repository: what is sent first is first.
func patterns() []string { return []string{"events/outreach/*.json", "events/twilio/*.json"} }

// Sample is one request: a form as a messaging provider would send it, or an outreach as a sales tool would register it.
type Sample struct {
	Name string          `json:"name"`
	File string          `json:"-"`    // without .json
	Path string          `json:"path"` // /v1/accounts/{account}/{provider}/{kind}
	Form [][2]string     `json:"form"` // in the order they are sent; the first is what the provider calls the message
	JSON json.RawMessage `json:"json"` // of an outreach, sent as it stands
	// Shows is, of a status callback, the state that every CRM is to show of the message: the callback's own status, and the
	// furthest of those that are sent of the message. Empty for a message.
	Shows string `json:"shows,omitempty"`
}

// Read reads the sample webhooks in the order of their files.
func Read(root string) ([]Sample, error) {
	var files []string
	for _, pattern := range patterns() {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("samples: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("samples: there are none in %s", pattern)
		}
		files = append(files, found...)
	}
	out := make([]Sample, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // the repository's own
		if err != nil {
			return nil, fmt.Errorf("samples: %w", err)
		}
		if err := json.Unmarshal(data, &out[i]); err != nil {
			return nil, fmt.Errorf("samples: %s: %w", filepath.Base(file), err)
		}
		out[i].File = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return out, nil
}

// Outreach is what a sample registers: something we sent to a person that waits for an answer.
type Outreach struct {
	ID string
	To struct{ Phone string }
}

// NewOutreach returns the sample of something that was sent to a phone from the demo tenant's number.
func NewOutreach(id, phone string, sent time.Time) Sample {
	body, _ := json.Marshal(map[string]any{ // texts always encode
		"id": id, "from": "+15557654321", "to": map[string]string{"phone": phone}, "channel": "sms",
		"sentAt": sent.UTC().Format(time.RFC3339Nano), "text": "Shall we talk about Saturdays?",
	})
	return Sample{Name: "outreach", Path: "/v1/accounts/demo-outreach/outreach/messages", JSON: body}
}

// Outreach returns what a sample registers, and false for a provider's webhook.
func (s Sample) Outreach() (o Outreach, ok bool) {
	return o, len(s.JSON) > 0 && json.Unmarshal(s.JSON, &o) == nil
}

// ID returns what the sender calls the message.
func (s Sample) ID() string {
	if o, ok := s.Outreach(); ok {
		return o.ID
	}
	if len(s.Form) == 0 {
		return ""
	}
	return s.Form[0][1]
}

// Account returns the account that the path names, and Provider the provider.
func (s Sample) Account() string { return s.segment(3) }

// Provider returns the provider that the path names.
func (s Sample) Provider() string { return s.segment(4) }

func (s Sample) segment(n int) string {
	segments := strings.Split(s.Path, "/")
	if len(segments) <= n {
		return ""
	}
	return segments[n]
}

func (s Sample) field(name string) string {
	for _, pair := range s.Form {
		if pair[0] == name {
			return pair[1]
		}
	}
	return ""
}

// body returns what is sent.
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
