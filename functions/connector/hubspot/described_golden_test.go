package hubspot_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/functions/connector/hubspot"
)

// goldenRequest is a request in a golden file: a method, an address and a body, if it has one.
var goldenRequest = regexp.MustCompile(`(?ms)^> ([A-Z]+) (\S+)\n(\{.*?\n\}\n|\[.*?\n\]\n)?^< `)

// TestEveryGoldenRequestFitsHubSpotsDescription holds what the golden files have the connector ask against the descriptions of the version that
// it asks by default and of the next one.
func TestEveryGoldenRequestFitsHubSpotsDescription(t *testing.T) {
	d := readDescriptions(t)
	files, err := filepath.Glob("testdata/*.golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, name := range files {
		golden, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range goldenRequest.FindAllStringSubmatch(string(golden), -1) {
			for _, version := range []string{hubspot.Version202603, hubspot.Version202609} {
				r := httptest.NewRequestWithContext(t.Context(), found[1], strings.ReplaceAll(found[2], hubspot.Version202603, version), http.NoBody)
				r.Header.Set("Content-Type", "application/json")
				d.holdRequest(r, []byte(found[3]))
				held++
			}
		}
	}
	if held < 200 {
		t.Errorf("only %d requests are held", held)
	}
	d.report(t)
}
