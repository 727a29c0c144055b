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

// The codes of this package's faults.
const (
	CodeMalformed = "consent_malformed"
	CodeContended = "consent_contended"
)

// Entry is a change of consent with the evidence of it. It outlives the person's erasure: there is no address in it.
type Entry struct {
	Mark     Mark      `json:"mark"`
	Words    string    `json:"words,omitempty"` // canonical.Digest of what was said, hex
	List     string    `json:"list,omitempty"`  // version of the list of words that it was found in
	Actor    string    `json:"actor,omitempty"` // who said or entered it: customer, provider, or an operator's name
	Proof    string    `json:"proof,omitempty"` // where it can be looked up: a form, a ticket
	Recorded time.Time `json:"recorded"`        // when it came to be known here
}

// Subject is whose consent it is.
type Subject struct {
	Tenant  string
	Address string // canonical.Digest of the address
	Person  string // key of the person that it belongs to
	Own     string // key of the person that it would be by itself: what releases before kept states under
}

// NewSubject returns the subject of an address that belongs to a person. One that was another person's before is an address of its own:
// nothing that was said of it was said by who has it now.
func NewSubject(p canonical.Pepper, tenant, address, person string, reassigned bool) Subject {
	if reassigned {
		return Subject{Tenant: tenant, Address: canonical.Digest(p, "address", address+"|"+person), Person: person, Own: person}
	}
	return Subject{Tenant: tenant, Address: canonical.Digest(p, "address", address), Person: person, Own: canonical.PersonKey(p, address)}
}

func (s Subject) addressKey() store.Key {
	return store.Key{Partition: s.Tenant + "/address/" + s.Address, Sort: "consent"}
}

func (s Subject) personKey() store.Key { return PersonKey(s.Tenant, s.Person) }

// PersonKey returns where the ledger of a person's stops is kept.
func PersonKey(tenant, person string) store.Key {
	return store.Key{Partition: tenant + "/person/" + person, Sort: "consent"}
}

const logPrefix = "log/consent/"

// indexPartition returns where each address of a tenant that there is anything of stands by its digest.
func indexPartition(tenant string) string { return tenant + "/consents" }

// Listing lists records, too.
type Listing interface {
	Reader
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
}

// Evidence returns all that is kept of an address, oldest first.
func Evidence(ctx context.Context, s Listing, who Subject) (entries []Entry, err error) {
	at := store.Range{Partition: who.addressKey().Partition, Prefix: logPrefix}
	for more := true; more; {
		var page []store.Record
		if page, more, err = s.List(ctx, at); err != nil {
			return nil, err
		}
		for _, r := range page {
			e, err := decodeEntry(r.Data)
			if err != nil {
				return nil, err
			}
			entries, at.After = append(entries, e), r.Sort
		}
	}
	return entries, nil
}

// All returns a page of what is held of a tenant's addresses, after a digest, and the digest to go on after, "" at the end.
func All(ctx context.Context, s Listing, tenant, after string) (known []Known, next string, err error) {
	page, more, err := s.List(ctx, store.Range{Partition: indexPartition(tenant), After: after, Limit: store.MaxGet})
	if err != nil || len(page) == 0 {
		return nil, "", err
	}
	keys := make([]store.Key, len(page))
	for i, r := range page {
		keys[i] = Subject{Tenant: tenant, Address: r.Sort}.addressKey()
	}
	records, err := s.Get(ctx, keys...)
	if err != nil {
		return nil, "", err
	}
	for i, r := range records {
		marks, err := decodeLedger(r.Data)
		if err != nil {
			return nil, "", err
		}
		known = append(known, Known{page[i].Sort, marks})
	}
	if more {
		next = page[len(page)-1].Sort
	}
	return known, next, nil
}

// timeFormat has a fixed width, so that the order of bytes is the order of time.
const timeFormat = "2006-01-02T15:04:05.000Z"

// ledgerRecord is the data of a ledger's record.
type ledgerRecord struct {
	Marks Ledger `json:"marks"`
}

func decodeLedger(data []byte) (Ledger, error) {
	var r ledgerRecord
	if len(data) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fault.New(fault.Permanent, CodeMalformed, nil) // the decoder's words may quote what it read
	}
	return r.Marks, nil
}

// decodeEntry reads the evidence of an entry.
func decodeEntry(data []byte) (e Entry, err error) {
	if err = json.Unmarshal(data, &e); err != nil {
		return Entry{}, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	return e, nil
}

// Reader reads records.
type Reader interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
}

