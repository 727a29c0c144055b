// Package receipt is how far a sent message got, between the router, which keeps it, and the connectors, which tell the CRMs.
// Receipts come in any order, several times, and before the message they are about; a state therefore has a rank, the record
// of a message only rises in it, and what a CRM is told is what the record holds, never what one receipt says.
package receipt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// Rank returns how far a state of canonical.Receipt is: a message that has reached one is never set back to a lower one. Failed, canceled
// and expired are equal, and below delivered: a provider may give a message up, or try it on another channel, and it arrives after all.
// What is no state is not ok.
//
// Ranks are kept with records. Until 2026-11 delivered was 3, read 4, and failed and canceled 5. No record of then is set back by a
// lower state of now: each of them had at least the rank that it has now, or, delivered and read, one that only itself and what is above
// it exceed. One that failed stays so.
func Rank(state string) (rank int, ok bool) {
	if IsEnd(state) {
		state = "failed"
	}
	rank = slices.Index([]string{"queued", "sending", "sent", "failed", "delivered", "read"}, state)
	return max(rank, 0), rank >= 0
}

// IsEnd reports whether a state is that of a message that was given up.
func IsEnd(state string) bool { return state == "failed" || state == "canceled" || state == "expired" }

// Arrived reports whether a state is that of a message that its recipient has.
func Arrived(state string) bool { return state == "delivered" || state == "read" }

// Status is how far a message got. It holds nothing personal.
type Status struct {
	State string    `json:"state"` // one that Rank knows
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // the provider's code, why it failed
	// Reason is one of this package's, why it failed.
	Reason string            `json:"reason,omitempty"`
	Event  canonical.EventID `json:"eventId"` // the receipt that said so
}

// Of returns what an event with a receipt says.
func Of(e *canonical.Event) Status {
	return Status{State: e.Receipt.State, At: cmp.Or(e.Receipt.At, e.Timestamp).UTC(), Error: e.Receipt.Error, Reason: e.Receipt.Reason, Event: e.EventID}
}

// Rank returns the rank of the state, -1 for the zero Status.
func (s Status) Rank() int {
	if rank, ok := Rank(s.State); ok {
		return rank
	}
	return -1
}

// Update asks one CRM to show how far a message got. It is what the router sends to a connector's receipts queue: the Status
// is what the router knew, and the record may know better by the time it is read. It holds nothing personal.
type Update struct {
	TenantID string            `json:"tenantId"`
	CRM      string            `json:"crm"` // the binding's name
	Key      string            `json:"key"` // canonical.MessageKey: the external id of the message's record
	Channel  canonical.Channel `json:"channel"`
	// Generation is how often it was redriven.
	Generation int `json:"generation,omitempty"`
	// Conversation, if it is not nil, is what is to be shown instead, as it stands by then: Key and Status are those of the message whose
	// receipt changed it, which has no record of its own.
	Conversation *Conversation `json:"conversation,omitempty"`
	Status
}

// Conversation names a conversation of package conversation.
type Conversation struct {
	Thread  canonical.ThreadID `json:"threadId"`
	Line    string             `json:"line"`
	Channel canonical.Channel  `json:"channel"`
}

// Retention is how long the record of a message is kept after its last rise: longer than any receipt can come late.
const Retention = 90 * 24 * time.Hour

// CodeMalformed is the code of a record that cannot be read.
const CodeMalformed = "status_malformed"

// Key returns where the status of the message with this external id is kept.
func Key(tenant, external string) store.Key {
	return store.Key{Partition: tenant + "/message/" + external, Sort: "status"}
}

// Writer is what Raise needs.
type Writer interface {
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Raise keeps s if it is further than what is held, and returns what is held afterwards: s, or one of the same or a higher
// rank. It may be repeated.
func Raise(ctx context.Context, w Writer, tenant, external string, s Status) (held Status, err error) {
	data, err := json.Marshal(s)
	if err != nil {
		return Status{}, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	_, err = w.Write(ctx, store.Change{Kind: store.Raise, Record: store.Record{
		Key: Key(tenant, external), Number: int64(s.Rank()), Expires: time.Now().Add(Retention), Data: data,
	}})
	if conflict, lost := errors.AsType[*store.ConflictError](err); lost {
		return decode(conflict.Held)
	}
	return s, err
}

// Reader is what Read needs.
type Reader interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
}

// Read returns what is held of messages of one tenant, at most store.MaxGet, in their order; the zero Status where nothing is.
func Read(ctx context.Context, r Reader, tenant string, externals []string) ([]Status, error) {
	keys := make([]store.Key, len(externals))
	for i, external := range externals {
		keys[i] = Key(tenant, external)
	}
	records, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	held := make([]Status, len(records))
	for i, record := range records {
		if record.Version == 0 {
			continue
		}
		if held[i], err = decode(record); err != nil {
			return nil, err
		}
	}
	return held, nil
}

func decode(record store.Record) (Status, error) {
	var s Status
	if err := json.Unmarshal(record.Data, &s); err != nil || s.Rank() < 0 {
		return Status{}, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	return s, nil
}
