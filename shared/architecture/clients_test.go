package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEverySimulatorIsTriedByAClientNobodyHereWrote: a simulator that our connector alone has seen proves that the two agree.
// What make clients installs is pinned, so that a difference is a change of ours.
func TestEverySimulatorIsTriedByAClientNobodyHereWrote(t *testing.T) {
	simulators, err := filepath.Glob(filepath.Join(root(t), "functions/connector/*/simulator"))
	if err != nil || len(simulators) == 0 {
		t.Fatalf("no simulators: %v", err)
	}
	pinned := map[string]*regexp.Regexp{
		"requirements.txt": regexp.MustCompile(`^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][0-9A-Za-z.+]*$`),
		"npm.txt":          regexp.MustCompile(`^(@[a-z0-9-]+/)?[a-z0-9._-]+@[0-9]+\.[0-9]+\.[0-9]+$`),
	}
	for _, simulator := range simulators {
		if clients, _ := filepath.Glob(filepath.Join(simulator, "foreign", "*_client.*")); len(clients) == 0 {
			t.Errorf("%s/foreign holds no *_client.py or *_client.cjs", simulator)
		}
		for name, line := range pinned {
			content, err := os.ReadFile(filepath.Join(simulator, "foreign", name))
			if os.IsNotExist(err) && name == "npm.txt" {
				continue
			}
			if err != nil {
				t.Error(err)
			}
			for text := range strings.Lines(string(content)) {
				if text = strings.TrimSpace(text); text != "" && !strings.HasPrefix(text, "#") && !line.MatchString(text) {
					t.Errorf("%s/foreign/%s: %q is not pinned", simulator, name, text)
				}
			}
		}
	}
}
