package connector

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"signalbox/shared/jsontext"
	"signalbox/shared/mapping"
)

// Object is a JSON object for a CRM: names and values, in turn, in the order in which they are sent. A member whose value is an empty
// string, of whatever type, is left out: it would clear what the CRM holds.
type Object []any

// MarshalJSON writes the members.
func (o Object) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for pair := range slices.Chunk(o, 2) {
		name, ok := pair[0].(string)
		if !ok || len(pair) < 2 {
			return nil, errors.New("connector: an Object holds names and values in turn")
		}
		if v := reflect.ValueOf(pair[1]); v.Kind() == reflect.String && v.Len() == 0 {
			continue
		}
		value, err := json.Marshal(pair[1])
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(jsontext.AppendString(out, name), ':'), value...)
	}
	return append(out, '}'), nil
}

// With returns an object with the fields that a tenant maps, of which the first of a name counts. What is ours stays.
func (o Object) With(mapped []mapping.Field) Object {
	for _, f := range mapped {
		named := func(member any) bool {
			name, ok := member.(string)
			return ok && strings.EqualFold(name, f.Name)
		}
		ours := false
		for pair := range slices.Chunk(o, 2) {
			ours = ours || named(pair[0])
		}
		if !ours {
			o = append(o, f.Name, f.Value)
		}
	}
	return o
}

// Without returns an object without a member, and reports whether it had it.
func (o Object) Without(name string) (Object, bool) {
	for at := 0; at+1 < len(o); at += 2 {
		if o[at] == name {
			return slices.Concat(o[:at], o[at+2:]), true
		}
	}
	return o, false
}

// Shortened returns an object of which no text is longer than it may be: most has the lengths by the names of members. A text is cut, one that
// is of use only as a whole is left out. It returns false if nothing is too long.
func (o Object) Shortened(most map[string]int, whole func(name string) bool) (Object, bool) {
	var fitting Object
	changed := false
	for pair := range slices.Chunk(o, 2) {
		name, _ := pair[0].(string)
		text, isText := pair[1].(string)
		limit, tooLong := most[name]
		if !tooLong || !isText {
			fitting = append(fitting, pair...)
			continue
		}
		if changed = true; !whole(name) {
			fitting = append(fitting, name, Cut(text, limit))
		}
	}
	return fitting, changed
}

// WithBase64 returns a JSON object with one more member, in base64. The data is copied once: encoding/json would copy it four times.
func WithBase64(object []byte, name string, data []byte) []byte {
	member := `,"` + name + `":"`
	out := make([]byte, 0, len(object)+len(member)+base64.StdEncoding.EncodedLen(len(data))+1)
	out = append(append(out, object[:len(object)-1]...), member...)
	return append(base64.StdEncoding.AppendEncode(out, data), `"}`...)
}
