package connectortest

import (
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
)

// Advised fails the test unless a CRM has advice on every code that its folder, which is the test's own, can give, and on those that it has
// in common with all others. Their codes begin with the CRM's kind; except are words that do and are none.
func Advised(t *testing.T, crm connector.Adviser, kind string, except ...string) {
	t.Helper()
	codes := []string{hosts.CodeRefused}
	for _, common := range []string{
		"base_url_invalid", "timeout", "unreachable", "reply_undecodable", "reply_too_large", "request_unencodable", "unauthenticated", "forbidden",
		"path_unknown", "redirected", "refused", "too_long", "unavailable", "tenant_unknown", "not_bound", "settings_invalid",
	} {
		codes = append(codes, kind+"_"+common)
	}
	folder := os.DirFS(".")
	files, err := fs.Glob(folder, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`"(` + kind + `_[a-z_]+[a-z])"`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := fs.ReadFile(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range literal.FindAllSubmatch(source, -1) {
			codes = append(codes, string(match[1]))
		}
	}
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		switch said := crm.Advice(code); {
		case slices.Contains(except, code):
		case said == "":
			t.Errorf("nobody is told what to do about %s", code)
		case len(said) > 400 || strings.TrimSpace(said) != said || strings.Contains(said, "\n"):
			t.Errorf("%s: %q is no line", code, said)
		}
	}
	if said := crm.Advice("goat"); said != "" {
		t.Errorf("of what nobody knows it is said %q", said)
	}
}

// advised fails the test unless the CRM has advice on a fault that keeps a tenant's deliveries waiting.
func (w *world[R]) advised(err error) {
	w.t.Helper()
	f := fault.Of(err)
	if f == nil || f.Kind != fault.Blocked {
		return
	}
	logger, _ := w.logs()
	if adviser, ok := w.New(&http.Client{}, logger).(connector.Adviser); !ok || adviser.Advice(f.Code) == "" {
		w.t.Errorf("nobody is told what to do about %s", f.Code)
	}
}
