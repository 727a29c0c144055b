package architecture

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/shared/dev/plugins"
)

// plugIns returns the folders of all plug-ins, by their names in the template's lists.
func plugIns(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for parameter, family := range map[string]string{"Channels": "functions/adapter/", "Crms": "functions/connector/"} {
		list := regexp.MustCompile(`(?m)^  ` + parameter + `: \{Type: CommaDelimitedList, Default: '([a-z,]+)'`).FindStringSubmatch(read(t, "template.yaml"))
		if list == nil {
			t.Fatalf("template.yaml has no list %s", parameter)
		}
		for name := range strings.SplitSeq(list[1], ",") {
			found[name] = family + name
			if _, err := os.Stat(filepath.Join(root(t), found[name])); err != nil {
				t.Errorf("template.yaml lists %s, which has no folder: %v", name, err)
			}
		}
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// nameable are the places that may name plug-ins, each for a reason.
func nameable() map[string]string {
	return map[string]string{
		"template.yaml":                        "its lists and mappings say what is deployed",
		"samconfig.toml":                       "it overrides them",
		"README.md":                            "documentation",
		"shared/docs/":                         "documentation, and committed runs of bench and chaos",
		"events/tenants/":                      "tenants are bound to CRMs and have accounts of channels",
		"events/invoke/":                       "written from the template by go test ./shared/dev/samlocal -update",
		"events/env/":                          "likewise",
		"events/canonical-":                    "examples of events, which name the provider that carried them",
		"shared/eventrecord/record.dictionary": "frozen: stored records are read with its bytes",
		"shared/dev/plugins/plugins.go":        "the one list in Go, one line an import and one an entry",
	}
}

// TestNoPlugInIsNamedOutsideItsFolder looks at everything that is no test, and at the tests of the whole pipeline: others may take any
// name as an example, and what they may import is a rule of its own. The words outreach and edge are the language's, and
// whatsapp is what customers write by, whoever brings it; the channels of these names are known by their functions.
func TestNoPlugInIsNamedOutsideItsFolder(t *testing.T) {
	all := plugIns(t)
	var words []string
	for name, folder := range all {
		if name != "outreach" && name != "edge" && name != "whatsapp" {
			words = append(words, name)
		}
		words = append(words, folder, name+"-receive", name+"Receive", `provider *=+ *"`+name+`"`)
	}
	pattern := regexp.MustCompile(`(?i)` + strings.Join(words, "|"))
	used := map[string]bool{}
	visit(t, func(path string) {
		for _, folder := range all {
			if within(path, folder) {
				return
			}
		}
		if strings.HasSuffix(path, "_test.go") && !within(path, "shared/dev/ring1") || strings.Contains(path, "/testdata/") {
			return
		}
		for i, line := range strings.Split(read(t, path), "\n") {
			if !pattern.MatchString(line) {
				continue
			}
			place := ""
			for allowed := range nameable() {
				if strings.HasPrefix(path, allowed) {
					place = allowed
				}
			}
			if place == "" {
				t.Errorf("%s:%d names a plug-in: ask the plug-in's folder for what is its own", path, i+1)
			}
			used[place] = true
		}
	})
	for place := range nameable() {
		if !used[place] && place != "samconfig.toml" {
			t.Errorf("%s may name plug-ins and does not: take it off the list", place)
		}
	}
}

// visit calls f with the path of every file of the repository that is the project's own.
func visit(t *testing.T, f func(path string)) {
	t.Helper()
	top := root(t)
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != top && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return filepath.SkipDir
		case !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		relative, err := filepath.Rel(top, name)
		f(filepath.ToSlash(relative))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheListOfPlugInsIsTheTemplates holds the one list in Go against the template's.
func TestTheListOfPlugInsIsTheTemplates(t *testing.T) {
	listed := map[string]string{}
	for name := range plugins.Channels() {
		listed[name] = "functions/adapter/" + name
	}
	for name := range plugins.CRMs() {
		listed[name] = "functions/connector/" + name
	}
	if !maps.Equal(listed, plugIns(t)) {
		t.Errorf("shared/dev/plugins lists %v, the template %v", listed, plugIns(t))
	}
}
