// Package samples sends the sample webhooks of events/ to a Signalbox wherever it runs, signed as their providers sign them, and
// looks into the CRM simulators for what became of them.
package samples

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pattern is of the files that hold samples, below the root of the repository.
const pattern = "functions/adapter/*/samples/*.json"

// Sample is one request: a form as a messaging provider would send it, or an outreach as a sales tool would register it.
type Sample struct {
	Name string          `json:"name"`
	File string          `json:"-"`    // without .json
	Path string          `json:"path"` // /v1/accounts/{account}/{provider}/{kind}
	Form [][2]string     `json:"form"` // in the order they are sent
	JSON json.RawMessage `json:"json"` // what is sent where it is no form, as it stands
	// Shows is, of a status callback, the state that every CRM is to show of the message: the callback's own status, and the
	// furthest of those that are sent of the message. Empty for a message.
	Shows string `json:"shows,omitempty"`
}

// Read reads the sample webhooks of every channel in the order of their files' names.
func Read(root string) ([]Sample, error) {
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		return nil, fmt.Errorf("samples: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("samples: there are none in %s", pattern)
	}
	slices.SortStableFunc(files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
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

// Account returns the account that the path names.
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

// body returns what is sent, and its type.
func (s Sample) body() (body, contentType string) {
	if len(s.JSON) > 0 {
		return string(s.JSON), "application/json"
	}
	parts := make([]string, len(s.Form))
	for i, pair := range s.Form {
		parts[i] = url.QueryEscape(pair[0]) + "=" + url.QueryEscape(pair[1])
	}
	return strings.Join(parts, "&"), "application/x-www-form-urlencoded; charset=utf-8"
}
