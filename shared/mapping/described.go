package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Described is what a CRM says of a field.
type Described struct {
	Name     string
	Type     Type     // what it takes; "" of what no mapping can fill
	ReadOnly bool     // to the credentials that were asked with
	Drops    bool     // the CRM leaves out, and does not say, what is written to it and may not be
	Length   int      // characters of a Text at most, 0 where that is not told
	Options  []string // of a Choice, as they are written; nil where any is taken
}

// Wanted returns the fields of an object as they have to be for its entries, in their order.
func (m *Mapping) Wanted(o Object) (fields []Described) {
	if m == nil {
		return nil
	}
	for i := range m.entries {
		if e := &m.entries[i]; e.object == o {
			f := Described{Name: e.To, Type: e.as, Length: e.longest()}
			if e.as == Choice {
				f.Options = e.options()
			}
			fields = append(fields, f)
		}
	}
	return fields
}

// Gap is an entry that cannot be carried out as it is.
type Gap struct {
	Path   string // below the fields of the CRM's settings
	Reason string
	Remedy string // what to do
	Unfit  bool   // the field takes nothing that the entry gives: it is not there, is of another type or cannot be written
}

// Gaps returns what an object's entries ask for that its fields, as the CRM describes them, do not give. Owned are names of fields that
// the connector writes itself under names of the tenant's choice.
func (m *Mapping) Gaps(o Object, fields []Described, owned ...string) []Gap {
	if m == nil {
		return nil
	}
	by := map[string]Described{}
	for _, f := range fields {
		by[strings.ToLower(f.Name)] = f
	}
	var gaps []Gap
	for i := range m.entries {
		e := &m.entries[i]
		if e.object != o {
			continue
		}
		f, there := by[strings.ToLower(e.To)]
		unfit := !there || f.ReadOnly && !f.Drops || f.Type != "" && f.Type != Choice && !takes(f.Type, e.as)
		add := func(member, reason, remedy string) {
			gaps = append(gaps, Gap{fmt.Sprintf("%s[%d].%s", o, e.index, member), reason, remedy, unfit})
		}
		switch {
		case slices.ContainsFunc(owned, func(name string) bool { return strings.EqualFold(name, e.To) }):
			unfit = false
			add("to", "is a field that the connector writes itself", "name another field")
		case !there:
			add("to", "is no field that the credentials can see", "make the field in the CRM, or grant access to it, or correct the name")
		case f.ReadOnly:
			add("to", "is a field that the credentials cannot write", "grant write access, or name another field: the CRM works some out itself")
		default:
			e.gaps(f, add)
		}
	}
	return gaps
}

// gaps tells what is wrong with an entry for a field that can be written.
func (e *entry) gaps(f Described, add func(member, reason, remedy string)) {
	switch {
	case f.Type == "":
		add("to", "is a field of a type that no mapping fills", "name another field")
	case !takes(f.Type, e.as):
		add("as", fmt.Sprintf("is %s, and the field takes %s", e.as, f.Type), fmt.Sprintf("set as to %s, or name another field", f.Type))
	case f.Type == Choice && f.Options != nil:
		if e.as != Choice && e.From != "" {
			add("as", "is "+string(e.as)+", and the field takes its own options alone", "set as to choice, with the options in choices")
			return
		}
		for _, option := range e.options() {
			if !slices.Contains(f.Options, option) {
				add("choices", fmt.Sprintf("has %q, which is no option of the field", option), "add the option in the CRM, or correct it here")
			}
		}
	case f.Type == Text && f.Length > 0 && e.longest() > f.Length:
		member := "maxLength"
		if e.as != Text || e.From == "" {
			member = "to"
		}
		add(member, fmt.Sprintf("lets %d characters through, and the field takes %d", e.longest(), f.Length), fmt.Sprintf("set maxLength to %d, or make the field longer", f.Length))
	}
}

// takes reports whether a field takes what an entry gives.
func takes(field, given Type) bool {
	return field == given || field == Text || field == Choice && given == Text
}

// options returns what an entry with choices, or of a constant, writes.
func (e *entry) options() []string {
	if e.From == "" {
		return []string{textOf(e.value)}
	}
	options := slices.Collect(maps.Values(e.Choices))
	if e.Otherwise != "" {
		options = append(options, e.Otherwise)
	}
	slices.Sort(options)
	return slices.Compact(options)
}

// longest returns how many characters an entry writes into a text at most.
func (e *entry) longest() int {
	switch {
	case e.From != "" && e.as == Text && e.from.is != Boolean && e.from.is != Number && e.from.is != Datetime:
		return e.limit
	case e.From == "" || e.as == Choice:
		longest := 0
		for _, option := range e.options() {
			longest = max(longest, len([]rune(option)))
		}
		return longest
	default: // numbers, times: short
		return 0
	}
}
