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

// JSONFields returns the values of a document for Parsed.Vendor, each under the names that lead to it with dots between; elements of an array
// have its name. Open reports whether what has a name says nothing about a person.
func JSONFields(document jsontext.Value, open func(name string) bool) []VendorField {
	most := strings.Count(string(document), `":`)
	w := jsonWalk{names: make([]byte, 0, 2*len(document)), ends: make([][2]int, 0, most), fields: make([]VendorField, 0, most)}
	w.walk(document, 0, 0)
	names := string(w.names)
	for i := range w.fields {
		f := &w.fields[i]
		end := w.ends[i]
		f.Name = names[end[0]:end[1]]
		f.Open = open(f.Name)
	}
	return w.fields
}

// Answers returns what was filled into a WhatsApp flow, by the names that lead to it as JSONFields has them, several of one name with commas
// between; nil for what is no object. The token that says which flow it was is none of them.
func Answers(flow jsontext.Value) map[string]string {
	if flow == "" || flow[0] != '{' {
		return nil
	}
	answers := map[string]string{}
	for _, f := range JSONFields(flow, func(string) bool { return false }) {
		if before, several := answers[f.Name]; several {
			f.Value = before + ", " + f.Value
		}
		answers[f.Name] = f.Value
	}
	delete(answers, "flow_token")
	return answers
}

// jsonWalk keeps the names of all fields in one place, so that a document of many costs no more memory than one of few.
type jsonWalk struct {
	names  []byte
	ends   [][2]int // where the name of each field begins and ends
	fields []VendorField
}

// walk adds the values in v, whose name lies between two places of names.
func (w *jsonWalk) walk(v jsontext.Value, from, to int) {
	switch {
	case v == "", v == "null":
	case v[0] == '{':
		for name, inner := range v.Members() {
			start := len(w.names)
			if to > from {
				w.names = append(append(w.names, w.names[from:to]...), '.')
			}
			w.names = append(w.names, name...)
			w.walk(inner, start, len(w.names))
		}
	case v[0] == '[':
		for inner := range v.Elements() {
			w.walk(inner, from, to)
		}
	default:
		f := VendorField{Value: string(v)}
		if v[0] == '"' {
			f.Value = v.Text()
		}
		w.fields, w.ends = append(w.fields, f), append(w.ends, [2]int{from, to})
	}
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
