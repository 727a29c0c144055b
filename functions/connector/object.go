package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Object is a JSON object for a CRM: names and values, in turn, in the order in which they are sent. A member whose value is an empty
// string is left out: it would clear what the CRM holds.
type Object []any

// MarshalJSON writes the members.
func (o Object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	for pair := range slices.Chunk(o, 2) {
		if pair[1] == "" {
			continue
		}
		value, err := json.Marshal(pair[1])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, ",%q:%s", pair[0], value)
	}
	return fmt.Appendf(nil, "{%s}", bytes.TrimPrefix(out.Bytes(), []byte(","))), nil
}
