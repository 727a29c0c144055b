// Package session keeps what was said in a conversation in one day, or without a long silence in between, as one sealed record. A CRM
// shows a session as one activity, whose text follows from the record alone: whoever writes it again, twice or beside another writes
// the same.
package session

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
)

// CodeMalformed is the code of a record that cannot be read.
const CodeMalformed = "session_malformed"

// Place says which session it is. It never changes: what a zone or a silence was when the session began stays.
type Place struct {
	Tenant  string
	Thread  canonical.ThreadID
	Channel canonical.Channel
	Line    string
	Start   time.Time // of a day its midnight in the zone, otherwise the first message's time
	Part    string    // "" of the first; the others tell what came when that one was full, or sealed
}

// timeFormat has a fixed width, so that the order of bytes is the order of time.
const timeFormat = "2006-01-02T15:04:05.000Z"

// prefix is what the sort keys of sessions begin with.
const prefix = "session/"

// Name returns the sort key of the session in its thread's partition. Sessions of a thread are in the order of their time.
func (p Place) Name() string {
	return prefix + p.Start.UTC().Format(timeFormat) + "/" + string(p.Channel) + "/" + p.Line + "/" + p.Part
}

// Named returns the place of a session of a thread by its name; ok is false of what is no such name.
func Named(tenant string, thread canonical.ThreadID, name string) (p Place, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	parts := strings.SplitN(rest, "/", 4)
	if !ok || len(parts) < 4 {
		return Place{}, false
	}
	start, err := time.Parse(timeFormat, parts[0])
	return Place{tenant, thread, canonical.Channel(parts[1]), parts[2], start, parts[3]}, err == nil
}

// StoreKey returns where a session of a thread is kept.
func StoreKey(tenant string, thread canonical.ThreadID, name string) store.Key {
	return store.Key{Partition: tenant + "/thread/" + string(thread), Sort: name}
}

// Sessions returns the range of a thread's sessions, newest first.
func Sessions(tenant string, thread canonical.ThreadID) store.Range {
	return store.Range{Partition: tenant + "/thread/" + string(thread), Prefix: prefix, Descending: true}
}

// ExternalID returns the key of the session's record in every CRM: 64 lower-case hex digits. It holds nothing personal, and is frozen
// by vectors.
func (p Place) ExternalID() string { return ExternalID(p.Tenant, p.Thread, p.Name()) }

// ExternalID returns the key of a session by its name.
func ExternalID(tenant string, thread canonical.ThreadID, name string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"session", tenant, string(thread), name}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// MarkKey returns where it is kept what a CRM shows of a session, by the name of the session.
func MarkKey(tenant string, thread canonical.ThreadID, crm, name string) store.Key {
	at := StoreKey(tenant, thread, name)
	return store.Key{Partition: at.Partition, Sort: "written/" + crm + "/" + at.Sort}
}

// Shown returns the version of a session's record that a CRM shows, by its mark; 0 if it shows none.
func Shown(mark store.Record) int64 {
	var shows struct {
		Revision int64 `json:"revision"`
	}
	if mark.Version == 0 || json.Unmarshal(mark.Data, &shows) != nil {
		return 0
	}
	return shows.Revision
}

// format is raised when a record can no longer be read by the release before.
const format = 1

// Record is what a session holds.
type Record struct {
	Format  int     `json:"format"`
	Zone    string  `json:"zone,omitempty"` // of the IANA database: what the times are shown in; UTC when empty
	Late    bool    `json:"late,omitempty"` // it came after the session it belongs to was sealed
	Next    string  `json:"next,omitempty"` // the part in which it goes on, because this one is full
	Entries []Entry `json:"entries"`        // by event time
}

// Entry is one thing that was said or done.
type Entry struct {
	Event canonical.Event `json:"event"` // as much of it as is shown
	Failure
	// Before are events that told of the same message of ours, whose place the event took.
	Before []canonical.EventID `json:"before,omitempty"`
}

// Failure is why a message of ours was not delivered; the zero value is of one that was, or of which nothing is known.
type Failure struct {
	Failed string `json:"failed,omitempty"` // the provider's code, or the state that it ended in
	Reason string `json:"reason,omitempty"` // of package receipt
}

