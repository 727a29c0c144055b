package connector

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"signalbox/shared/jsontext"
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
