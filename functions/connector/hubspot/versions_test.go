package hubspot

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"signalbox/shared/connect"
)

// TestTheCalendarHasEveryVersionThatAFileMayName, and the one that is used by default.
func TestTheCalendarHasEveryVersionThatAFileMayName(t *testing.T) {
	all, err := connect.ReadVersions(versions)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := os.ReadFile("crm.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			APIVersion struct{ Enum []string } `json:"apiVersion"`
		}
	}
	if err := json.Unmarshal(encoded, &schema); err != nil {
		t.Fatal(err)
	}
	var names []string
	byDefault, _ := routesOf("")
	for _, v := range all {
		names = append(names, v.Name)
		if known, ok := routesOf(v.Name); !ok || v.Default != (known == byDefault) {
			t.Errorf("%+v", v)
		}
	}
	if !slices.Equal(names, schema.Properties.APIVersion.Enum) {
		t.Errorf("the calendar has %q, a file may name %q", names, schema.Properties.APIVersion.Enum)
	}
}
