package canonical

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
)

// Encode fills what has a default and writes the event: the same bytes for equal events, members in the order of Event,
// times in UTC to the millisecond. An invalid event is refused with the fault CodeInvalid around a *ValidationError. Bytes
// that are no UTF-8 become U+FFFD. A member of the metadata that the caller wrote as JSON itself, by its name in written, is not parsed to
// see whether it is.
func Encode(e Event, written ...string) ([]byte, error) {
	e = e.WithDefaults()
	rules := report{path: make([]step, 0, 8), written: written}
	rules.object(&e)
	if err := rules.err(); err != nil {
		return nil, fault.New(fault.Permanent, CodeInvalid, err)
	}
	data := e.Append(nil)
	if len(data) > MaxSize {
		return nil, fault.New(fault.Permanent, CodeInvalid, errTooLarge)
	}
	return data, nil
}

// MarshalJSON writes the event as it is, as part of another document: nothing is filled and nothing is checked.
func (e Event) MarshalJSON() ([]byte, error) { return e.Append(nil), nil }

// Append appends what MarshalJSON returns.
func (e *Event) Append(to []byte) []byte { return appendObject(slices.Grow(to, e.room()), e) }

// room returns how long the event's JSON is likely to be.
func (e *Event) room() int {
	size := 1024
	if e.Message != nil {
		size += len(e.Message.Text) + len(e.Message.Summary) + 256*len(e.Message.Attachments)
	}
	for name, value := range e.Metadata {
		size += len(name) + len(value) + 4
	}
	return size
}

func appendObject(to []byte, o any) []byte {
	to = append(to, '{')
	var room [mostMembers]member
	for _, m := range members(o, room[:0]) {
		if m.rule&always == 0 && empty(m.field) {
			continue
		}
		to = appendValue(appendName(to, m.name), m.field)
	}
	return append(to, '}')
}

func appendName(to []byte, name string) []byte {
	if to[len(to)-1] != '{' {
		to = append(to, ',')
	}
	return append(jsontext.AppendString(to, name), ':')
}

// empty reports whether a field is left out. A slice or map that is empty but not nil is written.
func empty(field any) bool {
	switch field := field.(type) {
	case *string:
		return *field == ""
	case *time.Time:
		return field.IsZero()
	default:
		return reflect.ValueOf(field).Elem().IsZero()
	}
}

func appendValue(to []byte, field any) []byte {
	switch field := field.(type) {
	case *string:
		return jsontext.AppendString(to, *field)
	case *[]string:
		to = append(to, '[')
		for i, s := range *field {
			if i > 0 {
				to = append(to, ',')
			}
			to = jsontext.AppendString(to, s)
		}
		return append(to, ']')
	case *bool:
		return strconv.AppendBool(to, *field)
	case *int:
		return strconv.AppendInt(to, int64(*field), 10)
	case *int64:
		return strconv.AppendInt(to, *field, 10)
	case *float64:
		if math.IsNaN(*field) || math.IsInf(*field, 0) { // JSON has no number for it; Validate refuses it before
			return append(to, "null"...)
		}
		return strconv.AppendFloat(to, *field, 'g', -1, 64)
	case *time.Time:
		return append(field.UTC().AppendFormat(append(to, '"'), instantLayout), '"')
	case *map[string]string:
		return appendTable(to, *field, jsontext.AppendString)
	case *map[string]json.RawMessage:
		return appendTable(to, *field, appendRaw)
	case *Participant, *Flags, *Trace:
		return appendObject(to, field)
	}
	return appendParts(to, reflect.ValueOf(field).Elem())
}

// appendParts appends a pointer to an object, or a slice of objects.
func appendParts(to []byte, field reflect.Value) []byte {
	if field.Kind() == reflect.Pointer {
		return appendObject(to, field.Interface())
	}
	to = append(to, '[')
	for i := range field.Len() {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendObject(to, field.Index(i).Addr().Interface())
	}
	return append(to, ']')
}

func appendTable[T any](to []byte, values map[string]T, value func([]byte, T) []byte) []byte {
	to = append(to, '{')
	names := slices.AppendSeq(make([]string, 0, len(values)), maps.Keys(values))
	slices.Sort(names)
	for _, name := range names {
		to = value(appendName(to, name), values[name])
	}
	return append(to, '}')
}

// appendRaw appends a value without white space; an empty one is null.
func appendRaw(to []byte, value json.RawMessage) []byte {
	if len(value) == 0 {
		return append(to, "null"...)
	}
	return jsontext.Value(value).AppendCompact(to)
}
