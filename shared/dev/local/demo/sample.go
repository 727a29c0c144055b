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
)

// samples are in files of this pattern, below the root of the repository.
const samples = "events/twilio/*.json"

// Sample is one webhook as Twilio would send it.
type Sample struct {
	Name string      `json:"name"`
	Path string      `json:"path"`
	Form [][2]string `json:"form"` // in the order they are sent
	// Shows is, of a status callback, the state that every CRM is to show of the message: the callback's own status, and the
	// furthest of those that are sent of the message. Empty for a message.
	Shows string `json:"shows,omitempty"`
}

// Samples reads the sample webhooks in the order of their files.
func Samples(root string) ([]Sample, error) {
	files, err := filepath.Glob(filepath.Join(root, samples))
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
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
	if len(out) == 0 {
		return nil, fmt.Errorf("demo: there are no samples in %s", samples)
	}
	return out, nil
}

// ID answers what Twilio calls the message.
func (s Sample) ID() string { return s.field("MessageSid") }

func (s Sample) field(name string) string {
	for _, pair := range s.Form {
		if pair[0] == name {
			return pair[1]
		}
	}
	return ""
}

// body answers the form as it is sent.
func (s Sample) body() string {
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
