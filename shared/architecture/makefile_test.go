package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDeployIsTheOperators: where it goes is said by the operator's credentials and profile alone, what goes there is static and
// without symbols, and parameters are resolved in between.
func TestDeployIsTheOperators(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	makefile := string(source)
	if found := regexp.MustCompile(`(?m)^export AWS_\w+`).FindString(makefile); found != "" {
		t.Errorf("%s overrides what the operator has configured, in every target", found)
	}
	if !regexp.MustCompile(`(?m)^SAM_BUILD = CGO_ENABLED=0 GOFLAGS="\$\(GOFLAGS\) -ldflags=-s" `).MatchString(makefile) {
		t.Error("SAM_BUILD is to build static binaries without symbols")
	}
	_, deploy, _ := strings.Cut(makefile, "\ndeploy: ")
	deploy, _, _ = strings.Cut(deploy, "\n\n")
	last := 0
	for _, step := range []string{"$(SAM_BUILD)", "resolve_parameters.py", "sam deploy", "file://.aws-sam/build/parameters.yaml"} {
		at := strings.Index(deploy, step)
		if at <= last {
			t.Fatalf("make deploy is to build, to resolve the parameters and to deploy them, in this order: %s", deploy)
		}
		last = at
	}
}

// TestOperatorsCommandsAreGo: what calls AWS for an operator is a Go program; Python is what SAM itself is made of.
func TestOperatorsCommandsAreGo(t *testing.T) {
	programs, err := filepath.Glob(filepath.Join(root(t), "shared", "operations", "*.py"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no program was found: %v", err)
	}
	for _, program := range programs {
		source, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "boto") {
			t.Errorf("%s calls AWS: make it a command of shared/operations/operate", filepath.Base(program))
		}
	}
}
