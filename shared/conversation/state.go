package conversation

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// Conversations is how a thread's conversations stand: one a line and channel. What a CRM shows of one follows from it alone.
type Conversations struct {
	All    []State  `json:"conversations"`
	Recent []string `json:"recent,omitempty"` // the beginnings of the ids of events counted last: a repeat is not counted again

	Unknown unknown.Members `json:"-"`
}

// State is how one conversation stands. It holds nothing personal.
type State struct {
	Line          string            `json:"line"`
	Channel       canonical.Channel `json:"channel"`
	Status        Status            `json:"status"`
	Since         time.Time         `json:"since,omitzero"`    // event time of the message by which it is somebody's turn
	ClosedAt      time.Time         `json:"closedAt,omitzero"` // zero of one that is not closed
	FirstInbound  time.Time         `json:"firstInbound,omitzero"`
	LastInbound   time.Time         `json:"lastInbound,omitzero"`
	FirstOutbound time.Time         `json:"firstOutbound,omitzero"`
	LastOutbound  time.Time         `json:"lastOutbound,omitzero"`
	FirstAnswer   time.Time         `json:"firstAnswer,omitzero"` // the first message of a person of ours after FirstInbound
	Early         []time.Time       `json:"early,omitempty"`      // messages of persons of ours that are not after FirstInbound, as far as it is known
	Messages      int               `json:"messages"`
	LastSent      string            `json:"lastSent,omitempty"` // canonical.MessageKey of the message of LastOutbound
	Receipt       string            `json:"receipt,omitempty"`  // how far that one got
	ReceiptAt     time.Time         `json:"receiptAt,omitzero"`
	Consent       string            `json:"consent,omitempty"` // opted_out, opted_in or "", on its channel
	Owner         string            `json:"owner,omitempty"`   // of the tenant's people, whom a new lead was given to

	Unknown unknown.Members `json:"-"`
}

// Status says whose turn it is.
type Status string

// The statuses. A conversation in which nobody has written yet, only machines, has none.
const (
	WaitingForUs   Status = "waiting_for_us"
	WaitingForThem Status = "waiting_for_them"
	Closed         Status = "closed"
)

// StatesKey returns where the conversations of a thread are kept.
func StatesKey(tenant string, thread canonical.ThreadID) store.Key {
	return store.Key{Partition: tenant + "/thread/" + string(thread), Sort: "conversations"}
}

// ExternalID returns the key of a thread's conversation in every CRM that has a record of it: 64 lower-case hex digits. It holds nothing
// personal, and is frozen by vectors.
func (s *State) ExternalID(tenant string, thread canonical.ThreadID) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"conversation", tenant, string(thread), s.Line, string(s.Channel)}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *State) UnmarshalJSON(data []byte) (err error) {
	type plain State
	s.Unknown, err = unknown.Unmarshal(data, (*plain)(s))
	return err
}

// MarshalJSON implements json.Marshaler.
func (s State) MarshalJSON() ([]byte, error) {
	type plain State
	return unknown.Marshal(plain(s), s.Unknown)
}

// EncodeStates returns the bytes that conversations are kept as.
func EncodeStates(c Conversations) ([]byte, error) { return unknown.Marshal(c, c.Unknown) }

// DecodeStates reads what EncodeStates wrote. Empty data is a thread without conversations.
func DecodeStates(data []byte) (Conversations, error) {
	var c Conversations
	if len(data) == 0 {
		return c, nil
	}
	var err error
	if c.Unknown, err = unknown.Unmarshal(data, &c); err != nil {
		return Conversations{}, fault.New(fault.Permanent, "conversations_malformed", nil)
	}
	return c, nil
}
