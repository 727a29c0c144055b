package canonical_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signalbox/events/schema"
)

// TestTheSchemaOnlyGrew compares the schema with the copy that was released. A document that was valid must stay valid, and
// what it says must mean the same. The copy is never changed; a released addition adds to it, as the condition of type identity, which
// was no type before, did.
func TestTheSchemaOnlyGrew(t *testing.T) {
	released := tree(t, read(t, "testdata/released/v2/event.json"))
	for _, broken := range breaks("$", released, tree(t, schema.Event())) {
		t.Error(broken)
	}
}

func TestEveryBreakingChangeIsFound(t *testing.T) {
	const released = `{"type":"object","required":["a"],"properties":{"a":{"type":"string","enum":["x","y"],"maxLength":9,"description":"d"},` +
		`"b":{"type":["string","null"]},"c":{"type":"array","anyOf":[{"minItems":1}],"items":{"$ref":"#/$defs/d"},"maxItems":3}},"$defs":{"d":{"type":"object","properties":{"e":{"type":"number","minimum":0}}}}}`
	cases := map[string]struct {
		old, changed string
		breaking     bool
	}{
		"nothing":                                   {``, ``, false},
		"an optional property":                      {`"b":{"type":["string","null"]}`, `"b":{"type":["string","null"]},"f":{"type":"integer"}`, false},
		"a wider type":                              {`["string","null"]`, `["string","null","number"]`, false},
		"an integer became a number":                {`"maxItems":3`, `"maxItems":4`, false},
		"a longer string":                           {`"maxLength":9`, `"maxLength":10`, false},
		"no limit any more":                         {`,"maxLength":9`, ``, false},
		"one more value":                            {`["x","y"]`, `["y","x","z"]`, false},
		"any value":                                 {`"enum":["x","y"],`, ``, false},
		"another description":                       {`"description":"d"`, `"description":"e"`, false},
		"one more alternative":                      {`[{"minItems":1}]`, `[{"minItems":2},{"minItems":1}]`, false},
		"no alternatives any more":                  {`"anyOf":[{"minItems":1}],`, ``, false},
		"an alternative is gone":                    {`[{"minItems":1}]`, `[{"minItems":2}]`, true},
		"first alternatives":                        {`"maxLength":9`, `"maxLength":9,"anyOf":[{"minLength":1}]`, true},
		"no longer required":                        {`"required":["a"],`, ``, false},
		"a property is gone":                        {`"b":{"type":["string","null"]},`, ``, true},
		"a nested property is gone":                 {`"e":{"type":"number","minimum":0}`, ``, true},
		"a narrower type":                           {`["string","null"]`, `"string"`, true},
		"another type":                              {`{"type":["string","null"]}`, `{"type":"boolean"}`, true},
		"a type where there was none":               {`"items":{"$ref":"#/$defs/d"}`, `"items":{"$ref":"#/$defs/d","type":"object"}`, true},
		"another required property":                 {`"required":["a"]`, `"required":["a","b"]`, true},
		"a first required property of a nested one": {`"d":{"type":"object"`, `"d":{"type":"object","required":["e"]`, true},
		"one value less":                            {`["x","y"]`, `["x"]`, true},
		"a first list of values":                    {`["string","null"]`, `["string","null"],"enum":["q"]`, true},
		"a shorter string":                          {`"maxLength":9`, `"maxLength":8`, true},
		"a first limit":                             {`["string","null"]`, `["string","null"],"maxLength":100`, true},
		"a higher minimum":                          {`"minimum":0`, `"minimum":1`, true},
		"fewer elements":                            {`"maxItems":3`, `"maxItems":2`, true},
		"a first pattern":                           {`"maxLength":9`, `"maxLength":9,"pattern":"^a"`, true},
		"a first format":                            {`"maxLength":9`, `"maxLength":9,"format":"email"`, true},
		"no further properties":                     {`"type":"object","required"`, `"type":"object","additionalProperties":false,"required"`, true},
		"another reference":                         {`"#/$defs/d"`, `"#/$defs/g"`, true},
		"a new condition":                           {`"type":"object","required"`, `"type":"object","allOf":[{"required":["b"]}],"required"`, true},
		"another default":                           {`"description":"d"`, `"default":"x"`, true},
		"a definition is gone":                      {`"d":{"type":"object","properties":{"e":{"type":"number","minimum":0}}}`, ``, true},
		"a keyword that the comparison ignores":     {`"maxLength":9`, `"maxLength":9,"contentEncoding":"base64"`, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(released, c.old, c.changed, 1)
			if c.old != "" && changed == released {
				t.Fatal("the case changes nothing")
			}
			found := breaks("$", tree(t, []byte(released)), tree(t, []byte(changed)))
			if (len(found) > 0) != c.breaking {
				t.Errorf("found %q", found)
			}
		})
	}
}

// breaks lists what in the schema now refuses, or reads otherwise, what was accepted before. What it cannot judge is
// breaking: a pattern or a condition may only change together with the released copy, by someone who has thought it through.
func breaks(path string, before, now any) []string {
	was, ok1 := before.(map[string]any)
	is, ok2 := now.(map[string]any)
	if !ok1 || !ok2 {
		if reflect.DeepEqual(before, now) {
			return nil
		}
		return []string{path + " is another schema"}
	}
	var found []string
	for _, keyword := range slices.Sorted(maps.Keys(union(was, is))) {
		found = append(found, breaksKeyword(path, keyword, was[keyword], is[keyword])...)
	}
	return found
}

func breaksKeyword(path, keyword string, was, is any) []string {
	broken := func(yes bool) []string {
		if !yes {
			return nil
		}
		return []string{fmt.Sprintf("%s: %s was %v and is %v", path, keyword, was, is)}
	}
	switch keyword {
	case "description", "title", "$comment", "examples":
		return nil
	case "properties", "$defs":
		before, _ := was.(map[string]any)
		now, _ := is.(map[string]any)
		var found []string
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if _, kept := now[name]; !kept {
				found = append(found, path+"."+name+" is gone")
				continue
			}
			found = append(found, breaks(path+"."+name, before[name], now[name])...)
		}
		return found
	case "items", "propertyNames":
		return breaks(path+"[]", was, is)
	case "type", "enum":
		return broken(is != nil && (was == nil || !subset(set(was), set(is))))
	case "required":
		return broken(!subset(set(is), set(was)))
	case "anyOf": // one more alternative is wider
		before, _ := was.([]any)
		now, _ := is.([]any)
		gone := func(a any) bool {
			return !slices.ContainsFunc(now, func(b any) bool { return reflect.DeepEqual(a, b) })
		}
		return broken(is != nil && (was == nil || slices.ContainsFunc(before, gone)))
	case "maxLength", "maxItems", "maxProperties", "maximum":
		return broken(is != nil && (was == nil || number(is) < number(was)))
	case "minLength", "minItems", "minProperties", "minimum":
		return broken(is != nil && (was == nil || number(is) > number(was)))
	default:
		return broken(!reflect.DeepEqual(was, is))
	}
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func set(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func subset(some, all []any) bool {
	for _, v := range some {
		widened := v == "integer" && slices.Contains(all, any("number"))
		if !widened && !slices.Contains(all, v) {
			return false
		}
	}
	return true
}

func number(v any) float64 {
	f, _ := v.(float64)
	return f
}
