package mapping

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
)

// Source is what paths lead into, by the names of its members in JSON and those of the canonical event: event.message.summary,
// event.message.attachments.0.name, event.message.postback.fields.<question>, person.phone, line.id, metadata.<name>. A path ends at a
// text, a number, true or false, or a time.
type Source struct {
	Event  *canonical.Event `json:"event"`
	Person Someone          `json:"person"`
	Line   Place            `json:"line"`
	Tenant Owner            `json:"tenant"`

	// Raw is metadata.rawVendor, redacted, of the event's own record: only of an event whose mapping AsksRaw. Where it is not to be had,
	// RawCode says why.
	Raw     json.RawMessage `json:"-"`
	RawCode string          `json:"-"`
	Zone    *time.Location  `json:"-"` // of a Date; nil is UTC
}

// Someone is whom an event is about, as the router knows them.
type Someone struct {
	Key    string `json:"key"` // 64 hex digits
	Name   string `json:"name"`
	Email  string `json:"email"`
	Phone  string `json:"phone"`  // E.164
	Region string `json:"region"` // the tenant's
}

// Place is the address of ours that a message came to or went from.
type Place struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

// Owner is whose the message is.
type Owner struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// RawVendor is the path of what the provider sent.
const RawVendor = "metadata." + canonical.RawVendor

// path is a path that leads somewhere.
type path struct {
	steps []step
	is    Type // "" of what is only known when it is there
	raw   bool // it is RawVendor
	meta  string
}

// step goes from a value to one in it.
type step struct {
	index int    // of a struct's field, or of an element
	key   string // of a map
	blank bool   // of a field: its zero value is one that is not there
}

var metadataName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// parsePath returns why a path leads nowhere, "" if it does not.
func parsePath(name string) (p path, reason string) {
	if member, ok := strings.CutPrefix(name, "metadata."); ok {
		if !metadataName.MatchString(member) {
			return p, "is no member of the metadata of an event"
		}
		return path{meta: member, raw: name == RawVendor}, ""
	}
	at, walked := reflect.TypeFor[Source](), ""
	for part := range strings.SplitSeq(name, ".") {
		for at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		next, s, reason := into(at, part)
		if reason != "" {
			return p, strings.TrimSuffix("is no path: "+reason+" at "+walked, " at ")
		}
		at, p.steps = next, append(p.steps, s)
		if s.key != "" { // what people call things is not told
			part = "?"
		}
		walked = strings.TrimPrefix(walked+"."+part, ".")
	}
	for at.Kind() == reflect.Pointer {
		at = at.Elem()
	}
	if p.is = leaf(at); p.is == "" {
		return p, "ends too early: below " + walked + " are " + below(at)
	}
	return p, ""
}

// into returns what part of a type is, or why there is none.
func into(at reflect.Type, part string) (next reflect.Type, s step, reason string) {
	switch {
	case leaf(at) != "":
		return nil, s, "there is nothing below it"
	case at.Kind() == reflect.Struct:
		if i, ok := members(at)[part]; ok {
			field := at.Field(i)
			_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			return field.Type, step{index: i, blank: strings.Contains(options, "omitempty")}, ""
		}
		return nil, s, "known are " + known(members(at))
	case at.Kind() == reflect.Slice:
		if n, err := strconv.ParseUint(part, 10, 8); err == nil {
			return at.Elem(), step{index: int(n)}, ""
		}
		return nil, s, "an element is named by its number from 0"
	default:
		return at.Elem(), step{key: part}, ""
	}
}

// members returns the indices of a struct's fields by their names in JSON. How a file is read from its provider, which may take a key, is
// nobody's; nor is metadata's second name.
func members(at reflect.Type) map[string]int {
	all := map[string]int{}
	for i := range at.NumField() {
		field := at.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "-" && name != "" && field.Type != reflect.TypeFor[*canonical.Access]() && field.Type != reflect.TypeFor[map[string]json.RawMessage]() {
			all[name] = i
		}
	}
	return all
}

// leaf returns what a type is where paths may end, "" for any other.
func leaf(at reflect.Type) Type {
	switch {
	case at == reflect.TypeFor[time.Time]():
		return Datetime
	case at.Kind() == reflect.String:
		return Text
	case at.Kind() == reflect.Bool:
		return Boolean
	case at.Kind() == reflect.Int, at.Kind() == reflect.Int64, at.Kind() == reflect.Float64:
		return Number
	default:
		return ""
	}
}

func below(at reflect.Type) string {
	switch at.Kind() {
	case reflect.Struct:
		return known(members(at))
	case reflect.Slice:
		return "its elements, by their numbers from 0"
	default:
		return "its members, by their names"
	}
}

// read returns the value at a path: a string, a bool, a json.Number or a time.Time; nil where there is none.
func (p path) read(s *Source) any {
	if p.meta != "" {
		return p.readMetadata(s)
	}
	at := reflect.ValueOf(s)
	blank := false
	for _, step := range p.steps {
		for at.Kind() == reflect.Pointer {
			if at = at.Elem(); !at.IsValid() {
				return nil
			}
		}
		switch at.Kind() {
		case reflect.Struct:
			at, blank = at.Field(step.index), step.blank
		case reflect.Slice:
			if step.index >= at.Len() {
				return nil
			}
			at, blank = at.Index(step.index), false
		default:
			if at = at.MapIndex(reflect.ValueOf(step.key)); !at.IsValid() {
				return nil
			}
		}
	}
	return valueOf(at, blank)
}

// valueOf returns the value at the end of a path. A text that is empty is not there, nor a time, nor a number that would not be written.
func valueOf(at reflect.Value, blank bool) any {
	switch value := at.Interface().(type) {
	case time.Time:
		if value.IsZero() {
			return nil
		}
		return value
	case bool:
		return value
	case int, int64, float64:
		if blank && at.IsZero() {
			return nil
		}
		data, _ := json.Marshal(value) // no event holds what is no number in JSON
		return json.Number(data)
	default:
		if at.Kind() != reflect.String || at.Len() == 0 {
			return nil
		}
		return at.String()
	}
}

func (p path) readMetadata(s *Source) any {
	raw := s.Raw
	if !p.raw {
		if s.Event == nil {
			return nil
		}
		raw = s.Event.Metadata[p.meta]
	}
	if value, ok := scalar(raw); ok {
		if value == "" {
			return nil
		}
		return value
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return string(raw)
}
