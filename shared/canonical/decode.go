package canonical

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
)

// The bounds of what is read and written.
const (
	MaxSize  = 8 << 20 // bytes of an event: a webhook's body as a string within rawVendor, and a margin
	maxDepth = 100     // levels of arrays and objects: what a reader must survive, and no provider comes near it
	maxKept  = 1000    // elements and members that are kept of a list or map: at least as many as any may have
)

// The codes of the faults of reading and writing events.
const (
	CodeMalformed      = "event_malformed"        // permanent: no JSON object
	CodeInvalid        = "event_invalid"          // permanent: a *ValidationError says why
	CodeVersionUnknown = "schema_version_unknown" // retryable: a newer version of the reader is being rolled out; see Awaited
)

// newerVersionWait is how long an event of a later version is waited for.
const newerVersionWait = time.Hour

// Awaited returns a fault of reading an event as it is for a message that was first sent at a time, zero where nobody knows: a version
// that the reader did not learn within an hour is permanent.
func Awaited(f *fault.Error, sent time.Time) *fault.Error {
	if f.Code == CodeVersionUnknown && !sent.IsZero() && time.Since(sent) >= newerVersionWait {
		return fault.New(fault.Permanent, f.Code, f.Err)
	}
	return f
}

// The causes. They say nothing about the content of the document.
var (
	errVersion   = errors.New("the event was written by a later version")
	errTooLarge  = errors.New("too large")
	errMalformed = errors.New("not a JSON object in UTF-8 that nests at most 100 levels")
	errDuplicate = errors.New("a member appears twice")
)

// Decode reads an event of any released version (there is one, 2) and fills what has a default. Members that it does not know
// are ignored; times keep their milliseconds, rawVendor loses its white space. An error is a *fault.Error with one of the
// codes above and holds nothing of what was read.
func Decode(data []byte) (Event, error) {
	var e Event
	r, err := read(data, &e)
	if err != nil {
		return Event{}, err
	}
	rules := report{parsed: true}
	rules.object(&e)
	r.merge(rules.problems)
	if err := r.err(); err != nil {
		return Event{}, fault.New(fault.Permanent, CodeInvalid, err)
	}
	return e.WithDefaults(), nil
}

// UnmarshalJSON reads an event that is part of another document, with the faults of Decode. It checks types and the version,
// but neither the rules nor the defaults: the outer document was written by one who had done so.
func (e *Event) UnmarshalJSON(data []byte) error {
	*e = Event{}
	r, err := read(data, e)
	if err != nil {
		return err
	}
	if err := r.err(); err != nil {
		return fault.New(fault.Permanent, CodeInvalid, err)
	}
	return nil
}

// Draft is an event that its reader is to complete: it may lack what every event has, where the reader knows it better.
type Draft struct {
	Event Event
	read  []Problem
	room  [8]step // of paths
}

// NewDraft reads what stands in v.
func NewDraft(v jsontext.Value) *Draft {
	d := &Draft{}
	r := reader{report: report{path: d.room[:0]}, draft: true}
	r.object(&d.Event, v)
	d.read = r.problems
	return d
}

// Problems returns what is wrong with what was read and, by the rules, with the event as it is now.
func (d *Draft) Problems() []Problem {
	rules := report{path: d.room[:0], parsed: true}
	rules.object(&d.Event)
	all := report{problems: d.read}
	all.merge(rules.problems)
	return all.problems
}

// read fills an empty event with what stands in data, and returns what could not be read of it.
func read(data []byte, e *Event) (*reader, error) {
	if len(data) > MaxSize {
		return nil, fault.New(fault.Permanent, CodeMalformed, errTooLarge)
	}
	value, err := jsontext.Parse(data, maxDepth)
	if err != nil || value[0] != '{' {
		return nil, fault.New(fault.Permanent, CodeMalformed, errMalformed)
	}
	r := &reader{report: report{path: make([]step, 0, 8)}}
	r.object(e, value)
	switch {
	case r.twice:
		return nil, fault.New(fault.Permanent, CodeMalformed, errDuplicate)
	case e.SchemaVersion > SchemaVersion:
		return nil, fault.New(fault.Retryable, CodeVersionUnknown, errVersion)
	}
	return r, nil
}

// reader fills the fields of an event. It is stricter than encoding/json, whose leniency would make this reader and the schema
// disagree: names are compared exactly, a member appears once, null is no string. It goes on after a value of the wrong type, so that
// all of them are reported.
type reader struct {
	report
	twice bool // a member appears twice
	draft bool // the event may lack members, and one that appears twice is a problem of its own
}

