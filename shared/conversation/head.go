// Package conversation keeps the head of a thread: the little the router reads in one Get before it decides. Connectors
// write into it which records a CRM holds for the person; the router, which consent was given and what of ours waits for an
// answer. Links and consent are a snapshot: what is missing costs a search in the CRM, never a wrong effect.
package conversation

import (
	"context"
	"errors"
	"maps"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// Head is what is known about a thread. Its zero value is a thread never seen before.
type Head struct {
	PersonKey string                             `json:"personKey,omitempty"` // canonical.PersonKey, as far as it was recorded
	Links     map[string]map[string]string       `json:"links,omitempty"`     // by CRM binding, the CRM's object kind to its id
	Consent   map[canonical.Channel]ConsentState `json:"consent,omitempty"`
	Outreach  []Message                          `json:"outreach,omitempty"` // what of ours the person has not answered, oldest first
	Reply     *Message                           `json:"reply,omitempty"`    // when the person last answered an outreach, and with what
	// Dead are addresses of the person that take no messages, by the channel and the thread that the address names: "sms/t1_...".
	Dead map[string]Dead `json:"dead,omitempty"`
	Identity

	Unknown unknown.Members `json:"-"`
}

// Dead is the provider's word that an address takes no messages.
type Dead struct {
	At    time.Time         `json:"at"` // event time
	Event canonical.EventID `json:"eventId"`

	Unknown unknown.Members `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Dead) UnmarshalJSON(data []byte) (err error) {
	type plain Dead
	d.Unknown, err = unknown.Unmarshal(data, (*plain)(d))
	return err
}

// MarshalJSON implements json.Marshaler.
func (d Dead) MarshalJSON() ([]byte, error) {
	type plain Dead
	return unknown.Marshal(plain(d), d.Unknown)
}

// DeadName returns the name in Head.Dead of the address that a thread is named by, on a channel.
func DeadName(channel canonical.Channel, address canonical.ThreadID) string {
	return string(channel) + "/" + string(address)
}

// AddDead notes that an address takes no messages, and returns what is noted of it and whether that changed the head: of two words the
// first stays.
func (h *Head) AddDead(name string, d Dead) (Dead, bool) {
	if held, ok := h.Dead[name]; ok {
		return held, false
	}
	all := maps.Clone(h.Dead)
	if all == nil {
		all = map[string]Dead{}
	}
	all[name], h.Dead = d, all
	return d, true
}

// Revive forgets that an address took no messages before a time, and reports whether that changed the head.
func (h *Head) Revive(name string, at time.Time) bool {
	if held, ok := h.Dead[name]; !ok || !at.After(held.At) {
		return false
	}
	h.Dead = maps.Clone(h.Dead)
	delete(h.Dead, name)
	return true
}

// ConsentState is the newest consent known on one channel. The record of package consent decides; this is a copy.
type ConsentState struct {
	State string    `json:"state"` // opted_out or opted_in
	At    time.Time `json:"at"`    // event time

	Unknown unknown.Members `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *ConsentState) UnmarshalJSON(data []byte) (err error) {
	type plain ConsentState
	s.Unknown, err = unknown.Unmarshal(data, (*plain)(s))
	return err
}

// MarshalJSON implements json.Marshaler.
func (s ConsentState) MarshalJSON() ([]byte, error) {
	type plain ConsentState
	return unknown.Marshal(plain(s), s.Unknown)
}

// LinkedTo reports whether crm holds a record of the person.
func (h Head) LinkedTo(crm string) bool { return len(h.Links[crm]) > 0 }

// Key returns where the head of a thread is kept.
func Key(tenant string, thread canonical.ThreadID) store.Key {
	return store.Key{Partition: tenant + "/thread/" + string(thread), Sort: "head"}
}

// Encode returns the bytes a head is kept as.
func Encode(h Head) ([]byte, error) { return unknown.Marshal(h, h.Unknown) }

// Decode reads what Encode wrote. Empty data is a head never written. What a newer release wrote is kept for when this one writes.
func Decode(data []byte) (Head, error) {
	var h Head
	if len(data) == 0 {
		return h, nil
	}
	var err error
	if h.Unknown, err = unknown.Unmarshal(data, &h); err != nil {
		// The decoder's words may quote what it read, so that they are not passed on.
		return Head{}, fault.New(fault.Permanent, "head_malformed", nil)
	}
	return h, nil
}

// Store is what an update needs.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// maxAttempts is how often an update starts again because another writer came between. Writers of one thread are the router and
// one connector a CRM, so that five in a row mean that something else is wrong.
const maxAttempts = 5

// Link adds what crm holds for the person of a thread: the CRM's object kind to its id. Known is what the delivery that found it out
// was told. Nothing is written when the head says so already. What a person has beside what the head says, since they were two when
// it was made, is a duplicate. After five lost races the error is retryable.
func Link(ctx context.Context, s Store, tenant string, thread canonical.ThreadID, crm string, known, links map[string]string) error {
	return Update(ctx, s, Key(tenant, thread), nil, func(h *Head) bool {
		for object, id := range links {
			if held := h.Links[crm][object]; len(h.Members) > 0 && held != "" && held != id && held != known[object] {
				return h.addDuplicate(crm, links)
			}
		}
		changed := false
		for object, id := range links {
			if h.Links[crm][object] == id {
				continue
			}
			if h.Links == nil {
				h.Links = map[string]map[string]string{}
			}
			if h.Links[crm] == nil {
				h.Links[crm] = map[string]string{}
			}
			h.Links[crm][object], changed = id, true
		}
		return changed
	})
}

// Update reads a head (held, where the caller has read the record of this very key already, spares the first read), changes it and
// writes it at the version that was read. The head of a thread that is part of another is that other one's. Change returns false to
// leave it as it is, and may be called again with a newer head.
func Update(ctx context.Context, s Store, key store.Key, held *store.Record, change func(*Head) bool) error {
	for attempts := 0; attempts < maxAttempts; {
		if held == nil || held.Key != key { // versions of two records may be the same
			records, err := s.Get(ctx, key)
			if err != nil {
				return err
			}
			held = &records[0]
		}
		h, err := Decode(held.Data)
		if err != nil {
			return err
		}
		if h.Joined != nil {
			key = Beside(key, h.Joined.Thread)
			continue
		}
		if !change(&h) {
			return nil
		}
		data, err := Encode(h)
		if err != nil {
			return err
		}
		_, err = s.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: key, Version: held.Version, Data: data}})
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return err
		}
		held, attempts = new(conflict.Held), attempts+1
	}
	return fault.New(fault.Retryable, "head_contended", nil)
}

// SetConsent copies the consent of one channel that was recorded into the head, unless it holds a newer one, and reports
// whether that changed it. Of two at one instant the one recorded last is right: the record lets only an opt-out follow.
func (h *Head) SetConsent(channel canonical.Channel, state ConsentState) bool {
	if held, ok := h.Consent[channel]; ok && (state.At.Before(held.At) || state.At.Equal(held.At) && state.State == held.State) {
		return false
	}
	consent := maps.Clone(h.Consent)
	if consent == nil {
		consent = map[canonical.Channel]ConsentState{}
	}
	consent[channel] = state
	h.Consent = consent
	return true
}
