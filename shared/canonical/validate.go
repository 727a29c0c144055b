package canonical

import (
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"signalbox/shared/jsontext"
)

// The limits of the schema: characters of strings, elements of arrays, members of objects, degrees.
const (
	maxText         = 100_000
	maxSummary      = 256
	maxMIME         = 255
	maxLabel        = 1024 // names, labels, addresses
	maxPayload      = 4096 // what a provider or a button's maker chose
	maxURL          = 4096
	maxProviderID   = 512
	maxIdentifier   = 256
	maxEmoji        = 64
	maxSource       = 64 // and amounts
	maxParticipants = 1000
	maxAttachments  = 256
	maxSuggestions  = 64
	maxIdentifiers  = 64
	maxCards        = 64
	maxContacts     = 256
	maxItems        = 256
	maxAddresses    = 64
	maxLatitude     = 90
	maxLongitude    = 180
	maxVariables    = 256
	maxMetadata     = 64
)

// Validate returns nil or a *ValidationError with every problem of the event. Its verdict is that of the JSON Schema on the
// event as it is written. What has a default may be missing.
func (e Event) Validate() error {
	r := report{path: make([]step, 0, 8)}
	r.object(&e)
	return r.err()
}

func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &ValidationError{r.problems}
}

// object reports what is wrong with a struct of the schema: with its members, and with what they are together.
func (r *report) object(o any) {
	var room [mostMembers]member
	for _, m := range members(o, room[:0]) {
		r.enter(m.name)
		r.member(m)
		r.leave()
	}
	switch o := o.(type) {
	case *Event:
		r.event(o)
	case *Postback:
		if o.Text == "" && o.Payload == "" && len(o.Fields) == 0 {
			r.add(ProblemRequired, "must have a text, a payload or fields")
		}
	case *Access:
		if (o.Cipher == "") != (o.Key == "") {
			r.add(ProblemRequired, "must have a cipher and a key, or neither")
		}
		if o.Scheme == AccessHeader && o.Header == "" {
			r.add(ProblemRequired, "must have the header of its scheme")
		}
	case *Consent:
		if o.Keyword == "" && o.State == "" {
			r.add(ProblemRequired, "must have a keyword or a state")
		}
	}
}

func (r *report) member(m member) {
	switch field := m.field.(type) {
	case *string:
		if *field == "" && m.rule == always|filled {
			r.add(ProblemRequired, "is required")
		}
		if ok, due := m.form.fits(*field); *field != "" && !ok {
			r.add(m.form.code(), due)
		}
	case *[]string:
		r.texts(*field, int(m.form))
	case *int:
		if *field != SchemaVersion {
			r.add(ProblemValue, "must be 2")
		}
	case *int64:
		if *field < 0 || *field > 1<<40 {
			r.add(ProblemRange, "must be between 0 and 1099511627776")
		}
	case *float64:
		if math.IsNaN(*field) || math.Abs(*field) > float64(m.form) {
			r.add(ProblemRange, "must be degrees of WGS 84")
		}
	case *time.Time:
		if !field.IsZero() && !writable(*field) {
			r.add(ProblemRange, "must lie between the years 1970 and 9999")
		}
	case *map[string]string:
		r.variables(*field)
	case *map[string]json.RawMessage:
		r.metadata(*field)
	case *Participant, *Flags, *Trace:
		r.object(field)
	case *bool:
	default:
		r.parts(m, reflect.ValueOf(field).Elem())
	}
}

// parts reports what is wrong with a pointer to an object, or a slice of objects.
func (r *report) parts(m member, field reflect.Value) {
	if field.Kind() == reflect.Pointer {
		if !field.IsNil() {
			r.object(field.Interface())
		}
		return
	}
	r.count(field.Len(), int(m.form))
	for i := range field.Len() {
		r.at(i)
		r.object(field.Index(i).Addr().Interface())
		r.leave()
	}
}

// event reports what an event needs and does not have, by its type and direction.
func (r *report) event(e *Event) {
	kind := cmp.Or(e.Type, TypeMessage)
	needs := func(name string, missing bool, types ...Type) {
		if missing && slices.Contains(types, kind) {
			r.addOf(name, ProblemRequired, "is required by the event's type")
		}
	}
	needs("message", e.Message == nil, TypeMessage, TypeEdit)
	needs("relatesTo", e.RelatesTo == nil, TypeEdit, TypeRetract, TypeReaction)
	needs("reaction", e.Reaction == nil, TypeReaction)
	needs("receipt", e.Receipt == nil, TypeReceipt)
	needs("consent", e.Consent == nil, TypeConsent)
	needs("identity", e.Identity == nil, TypeIdentity)
	if kind == TypeReceipt && e.Direction != Status {
		r.addOf("direction", ProblemValue, `must be "status" on a receipt`)
	}
	if e.Timestamp.IsZero() {
		r.addOf("timestamp", ProblemRequired, "is required")
	}
	customer := func(name string, p Participant) {
		if p.ID == "" && p.Phone == "" && p.HashedEmail == "" && p.ChannelAddress == "" {
			r.addOf(name, ProblemRequired, "must have an id, phone, hashedEmail or channelAddress")
		}
	}
	switch e.Direction {
	case Inbound:
		customer("sender", e.Sender)
	case Outbound, Status:
		customer("recipient", e.Recipient)
	}
}

func (r *report) texts(values []string, most int) {
	r.count(len(values), most)
	for i, s := range values {
		if ok, due := form(maxLabel).fits(s); !ok {
			r.at(i)
			r.add(ProblemLength, due)
			r.leave()
		}
	}
}

func (r *report) variables(values map[string]string) {
	r.count(len(values), maxVariables)
	short := true
	for name, value := range values {
		short = short && utf8.RuneCountInString(name) <= maxIdentifier && utf8.RuneCountInString(value) <= maxPayload
	}
	if !short {
		r.addOf("*", ProblemLength, "must have a name of at most 256 characters and a value of at most 4096")
	}
}

func (r *report) metadata(members map[string]json.RawMessage) {
	r.count(len(members), maxMetadata)
	names, values := true, true
	for name, value := range members {
		names = names && isMetadataName(name)
		if !r.parsed && len(value) > 0 && !slices.Contains(r.written, name) { // an empty one is written as null
			_, err := jsontext.Parse(value, maxDepth-2) // within the event and its metadata
			values = values && err == nil
		}
	}
	if !names {
		r.addOf("*", ProblemFormat, "must have a name of 1 to 64 letters, digits, '_', '.' and '-', beginning with a letter")
	}
	if !values {
		r.addOf("*", ProblemFormat, "must be JSON in UTF-8, nested at most 100 deep")
	}
}

func (r *report) count(n, most int) {
	if n > most {
		r.add(ProblemLength, "has too many members")
	}
}
