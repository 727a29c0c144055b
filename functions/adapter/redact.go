package adapter

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"signalbox/shared/tenant"
)

// VendorField is one received value. The zero Open is the safe one: a field nobody knows counts as personal.
type VendorField struct {
	Name, Value string
	Open        bool // the value says nothing about a person: an id the provider made up, a count, a state, a MIME type
}

// Redacted stands for a personal value that was received. Blank values stay blank: they give nothing away.
const Redacted = "[redacted]"

// RawVendor returns metadata.rawVendor under a policy: a JSON object of the field names in byte order, each with its value
// or, where the name was repeated, the array of them. It returns nil for tenant.RawVendorNone, and a policy nobody knows redacts. It
// sorts fields in place.
func RawVendor(policy tenant.RawVendor, fields []VendorField) json.RawMessage {
	if policy == tenant.RawVendorNone {
		return nil
	}
	slices.SortStableFunc(fields, func(a, b VendorField) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		default:
			return 0
		}
	})
	size := 2
	for _, f := range fields {
		size += len(f.Name) + len(f.Value) + 8
	}
	out := append(make([]byte, 0, size), '{')
	for i := 0; i < len(fields); {
		end := i + 1
		for end < len(fields) && fields[end].Name == fields[i].Name {
			end++
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, fields[i].Name), ':')
		out = appendValues(out, policy, fields[i:end])
		i = end
	}
	return append(out, '}')
}

// appendValues appends the values of one name.
func appendValues(out []byte, policy tenant.RawVendor, same []VendorField) []byte {
	if len(same) > 1 {
		out = append(out, '[')
	}
	for i, f := range same {
		if i > 0 {
			out = append(out, ',')
		}
		if policy != tenant.RawVendorFull && !f.Open && f.Value != "" {
			f.Value = Redacted
		}
		out = appendString(out, f.Value)
	}
	if len(same) > 1 {
		out = append(out, ']')
	}
	return out
}

// appendString appends s as a JSON string. Most names and values need no escape, and this is on the path of every webhook:
// only the others pay for an encoder.
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
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}
