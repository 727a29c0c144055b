package consent

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// messaging is the one purpose there is in this release.
const messaging = "messaging"

// State is what holds for a person on a channel.
type State struct {
	State   string            `json:"state"` // OptedOut or OptedIn
	At      time.Time         `json:"at"`    // time of the event that set it
	EventID canonical.EventID `json:"eventId"`
	Keyword string            `json:"keyword,omitempty"`
	Source  string            `json:"source,omitempty"`
}

// Store is what recording needs.
type Store interface {
	Note(ctx context.Context, pointers ...store.Record) error
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Key returns where the state of a person on a channel is kept. Whoever is about to send reads it consistently.
func Key(tenant, person string, channel canonical.Channel) store.Key {
	return store.Key{Partition: tenant + "/person/" + person, Sort: "now/consent/" + string(channel) + "/" + messaging}
}

// timeFormat has a fixed width, so that the order of bytes is the order of time.
const timeFormat = "2006-01-02T15:04:05.000Z"

// Decode reads the data of a record of Key.
func Decode(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil || s.State != OptedOut && s.State != OptedIn {
		return State{}, fault.New(fault.Permanent, "consent_malformed", nil)
	}
	return s, nil
}

// Apply writes a change into the person's log and raises the state to it, unless a newer event has set it. It returns the
// state that holds afterwards and may be repeated. Of two events of the same millisecond that disagree the opt-out holds.
func Apply(ctx context.Context, s Store, tenant, person string, channel canonical.Channel, change State) (State, error) {
	change.At = change.At.UTC().Truncate(time.Millisecond)
	data, err := json.Marshal(change)
	if err != nil {
		return State{}, err
	}
	key := Key(tenant, person, channel)
	entry := store.Record{Data: data, Key: store.Key{
		Partition: key.Partition,
		Sort:      "log/consent/" + change.At.Format(timeFormat) + "/" + string(change.EventID),
	}}
	if err := s.Note(ctx, entry); err != nil {
		return State{}, err
	}
	next := store.Change{Kind: store.Raise, Record: store.Record{Key: key, Number: change.At.UnixMilli(), Data: data}}
	for range 3 {
		_, err = s.Write(ctx, next)
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return change, err
		}
		held, err := Decode(conflict.Held.Data)
		if err != nil {
			return State{}, err
		}
		overrides := conflict.Held.Number == next.Number && held.State == OptedIn && change.State == OptedOut
		if conflict.Held.Number >= next.Number && !overrides {
			return held, nil
		}
		// The same instant and an opt-in held, or (after a lost race) an older one: written at the version met.
		next.Kind, next.Version = store.Put, conflict.Held.Version
	}
	return State{}, fault.New(fault.Retryable, "consent_contended", nil)
}
