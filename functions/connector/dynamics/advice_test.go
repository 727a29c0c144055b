package dynamics

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/shared/fault"
)

// TestEveryCodeThatBlocksIsInTheRunbook finds the codes in the source: none can be forgotten.
func TestEveryCodeThatBlocksIsInTheRunbook(t *testing.T) {
	t.Parallel()
	runbook, err := os.ReadFile("runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	// What packages of all CRMs make of a name, and what has a constant.
	codes := map[string]bool{
		codeSchema: true, codeKey: true, codePrivilege: true, codeForbidden: true, "dynamics_tenant_unknown": true, "dynamics_not_bound": true, "dynamics_settings_invalid": true,
		"dynamics_unauthenticated": true, "dynamics_session_refused": true, "dynamics_redirected": true,
	}
	for _, m := range meanings() {
		codes[m.Code] = codes[m.Code] || m.Kind == fault.Blocked || m.Kind == fault.Throttled
	}
	blocked := regexp.MustCompile(`(?:Blocked, (?:Code: )?|[0-9]: )"(dynamics_[a-z_]+)"`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, match := range blocked.FindAllStringSubmatch(string(text), -1) {
			codes[match[1]] = true
		}
	}
	for code, blocks := range codes {
		if blocks && !strings.Contains(string(runbook), "`"+code+"`") {
			t.Errorf("%s is not in runbook.md", code)
		}
	}
	if len(codes) < 20 {
		t.Errorf("%d codes", len(codes))
	}
}
