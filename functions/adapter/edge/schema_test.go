package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"signalbox/events/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// forms are the bodies that the schema describes, by their media types. That of application/json is one event, or an array of them.
func forms() map[string]string {
	return map[string]string{mediaJSON: "", mediaJSON + "; batch": "#/$defs/batch", mediaCloud: "#/$defs/cloudEvent", mediaCloudEvents: "#/$defs/cloudEventBatch"}
}

var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, data := range [][]byte{schema.Event(), schema.Door()} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		id, _ := doc.(map[string]any)["$id"].(string)
		if err := c.AddResource(id, doc); err != nil {
			return nil, err
		}
	}
	all := map[string]*jsonschema.Schema{}
	for media, part := range forms() {
		s, err := c.Compile("https://signalbox.invalid/schema/v2/door.json" + part)
		if err != nil {
			return nil, err
		}
		all[media] = s
	}
	return all, nil
})

// valid returns the verdict of the schema on a body.
func valid(t testing.TB, media string, body []byte) bool {
	t.Helper()
	schemas, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	return err == nil && schemas[media].Validate(doc) == nil
}

// examples are those of canonical events.
const examples = "../../../events/canonical-*.json"

// documents returns bodies by their forms, of the events in files and on the page. The first of the events is also in CloudEvents.
func documents(t testing.TB, patterns ...string) map[string][][]byte {
	t.Helper()
	all := map[string][][]byte{}
	add := func(data []byte) {
		switch {
		case valid(t, mediaJSON, data):
			if all[mediaJSON] = append(all[mediaJSON], data); all[mediaCloud] == nil {
				cloud := fmt.Appendf(nil, `{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"2026-01-01T00:00:00Z","data":%s}`, data)
				all[mediaCloud], all[mediaCloudEvents] = [][]byte{cloud}, [][]byte{fmt.Appendf(nil, "[%s]", cloud)}
			}
		case valid(t, mediaJSON+"; batch", data):
			all[mediaJSON+"; batch"] = append(all[mediaJSON+"; batch"], data)
		}
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var request struct{ JSON json.RawMessage }
			if _ = json.Unmarshal(data, &request); request.JSON != nil {
				data = request.JSON
			}
			add(data)
		}
	}
	for _, block := range blocks(t) {
		add([]byte(block))
	}
	return all
}

// TestWhatTheSchemaAcceptsTheDoorAccepts puts every value into every place of every example, and takes every member out.
func TestWhatTheSchemaAcceptsTheDoorAccepts(t *testing.T) {
	accepted, refused := 0, 0
	for media, bodies := range documents(t, examples) {
		for _, body := range bodies {
			var doc any
			if err := json.Unmarshal(body, &doc); err != nil {
				t.Fatal(err)
			}
			try := func(what string) {
				changed, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				if !valid(t, media, changed) {
					refused++
					return
				}
				accepted++
				check(t, media, what, changed)
			}
			try("as it is")
			everywhere("$", doc, try)
		}
	}
	if accepted < 1000 || refused < 1000 {
		t.Errorf("the schema accepted %d bodies and refused %d: too few to tell", accepted, refused)
	}
}

// check wants a body accepted that the schema accepts. No event of a batch is to have the id of another, which no schema can say.
func check(t *testing.T, media, what string, body []byte) {
	t.Helper()
	media, _, _ = strings.Cut(media, ";")
	if _, answer := told(media, string(body)); answer.Status != http.StatusAccepted && !strings.Contains(string(answer.Body), wantNewID) {
		t.Errorf("%s: the schema accepts what is answered %d %s:\n%.3000s", what, answer.Status, answer.Body, body)
	}
}

// everywhere calls try with each value in each place within v, and with each member taken out.
func everywhere(path string, v any, try func(what string)) {
	places := func(at string, value any, set func(any)) {
		for _, other := range values() {
			set(other)
			try(fmt.Sprintf("%s is %.100q", at, fmt.Sprint(other)))
		}
		set(value)
		everywhere(at, value, try)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value := v[name]
			delete(v, name)
			try(path + "." + name + " is gone")
			places(path+"."+name, value, func(other any) { v[name] = other })
		}
		v["unknown"] = map[string]any{"a": nil}
		try(path + " has a member that nobody knows")
		delete(v, "unknown")
	case []any:
		for i, value := range v {
			places(fmt.Sprintf("%s[%d]", path, i), value, func(other any) { v[i] = other })
		}
	}
}

// values are put in every place: each type, form and word, and both sides of limits.
func values() []any {
	all := []any{
		nil, true, 0, 2, 3, 1.5, -91, 1 << 41,
		map[string]any{},
		map[string]any{"x": 1},
		map[string]any{"id": "x"},
		map[string]any{"kind": "agent"},
		map[string]any{"phone": "+15551234567"},
		map[string]any{"channelAddress": "x"},
		map[string]any{"contentType": "encrypted"},
		[]any{},
		[]any{nil},
		"", " ", "x", " x", "X y", "é", "+15551234567", "sms:+15551234567", "https://x", "x\n", "1.0", "application/json",
		"2026-01-18T14:23:12Z", "2031-01-18T14:23:12+01:00", "1970-01-01T00:00:00Z", "message", "edit", "retract", "receipt", "reaction", "consent", "change",
		"inbound", "outbound", "status", "sms", "web", "customer", "agent", "automation", "encrypted", "stop", "opted_in", "delivered",
	}
	for _, n := range []int{200, 256, 512} {
		all = append(all, strings.Repeat("a", n), strings.Repeat("é", n), strings.Repeat("a", n+1))
	}
	return all
}

// huge is a number that a schema's validator should not be asked to multiply out.
var huge = regexp.MustCompile(`[eE][+-]?\d{4,}`)

// FuzzWhatTheSchemaAcceptsTheDoorAccepts is the same for any body. What no schema can say is left out: members that appear twice, and depth.
func FuzzWhatTheSchemaAcceptsTheDoorAccepts(f *testing.F) {
	media := slices.Sorted(maps.Keys(forms()))
	for n, form := range media {
		for _, body := range documents(f, examples, "testdata/*/request.json")[form] {
			f.Add(uint8(n), body)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, data []byte) {
		form := media[int(n)%len(media)]
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var doc any
		if d.Decode(&doc) != nil || huge.Match(data) || bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) > maxDepth {
			told(form, string(data)) // it does not panic
			return
		}
		body, err := json.Marshal(doc)
		if err == nil && valid(t, form, body) {
			check(t, form, "a body", body)
		}
	})
}