func (r *reader) object(o any, v jsontext.Value) {
	if v[0] != '{' {
		r.add(ProblemType, "must be an object")
		return
	}
	var room [mostMembers]member
	members := members(o, room[:0])
	var has uint64
	next := 0
	for name, value := range v.Members() {
		i := find(members, name, next)
		if i < 0 {
			continue
		}
		r.enter(name)
		if has&(1<<i) != 0 {
			r.repeated()
		}
		has |= 1 << i
		next = i + 1
		r.member(members[i], value)
		r.leave()
	}
	for i, m := range members {
		if _, whole := o.(*Event); whole && r.draft {
			break
		}
		if m.rule.mustAppear() && has&(1<<i) == 0 {
			r.addOf(m.name, ProblemRequired, "is required")
		}
	}
}

// repeated notes that the member which the path leads to appears twice: which value is meant nobody knows.
func (r *reader) repeated() {
	if r.twice = true; r.draft {
		r.add(ProblemDuplicate, "must not appear twice")
	}
}

// find returns the index of a name, -1 where there is none. What was written in order stands at next.
func find(members []member, name string, next int) int {
	for n := range members {
		if i := (next + n) % len(members); members[i].name == name {
			return i
		}
	}
	return -1
}

func (r *reader) member(m member, v jsontext.Value) {
	switch field := m.field.(type) {
	case *string:
		*field = r.text(v)
		if v == `""` && m.rule&filled != 0 {
			r.add(ProblemFormat, "must not be empty")
		}
	case *[]string:
		*field = r.texts(v)
	case *bool:
		*field = v == "true"
		if v[0] != 't' && v[0] != 'f' {
			r.add(ProblemType, "must be a boolean")
		}
	case *int:
		*field = int(r.integer(v))
	case *int64:
		*field = r.integer(v)
	case *float64:
		*field, _ = r.number(v)
	case *time.Time:
		*field = r.instant(v)
	case *map[string]string:
		*field = table(r, v, r.text)
	case *map[string]json.RawMessage:
		*field = table(r, v, func(v jsontext.Value) json.RawMessage { return v.AppendCompact(make([]byte, 0, len(v))) })
	case *Participant, *Flags, *Trace:
		r.object(field, v)
	default:
		r.parts(reflect.ValueOf(field).Elem(), v)
	}
}

// parts reads a pointer to an object, or a slice of objects; an empty one is not nil.
func (r *reader) parts(field reflect.Value, v jsontext.Value) {
	if field.Kind() == reflect.Pointer {
		part := reflect.New(field.Type().Elem())
		field.Set(part)
		r.object(part.Interface(), v)
		return
	}
	field.Set(reflect.MakeSlice(field.Type(), 0, 0))
	if v[0] != '[' {
		r.add(ProblemType, "must be an array")
		return
	}
	for element := range v.Elements() {
		i := field.Len()
		if i > maxKept { // it is one too many already
			break
		}
		field.Grow(1)
		field.SetLen(i + 1)
		r.at(i)
		r.object(field.Index(i).Addr().Interface(), element)
		r.leave()
	}
}

// texts reads an array of strings; an empty one is not nil.
func (r *reader) texts(v jsontext.Value) []string {
	all := []string{}
	if v[0] != '[' {
		r.add(ProblemType, "must be an array")
		return all
	}
	for element := range v.Elements() {
		if len(all) > maxKept { // it is one too many already
			break
		}
		r.at(len(all))
		all = append(all, r.text(element))
		r.leave()
	}
	return all
}

// table reads an object whose names the sender chose. They are not part of a problem's path. An empty one is not nil.
func table[T any](r *reader, v jsontext.Value, value func(jsontext.Value) T) map[string]T {
	values := map[string]T{}
	if v[0] != '{' {
		r.add(ProblemType, "must be an object")
		return values
	}
	r.enter("*")
	for name, v := range v.Members() {
		if len(values) > maxKept { // it is one too many already
			break
		}
		if _, has := values[name]; has {
			r.repeated()
		}
		values[name] = value(v)
	}
	r.leave()
	return values
}

func (r *reader) text(v jsontext.Value) string {
	if v[0] != '"' {
		r.add(ProblemType, "must be a string")
		return ""
	}
	return v.Text()
}

func (r *reader) instant(v jsontext.Value) time.Time {
	if v[0] != '"' {
		r.add(ProblemType, "must be a string")
		return time.Time{}
	}
	t, ok := ParseTime(v.Text())
	if !ok {
		r.add(ProblemFormat, "must be RFC 3339 between the years 1970 and 9999")
	}
	return t
}

// integer reads a whole number, also where it is written as 2.0 or 2e0.
func (r *reader) integer(v jsontext.Value) int64 {
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n
	}
	const exact = 17 // digits, point and sign for which equality of float64 is equality
	f, ok := r.number(v)
	if ok && (len(v) > exact || f != float64(int64(f))) {
		r.add(ProblemType, "must be a whole number")
		return 0
	}
	return int64(f)
}

// number reads a number. One beyond the range of float64 is infinite, and refused as that.
func (r *reader) number(v jsontext.Value) (f float64, ok bool) {
	if v[0] != '-' && !isDigit(v[0]) {
		r.add(ProblemType, "must be a number")
		return 0, false
	}
	f, _ = strconv.ParseFloat(string(v), 64)
	return f, true
}
