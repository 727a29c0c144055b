package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// Fault spoils the next requests whose path begins with Match. With a Status the request has no effect and this is answered;
// with CommitThenTimeout it has its effect and no answer ever comes; DelayMS comes before either, or alone.
type Fault struct {
	Match             string            `json:"match"` // a path prefix, empty for every path
	Status            int               `json:"status,omitempty"`
	Body              json.RawMessage   `json:"body,omitempty"` // a JSON string is sent as plain text, anything else as it is
	Headers           map[string]string `json:"headers,omitempty"`
	DelayMS           int               `json:"delayMs,omitempty"`
	CommitThenTimeout bool              `json:"commitThenTimeout,omitempty"`
	Count             int               `json:"count,omitempty"` // how many requests; zero is one, below zero all until the reset
}

// spoil is a Fault that is still in force.
type spoil struct {
	Fault
	left int
}

// Spoil adds a fault.
func (s *Simulator) Spoil(f Fault) {
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &spoil{f, f.Count})
}

// spoiled answers the oldest fault in force for a path and uses it up; the zero Fault when there is none.
func (s *Simulator) spoiled(path string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.HasPrefix(path, f.Match) {
			continue
		}
		f.left--
		if f.left == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f.Fault
	}
	return Fault{}
}

func (f Fault) reply() reply {
	answer := reply{status: f.Status, header: make(http.Header)}
	for name, value := range f.Headers {
		answer.header.Set(name, value)
	}
	var text string
	switch {
	case len(f.Body) == 0 || string(f.Body) == "null":
	case json.Unmarshal(f.Body, &text) == nil:
		answer.body = json.RawMessage(text)
	default:
		answer.body = f.Body
	}
	return answer
}

// control answers the paths that are for tests.
func (s *Simulator) control(r *http.Request, body []byte) reply {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/_simulator/records":
		held, known := s.Records(r.URL.Query().Get("object"))
		if !known {
			return invalid("object is contacts, communications or leads")
		}
		return ok(held)
	case r.Method == http.MethodPost && r.URL.Path == "/_simulator/faults":
		var f Fault
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&f); err != nil || f.Status != 0 && (f.Status < 200 || f.Status > 599) || f.DelayMS < 0 {
			return invalid("not a fault: {match, status, body, headers, delayMs, commitThenTimeout, count}")
		}
		s.Spoil(f)
		return reply{status: http.StatusNoContent}
	case r.Method == http.MethodDelete && strings.TrimSuffix(r.URL.Path, "/") == "/_simulator":
		s.Reset()
		return reply{status: http.StatusNoContent}
	default:
		return undocumented(r)
	}
}
