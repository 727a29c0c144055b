package plugins_test

import (
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

var all = flag.Bool("all", false, "delete each plug-in in a copy of its own: minutes each. Without it one of a family, for no other file may name any")

// TestAnyPlugInCanBeDeleted takes one plug-in's folder and name away in a copy of the repository, and vets what is left, which compiles it.
func TestAnyPlugInCanBeDeleted(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds everything")
	}
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	crms, err := local.SimulatedCRMs(root)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	add := func(names []string, family string) {
		slices.Sort(names)
		if !*all {
			names = names[:1]
		}
		for _, name := range names {
			folders[name] = family + name
		}
	}
	add(crms, "functions/connector/")
	add(slices.Collect(maps.Keys(plugins.Channels())), "functions/adapter/")
	for name, folder := range folders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := without(t, root, name, folder)
			command := exec.CommandContext(t.Context(), "go", "vet", "./...")
			command.Dir = left
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("without %s: %v\n%s", name, err, out)
			}
		})
	}
}

// without returns a copy of the repository without a plug-in: its folder, its name in the template's lists, its lines in the list
// of shared/dev/plugins, and what the demo tenant has of it.
func without(t *testing.T, root, gone, folder string) string {
	t.Helper()
	left := t.TempDir()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		path, _ := filepath.Rel(root, name) // both are absolute
		switch path = filepath.ToSlash(path); {
		case err != nil:
			return err
		case path == folder, d.IsDir() && len(path) > 1 && path[0] == '.':
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(left, path), 0o750)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(left, path), []byte(unnamed(t, path, string(data), gone)), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// unnamed returns a file without a plug-in's name.
func unnamed(t *testing.T, path, text, name string) string {
	t.Helper()
	switch path {
	case "template.yaml":
		text = regexp.MustCompile(`(?m)^(  (?:Channels|Crms): .*Default: ')(.*?),?\b`+name+`\b,?(.*?)'`).ReplaceAllString(text, "$1$2$3'")
		return regexp.MustCompile(`(?m)^    `+name+`: \{.*\n`).ReplaceAllString(text, "")
	case "shared/dev/plugins/plugins.go":
		return regexp.MustCompile(`(?m)^.*\b`+name+`\b.*\n`).ReplaceAllString(text, "")
	case samples.DemoTenant:
		return unbound(t, text, name)
	}
	return text
}

// unbound returns a tenant's file without a CRM, or an account and its lines.
func unbound(t *testing.T, text, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	local.Unbind(all, func(crm string) bool { return crm != name })
	var file struct {
		Tenant   map[string]any   `json:"tenant"`
		Accounts []map[string]any `json:"accounts"`
		Lines    []map[string]any `json:"lines"`
	}
	if encoded, err := json.Marshal(all); err != nil || json.Unmarshal(encoded, &file) != nil {
		t.Fatal(err)
	}
	gone := map[any]bool{}
	file.Accounts = slices.DeleteFunc(file.Accounts, func(a map[string]any) bool {
		gone[a["id"]] = a["provider"] == name
		return a["provider"] == name
	})
	file.Lines = slices.DeleteFunc(file.Lines, func(l map[string]any) bool { return gone[l["account"]] })
	out, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
