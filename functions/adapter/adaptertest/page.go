package adaptertest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codes finds what a channel gives up with, or refuses with, in its source.
var codes = regexp.MustCompile(`(?:malformed\(|rejected\(|fail\(|fault\.(?:Permanent|Rejected), )"(\w+)"`)

// page checks that README.md, where a channel has one, names every code of its dead letters and refusals, and says what is lost by a cut.
func page(t *testing.T) {
	if _, err := os.Stat("README.md"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("its page is elsewhere")
	}
	Named(t, codes)
	text, err := os.ReadFile("README.md")
	if err != nil || !strings.Contains(string(text), "\n## After a cut\n") {
		t.Errorf("README.md does not say what becomes of webhooks that nobody took, under \"After a cut\": %v", err)
	}
}

// Named checks that README.md names what a pattern finds in the source beside it, and returns how often that is. What it finds is its last group.
func Named(t testing.TB, pattern *regexp.Regexp) (found int) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := fs.ReadFile(os.DirFS("."), file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, match := range pattern.FindAllStringSubmatch(string(source), -1) {
			word := match[len(match)-1]
			if found++; !strings.Contains(string(text), "`"+word+"`") {
				t.Errorf("%s has %s, of which README.md says nothing", file, word)
			}
		}
	}
	return found
}
