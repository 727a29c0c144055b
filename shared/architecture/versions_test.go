package architecture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/shared/connect"
)

// ahead is how long before a version ends that is used by default another one is to be it.
const ahead = 90 * 24 * time.Hour

// due returns what is wrong with the versions of a CRM's API at a time, "" for nothing.
func due(all []connect.Version, now time.Time) string {
	var byDefault []string
	for _, v := range all {
		if v.Name == "" || !strings.HasPrefix(v.Source, "https://") {
			return fmt.Sprintf("%+v needs a name, and a source that says so", v)
		}
		if !v.Default {
			continue
		}
		byDefault = append(byDefault, v.Name)
		if v.EndsBefore(now.Add(ahead)) {
			return v.Name + " is used by default and ends on " + v.Ends + ": read " + v.Source + " again, make a later version the default, and say so to tenants"
		}
	}
	if len(byDefault) != 1 {
		return fmt.Sprintf("%q are used by default, want one", byDefault)
	}
	return ""
}

// TestNoVersionOfACRMEndsUnseen: the folder of each CRM says which versions of its API there are, and until when.
func TestNoVersionOfACRMEndsUnseen(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root(t), "functions", "connector", "*", "crm.schema.json"))
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	for _, schema := range folders {
		name := filepath.Join(filepath.Dir(schema), "versions.json")
		data, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("a CRM says until when the versions of its API last, in versions.json: %v", err)
			continue
		}
		all, err := connect.ReadVersions(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if wrong := due(all, time.Now()); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

func TestWhatEndsSoonIsDue(t *testing.T) {
	const versions = `[{"version": "1", "ends": "2026-01-01", "source": "https://vendor.example"},
		{"version": "2", "default": true, "ends": "2027-09-30", "source": "https://vendor.example"}]`
	cases := map[string]struct {
		versions string
		now      string
		says     string
	}{
		"91 days before":    {versions, "2027-07-01", ""},
		"90 days before":    {versions, "2027-07-02", ""},
		"89 days before":    {versions, "2027-07-03", "2 is used by default and ends on 2027-09-30"},
		"when it has ended": {versions, "2030-01-01", "2 is used by default"},
		"nobody knows when": {`[{"version": "9", "default": true, "source": "https://vendor.example"}]`, "2090-01-01", ""},
		"none by default":   {`[{"version": "9", "source": "https://vendor.example"}]`, "2026-01-01", "want one"},
		"two by default":    {`[{"version": "9", "default": true, "source": "https://v.example"}, {"version": "8", "default": true, "source": "https://v.example"}]`, "2026-01-01", "want one"},
		"nobody says so":    {`[{"version": "9", "default": true}]`, "2026-01-01", "a source"},
	}
	for name, c := range cases {
		all, err := connect.ReadVersions([]byte(c.versions))
		now, failed := time.Parse(time.DateOnly, c.now)
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if got := due(all, now); got != c.says && (c.says == "" || !strings.Contains(got, c.says)) {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
	for _, bad := range []string{`{`, `[{"version": "1", "ends": "soon"}]`} {
		if all, err := connect.ReadVersions([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, all)
		}
	}
}
