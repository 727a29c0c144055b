package hubspot_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// writes is a request of a golden file that writes records of an object: its path and its body.
var writes = regexp.MustCompile(`(?ms)^> (?:POST|PATCH) /crm/objects/[^/\n]+/(contacts|communications|leads)(?:/batch/(?:upsert|create|update)|/[0-9]+)?\n(\{.*?\n\})$`)

// TestWhatIsWrittenIsNoTarget holds the schema of settings against every property that the golden files write: no tenant maps what is ours.
func TestWhatIsWrittenIsNoTarget(t *testing.T) {
	data, err := os.ReadFile("settings.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Not struct{ Pattern string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(schema.Defs["target"].Not.Pattern)
	files, err := filepath.Glob("testdata/*.golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, name := range files {
		golden, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range writes.FindAllStringSubmatch(string(golden), -1) {
			type record struct{ Properties map[string]string }
			var body struct {
				record
				Inputs []record
			}
			if err := json.Unmarshal([]byte(found[2]), &body); err != nil {
				t.Fatalf("%s: %v in %s", name, err, found[2])
			}
			for _, r := range append(body.Inputs, body.record) {
				for property := range r.Properties {
					written[found[1]+"."+property] = true
				}
			}
		}
	}
	if len(written) < 30 {
		t.Errorf("only %d properties are written: %v", len(written), written)
	}
	for name := range written {
		if _, property, _ := strings.Cut(name, "."); !ours.MatchString(property) {
			t.Errorf("%s is written, and a tenant may map it", name)
		}
	}
}