// tells reports whether an entry is of an event, or of one whose place that took.
func (e *Entry) tells(id canonical.EventID) bool {
	return e.Event.EventID == id || slices.Contains(e.Before, id)
}

// same reports whether an entry and an event tell of one message of ours.
func (e *Entry) same(other *canonical.Event) bool {
	ours := func(e *canonical.Event) bool {
		return e.Direction == canonical.Outbound && e.Type == canonical.TypeMessage && e.ProviderMessageID != ""
	}
	return ours(&e.Event) && ours(other) && e.Event.ProviderMessageID == other.ProviderMessageID && e.Event.Provider == other.Provider &&
		e.Event.AccountID == other.AccountID
}

// Add adds an event, in the order of event times, and reports whether that changed the record: an event that it holds stays as it is.
// Another event that tells of a message of ours takes the place of the one before, and its time.
func (r *Record) Add(e canonical.Event) bool {
	if r.Holds(e.EventID) {
		return false
	}
	r.Format = format
	if i := slices.IndexFunc(r.Entries, func(held Entry) bool { return held.same(&e) }); i >= 0 {
		r.Entries = slices.Clone(r.Entries)
		held := &r.Entries[i]
		held.Before = append(slices.Clone(held.Before), held.Event.EventID)
		at := held.Event.Timestamp
		held.Event = shown(e)
		held.Event.Timestamp = at
		return true
	}
	r.Entries = append(slices.Clone(r.Entries), Entry{Event: shown(e)})
	slices.SortStableFunc(r.Entries, func(a, b Entry) int {
		if by := a.Event.Timestamp.Compare(b.Event.Timestamp); by != 0 {
			return by
		}
		return cmp.Or(a.Event.ReceivedAt.Compare(b.Event.ReceivedAt), cmp.Compare(a.Event.EventID, b.Event.EventID))
	})
	return true
}

// Remove takes an event out, and reports whether it was in the record.
func (r *Record) Remove(id canonical.EventID) bool {
	before := len(r.Entries)
	r.Entries = slices.DeleteFunc(slices.Clone(r.Entries), func(e Entry) bool { return e.Event.EventID == id })
	return len(r.Entries) < before
}

// HoldsSent reports whether a message of ours is in the record, by its provider, account and the provider's id.
func (r *Record) HoldsSent(provider, account, id string) bool {
	return r.sent(provider, account, id) >= 0
}

// Judge marks a message of ours as not delivered, or as delivered after all if f is zero, and reports whether that changed the record. Of
// two failures the first stays.
func (r *Record) Judge(provider, account, id string, f Failure) bool {
	i := r.sent(provider, account, id)
	if i < 0 || (r.Entries[i].Failure == Failure{}) == (f == Failure{}) {
		return false
	}
	r.Entries = slices.Clone(r.Entries)
	r.Entries[i].Failure = f
	return true
}

// sent returns which entry is of a message of ours, -1 for none.
func (r *Record) sent(provider, account, id string) int {
	message := canonical.Event{Type: canonical.TypeMessage, Direction: canonical.Outbound, Provider: provider, AccountID: account, ProviderMessageID: id}
	return slices.IndexFunc(r.Entries, func(e Entry) bool { return e.same(&message) })
}

// Holds reports whether an event is in the record.
func (r *Record) Holds(id canonical.EventID) bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.tells(id) })
}

// Tells reports whether the record has a place for an event: it is there, or another that tells of the same message of ours.
func (r *Record) Tells(e canonical.Event) bool {
	return slices.ContainsFunc(r.Entries, func(held Entry) bool { return held.tells(e.EventID) || held.same(&e) })
}

// HoldsMessage reports whether the message that a provider calls id is in the record.
func (r *Record) HoldsMessage(id string) bool {
	return id != "" && slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Event.Type == canonical.TypeMessage && e.Event.ProviderMessageID == id })
}

// Size returns how many bytes an event takes at most in a record.
func Size(e canonical.Event) int {
	data, _ := json.Marshal(Entry{Event: shown(e)}) // compressed it takes less
	return len(data)
}

