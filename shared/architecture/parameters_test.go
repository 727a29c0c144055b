package architecture

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExpandedParametersReachTheAlias: SAM hashes a function as written, with references to parameters. What make deploy does
// to the built template is to publish a version of the functions that use a changed parameter, and of no others.
func TestExpandedParametersReachTheAlias(t *testing.T) {
	users := map[string]map[string]bool{} // by parameter
	for id, function := range expanded(t).of("AWS::Lambda::Function") {
		text, err := json.Marshal(function.Properties)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range regexp.MustCompile(`{"Ref":"(\w+)"}`).FindAllStringSubmatch(string(text), -1) {
			if users[ref[1]] == nil {
				users[ref[1]] = map[string]bool{}
			}
			users[ref[1]][id] = true
		}
	}
	// The first two lists are empty: nothing changes when nothing changed. What no function uses is changed together.
	arguments, order, rest := []string{"--resolve", filepath.Join(root(t), "template.yaml"), "--", "--"}, []string{}, []string{"--"}
	for name, parameter := range written(t).Parameters {
		change := name + "=" + another(parameter)
		if users[name] == nil {
			rest = append(rest, change)
			continue
		}
		order = append(order, name)
		arguments = append(arguments, change, "--")
	}
	all := expand(t, append(arguments[:len(arguments)-1], rest...)...)
	before := versions(all[0])
	order = slices.Concat([]string{"nothing"}, order, []string{"what no function uses"})
	if len(order) < 10 || len(all) != len(order)+1 {
		t.Fatalf("%d parameters of functions were found, and %d templates expanded", len(order), len(all))
	}
	for i, name := range order {
		for id, after := range versions(all[i+1]) {
			if changed := before[id] != after; changed != users[name][id] {
				t.Errorf("%s uses %s: %t; a new version of it is published: %t", id, name, users[name][id], changed)
			}
		}
	}
	for name, p := range all[0].Parameters {
		if allowed := list(p["AllowedValues"]); len(allowed) != 1 || allowed[0] != fmt.Sprint(p["Default"]) {
			t.Errorf("%s takes another value than the functions were given: %v", name, allowed)
		}
	}
}

func TestExpandedParametersAreChecked(t *testing.T) {
	for sentence, c := range map[string]struct{ parameter, reason string }{
		"a name that the template does not have is refused, which sam ignores":  {"PublicBaseURL=x", "no parameter PublicBaseURL"},
		"a value that is not allowed is refused before anything is built on it": {"Stage=qa", "one of dev, staging, prod"},
	} {
		t.Run(sentence, func(t *testing.T) {
			command := expansion(t, "--resolve", filepath.Join(root(t), "template.yaml"), c.parameter)
			said, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(said), c.reason) {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}

// another returns a value that the parameter allows and that is not its default.
func another(parameter map[string]any) string {
	if allowed, ok := parameter["AllowedValues"].([]any); ok {
		for _, value := range allowed {
			if fmt.Sprint(value) != fmt.Sprint(parameter["Default"]) {
				return fmt.Sprint(value)
			}
		}
	}
	if parameter["Type"] == "Number" {
		return fmt.Sprint(parameter["Default"]) + "1"
	}
	return "https://another.example"
}

// versions returns the logical id of the published version of each function.
func versions(tm template) map[string]string {
	found := map[string]string{}
	for id, v := range tm.of("AWS::Lambda::Version") {
		found[fmt.Sprint(at(v.Properties, "FunctionName", "Ref"))] = id
	}
	return found
}
