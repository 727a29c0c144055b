package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Send is one webhook that was sent, a line of the history.
type Send struct {
	Message  string    `json:"message"` // the provider's id
	Thread   string    `json:"thread"`  // who wrote it
	Attempt  int       `json:"attempt"` // from 1; 0 is a duplicate that nobody waits for
	At       time.Time `json:"at"`
	Answered time.Time `json:"answered"`
	Status   int       `json:"status"` // 0: there was no answer
	Error    string    `json:"error,omitempty"`
}

// Acknowledged says whether we are answerable for the message from then on.
func (s Send) Acknowledged() bool { return s.Status >= 200 && s.Status < 300 }

// History notes every send, in memory and as lines of JSON.
type History struct {
	mu    sync.Mutex
	sends []Send
	lines *json.Encoder
	err   error
}

// NewHistory returns a History that writes its lines to w.
func NewHistory(w io.Writer) *History { return &History{lines: json.NewEncoder(w)} }

// Note adds one send.
func (h *History) Note(s Send) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends = append(h.sends, s)
	if err := h.lines.Encode(s); err != nil && h.err == nil {
		h.err = fmt.Errorf("chaos: the history: %w", err)
	}
}

// Sends answers all so far, and whether a line could not be written.
func (h *History) Sends() ([]Send, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sends), h.err
}
