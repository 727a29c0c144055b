package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeNamesWhatIsThere keeps the README's paths and make targets from rotting.
func TestReadmeNamesWhatIsThere(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile("`((?:functions|shared|events|template\\.yaml|samconfig\\.toml)[A-Za-z0-9_./-]*)`").FindAllStringSubmatch(string(readme), -1)
	if len(paths) < 15 {
		t.Errorf("only %d paths found in the README", len(paths))
	}
	for _, p := range paths {
		if _, err := os.Stat(filepath.Join(root(t), p[1])); err != nil {
			t.Errorf("the README names %s, which is not there", p[1])
		}
	}
	targets := regexp.MustCompile("(?m)^ {4,}make ([a-z]+)|`make ([a-z]+)").FindAllStringSubmatch(string(readme), -1)
	if len(targets) < 5 {
		t.Errorf("only %d commands found in the README", len(targets))
	}
	for _, m := range targets {
		if target := m[1] + m[2]; !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("the README says make %s, which is no target", target)
		}
	}
}
