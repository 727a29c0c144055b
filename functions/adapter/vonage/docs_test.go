package vonage

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThePageNamesEveryCode that the channel gives up with or refuses with.
func TestThePageNamesEveryCode(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range regexp.MustCompile(`(?:malformed|rejected)\("(\w+)"\)`).FindAllStringSubmatch(string(source), -1) {
			if codes++; !strings.Contains(string(page), "`"+found[1]+"`") {
				t.Errorf("%s has %s, of which README.md says nothing", file, found[1])
			}
		}
	}
	if codes < 12 {
		t.Errorf("only %d codes were found", codes)
	}
}
