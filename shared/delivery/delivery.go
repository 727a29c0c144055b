// Package delivery is the contract between the router, which decides, and the connectors, which carry out: one canonical
// event with what one CRM is to do about it, in the words of the business. It names no CRM object.
package delivery

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/session"
	"signalbox/shared/store"
)

// ID names a delivery. It is derived from the event's id and the CRM's name, so that routing twice gives the same one. It
// holds no personal data and is the deduplication id on the CRM's queue.
type ID string

// NewID returns the id of what crm is to do about an event.
func NewID(event canonical.EventID, crm string) ID { return ID(string(event) + "." + crm) }

// NewFileID returns the id of putting one of an event's files into crm. No name of a CRM has a tilde.
func NewFileID(event canonical.EventID, crm string, file int) ID {
	return NewID(event, crm) + ID("~"+strconv.Itoa(file))
}

// OfFile reports whether a delivery of this id puts a file into its CRM.
func (id ID) OfFile() bool { return strings.Contains(string(id), "~") }

// Delivery is one canonical event with what one CRM is to do about it, in order.
type Delivery struct {
	ID         ID              `json:"deliveryId"`
	CRM        string          `json:"crm"`        // the binding's name
	Generation int             `json:"generation"` // how often it was redriven
	Event      canonical.Event `json:"event"`      // without metadata.rawVendor, which stays with the event record
	Person     Person          `json:"person"`
	Actions    []Action        `json:"actions"`
	Why        []RuleReference `json:"why"`
	Session    *Session        `json:"session,omitempty"` // of which the event is shown as part; nil where it has an activity of its own
	// Conversation: how the event's conversation stands (conversation.StatesKey) is to be shown, too.
	Conversation bool `json:"conversation,omitempty"`
}

// Session names a session of package session, in the event's thread.
type Session struct {
	Name     string        `json:"name"`             // its sort key
	Key      string        `json:"key"`              // its external id
	Revision int64         `json:"revision"`         // the version of its record by which the event was in it
	Window   time.Duration `json:"window,omitempty"` // within which it is written once, in nanoseconds
}

// sameDay is how long ago a message is that live ones cannot share an activity with, whatever zone it is in and whoever is late.
const sameDay = 48 * time.Hour

// OfHistory reports whether d is of a history that was imported, and so old that its order among live messages is of no consequence: none of them
// is shown in the same activity.
func (d *Delivery) OfHistory() bool {
	return d.Event.Flags.Historical && d.Event.ReceivedAt.Sub(d.Event.Timestamp) > sameDay
}

// RecordKey returns where the record of an event and of what was decided about it is kept.
func RecordKey(tenant string, event canonical.EventID) store.Key {
	return store.Key{Partition: tenant + "/event/" + string(event), Sort: "event"}
}

// SessionKey returns where the record of a delivery's session is kept.
func (d *Delivery) SessionKey() store.Key {
	return session.StoreKey(d.Event.TenantID, d.Event.ThreadID, d.Session.Name)
}

// Person is whom it is about. Links are what the router knew; a connector may know better.
type Person struct {
	Key    string            `json:"key"` // canonical.PersonKey: an HMAC over the strongest identifier, 64 hex digits
	Name   string            `json:"name,omitempty"`
	Email  string            `json:"email,omitempty"`
	Phone  string            `json:"phone,omitempty"`  // E.164
	Region string            `json:"region,omitempty"` // ISO 3166 alpha-2, the tenant's default: what a CRM's national numbers are read with
	Links  map[string]string `json:"links,omitempty"`  // the CRM's object kind to its id, opaque to all but that CRM
	// Unmatched: what the person is known by was somebody else's, whom a CRM may hold under it. Nobody is looked for by it.
	Unmatched bool `json:"unmatched,omitempty"`
}

// Action is one intent. What it becomes (a call, part of a graph, a property a customer's workflow listens to) is the CRM's affair.
type Action struct {
	Kind  Kind              `json:"kind"`
	Value map[string]string `json:"value,omitempty"`
}

// Kind is closed and versioned with the schema; a connector that does not know one returns a permanent fault.
type Kind string

