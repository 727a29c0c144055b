package conversation

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// Identity is the part of a head that says whose thread it is.
type Identity struct {
	Joined     *Joined                        `json:"joined,omitempty"`     // nil of a thread that is part of no other
	Successors []Successor                    `json:"successors,omitempty"` // by time
	Members    []canonical.ThreadID           `json:"members,omitempty"`    // the threads that are part of this one
	Keys       []string                       `json:"keys,omitempty"`       // the person keys of members, beside PersonKey
	Aliases    []string                       `json:"aliases,omitempty"`    // canonical.AliasID of what is known to lead here
	Reassigned bool                           `json:"reassigned,omitempty"` // what the thread is named after was another person's before
	Duplicates map[string][]map[string]string `json:"duplicates,omitempty"` // by CRM binding, what it holds of the person beside Links
	Told       map[string]int                 `json:"told,omitempty"`       // by CRM binding, of how many Duplicates its users were told
}

// Joined says that a thread is part of another: it was proved that both are of one person. Nothing is decided in it any more but
// that a message failed which is shown there.
type Joined struct {
	Thread canonical.ThreadID `json:"thread"`
	At     time.Time          `json:"at"`      // when it was written
	Event  canonical.EventID  `json:"eventId"` // the proof

	Unknown unknown.Members `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (j *Joined) UnmarshalJSON(data []byte) (err error) {
	type plain Joined
	j.Unknown, err = unknown.Unmarshal(data, (*plain)(j))
	return err
}

// MarshalJSON implements json.Marshaler.
func (j Joined) MarshalJSON() ([]byte, error) {
	type plain Joined
	return unknown.Marshal(plain(j), j.Unknown)
}

// Successor says that the identifier that a thread is named by became somebody else's: what comes by it from then on is of another
// thread.
type Successor struct {
	Thread canonical.ThreadID `json:"thread"`
	At     time.Time          `json:"at"` // event time
	Event  canonical.EventID  `json:"eventId"`

	Unknown unknown.Members `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Successor) UnmarshalJSON(data []byte) (err error) {
	type plain Successor
	s.Unknown, err = unknown.Unmarshal(data, (*plain)(s))
	return err
}

// MarshalJSON implements json.Marshaler.
func (s Successor) MarshalJSON() ([]byte, error) {
	type plain Successor
	return unknown.Marshal(plain(s), s.Unknown)
}

// Beside returns the key of the head of another thread of the same tenant.
func Beside(key store.Key, thread canonical.ThreadID) store.Key {
	return store.Key{Partition: key.Partition[:strings.LastIndexByte(key.Partition, '/')+1] + string(thread), Sort: key.Sort}
}

// HolderAt returns the thread of whoever had, at an event's time, the identifier that this thread is named by; "" if it was this
// thread's person.
func (i *Identity) HolderAt(at time.Time) canonical.ThreadID {
	var holder canonical.ThreadID
	for _, s := range i.Successors {
		if !at.Before(s.At) {
			holder = s.Thread
		}
	}
	return holder
}

// AddSuccessor adds who has the identifier from an event on, and reports whether that changed the head.
func (i *Identity) AddSuccessor(s Successor) bool {
	if slices.ContainsFunc(i.Successors, func(held Successor) bool { return held.Event == s.Event }) {
		return false
	}
	i.Successors = append(slices.Clone(i.Successors), s)
	slices.SortStableFunc(i.Successors, func(a, b Successor) int { return a.At.Compare(b.At) })
	return true
}

// maxAliases bounds Identity.Aliases. Whoever has more costs a read a message.
const maxAliases = 64

// AddAliases adds ids of aliases that lead here.
func (i *Identity) AddAliases(ids ...string) {
	all := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(i.Aliases), ids...))))
	i.Aliases = all[:min(len(all), maxAliases)]
}

// Untold returns what a CRM holds of the person that its users were not told of.
func (i *Identity) Untold(crm string) []map[string]string {
	all := i.Duplicates[crm]
	return all[min(i.Told[crm], len(all)):]
}

// MarkTold notes of how many duplicates CRMs' users were told, and reports whether that changed the head.
func (i *Identity) MarkTold(told map[string]int) bool {
	all, changed := maps.Clone(i.Told), false
	for crm, n := range told {
		if all == nil {
			all = map[string]int{}
		}
		if n > all[crm] {
			all[crm], changed = n, true
		}
	}
	i.Told = all
	return changed
}

func (i *Identity) addDuplicate(crm string, links map[string]string) bool {
	if slices.ContainsFunc(i.Duplicates[crm], func(held map[string]string) bool { return maps.Equal(held, links) }) {
		return false
	}
	duplicates := maps.Clone(i.Duplicates)
	if duplicates == nil {
		duplicates = map[string][]map[string]string{}
	}
	duplicates[crm] = append(slices.Clone(duplicates[crm]), links)
	i.Duplicates = duplicates
	return true
}

// Absorb makes a thread part of this one: what is held of its person is of this one's from now on. Of two consents on a channel the
// newer holds, and of one instant the opt-out, as if both had come to one thread. Where a CRM holds a record of each, this thread's
// stays, and the other is a duplicate.
func (h *Head) Absorb(thread canonical.ThreadID, other Head) {
	h.Members = append(append(slices.Clone(h.Members), thread), other.Members...)
	h.AddAliases(other.Aliases...)
	h.Keys = slices.Compact(slices.Sorted(slices.Values(slices.Concat(h.Keys, other.Keys, []string{cmp.Or(other.PersonKey, h.PersonKey)}))))
	h.Keys = slices.DeleteFunc(h.Keys, func(key string) bool { return key == h.PersonKey })
	links := maps.Clone(h.Links)
	for crm, theirs := range other.Links {
		switch ours := links[crm]; {
		case len(ours) == 0 && links == nil:
			links = map[string]map[string]string{crm: theirs}
		case len(ours) == 0:
			links[crm] = theirs
		case !maps.Equal(ours, theirs):
			h.addDuplicate(crm, theirs)
		}
	}
	h.Links = links
	for crm, duplicates := range other.Duplicates {
		for _, theirs := range duplicates {
			h.addDuplicate(crm, theirs)
		}
	}
	for channel, state := range other.Consent {
		held, ok := h.Consent[channel]
		if !ok || state.At.After(held.At) || state.At.Equal(held.At) && state.State == optedOut {
			h.SetConsent(channel, state)
		}
	}
	for name, dead := range other.Dead {
		h.AddDead(name, dead)
	}
	if other.Reply != nil {
		h.AddReply(*other.Reply)
	}
	for _, outreach := range other.Outreach {
		h.AddOutreach(outreach)
	}
}

// optedOut is consent.OptedOut: that package keeps what this one copies.
const optedOut = "opted_out"
