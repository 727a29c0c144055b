package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// The kinds of Send.
const (
	OfPerson  = "message"  // of a person
	OfReceipt = "receipt"  // of a message of ours
	OfAsking  = "outreach" // to a person
)

// Send is one webhook that was sent, a line of the history.
type Send struct {
	Kind     string    `json:"kind"`
	Message  string    `json:"message"`           // the provider's id; of a receipt, that of the message it is about
	Key      string    `json:"key,omitempty"`     // of its record in every CRM
	Event    string    `json:"event,omitempty"`   // its id
	Sender   string    `json:"sender,omitempty"`  // the account it comes by
	Thread   string    `json:"thread"`            // what it knows the person by, in whose order it is
	Person   string    `json:"person,omitempty"`  // who, where that is known by something else, too
	Note     string    `json:"note,omitempty"`    // what it is found by where it is shown among others
	Said     time.Time `json:"said,omitzero"`     // of such a one: when it was written, by its own word
	Proves   bool      `json:"proves,omitempty"`  // it knows the person by both
	Machine  bool      `json:"machine,omitempty"` // of a message: an out-of-office note
	State    string    `json:"state,omitempty"`   // of a receipt
	Asked    time.Time `json:"asked,omitzero"`    // of an outreach: when it says it was sent
	Attempt  int       `json:"attempt"`           // from 1; 0 is a duplicate that nobody waits for
	At       time.Time `json:"at"`
	Answered time.Time `json:"answered"`
	Status   int       `json:"status"` // 0: there was no answer
	Error    string    `json:"error,omitempty"`
}

// Acknowledged reports whether we are answerable for the message from then on.
func (s Send) Acknowledged() bool { return s.Status >= 200 && s.Status < 300 }

// name tells what is sent from everything else that is: a receipt by what it says, too.
func (s Send) name() string {
	if s.Kind == OfReceipt {
		return s.Message + " " + s.State
	}
	return s.Message
}

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

// Sends returns all so far, and whether a line could not be written.
func (h *History) Sends() ([]Send, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sends), h.err
}
