package connector_test

import (
	"cmp"
	"testing"

	"signalbox/functions/connector"
)

// TestTheRuleThatChoseIsTold: of several records one is chosen by a rule, which is named, and never merged.
func TestTheRuleThatChoseIsTold(t *testing.T) {
	t.Parallel()
	type record struct {
		name           string
		written, owned bool
		modified       int
	}
	rules := []connector.Rule[record]{
		{connector.RuleWritten, func(r record) bool { return r.written }},
		{connector.RuleOwned, func(r record) bool { return r.owned }},
	}
	newest := func(a, b record) int { return cmp.Or(cmp.Compare(a.modified, b.modified), cmp.Compare(b.name, a.name)) }
	for name, c := range map[string]struct {
		records      []record
		chosen, rule string
	}{
		"one alone":                        {[]record{{"a", false, false, 1}}, "a", ""},
		"one that was written to":          {[]record{{"a", false, true, 9}, {"b", true, false, 1}}, "b", connector.RuleWritten},
		"one that has an owner":            {[]record{{"a", false, false, 9}, {"b", false, true, 1}}, "b", connector.RuleOwned},
		"two were written to, one's owned": {[]record{{"a", true, false, 9}, {"b", true, true, 1}, {"c", false, true, 5}}, "b", connector.RuleOwned},
		"both were written to and owned":   {[]record{{"a", true, true, 1}, {"b", true, true, 2}}, "b", connector.RuleNewest},
		"nothing tells them apart":         {[]record{{"b", false, false, 1}, {"a", false, false, 1}}, "a", connector.RuleNewest},
	} {
		if chosen, rule := connector.Choose(c.records, rules, newest); chosen.name != c.chosen || rule != c.rule {
			t.Errorf("%s: %s by %q, want %s by %q", name, chosen.name, rule, c.chosen, c.rule)
		}
	}
}
