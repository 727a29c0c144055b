// Package simulatortest is what the simulators of all CRMs have in common: requests that are made to fail, the paths below
// /_simulator that are for tests, and a transport that needs no socket. A CRM's own simulator is a folder below the CRM's.
package simulatortest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault spoils the next requests whose path begins with Match. With a Status the request has no effect and this is the reply;
// with CommitThenTimeout it has its effect and no reply ever comes; DelayMS comes before either, or alone.
type Fault struct {
	Match             string            `json:"match"` // a path prefix, empty for every path
	Status            int               `json:"status,omitempty"`
	Body              json.RawMessage   `json:"body,omitempty"` // a JSON string is sent as plain text, anything else as it is
	Headers           map[string]string `json:"headers,omitempty"`
	DelayMS           int               `json:"delayMs,omitempty"`
	CommitThenTimeout bool              `json:"commitThenTimeout,omitempty"`
	Count             int               `json:"count,omitempty"` // how many requests; zero is one, below zero all until the reset
}

// Faults are those in force, oldest first. The zero value is none. It is safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	force []*spoil
}

// spoil is a Fault that is still in force.
type spoil struct {
	Fault
	left int
}

// Add puts a fault in force.
func (s *Faults) Add(f Fault) {
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.force = append(s.force, &spoil{f, f.Count})
}

// Clear takes all faults out of force.
func (s *Faults) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.force = nil
}

// next returns the oldest fault in force for a path and uses it up; the zero Fault when there is none.
func (s *Faults) next(path string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.force {
		if !strings.HasPrefix(path, f.Match) {
			continue
		}
		f.left--
		if f.left == 0 {
			s.force = append(s.force[:i:i], s.force[i+1:]...)
		}
		return f.Fault
	}
	return Fault{}
}

// Reply is a reply before it is sent.
type Reply struct {
	Status int
	Header http.Header
	Body   any // nil is an empty body, a json.RawMessage is sent as it is, anything else as its JSON
}

// Serve serves a request by answer, unless a fault is in force for it.
func (s *Faults) Serve(w http.ResponseWriter, r *http.Request, answer func() Reply) {
	f := s.next(r.URL.Path)
	if f.DelayMS > 0 && !wait(r, time.Duration(f.DelayMS)*time.Millisecond) {
		return
	}
	if f.CommitThenTimeout {
		answer()
		<-r.Context().Done()
		return
	}
	if f.Status != 0 {
		f.reply().Send(w)
		return
	}
	answer().Send(w)
}

// wait returns false if the caller gave up.
func wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (f Fault) reply() Reply {
	answer := Reply{Status: f.Status, Header: make(http.Header)}
	for name, value := range f.Headers {
		answer.Header.Set(name, value)
	}
	var text string
	switch {
	case len(f.Body) == 0 || string(f.Body) == "null":
	case json.Unmarshal(f.Body, &text) == nil:
		answer.Body = json.RawMessage(text)
	default:
		answer.Body = f.Body
	}
	return answer
}

// Send sends an answer.
func (r Reply) Send(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.Header)
	var encoded []byte
	switch body := r.Body.(type) {
	case nil:
	case json.RawMessage:
		encoded = body
	default:
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			http.Error(w, "the answer does not encode", http.StatusInternalServerError)
			return
		}
	}
	if encoded != nil && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(encoded)
}