// Store is what recording needs.
type Store interface {
	Reader
	Note(ctx context.Context, pointers ...store.Record) error
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Held is what is held of a subject.
type Held struct {
	Address, Person Ledger

	address, person store.Record
}

// Read returns what is held of a subject, by one call.
func Read(ctx context.Context, s Reader, who Subject) (Held, error) {
	keys := append([]store.Key{who.addressKey(), who.personKey()}, stateKeys(who.Tenant, who.Own)...)
	if who.Person != who.Own {
		keys = append(keys, stateKeys(who.Tenant, who.Person)...)
	}
	records, err := s.Get(ctx, keys...)
	if err != nil {
		return Held{}, err
	}
	h := Held{address: records[0], person: records[1]}
	if h.Address, err = decodeLedger(records[0].Data); err != nil {
		return Held{}, err
	}
	if h.Person, err = decodeLedger(records[1].Data); err != nil {
		return Held{}, err
	}
	for i, r := range records[2:] {
		m, ok, err := decodeState(r)
		if err != nil {
			return Held{}, err
		}
		if ok && i < len(stateChannels()) { // the address's own
			h.Address, _ = h.Address.Add(m)
		}
		if ok && m.State == OptedOut {
			h.Person, _ = h.Person.Add(m)
		}
	}
	return h, nil
}

// Apply keeps an entry: the evidence, then what holds of the address, and of its person if it is a stop. It returns what holds
// afterwards, and may be repeated.
func Apply(ctx context.Context, s Store, who Subject, e Entry) (Held, error) {
	m := &e.Mark
	m.At, e.Recorded = m.At.UTC().Truncate(time.Millisecond), e.Recorded.UTC().Truncate(time.Millisecond)
	data, err := json.Marshal(e)
	if err != nil {
		return Held{}, err
	}
	evidence := store.Record{Data: data, Key: store.Key{
		Partition: who.addressKey().Partition, Sort: logPrefix + m.At.Format(timeFormat) + "/" + string(m.EventID),
	}}
	index := store.Record{Key: store.Key{Partition: indexPartition(who.Tenant), Sort: who.Address}}
	if err := s.Note(ctx, evidence, index); err != nil {
		return Held{}, err
	}
	return Hold(ctx, s, who, *m)
}

// Hold is Apply of a mark whose evidence is kept already.
func Hold(ctx context.Context, s Store, who Subject, m Mark) (Held, error) {
	h, err := Read(ctx, s, who)
	if err != nil {
		return Held{}, err
	}
	if err := add(ctx, s, h.address, m); err != nil {
		return Held{}, err
	}
	h.Address, _ = h.Address.Add(m)
	if m.State == OptedOut {
		if err := add(ctx, s, h.person, m); err != nil {
			return Held{}, err
		}
		h.Person, _ = h.Person.Add(m)
	}
	return h, nil
}

// JoinPersons brings the stops of one person to another who was found to be the same. It may be repeated.
func JoinPersons(ctx context.Context, s Store, tenant, from, to string) error {
	old, err := Read(ctx, s, Subject{Tenant: tenant, Address: "none", Person: from, Own: from})
	if err != nil || len(old.Person) == 0 {
		return err
	}
	held, err := s.Get(ctx, PersonKey(tenant, to))
	if err != nil {
		return err
	}
	return add(ctx, s, held[0], old.Person...)
}

// maxAttempts is how often an addition starts again because another writer came between.
const maxAttempts = 5

// add adds marks to the ledger of a record, at the version held.
func add(ctx context.Context, s Store, held store.Record, marks ...Mark) error {
	for range maxAttempts {
		ledger, err := decodeLedger(held.Data)
		if err != nil {
			return err
		}
		changed := false
		for _, m := range marks {
			var added bool
			ledger, added = ledger.Add(m)
			changed = changed || added
		}
		if !changed {
			return nil
		}
		data, err := json.Marshal(ledgerRecord{ledger})
		if err != nil {
			return err
		}
		_, err = s.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: held.Key, Version: held.Version, Data: data}})
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return err
		}
		held = store.Record{Key: held.Key, Version: conflict.Held.Version, Data: conflict.Held.Data}
	}
	return fault.New(fault.Retryable, CodeContended, nil)
}

// stateChannels are the channels that releases before kept states of, each in a record of its own and for messaging.
func stateChannels() []canonical.Channel {
	return []canonical.Channel{canonical.SMS, canonical.RCS, canonical.WhatsApp, canonical.Web, canonical.IMessage, "mms"}
}

// stateKey returns where the release before kept the state of a person on a channel.
func stateKey(tenant, person string, channel canonical.Channel) store.Key {
	return store.Key{Partition: tenant + "/person/" + person, Sort: "now/consent/" + string(channel) + "/" + Messaging}
}

func stateKeys(tenant, person string) (keys []store.Key) {
	for _, channel := range stateChannels() {
		keys = append(keys, stateKey(tenant, person, channel))
	}
	return keys
}

// decodeState reads a state of the release before, which was of one person, one channel and every line.
func decodeState(r store.Record) (Mark, bool, error) {
	if r.Version == 0 {
		return Mark{}, false, nil
	}
	var s struct {
		State   string            `json:"state"`
		At      time.Time         `json:"at"`
		EventID canonical.EventID `json:"eventId"`
		Source  string            `json:"source"`
	}
	if err := json.Unmarshal(r.Data, &s); err != nil || s.State != OptedOut && s.State != OptedIn {
		return Mark{}, false, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	return Mark{State: s.State, Channel: stateChannel(r.Key), Purpose: Messaging, At: s.At, EventID: s.EventID, Source: s.Source}, true, nil
}

func stateChannel(k store.Key) canonical.Channel {
	for _, channel := range stateChannels() {
		if stateKey("", "", channel).Sort == k.Sort {
			return channel
		}
	}
	return ""
}
