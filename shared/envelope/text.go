package envelope

import (
	"encoding/json"
	"unicode/utf8"
)

// appendString appends s as a JSON string. Ids and names need no escape, and this is on the path of every webhook.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			encoded, err := json.Marshal(s)
			if err != nil { // a string always encodes
				return append(out, '"', '"')
			}
			return append(out, encoded...)
		}
	}
	return append(append(append(out, '"'), s...), '"')
}
