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
	targets := regexp.MustCompile("(?m)^ {4,}make ([a-z-]+)|`make ([a-z-]+)").FindAllStringSubmatch(string(readme), -1)
	if len(targets) < 5 {
		t.Errorf("only %d commands found in the README", len(targets))
	}
	for _, m := range targets {
		if target := m[1] + m[2]; !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("the README says make %s, which is no target", target)
		}
	}
}

// unrun marks a command of the README that needs an AWS account.
const unrun = "# aws"

// TestEveryCommandOfTheReadmeIsRun holds the README's commands against what CI runs. A command that needs an account says so.
func TestEveryCommandOfTheReadmeIsRun(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	run := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:[A-Z_]+=\S+ )*(make [^>&\n]*?) *(?:>.*)?$`).FindAllStringSubmatch(string(script), -1) {
		run[m[1]] = true
	}
	accounts := 0
	for _, m := range regexp.MustCompile(`(?m)^ {4,}(make .*)$`).FindAllStringSubmatch(string(readme), -1) {
		command, remark, _ := strings.Cut(m[1], "#")
		switch command = strings.TrimSpace(command); {
		case strings.HasPrefix("#"+remark, unrun):
			accounts++
		case !run[command]:
			t.Errorf("the README says %q: CI does not run it, and it is not marked %q", command, unrun)
		}
	}
	if accounts == 0 {
		t.Errorf("no command is marked %q: nothing tells them apart", unrun)
	}
}
