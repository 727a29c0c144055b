package router

import (
	"bytes"
	"compress/zlib"
	"context"
	_ "embed" // of the dictionary
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
)

// recordFormat is raised when a record can no longer be read by the release before.
const recordFormat = 1

// Record is an event as it was received, with everything the provider sent as far as the tenant's policy keeps it, and what
// was decided about it. It is kept as compressed JSON.
type Record struct {
	Format   int             `json:"format"`
	RoutedAt time.Time       `json:"routedAt"`
	Event    json.RawMessage `json:"event"`
	Decision Decision        `json:"decision"`
}

// decode returns the event as it was received.
func (r *Record) decode() (canonical.Event, error) {
	e, err := canonical.Decode(r.Event)
	if err != nil {
		return e, fault.New(fault.Permanent, CodeRecord, nil)
	}
	return e, nil
}

// Decision is what is to be done about an event, and why.
type Decision struct {
	Rules      int                `json:"rules"` // version of the tenant's configuration, whose rules decided
	Person     delivery.Person    `json:"person"`
	Consent    *canonical.Consent `json:"consent,omitempty"`    // what the person asked for
	Superseded bool               `json:"superseded,omitempty"` // the consent had been set already, so that nothing changed
	Owed       string             `json:"owed,omitempty"`       // what a sender owes the person: OwedHelp, OwedStop
	NoLead     string             `json:"noLead,omitempty"`     // why nobody is made of somebody unknown: NoLeadStaff and the like
	AutoReply  bool               `json:"autoReply,omitempty"`  // nobody wrote this: an out-of-office note or the like
	Reply      *Reply             `json:"reply,omitempty"`      // what of ours was answered
	TookBack   string             `json:"tookBack,omitempty"`   // the emoji of a reaction that was taken back, where the event does not say which
	Told       *Told              `json:"told,omitempty"`       // which event told of the same message of ours before
	Owner      string             `json:"owner,omitempty"`      // of the tenant's people, whom the new lead was given to
	Session    string             `json:"session,omitempty"`    // name of the session that shows the event; "" where it is shown alone
	// Conversation: the event is counted in how its conversation stands, and CRMs show that.
	Conversation bool `json:"conversation,omitempty"`
	// Withheld: CRMs get no words of it.
	Withheld   bool                     `json:"withheld,omitempty"`
	CRMs       []CRMDecision            `json:"crms,omitempty"`
	Duplicates map[string]int           `json:"duplicates,omitempty"` // by CRM, of how many records of the person beside its own it is told
	Matched    []delivery.RuleReference `json:"matched,omitempty"`
}

// What is owed: an answer to HELP, or to STOP, that the provider did not give itself. Nothing sends it yet.
const (
	OwedHelp = "help_answer"
	OwedStop = "stop_answer"
)

// CRMDecision is what one CRM is to do.
type CRMDecision struct {
	CRM     string                   `json:"crm"`  // the binding's name
	Kind    string                   `json:"kind"` // of the binding when it was decided; see Decision.kind
	Links   map[string]string        `json:"links,omitempty"`
	Actions []delivery.Action        `json:"actions"`
	Why     []delivery.RuleReference `json:"why"`
}

// Key returns where an event's record is kept.
func Key(tenant string, event canonical.EventID) store.Key { return delivery.RecordKey(tenant, event) }

func eventKey(tenant string, event canonical.EventID, sort string) store.Key {
	return store.Key{Partition: delivery.RecordKey(tenant, event).Partition, Sort: sort}
}

// logTime has a fixed width, so that the order of bytes is the order of time.
const logTime = "2006-01-02T15:04:05.000Z"

// logPrefix is what the entries of a thread's log begin with.
const logPrefix = "log/"

// loggedEvent returns the event of an entry.
func loggedEvent(entry store.Record) canonical.EventID {
	return canonical.EventID(entry.Sort[strings.LastIndexByte(entry.Sort, '/')+1:])
}

// logPointer returns the entry of an event in its thread's log.
func logPointer(e *canonical.Event, expires time.Time) store.Record {
	return store.Record{Expires: expires, Key: store.Key{
		Partition: e.TenantID + "/thread/" + string(e.ThreadID),
		Sort:      logPrefix + e.Timestamp.UTC().Format(logTime) + "/" + string(e.EventID),
	}}
}

// dictionary is what records have in common: members in the order in which they are written, and values that most have.
// Compressed with it a record takes a half to a third of what it takes without, so that one of an ordinary message stays within
// the kilobyte that the database bills as one. Its bytes are part of the format: whoever changes it keeps the old one for the
// records that were written with it, which name it by its checksum (RFC 1950, section 2.2).
//
//go:embed record.dictionary
var dictionary []byte

// level is the lowest that makes use of a dictionary.
const level = 2

// codec compresses. A writer's tables take a megabyte, so that they are used again.
type codec struct{ writers sync.Pool }

// encode returns the bytes a record is kept as.
func (c *codec) encode(r *Record) ([]byte, error) {
	var out bytes.Buffer
	w, ok := c.writers.Get().(*zlib.Writer)
	if !ok {
		var err error
		if w, err = zlib.NewWriterLevelDict(nil, level, dictionary); err != nil {
			return nil, err
		}
	}
	w.Reset(&out)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // an angle bracket would take six bytes
	if err := errors.Join(encoder.Encode(r), w.Close()); err != nil {
		return nil, fault.New(fault.Permanent, canonical.CodeInvalid, nil)
	}
	c.writers.Put(w)
	return out.Bytes(), nil
}

// maxRecord bounds what a record is decompressed to: a message and a decision about it for every CRM a tenant may have.
const maxRecord = 16 << 20

// recordPlace returns what an event's record is sealed for.
func recordPlace(key store.Key) keyring.Place {
	tenant, _, _ := strings.Cut(key.Partition, "/")
	return keyring.Place{Tenant: tenant, Purpose: "event-record", Name: key.Partition}
}

// OpenRecord reads the data of the event's record that is kept under key. Of a release before there are records that are not
// sealed: no key that was deleted makes those unreadable, they end with their time.
func OpenRecord(ctx context.Context, opener envelope.Opener, key store.Key, data []byte) (Record, error) {
	if keyring.Sealed(data) {
		var err error
		if data, err = opener.Open(ctx, recordPlace(key), data); err != nil {
			return Record{}, err
		}
	}
	return DecodeRecord(data)
}

// DecodeRecord reads the data of an event's record that is not sealed, or was opened.
func DecodeRecord(data []byte) (Record, error) {
	malformed := fault.New(fault.Permanent, CodeRecord, nil)
	compressed, err := zlib.NewReaderDict(bytes.NewReader(data), dictionary)
	if err != nil {
		return Record{}, malformed
	}
	plain, err := io.ReadAll(io.LimitReader(compressed, maxRecord+1))
	if err != nil || len(plain) > maxRecord {
		return Record{}, malformed
	}
	var r Record
	if err := json.Unmarshal(plain, &r); err != nil || r.Format != recordFormat {
		return Record{}, malformed
	}
	return r, nil
}
