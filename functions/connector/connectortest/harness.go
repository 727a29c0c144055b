// Package connectortest is the contract that every CRM passes against its simulator: each effect once and in order whatever
// is redelivered, refused, timed out or killed; faults sorted by kind; nothing personal in errors and logs. A CRM's own test
// builds a Harness and calls Run.
package connectortest

import (
	"log/slog"
	"net/http"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// Harness is one CRM and a fresh simulator of it. The suite stands between the two: all requests pass its transport, which
// counts them, spoils them and kills.
type Harness[R any] struct {
	// New returns the CRM as a new process has it, bound to the simulator for Tenant, with this client for every request and
	// this logger for every line.
	New func(client *http.Client, logger *slog.Logger) connector.CRM[R]
	// Simulator returns the CRM's requests, whatever their host. It is called without a network.
	Simulator http.Handler
	Name      string // the binding's name: delivery.Delivery.CRM
	Tenant    string
	Secrets   []string // must appear in no error and no log line: the token

	Width      int           // how many deliveries one Do carries at most, at least 2
	KnownCalls int           // the limit: requests for one message of a person with links
	Kept       time.Duration // to what the CRM keeps times; zero: to whatever is finer
	Singly     bool          // the CRM has no call for several messages; otherwise ten at once get 0.4 requests each at most

	// AddPerson puts a person into the simulator as a user of the CRM would have, known by a number and a country as they were
	// typed and not by our key, and returns its id.
	AddPerson func(phone, name, country string) (id string)
	// Rename gives a person, by the CRM's id, another name, as a user of the CRM would.
	Rename func(person, name string)
	// Enrol puts a person, by the CRM's id, into a sequence of the CRM that begins at an instant, as a user of the CRM would.
	// Nil: the CRM does not tell when a sequence began.
	Enrol func(person string, began time.Time)
	Users [2]string // ids of users of the CRM
	// Give makes somebody the owner of a person, by the CRM's ids, as a user of the CRM would.
	Give func(person, user string)
	// Fields are what users of the CRM edit of what messages made, by name.
	Fields map[string]Field
	// Replace are the ways in which users of the CRM make a person's record another one, or none, by name. Each gets the ids of a person and
	// of somebody else, and returns who the person is from then on, "" for nobody.
	Replace map[string]func(person, other string) string
	// Held returns what the simulator holds.
	Held func() Held
	// Spoil makes a delivery one that the simulator itself refuses as a row of its own. Nil: the CRM refuses whole requests.
	Spoil func(d *delivery.Delivery)
	// Files describes a CRM that is a connector.FileTaker. Nil: files stay links.
	Files *Files
	// Statuses describes a CRM that is a connector.StatusWriter. Nil: it shows no statuses.
	Statuses *Statuses
	// Sessions describes a CRM that shows sessions. Nil: it shows each message by itself.
	Sessions *Sessions
	// Jobs is how many requests a history of 30 messages of known people, by jobs, takes of a CRM that is a connector.Loader, at most. 0: it goes as all others do.
	Jobs int
	// JobRows returns how many records jobs have written. It is required with Jobs.
	JobRows func() int
	// JobsRefuse has some rows of the jobs that follow refused, and nothing else. It is required with Jobs.
	JobsRefuse func()
	// JobsTake has the jobs that are not over take so long. It is required with Jobs.
	JobsTake func(time.Duration)
	// Mapped describes how the CRM shows what a tenant maps. Nil: it maps nothing.
	Mapped *Mapped
	// Works describes what a CRM shows of work that rules ask for. Nil: none is done.
	Works *Works
	// Refusals are the CRM's own ways to refuse, each with the fault it is to be sorted into. They come on top of the
	// statuses that mean the same everywhere.
	Refusals []Refusal
}

// Field is a field of the persons, or of what shows messages, that users edit.
type Field struct {
	Edit func()     // gives it another value on every record, as a user of the CRM would
	Kept func() int // returns how many records have that value
}

// Held is what a CRM holds, in no CRM's words.
type Held struct {
	Persons    []Person
	Activities []Activity
	Notices    []Notice
}

// Notice is a task that tells somebody something.
type Notice struct {
	To      string // the id of a user, "" for nobody
	Person  string // whom it is about, "" for nobody
	Subject string
}

// Person is a contact, a lead, whatever the CRM calls it.
type Person struct {
	ID      string
	Owner   string // the id of a user, "" for who is nobody's
	Key     string // delivery.Person.Key, when the CRM holds it
	Phone   string // E.164
	Name    string // what the CRM calls them: all parts of it
	Address string // of who has no phone
	First   string // what they wrote first
	Ad      canonical.Attribution
	Consent map[string]string // channel to "opted_in", "opted_out"

	RepliedAt time.Time // when they answered an outreach last, at least to the second, zero when they did not
	// Ended says that whatever sequence they were in is over for them: ended in the CRM, or the property says so that the
	// customer's automation listens to.
	Ended bool
}

// Activity is a message on a timeline.
type Activity struct {
	ExternalID string    // canonical.MessageKey
	Persons    []string  // the ids of those it is associated with
	At         time.Time // event time
	Status     string    // how far the message got, as the CRM shows it
	Text       string    // what was said, without mark-up
	Ad         canonical.Attribution
}

// Refusal is a reply that the CRM gives instead of doing what it was asked.
type Refusal struct {
	Name   string // for the test's name
	Status int
	Header http.Header
	Body   string
	Want   fault.Kind
	Code   string        // the fault's code, not compared when empty
	Wait   time.Duration // the fault's wait, not compared when zero
}
