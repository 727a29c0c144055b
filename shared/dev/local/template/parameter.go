package template

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

func (r *reader) readParameters(n *yaml.Node, overrides, times map[string]string) error {
	return r.pairs(n, func(key, value *yaml.Node) error {
		given, found := overrides[key.Value]
		def := member(value, "Default")
		if !found && def != nil && def.Kind == yaml.ScalarNode {
			given, found = def.Value, true
		}
		if !found {
			r.missing[key.Value] = true
			return nil
		}
		if kind := member(value, "Type"); kind != nil && kind.Value == typeList {
			r.lists[key.Value] = true
		}
		if err := r.checkParameter(key, value, given); err != nil {
			return err
		}
		if time, shorter := times[key.Value]; shorter {
			given = time
		}
		r.parameters[key.Value] = given
		return nil
	})
}

// typeList is the type of a parameter whose value is names with commas between them.
const typeList = "CommaDelimitedList"

// checkParameter refuses a value that CloudFormation would not take.
func (r *reader) checkParameter(name, declared *yaml.Node, given string) error {
	var kind, smallest, largest, pattern, described string
	var list []string
	err := r.read(name.Value, declared, fields{
		"Type": r.intoText(&kind), "MinValue": r.intoText(&smallest), "MaxValue": r.intoText(&largest),
		"AllowedPattern": r.intoText(&pattern), "ConstraintDescription": r.intoText(&described),
		"AllowedValues": func(n *yaml.Node) (err error) {
			list, err = r.texts(n)
			return err
		},
	}.without("Default", "Description", "NoEcho"))
	if err != nil {
		return err
	}
	number, notNumber := strconv.ParseFloat(given, 64)
	beyond := func(bound string, sign float64) bool {
		limit, err := strconv.ParseFloat(bound, 64)
		return err == nil && (number-limit)*sign > 0
	}
	whole, err := regexp.Compile(`\A(?:` + cmp.Or(pattern, "(?s:.*)") + `)\z`)
	items := []string{given}
	if kind == typeList {
		items = strings.Split(given, ",")
	}
	var want string
	switch {
	case err != nil:
		return refuse(declared, "%s: AllowedPattern is no regular expression", name.Value)
	case kind != "String" && kind != "Number" && kind != typeList:
		return refuse(declared, "%s: a parameter of type %q is not understood locally", name.Value, kind)
	case kind == "Number" && (notNumber != nil || strings.Trim(given, "-.0123456789") != ""): // infinities, other bases
		want = "a number"
	case list != nil && !slices.Contains(list, given):
		want = "one of " + strings.Join(list, ", ")
	case beyond(smallest, -1):
		want = smallest + " or more"
	case beyond(largest, 1):
		want = largest + " or less"
	case !areItems(items, whole):
		want = "a text of the pattern " + pattern
	default:
		return nil
	}
	if described != "" {
		want = described
	}
	return refuse(name, "the parameter %s is %q, and has to be %s", name.Value, given, want)
}

// areItems reports whether each item of a list, or the one value, is there once and of a pattern.
func areItems(items []string, pattern *regexp.Regexp) bool {
	for i, item := range items {
		if !pattern.MatchString(item) || slices.Contains(items[:i], item) {
			return false
		}
	}
	return true
}
