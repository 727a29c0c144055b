package delivery

import (
	"maps"
	"slices"
	"strconv"

	"signalbox/shared/jsontext"
)

// Encode writes a delivery as encoding/json would, but for one thing: angle brackets stay what they are. Escaped for HTML they
// take six bytes each, and a message full of them would no longer fit a queue. The event is written as it is.
func Encode(d *Delivery) []byte {
	out := make([]byte, 0, 2048)
	out = jsontext.AppendString(append(out, `{"deliveryId":`...), string(d.ID))
	out = jsontext.AppendString(append(out, `,"crm":`...), d.CRM)
	out = strconv.AppendInt(append(out, `,"generation":`...), int64(d.Generation), 10)
	out = d.Event.Append(append(out, `,"event":`...))
	out = d.Person.append(append(out, `,"person":`...))
	out = appendActions(append(out, `,"actions":`...), d.Actions)
	out = appendReferences(append(out, `,"why":`...), d.Why)
	return append(out, '}')
}

func (p *Person) append(out []byte) []byte {
	out = jsontext.AppendString(append(out, `{"key":`...), p.Key)
	out = appendOptional(out, "name", p.Name)
	out = appendOptional(out, "email", p.Email)
	out = appendOptional(out, "phone", p.Phone)
	out = appendOptional(out, "region", p.Region)
	out = appendValues(out, "links", p.Links)
	return append(out, '}')
}

// appendActions appends a list, null for one that is nil.
func appendActions(out []byte, actions []Action) []byte {
	if actions == nil {
		return append(out, "null"...)
	}
	out = append(out, '[')
	for i, a := range actions {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsontext.AppendString(append(out, `{"kind":`...), string(a.Kind))
		out = append(appendValues(out, "value", a.Value), '}')
	}
	return append(out, ']')
}

func appendReferences(out []byte, references []RuleReference) []byte {
	if references == nil {
		return append(out, "null"...)
	}
	out = append(out, '[')
	for i, r := range references {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsontext.AppendString(append(out, `{"rule":`...), r.Rule)
		out = strconv.AppendInt(append(out, `,"version":`...), int64(r.Version), 10)
		out = append(out, '}')
	}
	return append(out, ']')
}

func appendOptional(out []byte, name, value string) []byte {
	if value == "" {
		return out
	}
	out = append(jsontext.AppendString(append(out, ','), name), ':')
	return jsontext.AppendString(out, value)
}

// appendValues appends a member behind others, its own in the order of their names, unless it has none.
func appendValues(out []byte, name string, values map[string]string) []byte {
	if len(values) == 0 {
		return out
	}
	out = append(jsontext.AppendString(append(out, ','), name), ':', '{')
	for i, key := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsontext.AppendString(out, key), ':')
		out = jsontext.AppendString(out, values[key])
	}
	return append(out, '}')
}
