package whatsapp

import (
	"encoding/json"

	"signalbox/shared/jsontext"
)

// object is the members of a JSON object, in their order. It is nil for what is none: what is malformed in a place that a message can be
// without is like nothing there.
type object []member

type member struct {
	name  string
	value jsontext.Value
}

// read returns the members of a value, in room where there is some.
func read(v jsontext.Value, room ...member) object {
	if v == "" || v[0] != '{' {
		return nil
	}
	o := object(room)
	for name, value := range v.Members() {
		o = append(o, member{name, value})
	}
	return o
}

// get returns the value of a member, "" where there is none or where it is null.
func (o object) get(name string) jsontext.Value {
	for i := range o {
		if o[i].name == name && o[i].value != "null" {
			return o[i].value
		}
	}
	return ""
}

// object returns the members of a member.
func (o object) object(name string) object { return read(o.get(name)) }

// text returns a member that is a text, or a number or truth value in place of one: Meta writes times and codes both ways.
func (o object) text(name string) string {
	v := o.get(name)
	switch {
	case v == "" || v[0] == '{' || v[0] == '[':
		return ""
	case v[0] == '"':
		return v.Text()
	default:
		return string(v)
	}
}

// first returns the first element of a member that is an array.
func (o object) first(name string) object {
	for v := range o.get(name).Elements() {
		return read(v)
	}
	return nil
}

// objects returns the objects of a member that is an array.
func (o object) objects(name string) (all []object) {
	for v := range o.get(name).Elements() {
		if one := read(v); one != nil {
			all = append(all, one)
		}
	}
	return all
}

// isList reports whether a value is an array, or nothing.
func isList(v jsontext.Value) bool { return v == "" || v[0] == '[' }

// leftovers is metadata.whatsapp as it is made: members of an object, of what has no place in the canonical event.
type leftovers []byte

// add adds a value that is there.
func (l *leftovers) add(name string, v jsontext.Value) {
	if v == "" || v == "false" {
		return
	}
	*l = v.AppendCompact(append(jsontext.AppendString(l.next(), name), ':'))
}

// addText adds a text that is there.
func (l *leftovers) addText(name, s string) {
	if s != "" {
		*l = jsontext.AppendString(append(jsontext.AppendString(l.next(), name), ':'), s)
	}
}

func (l *leftovers) next() []byte {
	if len(*l) == 0 {
		return append(make([]byte, 0, 128), '{')
	}
	return append(*l, ',')
}

// metadata returns the event's metadata, nil where nothing is left over.
func (l leftovers) metadata() map[string]json.RawMessage {
	if len(l) == 0 {
		return nil
	}
	return map[string]json.RawMessage{Provider: append(json.RawMessage(l), '}')}
}
