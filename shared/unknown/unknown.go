// Package unknown keeps the members of a stored JSON object that this build has no field for: a newer release wrote them, which
// runs beside this one while it is rolled out, or was rolled back. Whoever reads a record, changes it and writes it back keeps them.
package unknown

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"signalbox/shared/jsontext"
)

// Members are those of one object, by name. A field of this type is tagged `json:"-"`.
type Members map[string]json.RawMessage

// Unmarshal decodes an object into the struct that v points to, and returns the members that it has no field for.
func Unmarshal(data []byte, v any) (Members, error) {
	if err := json.Unmarshal(data, v); err != nil {
		return nil, err
	}
	var all Members
	if err := json.Unmarshal(data, &all); err != nil { // not an object: null
		return nil, err
	}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(v).Elem()) { // of embedded structs, too
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(all, name)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// Marshal encodes a struct, and members behind its own.
func Marshal(v any, members Members) ([]byte, error) {
	out, err := json.Marshal(v)
	if err != nil || len(members) == 0 {
		return out, err
	}
	out = bytes.TrimSuffix(out, []byte("}"))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(jsontext.AppendString(out, name), ':'), members[name]...)
	}
	return append(out, '}'), nil
}
