package salesforce

import (
	"os"
	"testing"

	"signalbox/shared/connect"
)

// TestTheCalendarHasTheDefaultVersion: Salesforce stands by each for three years at least, and tells a year before it ends.
func TestTheCalendarHasTheDefaultVersion(t *testing.T) {
	encoded, err := os.ReadFile("versions.json")
	if err != nil {
		t.Fatal(err)
	}
	all, err := connect.ReadVersions(encoded)
	if err != nil || len(all) != 1 || all[0].Name != Version || !all[0].Default {
		t.Errorf("%+v %v", all, err)
	}
}
