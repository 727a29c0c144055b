package canonical_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/events/schema"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/race"
	"signalbox/shared/fault"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Event()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("event.json")
})

// schemaValid is the verdict of the JSON Schema.
func schemaValid(t testing.TB, data []byte) bool {
	t.Helper()
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	return err == nil && s.Validate(doc) == nil
}

// node is a place in a JSON document that can be read and changed.
type node struct {
	path   string
	set    func(any)
	remove func() // nil for an element
	value  any
}

// nodes lists the places within v, an object or array.
func nodes(path string, v any) []node {
	var list []node
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at := path + "." + name
			list = append(list, node{at, func(n any) { v[name] = n }, func() { delete(v, name) }, v[name]})
			list = append(list, nodes(at, v[name])...)
		}
	case []any:
		for i := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			list = append(list, node{at, func(n any) { v[i] = n }, nil, v[i]})
			list = append(list, nodes(at, v[i])...)
		}
	}
	return list
}

// values are what is put in every place of a document: each type, and each form and word.
func values() []any {
	return []any{
		nil, true, false, 0, -1, 1, 2, 3, 1.5, -90, 90, 90.5, -180, 180, 181, 1 << 40, 1<<40 + 1, 1e30, json.Number("2.0"),
		json.Number("2e0"), json.Number("20e-1"), json.Number("-0"), json.Number("1e999"),
		map[string]any{},
		map[string]any{"x": 1},
		map[string]any{"kind": "customer"},
		map[string]any{"": ""},
		[]any{},
		[]any{nil},
		[]any{map[string]any{}},
		[]any{"x"},
		"", " ", "x", "X", "a b", "é", "a:b", "+15551234567", "+0555123456", "+1555123", "+155512", "+155512345678901", "+1555123456789012",
		"15551234567", "https://x", "http://", "HTTPS://x", "ftp://x", "javascript:alert(1)", "https://x y", "rcs:a:conv:b", "rcs:a:conv:",
		"rcs::conv:b", "RCS:a:conv:b", "rcs:a:b:conv:c", "rcs:a:conv:b c", "0af7651916cd43dd8448eb211c80319c",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"0b6f3c52-6a0f-4c1e-8d11-5f3f5b1f9a77", "0B6F3C52-6A0F-4C1E-8D11-5F3F5B1F9A77", "0b6f3c52-6a0f-1c1e-8d11-5f3f5b1f9a77",
		"0b6f3c52-6a0f-4c1e-cd11-5f3f5b1f9a77", "0b6f3c52-6a0f-4c1e-8d11-5f3f5b1f9a7", "0b6f3c5206a0f-4c1e-8d11-5f3f5b1f9a77",
		"2026-01-18T14:23:12Z", "2026-13-18T14:23:12Z", "2026-01-18T14:23:12+01:00", "1970-01-01T00:00:00Z", "yesterday",
		"message", "edit", "retract", "receipt", "reaction", "consent", "change", "inbound", "outbound", "status", "customer",
		"agent", "reply", "stop", "help", "opted_in", "delivered", "Delivered", "_x", "9x", "a.b-c_d", ".x", "-", "x/y", "x\n",
	}
}

// limits are values on each side of each limit of length.
var limits = sync.OnceValue(func() []any {
	var list []any
	for _, n := range []int{32, 64, 128, 255, 256, 512, 1024, 4096} { // the schema's
		for _, length := range []int{n, n + 1} {
			list = append(list, strings.Repeat("a", length), strings.Repeat("é", length), strings.Repeat("0", length), "https://"+strings.Repeat("a", max(0, length-8)))
		}
	}
	for _, n := range []int{64, 256, 1000} {
		for _, length := range []int{n, n + 1} {
			elements, members := make([]any, length), map[string]any{}
			for i := range elements {
				elements[i] = map[string]any{"text": "x", "url": "https://x"}
				members[fmt.Sprintf("m%d", i)] = "x"
			}
			list = append(list, elements, members)
		}
	}
	for _, n := range []int{64, 65, 256, 257} {
		list = append(list, map[string]any{strings.Repeat("n", n): "x"}, map[string]any{strings.Repeat("é", n): "x"}, map[string]any{"n": strings.Repeat("é", 16*n)})
	}
	return list
})

// agree fails unless the code's verdict on a document is the schema's.
func agree(t *testing.T, what string, doc any) (valid bool) {
	t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := schemaValid(t, data)
	e, err := canonical.Decode(data)
	f := fault.Of(err)
	switch {
	case f != nil && f.Code == canonical.CodeMalformed:
		t.Errorf("%s: JSON is called malformed: %v", what, err)
	case (err == nil) != want:
		t.Errorf("%s: the schema says %v, the code: %v: %.2000s", what, want, err, data)
	case err == nil:
		if _, err := canonical.Encode(e); err != nil {
			t.Errorf("%s: it was read and cannot be written: %v", what, err)
		}
	}
	return want
}

