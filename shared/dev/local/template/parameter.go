package template

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// typeList is the type of a parameter whose value is names with commas between them.
const typeList = "CommaDelimitedList"

// parameter is the declaration of one.
type parameter struct {
	Type                                  string
	Default                               *yaml.Node
	MinValue, MaxValue                    float64
	AllowedPattern, ConstraintDescription string
	AllowedValues                         []string
	Description, NoEcho                   unread
}

func (r *reader) readParameters(root, n *yaml.Node, overrides, times map[string]string) error {
	if err := pairs(n, func(key, value *yaml.Node) error {
		declared := parameter{MinValue: math.Inf(-1), MaxValue: math.Inf(1)}
		if err := r.fill(key.Value, value, &declared); err != nil {
			return err
		}
		given, found := overrides[key.Value]
		if !found && declared.Default == nil {
			return nil // who refers to it is refused
		}
		if !found {
			given = declared.Default.Value
		}
		if want := declared.refuses(given); want != "" {
			return refuse(key, "the parameter %s is %q, and has to be %s", key.Value, given, cmp.Or(declared.ConstraintDescription, want))
		}
		if time, shorter := times[key.Value]; shorter {
			given = time
		}
		r.template.Parameters[key.Value], r.values[key.Value], r.lists[key.Value] = given, given, declared.Type == typeList
		return nil
	}); err != nil {
		return err
	}
	for _, given := range []map[string]string{overrides, times} {
		for name := range given {
			if _, found := r.template.Parameters[name]; !found {
				return refuse(root, "there is no parameter %s to set", name)
			}
		}
	}
	return nil
}

// refuses returns what a value that CloudFormation would not take has to be, "" for one that it takes.
func (p *parameter) refuses(given string) string {
	number, err := strconv.ParseFloat(given, 64)
	isNumber := err == nil && strings.Trim(given, "-.0123456789") == "" // no infinities, no other bases
	pattern, err := regexp.Compile(`\A(?:` + cmp.Or(p.AllowedPattern, "(?s:.*)") + `)\z`)
	items := []string{given}
	if p.Type == typeList {
		items = strings.Split(given, ",")
	}
	switch {
	case err != nil:
		return "checked by another AllowedPattern, for this is no regular expression"
	case !slices.Contains([]string{"String", "Number", typeList}, p.Type):
		return "of type String, Number or " + typeList + ": others are not understood locally"
	case p.Type == "Number" && !isNumber:
		return "a number"
	case p.AllowedValues != nil && !slices.Contains(p.AllowedValues, given):
		return "one of " + strings.Join(p.AllowedValues, ", ")
	case p.Type == "Number" && number < p.MinValue:
		return strconv.FormatFloat(p.MinValue, 'f', -1, 64) + " or more"
	case p.Type == "Number" && number > p.MaxValue:
		return strconv.FormatFloat(p.MaxValue, 'f', -1, 64) + " or less"
	case !areItems(items, pattern):
		return "a text of the pattern " + p.AllowedPattern
	}
	return ""
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
