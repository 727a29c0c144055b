package scaffold_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/dev/scaffold"
)

const root = "../../.."

// visible is a tree without what is installed, built or hidden in it.
type visible struct{ fs.FS }

func (v visible) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(v.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }), err
}

// copied returns a copy of the repository.
func copied(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	if err := os.CopyFS(tree, visible{os.DirFS(root)}); err != nil {
		t.Fatal(err)
	}
	return tree
}

// run runs the go command in a tree.
func run(t *testing.T, tree string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Dir, command.Env = tree, append(os.Environ(), "PWD="+tree)
	said, err := command.CombinedOutput()
	return string(said), err
}

// TestAPlugInIsWrittenThatBuildsAndSaysWhatIsLeft writes a channel and a CRM into a copy of the repository: the rest of the tree finds
// nothing wrong with them, and their own conformance tests fail and name every place.
func TestAPlugInIsWrittenThatBuildsAndSaysWhatIsLeft(t *testing.T) {
	tree := copied(t)
	var tests []string
	for kind, name := range map[string]string{"channel": "toychannel", "crm": "toycrm"} {
		folder, err := scaffold.Write(tree, kind, name)
		if err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(tree, folder)
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, "./"+filepath.ToSlash(relative))
	}
	if said, err := run(t, tree, "vet", tests[0]+"/...", tests[1]+"/..."); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	rules := "TestEveryEntryPoint|TestEveryPlugIn|TestEveryFunctionIs|TestEveryAlarm|TestEveryCRM|TestRunbooks|InTheDocumentation|Imports"
	if said, err := run(t, tree, "test", "-run", rules, "./shared/architecture", "./functions/console"); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	for _, folder := range tests {
		said, err := run(t, tree, "test", folder)
		if err == nil {
			t.Errorf("%s passes", folder)
		}
		places := 0
		left := regexp.MustCompile(`conformance_test\.go:\d+: ([A-Za-z_./]+):\d+: write [a-zA-Z]`)
		err = filepath.WalkDir(filepath.Join(tree, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() == "conformance_test.go" {
				return err
			}
			text, err := os.ReadFile(path)
			places += strings.Count(string(text), "WRITE: ")
			return err
		})
		if found := len(left.FindAllString(said, -1)); err != nil || found != places || places < 8 {
			t.Errorf("%s tells of %d places, of %d (%v): %s", folder, found, places, err, said)
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	before, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct{ kind, name, reason string }{
		"a name is needed":                          {"channel", "", "NAME=: it is a folder"},
		"a capital letter makes no logical id":      {"crm", "Toy", "small letters"},
		"a hyphen makes no package":                 {"crm", "my-crm", "small letters"},
		"a word of Go's makes no package":           {"channel", "func", "no word of Go's"},
		"a name that ends in test makes test files": {"channel", "mytest", "no word of Go's"},
		"a kind is a channel or a CRM":              {"queue", "toy", "say what"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := scaffold.Write(root, c.kind, c.name); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
		})
	}
	folders, err := filepath.Glob(filepath.Join(root, "functions", "connector", "*", "simulator"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no CRM: %v", err)
	}
	there := filepath.Base(filepath.Dir(folders[0]))
	if _, err := scaffold.Write(root, "crm", there); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("%s is written again: %v", there, err)
	}
	after, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil || string(after) != string(before) {
		t.Errorf("template.yaml was changed: %v", err)
	}
}
