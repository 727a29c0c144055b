package adapter

import (
	"encoding/json"
	"slices"
	"strings"

	"signalbox/shared/jsontext"
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
	slices.SortStableFunc(fields, func(a, b VendorField) int { return strings.Compare(a.Name, b.Name) })
	size := 2
	for _, f := range fields {
		size += len(f.Name) + len(f.Value) + 8
	}
	out := append(make([]byte, 0, size), '{')
	for i, f := range fields {
		first := i == 0 || fields[i-1].Name != f.Name //nolint:gosec // where i is 0 it is not looked at
		last := i == len(fields)-1 || fields[i+1].Name != f.Name
		if i > 0 {
			out = append(out, ',')
		}
		if first {
			out = append(jsontext.AppendString(out, f.Name), ':')
		}
		if first && !last {
			out = append(out, '[')
		}
		if policy != tenant.RawVendorFull && !f.Open && f.Value != "" {
			f.Value = Redacted
		}
		out = jsontext.AppendString(out, f.Value)
		if last && !first {
			out = append(out, ']')
		}
	}
	return append(out, '}')
}
