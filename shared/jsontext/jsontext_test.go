package jsontext_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/jsontext"
)

func TestMembersComeInOrderWithNamesAsTheyMean(t *testing.T) {
	t.Parallel()
	const object = " { \"a\" : {\"}\": [1, \"]\\\\\"]} ,\n\"\\u0062\":\"x\\\"y\",\"A\":-1.5e3,\"a\":null,\"\":[ ] } "
	v, err := jsontext.Parse([]byte(object), 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, value := range v.Members() {
		got = append(got, name+"="+string(value))
	}
	want := []string{`a={"}": [1, "]\\"]}`, `b="x\"y"`, `A=-1.5e3`, `a=null`, `=[ ]`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for range v.Members() {
		break // no more than is asked for
	}
}

func TestParseReturnsWhyThereIsNoValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		` [[1]] `: nil, `0`: nil, ``: jsontext.ErrSyntax, `{"a":1,}`: jsontext.ErrSyntax, `1 2`: jsontext.ErrSyntax,
		"\"\xff\"": jsontext.ErrUTF8, `[[[]]]`: jsontext.ErrDeep, `{"a":[{}]}`: jsontext.ErrDeep, `["[[["]`: nil, `[[],[],[]]`: nil,
	} {
		if _, err := jsontext.Parse([]byte(text), 2); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// rebuild writes a value again from what a walk over it yields.
func rebuild(to []byte, v jsontext.Value) []byte {
	switch v[0] {
	case '{':
		to = append(to, '{')
		for name, value := range v.Members() {
			to = append(jsontext.AppendString(to, name), ':')
			to = append(rebuild(to, value), ',')
		}
		return append(bytes.TrimSuffix(to, []byte(",")), '}')
	case '[':
		to = append(to, '[')
		for element := range v.Elements() {
			to = append(rebuild(to, element), ',')
		}
		return append(bytes.TrimSuffix(to, []byte(",")), ']')
	case '"':
		return jsontext.AppendString(to, v.Text())
	}
	return append(to, v...)
}

// FuzzAWalkYieldsWhatADecoderReads: equal trees, whatever the text.
func FuzzAWalkYieldsWhatADecoderReads(f *testing.F) {
	f.Add([]byte(` {"a" : [1,"\ud83d\ude00\\\"", true , {}], "b":{"c":"é\u0000"} , "d":[ ] } `))
	f.Add([]byte(`"` + strings.Repeat(`\\`, 9) + `\""`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := jsontext.Parse(data, 100)
		if err != nil {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil || compact.String() != string(v.AppendCompact(nil)) {
			t.Fatalf("%q: %v", v.AppendCompact(nil), err)
		}
		ordered := func(data []byte) string {
			var tree any
			d := json.NewDecoder(bytes.NewReader(data))
			d.UseNumber()
			if err := d.Decode(&tree); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			out, err := json.Marshal(tree)
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		if got, want := ordered(rebuild(nil, v)), ordered(data); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestAPathLeadsThroughObjects(t *testing.T) {
	v, err := jsontext.Parse([]byte(`{"a":{"b":{"c":"x\u0041"},"n":null,"l":[{"c":1}],"b":"second"},"d":2}`), 10)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]string{
		"a.b.c": {`"x\u0041"`, "xA"}, "d": {"2", ""}, "a.n": {"", ""}, "a.n.c": {"", ""}, "a.l.c": {"", ""}, "d.e": {"", ""}, "e": {"", ""},
	} {
		names := strings.Split(path, ".")
		if at, text := v.At(names...), v.TextAt(names...); string(at) != want[0] || text != want[1] {
			t.Errorf("%s leads to %q, which means %q; want %q and %q", path, at, text, want[0], want[1])
		}
	}
	for range v.At("d").Elements() {
		t.Error("a number has elements")
	}
}
