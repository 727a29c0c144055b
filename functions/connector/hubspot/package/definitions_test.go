package definitions_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	definitions "signalbox/functions/connector/hubspot/package"
)

func TestTheRecipeNamesPropertiesThatAreInstalled(t *testing.T) {
	recipe, err := os.ReadFile("sequences.md")
	if err != nil {
		t.Fatal(err)
	}
	properties, err := definitions.Properties("contacts")
	if err != nil {
		t.Fatal(err)
	}
	labels := make(map[string]string, len(properties))
	for _, p := range properties {
		labels[p.Name] = p.Label
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\|").FindAllStringSubmatch(string(recipe), -1)
	if len(rows) != 2 {
		t.Errorf("%d properties in the recipe's table, want 2", len(rows))
	}
	for _, row := range rows {
		if labels[row[1]] != row[2] {
			t.Errorf("the recipe calls %s %q, its label is %q", row[1], row[2], labels[row[1]])
		}
		if strings.Count(string(recipe), "**"+row[2]+"**") == 0 {
			t.Errorf("the recipe does not say what to do with %q", row[2])
		}
	}
}

func TestThePagesNamePropertiesThatAreInstalled(t *testing.T) {
	installed := map[string]bool{}
	for _, object := range definitions.Objects() {
		properties, err := definitions.Properties(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range properties {
			installed[p.Name] = true
		}
	}
	for _, page := range []string{"people.md", "sequences.md", "timeline.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`(msg_\\w+)`").FindAllStringSubmatch(string(text), -1)
		if len(named) == 0 {
			t.Errorf("%s names no property", page)
		}
		for _, match := range named {
			if !installed[match[1]] {
				t.Errorf("%s names %s, which is not installed", page, match[1])
			}
		}
	}
}

func TestEveryPropertyIsInOurGroup(t *testing.T) {
	for _, object := range definitions.Objects() {
		properties, err := definitions.Properties(object)
		if err != nil || len(properties) == 0 {
			t.Fatalf("%s: %d properties, %v", object, len(properties), err)
		}
		for _, p := range properties {
			if p.GroupName != definitions.PropertyGroup().Name {
				t.Errorf("%s of %s is in the group %q", p.Name, object, p.GroupName)
			}
		}
	}
}