// The kinds and their values.
const (
	// EnsurePerson makes sure the CRM holds the person: "source" ("messaging"), "channel", "description" (the first message). A person
	// who is made by it belongs to Owner; without one to whom the CRM's own rules say. Nobody else's owner changes. With Tell a task tells
	// whoever it is.
	EnsurePerson Kind = "ensure_person"
	// LogActivity puts the event on the person's timeline, and makes a person whom the CRM does not hold, unless OfWhom is Held:
	// then nothing is done about somebody unknown. Everything else it needs is in the event.
	LogActivity Kind = "log_activity"
	// SetConsent records a consent change: "channel", "state" ("opted_out" or "opted_in"), "at" (RFC 3339, event time), and where it
	// concerns more than that channel "channels", all of them with semicolons between.
	SetConsent Kind = "set_consent"
	// MarkReplied notes on the person that an outreach was answered: "at" (RFC 3339, the event time of the reply). Of several the
	// newest stands, in whatever order they come one after the other. It makes no person.
	MarkReplied Kind = "mark_replied"
	// CancelSequences takes the person out of the CRM's sequences that had begun by "at" (RFC 3339, the event time), because
	// they answered, or because somebody of ours wrote to them by hand. A CRM that cannot do so itself sets a documented property that the
	// customer's automation listens to. It makes no person. Of a reply it comes with a MarkReplied; without one it leaves no mark, and ends
	// nothing that a newer reply has ended.
	CancelSequences Kind = "cancel_sequences"
	// Notify makes a task for Owner, perhaps nobody's: "about", of which there is one task a tenant, "subject" and "text". It makes no person. With OfWhom
	// it is on the record of the person, whom the CRM holds. With To it goes to that record's owner, and to Owner where it has none.
	Notify Kind = "notify"
	// ChangePhone puts the number that the person has now ("to", E.164) in the place of the one that they had ("from"), where their record
	// still holds that. It makes no person, and is for one whom the CRM is known to hold.
	ChangePhone Kind = "change_phone"
	// AttachFile puts a file of the event's message, by its number ("file"), into the CRM, once the CRM shows the message. It is alone in its
	// delivery, makes no person, and leaves the file to its link where the CRM does not take it.
	AttachFile Kind = "attach_file"
	// OpenCase opens a case (a ticket, an incident) of the person: Subject, and perhaps Priority and Status. It makes no person.
	OpenCase Kind = "open_case"
	// CreateTask makes a task on the person's record: Subject, and perhaps Text, Priority, DueHours and Owner. It makes no person.
	CreateTask Kind = "create_task"
	// SetStatus gives the person's record the status To. Of several the newest event's stands, and a repeat leaves what a rep sets after it.
	// It makes no person.
	SetStatus Kind = "set_status"
	// StartAutomation starts what the tenant built in the CRM (a flow, a workflow) and calls Name, with inputs, whose names begin with Input.
	// It makes no person.
	StartAutomation Kind = "start_automation"
	// RaiseStatus shows on a message's record how far it got. It never is in a Delivery: receipts have a lane of their own, in
	// which a connector gets a receipt.Update.
	RaiseStatus Kind = "raise_status"
)

// FileNumber is the value of AttachFile.
const FileNumber = "file"

// File returns which file of its message a delivery puts into the CRM; ok is false of any other.
func (d *Delivery) File() (n int, ok bool) {
	if len(d.Actions) != 1 || d.Actions[0].Kind != AttachFile {
		return 0, false
	}
	n, err := strconv.Atoi(d.Actions[0].Value[FileNumber])
	return n, err == nil && n >= 0
}

// OptsOut reports whether a delivery tells that somebody is not to be written to any more.
func (d *Delivery) OptsOut() bool {
	return slices.ContainsFunc(d.Actions, func(a Action) bool { return a.Kind == SetConsent && a.Value["state"] == "opted_out" })
}

// Values of EnsurePerson and Notify: users of the CRM by its own ids.
const (
	Owner   = "owner"
	StandIn = "standIn" // of EnsurePerson: who is told where the person has no owner
	Tell    = "tell"    // of EnsurePerson: not empty if the owner is to be told that the person was made
	Later   = "later"   // of EnsurePerson with Tell: not empty if another delivery tells of a person who has no owner yet
)

// OfWhom is a value of LogActivity and of Notify, and Held is what it may be.
const (
	OfWhom = "person"
	Held   = "held"
)

// To is a value of Notify, and TheirOwner is what it may be. With MadeSince (RFC 3339) it tells that the person is new: of nobody whom the CRM
// held before, and not again.
const (
	To         = "to"
	TheirOwner = "owner"
	MadeSince  = "madeSince"
)

// MakesPerson reports whether an action makes somebody whom the CRM does not hold.
func (a Action) MakesPerson() bool {
	return a.Kind == EnsurePerson || a.Kind == LogActivity && a.Value[OfWhom] != Held
}

// Carried reports whether deliveries may ask for k: a Kind of this release, and not that of the receipts' lane.
func (k Kind) Carried() bool {
	switch k {
	case EnsurePerson, LogActivity, SetConsent, MarkReplied, CancelSequences, Notify, ChangePhone, AttachFile, OpenCase, CreateTask, SetStatus, StartAutomation:
		return true
	case RaiseStatus:
	}
	return false
}

// RuleReference says which rule of which version of the tenant's rule set asked for it.
type RuleReference struct {
	Rule    string `json:"rule"`
	Version int    `json:"version"`
}
