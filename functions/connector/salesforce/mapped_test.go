package salesforce_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// graphs is a request of a golden file that writes graphs.
var graphs = regexp.MustCompile(`(?ms)^> POST /services/data/[^/\n]+/composite/graph\n(\{.*?\n\})$`)

// TestWhatIsWrittenIsNoTarget holds the schema of settings against every field that the golden files write: no tenant maps what is ours.
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
	ours := map[string]*regexp.Regexp{}
	for object, def := range map[string]string{
		"Lead": "ofPerson", "Contact": "ofPerson", "Task": "ofActivity", "Msg_Event__c": "ofActivity", "Msg_Conversation__c": "ofConversation",
	} {
		ours[object] = regexp.MustCompile(schema.Defs[def].Not.Pattern)
	}
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
		for _, found := range graphs.FindAllStringSubmatch(string(golden), -1) {
			var body struct {
				Graphs []struct {
					CompositeRequest []struct {
						URL  string
						Body map[string]any
					}
				}
			}
			if err := json.Unmarshal([]byte(found[1]), &body); err != nil {
				t.Fatalf("%s: %v in %s", name, err, found[1])
			}
			for _, g := range body.Graphs {
				for _, n := range g.CompositeRequest {
					_, object, _ := strings.Cut(n.URL, "/sobjects/")
					object, _, _ = strings.Cut(object, "/")
					for field := range n.Body {
						written[object+"."+field] = true
					}
				}
			}
		}
	}
	if len(written) < 30 {
		t.Errorf("only %d fields are written: %v", len(written), written)
	}
	for name := range written {
		object, field, _ := strings.Cut(name, ".")
		if pattern := ours[object]; pattern == nil || !pattern.MatchString(field) {
			t.Errorf("%s is written, and a tenant may map it", name)
		}
	}
}
