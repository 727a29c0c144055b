package architecture

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDeployIsTheOperators: where it goes is said by the operator's credentials and profile alone, what goes there is static and
// without symbols, and in between parameters are resolved and what goes away is checked.
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
	for _, step := range []string{"$(SAM_BUILD)", "resolve_parameters.py", "$(OPERATE) check", "sam deploy", "file://.aws-sam/build/parameters.yaml"} {
		at := strings.Index(deploy, step)
		if at <= last {
			t.Fatalf("make deploy is to build, to resolve the parameters, to check what it takes away and to deploy, in this order: %s", deploy)
		}
		last = at
	}
}

// TestWhatTheDetectorSkipsIsRunWithoutIt: a package that asks whether the race detector runs does less under it, so that make test runs it
// again.
func TestWhatTheDetectorSkipsIsRunWithoutIt(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, target, _ := strings.Cut(string(source), "\ntest: ")
	target, _, _ = strings.Cut(target, "\n\n")
	_, again, _ := strings.Cut(target, "\n\tgo test -timeout 30m -run ")
	asks := 0
	for _, f := range goFiles(t) {
		if !slices.Contains(f.imports, "signalbox/shared/dev/race") {
			continue
		}
		asks++
		runs := func(word string) bool { return word == "./"+f.folder || word == "./"+path.Dir(f.folder)+"/..." }
		if !slices.ContainsFunc(strings.Fields(again), runs) {
			t.Errorf("%s asks for the race detector, and make test does not run it without: %s", f.path, again)
		}
	}
	if asks == 0 {
		t.Error("nobody asks for the race detector")
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

// TestWhatTheOperatorsVariablesBecome runs make with a program that only prints in the place of the operators', and a go command
// that builds nothing: what is said in the environment counts as what is said on the command line, which goes before it.
func TestWhatTheOperatorsVariablesBecome(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{"go": "", "operate": `echo "$1: ACTION=$ACTION TENANT=$TENANT IDS=$IDS"`} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for said, want := range map[string]string{
		"redrive":                                "redrive: ACTION=redrive TENANT= IDS=",
		"ACTION=plan redrive":                    "redrive: ACTION=plan TENANT= IDS=",
		"redrive ACTION=plan":                    "redrive: ACTION=plan TENANT= IDS=",
		"ACTION=plan redrive ACTION=replay":      "redrive: ACTION=replay TENANT= IDS=",
		"ACTION=replay redrive ACTION=plan":      "redrive: ACTION=plan TENANT= IDS=",
		"TENANT=acme IDS=a,b redrive":            "redrive: ACTION=redrive TENANT=acme IDS=a,b",
		"redrive TENANT=acme IDS=,":              "redrive: ACTION=redrive TENANT=acme IDS=,",
		"TENANT=acme redrive TENANT=_ IDS=a":     "redrive: ACTION=redrive TENANT=_ IDS=a",
		"smoke":                                  "smoke: ACTION= TENANT=events/tenants/demo.json IDS=",
		"apply":                                  "apply: ACTION=apply TENANT= IDS=",
		"ACTION=plan TENANT=acme.json apply":     "apply: ACTION=plan TENANT=acme.json IDS=",
		"apply ACTION=plan TENANT=acme.json":     "apply: ACTION=plan TENANT=acme.json IDS=",
		"ACTION=apply apply ACTION=plan":         "apply: ACTION=plan TENANT= IDS=",
		"TENANT=a.json apply TENANT=b.json IDS=": "apply: ACTION=apply TENANT=b.json IDS=",
	} {
		words := strings.Fields(said)
		at := slices.IndexFunc(words, func(word string) bool { return !strings.Contains(word, "=") })
		command := exec.CommandContext(t.Context(), "make", append([]string{"-s", "OPERATE=" + filepath.Join(bin, "operate")}, words[at:]...)...)
		command.Dir, command.Env = root(t), append(words[:at], "PATH="+bin+":"+os.Getenv("PATH"))
		if got, err := command.CombinedOutput(); err != nil || string(got) != want+"\n" {
			t.Errorf("%s: %v, %s, want %s", said, err, got, want)
		}
	}
}
