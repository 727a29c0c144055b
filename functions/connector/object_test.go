package connector_test

import (
	"encoding/json"
	"testing"

	"signalbox/functions/connector"
)

type text string

func TestAnObject(t *testing.T) {
	for sentence, test := range map[string]struct {
		object connector.Object
		want   string
	}{
		"has no members":                             {nil, `{}`},
		"has its members in their order":             {connector.Object{"b", 1, "a", []string{"x"}}, `{"b":1,"a":["x"]}`},
		"leaves out what is empty":                   {connector.Object{"a", "", "b", "x", "c", ""}, `{"b":"x"}`},
		"leaves out what is empty of a named type":   {connector.Object{"a", text(""), "b", text("x")}, `{"b":"x"}`},
		"keeps zero, false, null and the empty list": {connector.Object{"a", 0, "b", false, "c", nil, "d", []string{}}, `{"a":0,"b":false,"c":null,"d":[]}`},
		"holds objects":                              {connector.Object{"a", connector.Object{"b", "", "c", "x"}}, `{"a":{"c":"x"}}`},
		"has names and values that need an escape":   {connector.Object{"a\"\a", "\x00"}, `{"a\"\u0007":"\u0000"}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := json.Marshal(test.object)
			if err != nil || string(got) != test.want || !json.Valid(got) {
				t.Errorf("%s, %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestAnObjectOfNoPairsIsAnError(t *testing.T) {
	for sentence, object := range map[string]connector.Object{
		"a name without a value": {"a", 1, "b"},
		"a name that is no text": {1, "a"},
		"a value that is none":   {"a", func() {}},
	} {
		if got, err := json.Marshal(object); err == nil {
			t.Errorf("%s: %s", sentence, got)
		}
	}
}
