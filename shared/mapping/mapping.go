// Package mapping is how a tenant fills fields of its own in a CRM: a list, by kind of record, of which field gets what of an event, or
// which constant, on which condition. A mapping is checked when the tenant's file is applied and against what the CRM says of its fields,
// and evaluated without I/O: a value that is missing or does not fit is left out, and said to be.
package mapping

import (
	"encoding/json"

	"signalbox/shared/tenant"
)

// Version is the version of the notation.
const Version = 1

// Object is a kind of record that CRMs have. Which of its own a CRM takes for it is the CRM's affair.
type Object string

// The objects.
const (
	Person       Object = "person"       // whatever the CRM makes of a person
	Lead         Object = "lead"         // what it makes of a new one to be won, where it has that
	Activity     Object = "activity"     // a message, or what one activity shows, on the person's timeline
	Conversation Object = "conversation" // how the conversation stands
)

// Objects returns the objects.
func Objects() []Object { return []Object{Person, Lead, Activity, Conversation} }

// Content is a mapping as a tenant's file has it, in the settings of a CRM.
type Content struct {
	Version      int     `json:"version"`
	Person       []Entry `json:"person,omitempty"`
	Lead         []Entry `json:"lead,omitempty"`
	Activity     []Entry `json:"activity,omitempty"`
	Conversation []Entry `json:"conversation,omitempty"`
}

// of returns the entries of an object.
func (c *Content) of(o Object) []Entry {
	return map[Object][]Entry{Person: c.Person, Lead: c.Lead, Activity: c.Activity, Conversation: c.Conversation}[o]
}

// Entry fills one field. It has From or Value.
type Entry struct {
	To        string            `json:"to"`              // the CRM's name of the field
	From      string            `json:"from,omitempty"`  // a path, see Source
	Value     json.RawMessage   `json:"value,omitempty"` // a text, a number, true or false
	When      *Condition        `json:"when,omitempty"`
	Write     Write             `json:"write,omitempty"`
	As        Type              `json:"as,omitempty"`        // what is read at From is, if left out
	Choices   map[string]string `json:"choices,omitempty"`   // of a Choice: what is read to what is written
	Otherwise string            `json:"otherwise,omitempty"` // of a Choice: what is written for anything else
	MaxLength int               `json:"maxLength,omitempty"` // of a Text: characters, as CRMs count them
}

// Condition holds where what is read at Path is Equals, or one of In, or is there (Exists). It has one of the three.
type Condition struct {
	Path   string            `json:"path"`
	Equals json.RawMessage   `json:"equals,omitempty"`
	In     []json.RawMessage `json:"in,omitempty"`
	Exists *bool             `json:"exists,omitempty"`
}

// Write is when a field is written.
type Write string

// The ways to write. Create is the default of Person and Lead, Always of the others.
const (
	Create Write = "create" // with the record, and never again: what a rep edits stays
	Always Write = "always" // each time the record is written. A mapping never causes a write of its own
)

// Type is what a field takes.
type Type string

// The types.
const (
	Text     Type = "text"
	Number   Type = "number"
	Boolean  Type = "boolean"
	Datetime Type = "datetime"
	Date     Type = "date"   // the day in the tenant's zone
	Choice   Type = "choice" // one of the options of the field
)

// How long a text is at most where its entry does not say.
const (
	maxText = 255
	maxRaw  = 32_000 // of RawVendor, whatever its entry says
)

// Mapping is a mapping that was checked. It is safe for concurrent use, and nil fills nothing.
type Mapping struct {
	entries []entry
	raw     []string // paths of what needs metadata.rawVendor
}

// entry is one of a mapping, with what is worked out of it once.
type entry struct {
	Entry
	object Object
	index  int
	as     Type
	always bool
	limit  int
	from   path
	value  any // of a constant
	when   condition
}

// condition is a Condition that was read. Without a path it holds.
type condition struct {
	path   path
	among  []string
	exists *bool
}

// Parse reads what a tenant's settings have as fields, which is nothing for a nil Mapping. It returns everything that is wrong, by paths
// below that of fields; what a schema refuses is malformed here.
func Parse(fields json.RawMessage) (*Mapping, []tenant.Problem) {
	if len(fields) == 0 {
		return nil, nil
	}
	var c Content
	if json.Unmarshal(fields, &c) != nil {
		return nil, []tenant.Problem{{Reason: "is not a mapping"}}
	}
	if c.Version != Version {
		return nil, []tenant.Problem{{Path: "version", Reason: "is not one that this release reads, which is 1"}}
	}
	p := parser{}
	for _, o := range Objects() {
		p.object(o, c.of(o))
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return &Mapping{p.entries, p.raw}, nil
}

// AsksRaw reports whether a mapping needs metadata.rawVendor, which only the event's own record has.
func (m *Mapping) AsksRaw() bool { return m != nil && len(m.raw) > 0 }

// Policy returns what is wrong with a mapping under a tenant's policy for what providers send: into a CRM goes its redacted form, or nothing.
func (m *Mapping) Policy(policy tenant.RawVendor) (problems []tenant.Problem) {
	if m == nil || policy == "" || policy == tenant.RawVendorRedacted {
		return nil
	}
	for _, at := range m.raw {
		problems = append(problems, tenant.Problem{Path: at, Reason: "is not to be had: it is kept redacted, or goes into no CRM, and tenant.rawVendor is " + string(policy)})
	}
	return problems
}
