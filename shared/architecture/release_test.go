package architecture

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/bits"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// built returns the folder of what sam build made, and of its template as make deploy resolves it. Set by make validate.
func built(t *testing.T) (artefacts, template string) {
	t.Helper()
	artefacts, template = os.Getenv("SAM_BUILT"), os.Getenv("SAM_RESOLVED")
	if artefacts == "" || template == "" {
		t.Skip("needs what sam build makes: run make validate")
	}
	return artefacts, template
}

// TestReleasedArtefactsChangeWithTheirPlugInAlone builds copies of the tree, in other folders, in which some plug-ins are changed: what sam
// build made of all other functions is the same, byte for byte. Of any two plug-ins there is a copy in which the first is changed and the
// second is not, since no plug-in's copies are all among another's; that takes fewer builds than a copy a plug-in.
func TestReleasedArtefactsChangeWithTheirPlugInAlone(t *testing.T) {
	artefacts, _ := built(t)
	before := map[string]string{}
	for id := range written(t).of("AWS::Serverless::Function") {
		before[kebab(id)] = digest(t, filepath.Join(artefacts, id, "bootstrap"))
	}
	var plugins []string // their folders
	for _, family := range []string{"adapter", "connector"} {
		mains, err := filepath.Glob(filepath.Join(root(t), "functions", family, "*", "cmd"))
		if err != nil || len(mains) == 0 {
			t.Fatalf("no plug-in: %v", err)
		}
		for _, m := range mains {
			plugins = append(plugins, path.Join("functions", family, filepath.Base(filepath.Dir(m))))
		}
	}
	copies := antichain(len(plugins))
	for i := range bits.Len(copies[len(copies)-1]) {
		t.Run(fmt.Sprintf("copy %d", i+1), func(t *testing.T) {
			tree := t.TempDir()
			if err := os.CopyFS(tree, visible{os.DirFS(root(t))}); err != nil {
				t.Fatal(err)
			}
			var prefixes []string
			for n, folder := range plugins {
				if copies[n]>>i&1 == 0 {
					continue
				}
				prefixes = append(prefixes, path.Base(folder)+"-")
				source := fmt.Sprintf("package %s\n\n// Changed is new.\nfunc Changed() bool { return true }\n", path.Base(folder))
				if err := os.WriteFile(filepath.Join(tree, folder, "changed.go"), []byte(source), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var want, changed []string
			after := functions(t, tree)
			for _, name := range slices.Sorted(maps.Keys(before)) {
				if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
					want = append(want, name)
				}
				if after[name] != before[name] {
					changed = append(changed, name)
				}
			}
			if diff := cmp.Diff(want, changed); diff != "" {
				t.Errorf("artefacts of %v, and changed ones (-want +got): %s", prefixes, diff)
			}
		})
	}
}

// antichain returns n sets of bits of one size, in rising order: none of them holds another. They have as few bits as there can be.
func antichain(n int) []uint {
	for width := 1; ; width++ {
		var sets []uint
		for set := range uint(1) << width {
			if bits.OnesCount(set) == (width+1)/2 {
				sets = append(sets, set)
			}
		}
		if len(sets) >= n {
			return sets[:n]
		}
	}
}

// visible is a tree without what is installed, built or hidden in it.
type visible struct{ fs.FS }

func (v visible) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(v.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }), err
}

// functions builds the functions of a tree as the Makefile has it, and returns digests by the names of their folders.
func functions(t *testing.T, tree string) map[string]string {
	t.Helper()
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s", "-o", folder+"/", "./functions/...")
	command.Dir = tree
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "PWD="+tree, "GOFLAGS=-trimpath -tags=lambda.norpc -buildvcs=false")
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for _, e := range entries {
		digests[e.Name()] = digest(t, filepath.Join(folder, e.Name()))
	}
	return digests
}

func digest(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// TestReleasedVersionsAreOfWhatChanged: packaged twice with one binary changed, the built template gives one new version, of that
// function, which its alias and its canary alarm follow. SAM published none when CodeUri was an entry of a mapping, as sam build
// leaves it in loops: make deploy writes the entries out.
func TestReleasedVersionsAreOfWhatChanged(t *testing.T) {
	_, resolved := built(t)
	arguments, names := []string{resolved, "--"}, []string{""}
	for id := range written(t).of("AWS::Serverless::Function") {
		arguments, names = append(arguments, "--", id+".CodeUri=another"), append(names, id)
	}
	packaged := expand(t, arguments...)
	before, first := versions(packaged[0]), releases(t, packaged[0])
	if len(before) < 8 || len(first) < 8 {
		t.Fatalf("only %d functions and %d aliases were found", len(before), len(first))
	}
	for i, name := range names {
		after := packaged[i+1]
		for id, version := range versions(after) {
			if published := version != before[id]; published != (id == name) {
				t.Errorf("%q is changed; a new version of %s is published: %t", name, id, published)
			}
		}
		for id, release := range releases(t, after) {
			if moved := first[id] != release; moved != (id == name) {
				t.Errorf("%q is changed; the alias of %s is moved: %t", name, id, moved)
			}
		}
	}
}

// releases returns the versions that aliases have, by function. A canary alarm is to watch the same one.
func releases(t *testing.T, tm template) map[string]string {
	t.Helper()
	found := map[string]string{}
	for id, alias := range tm.of("AWS::Lambda::Alias") {
		function, version := strings.TrimSuffix(id, "Aliaslive"), fmt.Sprint(alias.Properties["FunctionVersion"])
		found[function] = version
		if dimensions := fmt.Sprint(tm.Resources[function+"CanaryAlarm"].Properties["Dimensions"]); !strings.Contains(dimensions, version) {
			t.Errorf("%sCanaryAlarm watches %s, its alias has %s", function, dimensions, version)
		}
	}
	return found
}

// TestExpandedReferencesLeadSomewhere: what refers to a version or an alias has to be written as the translator leaves it.
func TestExpandedReferencesLeadSomewhere(t *testing.T) {
	tm, checked := expanded(t), 0
	var walk func(where string, node any)
	refers := func(where, name string) {
		checked++
		_, parameter := tm.Parameters[name]
		if _, ok := tm.Resources[name]; !ok && !parameter && !strings.HasPrefix(name, "AWS::") {
			t.Errorf("%s refers to %s, which is not there", where, name)
		}
	}
	walk = func(where string, node any) {
		switch node := node.(type) {
		case []any:
			for _, n := range node {
				walk(where, n)
			}
		case map[string]any:
			for key, n := range node {
				switch key {
				case "Ref":
					refers(where, fmt.Sprint(n))
				case "Fn::GetAtt":
					refers(where, fmt.Sprint(list(n)[0]))
				default:
					walk(path.Join(where, key), n)
				}
			}
		}
	}
	for id, r := range tm.Resources {
		walk(id, r.Properties)
	}
	for id, o := range tm.Outputs {
		walk(id, o)
	}
	if checked < 300 {
		t.Errorf("only %d references were found", checked)
	}
}
