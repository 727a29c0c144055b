package samlocal_test

import (
	stdcmp "cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local/template"
	"signalbox/shared/dev/samlocal"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

const root = "../../.."

func maker(t *testing.T) *samlocal.Maker {
	t.Helper()
	m, err := samlocal.New(root, "https://hooks.signalbox.example", time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// golden compares with a file below events/.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join(root, "events", name)
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: go test ./shared/dev/samlocal -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got): %s\ngo test ./shared/dev/samlocal -update writes it", name, diff)
	}
}

func TestEveryEntryPointHasAnEvent(t *testing.T) {
	m := maker(t)
	var names []string
	for _, function := range m.Functions() {
		event, err := m.Event(t.Context(), function, "")
		if err != nil {
			t.Errorf("%s: %v", function, err)
			continue
		}
		golden(t, "invoke/"+function+".json", event)
		names = append(names, filepath.Join(root, "events", "invoke", function+".json"))
	}
	files, err := filepath.Glob(filepath.Join(root, "events", "invoke", "*.json"))
	slices.Sort(names)
	if diff := cmp.Diff(names, files); err != nil || diff != "" {
		t.Errorf("%v: events/invoke has (-want +got): %s", err, diff)
	}
}

// TestTheEnvironments are of functions in a container: on Linux it shares the host's network, elsewhere Docker gives the host a name.
func TestTheEnvironments(t *testing.T) {
	for name, endpoint := range map[string]string{"env/linux.json": "http://127.0.0.1:4566", "env/desktop.json": "http://host.docker.internal:4566"} {
		golden(t, name, environment(t, endpoint))
	}
}

// environment returns the file of `sam local --env-vars` with which functions work on the resources of make run, or of an
// emulator's stack of that name, at an endpoint. SAM itself gives them logical ids for what the template refers to. Key and
// secret have the names that they have on every cloud.
func environment(t *testing.T, endpoint string) []byte {
	t.Helper()
	read, err := template.Read(filepath.Join(root, "template.yaml"), map[string]string{"CrmHosts": "any"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	names, all := map[string]string{}, map[string]map[string]string{}
	for _, key := range read.Keys {
		if len(key.Aliases) > 0 {
			names[key.ID], names[key.ARN] = "alias/"+key.Aliases[0], "alias/"+key.Aliases[0]
		}
	}
	for _, secret := range read.Secrets {
		names[secret.ARN] = secret.Name
	}
	for _, f := range read.Functions {
		variables := map[string]string{"AWS_ENDPOINT_URL": endpoint}
		for name, value := range f.Environment {
			variables[name] = stdcmp.Or(names[value], value)
		}
		all[f.LogicalID] = variables
	}
	file, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEventsThatCannotBe(t *testing.T) {
	m := maker(t)
	for name, c := range map[string]struct{ function, sample, want string }{
		"no function":      {"", "", "FUNCTION is one of twilio-receive, "},
		"no such function": {"twilio", "", `replay, not "twilio"`},
		"no such sample":   {"twilio-receive", "none", `no sample "none"`},
	} {
		if _, err := m.Event(t.Context(), c.function, c.sample); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
