package mapping

import (
	"slices"
)

// Field is a field of a record with what it gets.
type Field struct {
	Name   string // the CRM's
	Value  any    // a string, a bool or a json.Number; of a Datetime and a Date as CRMs read them in JSON
	Index  int    // of its entry
	Cut    bool   // the value was longer
	As     Type   // of its entry
	Always bool   // it is written each time
}

// Text returns the value for a CRM whose fields are all texts.
func (f Field) Text() string { return textOf(f.Value) }

// Fields are what a mapping makes of one delivery.
type Fields map[Object][]Field

// Of returns the fields of an object that a write of a record has: all of one that is made, and of any other those that are written Always.
func (f Fields) Of(o Object, made bool) []Field {
	if made {
		return f[o]
	}
	return slices.DeleteFunc(slices.Clone(f[o]), func(one Field) bool { return !one.Always })
}

// Left is a field that is left out.
type Left struct {
	Object Object
	Name   string // the CRM's
	Index  int    // of its entry
	Code   string
}

// Misfit reports whether something was there and could not be written. What is missing, or on a condition, is as the mapping wants it.
func (l Left) Misfit() bool { return l.Code != CodeMissing && l.Code != CodeUnmet }

// Evaluate returns the fields that a mapping fills, and those that it leaves out, in the order of its entries. What is written once, with
// the record, is of first, the delivery's own event; what is written again and again is of last, the newest event that the record shows. Cut
// returns a text in so many characters at most, as CRMs count them. No input fails.
func (m *Mapping) Evaluate(first, last *Source, cut func(text string, limit int) string) (Fields, []Left) {
	if m == nil {
		return nil, nil
	}
	fields, left := Fields{}, []Left(nil)
	for i := range m.entries {
		e, of := &m.entries[i], first
		if e.always {
			of = last
		}
		value, shortened, code := e.evaluate(of, cut)
		if code != "" {
			left = append(left, Left{e.object, e.To, e.index, code})
			continue
		}
		fields[e.object] = append(fields[e.object], Field{e.To, value, e.index, shortened, e.as, e.always})
	}
	return fields, left
}

func (e *entry) evaluate(s *Source, cut func(text string, limit int) string) (value any, shortened bool, code string) {
	switch {
	case (e.from.raw || e.when.path.raw) && s.RawCode != "":
		return nil, false, s.RawCode
	case e.When != nil && !e.when.holds(s):
		return nil, false, CodeUnmet
	case e.From == "":
		return e.convert(e.value, s.Zone, cut)
	}
	read := e.from.read(s)
	if read == nil {
		return nil, false, CodeMissing
	}
	return e.convert(read, s.Zone, cut)
}

func (c *condition) holds(s *Source) bool {
	read := c.path.read(s)
	if c.exists != nil {
		return (read != nil) == *c.exists
	}
	return read != nil && slices.Contains(c.among, textOf(read))
}
