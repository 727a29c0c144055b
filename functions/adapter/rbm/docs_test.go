package rbm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThePageNamesEveryCode that the channel gives up with, and every type of event that it knows.
func TestThePageNamesEveryCode(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range regexp.MustCompile(`malformed\("(\w+)"\)|"([A-Z]+_?[A-Z_]+)"`).FindAllStringSubmatch(string(source), -1) {
			word := found[1] + found[2]
			if words++; word != "ACTION" && !strings.Contains(string(page), "`"+word+"`") {
				t.Errorf("%s has %s, of which README.md says nothing", file, word)
			}
		}
	}
	if words < 14 {
		t.Errorf("only %d words were found", words)
	}
}
