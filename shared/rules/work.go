package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"signalbox/shared/delivery"
)

// option is a value that an action of work takes. Its form is a regular expression that the whole of it matches.
type option struct {
	name, form, reason string
	required           bool
	field              bool // it may be a field of the event
	own                bool // it is a word of one CRM
}

// options returns what an action of a kind of work takes, but for inputs.
func options(kind delivery.Kind) []option {
	const line, word = "1 to 255 characters on one line", "1 to 100 characters on one line: the CRM's own word"
	subject := option{name: delivery.Subject, form: `\PC{1,255}`, reason: line, required: true, field: true}
	priority := option{name: delivery.Priority, form: "low|normal|high", reason: "low, normal or high"}
	switch kind {
	case delivery.OpenCase:
		return []option{subject, priority, {name: delivery.Status, form: `\PC{1,100}`, reason: word, own: true}}
	case delivery.CreateTask:
		return []option{
			subject, priority,
			{name: delivery.Text, form: `(?s:.{1,1000})`, reason: "1 to 1000 characters", field: true},
			{name: delivery.DueHours, form: "0|[1-9][0-9]{0,3}", reason: "a whole number of hours, 0 to 9999"},
			{name: delivery.Owner, form: "[!-~]{1,64}", reason: "the id of a user of the CRM", own: true},
		}
	case delivery.SetStatus:
		return []option{{name: delivery.To, form: `\PC{1,100}`, reason: word, required: true, own: true}}
	default:
		return []option{{name: delivery.Name, form: "[A-Za-z][A-Za-z0-9_]{0,79}", reason: "1 to 80 letters, digits and underscores, a letter first", required: true}}
	}
}

// inputForm is what the name of an input is, after delivery.Input.
const inputForm = "[A-Za-z][A-Za-z0-9_]{0,79}"

// maxInputs bounds what one automation is started with.
const maxInputs = 20

// work lists what is wrong with the values of an action.
func (v *validation) work(path string, a Action) {
	known := options(a.Kind)
	for _, o := range known {
		value, there := a.Value[o.name]
		switch at := path + ".value." + o.name; {
		case !there && o.required:
			v.add(at, "is missing: "+o.reason)
		case !there:
		case strings.HasPrefix(value, "$"):
			v.field(at, value, o.field, delivery.FieldPerson)
		case !matches(o.form, value):
			v.add(at, "is not "+o.reason)
		case o.own && a.CRM == AnyCRM && len(v.crms) > 1:
			v.add(at, "is a word of one CRM: name that in crm")
		}
	}
	inputs := 0
	for _, name := range slices.Sorted(maps.Keys(a.Value)) {
		input, isInput := strings.CutPrefix(name, delivery.Input)
		switch at := path + ".value." + name; {
		case slices.ContainsFunc(known, func(o option) bool { return o.name == name }):
		case !isInput || a.Kind != delivery.StartAutomation:
			v.add(path+".value", "holds a name that this kind of action does not take")
		case !matches(inputForm, input):
			v.add(path+".value", "holds an input whose name is not 1 to 80 letters, digits and underscores, a letter first")
		case strings.HasPrefix(a.Value[name], "$"):
			v.field(at, a.Value[name], true, "")
			inputs++
		case !matches(`(?s:.{1,255})`, a.Value[name]):
			v.add(at, "is not 1 to 255 characters")
		default:
			inputs++
		}
	}
	if inputs > maxInputs {
		v.add(path+".value", fmt.Sprintf("has %d inputs, more than %d", inputs, maxInputs))
	}
}

// field refuses what is no field of the event where one may be, or is the one that may not.
func (v *validation) field(path, value string, may bool, but string) {
	fields := slices.DeleteFunc(delivery.Fields(), func(f string) bool { return f == but })
	switch {
	case !may:
		v.add(path, "is a constant here, and begins with no $")
	case !slices.Contains(fields, value):
		v.add(path, "is none of the event's fields "+strings.Join(fields, ", "))
	}
}

func matches(form, value string) bool {
	return regexp.MustCompile("^(?:" + form + ")$").MatchString(value)
}