func TestTheCodesVerdictIsTheSchemas(t *testing.T) {
	valid, invalid, step := 0, 0, stride()
	for name, data := range samples(t) {
		if !agree(t, name, tree(t, data)) {
			t.Errorf("%s: the sample is invalid", name)
		}
		pool := values()
		if name == "everything" {
			pool = append(pool, limits()...)
		}
		for i := range nodes("$", tree(t, data)) {
			fresh := tree(t, data)
			n := nodes("$", fresh)[i]
			if n.path == "$.message.text" { // alone in its size
				for _, length := range []int{100_000, 100_001} {
					n.set(strings.Repeat("é", length))
					agree(t, fmt.Sprintf("%s with a text of %d", name, length), fresh)
				}
			}
			if n.remove != nil {
				n.remove()
				agree(t, name+" without "+n.path, fresh)
			}
			if name != "everything" && strings.Count(n.path, ".") > 1 {
				continue // the full sample has it too
			}
			fresh, n = alone(t, data, n.path)
			for k := i % step; k < len(pool); k += step {
				n.set(pool[k])
				if agree(t, name+" with another "+n.path, fresh) {
					valid++
				} else {
					invalid++
				}
			}
		}
	}
	t.Logf("%d valid and %d invalid documents", valid, invalid)
	if valid < 1000/step || invalid < 1000/step {
		t.Error("one verdict is hardly tested")
	}
}

// alone returns a document with what every event has and what is on the way to a path, so that its many values are tried in a small one, and
// the node at the path.
func alone(t *testing.T, data []byte, path string) (any, node) {
	t.Helper()
	doc := tree(t, data)
	needed := []string{"eventId", "schemaVersion", "type", "channel", "direction", "conversationId", "sender", "recipient", "timestamp", "message", "relatesTo", "receipt", "consent", "reaction", "identity"}
	prune := func(at string, members any, needed ...string) {
		all, _ := members.(map[string]any)
		for name := range all {
			here := at + "." + name
			if rest, on := strings.CutPrefix(path, here); !slices.Contains(needed, name) && (!on || rest != "" && !strings.ContainsAny(rest[:1], ".[")) {
				delete(all, name)
			}
		}
	}
	prune("$", doc, needed...)
	if all, _ := doc.(map[string]any); all != nil {
		prune("$.message", all["message"], "text")
	}
	list := nodes("$", doc)
	i := slices.IndexFunc(list, func(n node) bool { return n.path == path })
	if i < 0 {
		t.Fatalf("%s is in no small document", path)
	}
	return doc, list[i]
}

// TestTheCodesVerdictIsTheSchemasOnRandomChanges makes several changes at once: removed and moved parts among them.
func TestTheCodesVerdictIsTheSchemasOnRandomChanges(t *testing.T) {
	const seed = 2
	random := rand.New(rand.NewPCG(seed, seed))
	all := samples(t)
	names := slices.Sorted(maps.Keys(all))
	pool := values()
	for range 2000 {
		name := names[random.IntN(len(names))]
		doc := tree(t, all[name])
		what := name
		for range 1 + random.IntN(4) {
			list := nodes("$", doc)
			if len(list) == 0 {
				break
			}
			n := list[random.IntN(len(list))]
			switch from := list[random.IntN(len(list))]; random.IntN(4) {
			case 0:
				n.set(pool[random.IntN(len(pool))])
			case 1:
				var copied any
				data, _ := json.Marshal(from.value)
				_ = json.Unmarshal(data, &copied)
				n.set(copied)
			default:
				if n.remove != nil {
					n.remove()
				}
			}
			what += " " + n.path
		}
		agree(t, what, doc)
	}
}

// TestEveryPropertyHasAFieldAndEveryFieldAProperty walks the schema and the struct side by side.
func TestEveryPropertyHasAFieldAndEveryFieldAProperty(t *testing.T) {
	root, _ := tree(t, schema.Event()).(map[string]any)
	definitions, _ := root["$defs"].(map[string]any)
	var compare func(path string, object map[string]any, typ reflect.Type)
	compare = func(path string, object map[string]any, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if items, ok := object["items"].(map[string]any); ok {
			object = items
		}
		if ref, ok := object["$ref"].(string); ok {
			object, _ = definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		properties, ok := object["properties"].(map[string]any)
		if !ok {
			if typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]() {
				t.Errorf("%s: the schema knows no properties", path)
			}
			return
		}
		byName := map[string]reflect.Type{}
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			byName[name] = f.Type
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(byName))); diff != "" {
			t.Errorf("%s: schema and struct differ:\n%s", path, diff)
			return
		}
		for name, property := range properties {
			described, _ := property.(map[string]any)
			if described["description"] == "" || described["description"] == nil {
				t.Errorf("%s.%s has no description", path, name)
			}
			compare(path+"."+name, described, byName[name])
		}
	}
	compare("$", root, reflect.TypeFor[canonical.Event]())
}

// TestTheFullSampleHasEveryProperty keeps the tests above from missing a new one.
func TestTheFullSampleHasEveryProperty(t *testing.T) {
	e := decode(t, read(t, "testdata/everything.json"))
	for _, f := range fields(reflect.ValueOf(e), "Event") {
		shared := strings.HasPrefix(f.path, "Event.Recipient") || strings.HasPrefix(f.path, "Event.Participants[") // the sender has all
		if f.value.IsZero() && !shared && !strings.HasPrefix(f.path, "Event.Message.Suggestions[") {
			t.Errorf("%s is empty", f.path)
		}
	}
}

// stride is how many of the values that a test has for each place it tries one of: all but under the race detector, for nothing here is done by two
// at once.
func stride() int {
	if race.Enabled {
		return 10
	}
	return 1
}