// HasRoom reports whether another event may be added, with which the record would take a number of bytes sealed. One event fits by
// itself, however large it is.
func (r *Record) HasRoom(sealed int) bool {
	return len(r.Entries) == 0 || r.Next == "" && len(r.Entries) < maxEntries && sealed <= MaxSealed
}

// shown returns what is kept of an event: what a timeline shows, and what ties events of one message together.
func shown(e canonical.Event) canonical.Event {
	name := func(p canonical.Participant) canonical.Participant {
		return canonical.Participant{DisplayName: p.DisplayName, Phone: p.Phone, ChannelAddress: p.ChannelAddress}
	}
	if e.Attribution != nil {
		ad := *e.Attribution
		ad.Body, ad.ClickID, e.Attribution = "", "", &ad
	}
	return canonical.Event{
		EventID: e.EventID, SchemaVersion: e.SchemaVersion, AccountID: e.AccountID, Type: e.Type, Channel: e.Channel, Direction: e.Direction,
		ConversationID: e.ConversationID,
		Provider:       e.Provider, ProviderMessageID: e.ProviderMessageID, Sender: name(e.Sender), Recipient: name(e.Recipient), Actor: e.Actor,
		RelatesTo: e.RelatesTo, Message: e.Message, Reaction: e.Reaction, Consent: e.Consent, Attribution: e.Attribution, Timestamp: e.Timestamp, ReceivedAt: e.ReceivedAt,
		Flags: e.Flags,
	}
}

// Due returns when an event that the record holds is to be written to a CRM, so that it is written at most once a window: at once what
// comes after a silence of a window, and with the next write what comes in between. It is zero of an event that the record does not hold.
func (r *Record) Due(id canonical.EventID, window time.Duration) time.Time {
	arrived := slices.Clone(r.Entries)
	slices.SortStableFunc(arrived, func(a, b Entry) int { return a.Event.ReceivedAt.Compare(b.Event.ReceivedAt) })
	var last time.Time // the newest write that is due
	for _, e := range arrived {
		if at := e.Event.ReceivedAt; at.After(last) {
			if next := last.Add(window); !last.IsZero() && at.Before(next) {
				last = next
			} else {
				last = at
			}
		}
		if e.tells(id) {
			return last
		}
	}
	return time.Time{}
}

// maxPlain bounds what a record is decompressed to: more than maxEntries take, the last of them added to MaxSealed.
const maxPlain = 32 << 20

// Bounds of a session, which goes on in another part. Every message writes what was said before once more.
const (
	MaxSealed  = 64 << 10 // bytes of a sealed record
	maxEntries = 250
)

// Sealer seals under persons' keys; *keyring.Ring is one.
type Sealer interface {
	SealPerson(ctx context.Context, at keyring.Place, person string, plain []byte) ([]byte, error)
}

// Opener opens what was sealed; *keyring.Ring is one.
type Opener interface {
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

func placeOf(key store.Key) keyring.Place {
	tenant, _, _ := strings.Cut(key.Partition, "/")
	return keyring.Place{Tenant: tenant, Purpose: "session", Name: key.Partition + "/" + key.Sort}
}

// Seal returns the data that a record is kept as under key, sealed with the key of its person.
func Seal(ctx context.Context, s Sealer, key store.Key, person string, r *Record) ([]byte, error) {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return nil, fault.New(fault.Permanent, canonical.CodeInvalid, nil)
	}
	_ = w.Close() // a buffer takes everything
	return s.SealPerson(ctx, placeOf(key), person, out.Bytes())
}

// Open reads what Seal made. The record that is not there is an empty one.
func Open(ctx context.Context, o Opener, held store.Record) (Record, error) {
	var r Record
	if held.Version == 0 {
		return r, nil
	}
	data, err := o.Open(ctx, placeOf(held.Key), held.Data)
	if err != nil {
		return r, err
	}
	malformed := fault.New(fault.Permanent, CodeMalformed, nil)
	compressed, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return r, malformed
	}
	plain, err := io.ReadAll(io.LimitReader(compressed, maxPlain+1))
	if err != nil || len(plain) > maxPlain {
		return r, malformed
	}
	if err := json.Unmarshal(plain, &r); err != nil || r.Format != format {
		return Record{}, malformed
	}
	return r, nil
}
