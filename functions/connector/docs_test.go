package connector

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"signalbox/events/schema"
	"signalbox/shared/canonical"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const page = "../../shared/docs/rich-content.md"

// example is an event of the page, and what stands below it.
var example = regexp.MustCompile("(?s)```json\n(.*?)```\n\n```text\n(.*?)```")

// TestTheExamplesOfRichContentAreWhatTheyAreSaidToBe reads each example into the event that the page begins with, and compares what is said of it.
func TestTheExamplesOfRichContentAreWhatTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	about, whole, found := compile(t), map[string]any{}, 0
	written := example.ReplaceAllStringFunc(string(text), func(block string) string {
		parts := example.FindStringSubmatch(block)
		found++
		event := maps.Clone(whole)
		if found > 1 {
			delete(event, "relatesTo")
		}
		if err := json.Unmarshal([]byte(parts[1]), &event); err != nil {
			t.Fatalf("%v in\n%s", err, parts[1])
		}
		maps.DeleteFunc(event, func(_ string, value any) bool { return value == nil })
		if found == 1 {
			whole = event
		}
		read := reading(t, about, event)
		if read != parts[2] && !*update {
			t.Errorf("the page says\n%sof what reads\n%s%s", parts[2], read, parts[1])
		}
		return "```json\n" + parts[1] + "```\n\n```text\n" + read + "```"
	})
	if found < 15 || found != strings.Count(string(text), "```json") {
		t.Errorf("%d examples are looked at", found)
	}
	if *update {
		if err := os.WriteFile(page, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// reading returns what people read of an event, whose document the schema accepts.
func reading(t *testing.T, about *jsonschema.Schema, document map[string]any) string {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := about.Validate(plain); err != nil {
		t.Errorf("%v:\n%s", err, data)
	}
	e, err := canonical.Decode(data)
	if err != nil {
		t.Errorf("%v:\n%s", err, data)
	}
	lines := ""
	if e.Message != nil {
		lines = "summary: " + e.Message.Summary + "\n"
	}
	if said := Said(e); e.Message == nil || said != e.Message.Summary {
		lines += said + "\n"
	}
	for _, d := range Below(e) {
		lines += strings.TrimSuffix("- "+strings.TrimPrefix(d.Label+": "+d.Text, ": ")+" "+d.URL, " ") + "\n"
	}
	return lines
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Event()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("event.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}
