package router

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/eventrecord"
	"signalbox/shared/fault"
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

// OpenRecord reads the data of the event's record that is kept under key, as eventrecord.Open does.
func OpenRecord(ctx context.Context, opener envelope.Opener, key store.Key, data []byte) (Record, error) {
	var r Record
	if err := eventrecord.Open(ctx, opener, key, data, &r); err != nil {
		return Record{}, err
	}
	return r.check()
}

// DecodeRecord reads the data of an event's record that is not sealed, or was opened.
func DecodeRecord(data []byte) (Record, error) {
	var r Record
	if err := eventrecord.Decode(data, &r); err != nil {
		return Record{}, err
	}
	return r.check()
}

// check refuses a record of a later format.
func (r *Record) check() (Record, error) {
	if r.Format != recordFormat {
		return Record{}, fault.New(fault.Permanent, CodeRecord, nil)
	}
	return *r, nil
}
