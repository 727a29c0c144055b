package architecture

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExpandedParametersReachTheAlias: SAM hashes a function as written, with references to parameters. What make deploy does
// to the built template is to publish a version of the functions that use a changed parameter, and of no others. A list without one
// of its plug-ins changes the functions that use the list, and none of another plug-in's.
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
		value, ok := another(parameter)
		if !ok {
			continue
		}
		change := name + "=" + value
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
		// A list is a text by now: CloudFormation would hold the whole of it against the pattern of its items.
		if pattern, ok := p["AllowedPattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(fmt.Sprint(p["Default"])) {
			t.Errorf("%s does not take its own value %v: %s", name, p["Default"], pattern)
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

var update = flag.Bool("update", false, "write the files that say what the template has")

// TestParametersAreInTheDocumentation: the page is template.yaml's parameters as a table, in the template's order.
func TestParametersAreInTheDocumentation(t *testing.T) {
	page := filepath.Join(root(t), "shared", "docs", "parameters.md")
	var b strings.Builder
	b.WriteString(`# Parameters of template.yaml

Set them as ` + "`parameter_overrides` of an environment in `samconfig.toml`, and deploy with `make deploy ENV=<environment>`" + `: it publishes a
new version of the functions that use a changed one. Why ` + "`sam deploy`" + ` alone does not is in [ADR 17](adr/0017-parameters-are-literals.md).
This page is written by ` + "`go test ./shared/architecture -run InTheDocumentation -update`" + `.

| parameter | default | allowed | what it does |
|---|---|---|---|
`)
	tm := written(t)
	for _, name := range order(t) {
		p := tm.Parameters[name]
		byDefault := "none"
		if text := fmt.Sprint(p["Default"]); text != "" {
			byDefault = "`" + text + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, byDefault, allowed(p), strings.TrimSpace(fmt.Sprint(p["Description"])))
	}
	golden(t, page, b.String())
}

// golden compares a text with a file, which -update writes.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(held)); diff != "" {
		t.Errorf("write %s again with -update:\n%s", path, diff)
	}
}

// order returns the parameters' names as the template has them.
func order(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "\nParameters:\n")
	section, _, _ := strings.Cut(rest, "\nMappings:\n")
	var names []string
	for _, line := range regexp.MustCompile(`(?m)^  (\w+):`).FindAllStringSubmatch(section, -1) {
		names = append(names, line[1])
	}
	return names
}

// allowed returns what a parameter takes, in words.
func allowed(p map[string]any) string {
	smallest, largest := p["MinValue"], p["MaxValue"]
	switch values, listed := p["AllowedValues"].([]any); {
	case listed:
		return strings.Trim(fmt.Sprint(values), "[]")
	case smallest != nil && largest != nil:
		return fmt.Sprintf("%v to %v", smallest, largest)
	case smallest != nil:
		return fmt.Sprintf("%v or more", smallest)
	case largest != nil:
		return fmt.Sprintf("up to %v", largest)
	case p["ConstraintDescription"] != nil:
		return fmt.Sprint(p["ConstraintDescription"])
	case p["Type"] == "Number":
		return "a number"
	}
	return "a text"
}

// another returns a value that the parameter allows and that is not its default.
func another(parameter map[string]any) (value string, ok bool) {
	if allowed, ok := parameter["AllowedValues"].([]any); ok {
		for _, value := range allowed {
			if fmt.Sprint(value) != fmt.Sprint(parameter["Default"]) {
				return fmt.Sprint(value), true
			}
		}
	}
	if number, err := strconv.Atoi(fmt.Sprint(parameter["Default"])); err == nil {
		if fmt.Sprint(number) == fmt.Sprint(parameter["MaxValue"]) {
			return strconv.Itoa(number - 1), true
		}
		return strconv.Itoa(number + 1), true
	}
	if strings.Contains(fmt.Sprint(parameter["AllowedPattern"]), ":sns:") {
		return "arn:aws:sns:us-east-1:123456789012:alarms", true
	}
	if strings.Contains(fmt.Sprint(parameter["AllowedPattern"]), "127[.]0") {
		return "127.0.0.1:8080", true
	}
	if parameter["Type"] == "CommaDelimitedList" { // fewer than there are
		first, _, several := strings.Cut(fmt.Sprint(parameter["Default"]), ",")
		return first, several
	}
	return "https://another.example", true
}

// versions returns the logical id of the published version of each function; of one without an alias its text, which is in force
// at once.
func versions(tm template) map[string]string {
	found := map[string]string{}
	for id, f := range tm.of("AWS::Lambda::Function") {
		found[id] = fmt.Sprint(f.Properties)
	}
	for id, v := range tm.of("AWS::Lambda::Version") {
		found[fmt.Sprint(at(v.Properties, "FunctionName", "Ref"))] = id
	}
	return found
}

// TestParametersThatDoNotFitAreNotDeployed runs what make deploy runs between sam build and sam deploy.
func TestParametersThatDoNotFitAreNotDeployed(t *testing.T) {
	longer := "FunctionTimeoutSeconds=120 ClaimLeaseSeconds=125 VisibilitySeconds=135 ReceiptsVisibilitySeconds=740"
	for sentence, c := range map[string]struct{ parameters, refused string }{
		"the defaults nest":                                          {"", ""},
		"longer times that nest are deployed":                        {longer, ""},
		"a function does not outlive its claim's lease":              {"FunctionTimeoutSeconds=60", "FunctionTimeoutSeconds (60) is to be less than ClaimLeaseSeconds (35)"},
		"a message is not visible again while its claim is held":     {"ClaimLeaseSeconds=42", "ClaimLeaseSeconds (42) is to be less than VisibilitySeconds (42)"},
		"one call to a CRM fits into the work on a message":          {"CrmAttemptSeconds=20", "CrmAttemptSeconds (20) is to be less than MessageSeconds (20)"},
		"the work on a message ends before the function":             {"MessageSeconds=27", "MessageSeconds (27) is to be less than FunctionTimeoutSeconds - SoftMarginSeconds (27)"},
		"receipts are not visible again while they are gathered":     {"ReceiptsWindowSeconds=60 ReceiptsVisibilitySeconds=239", "6 * FunctionTimeoutSeconds + ReceiptsWindowSeconds (240) is to be at most ReceiptsVisibilitySeconds (239)"},
		"a longer function needs longer visibility of receipts, too": {strings.TrimSuffix(longer, "740") + "739", "6 * FunctionTimeoutSeconds + ReceiptsWindowSeconds (740) is to be at most ReceiptsVisibilitySeconds (739)"},
		"waits have a shortest that is not longer than the longest":  {"BackoffMinSeconds=901", "BackoffMinSeconds (901) is to be at most BackoffMaxSeconds (900)"},
		"a number with another sign in it is none":                   {"MessageSeconds=20s", "MessageSeconds is '20s': it is a whole number"},
		"a text is no number":                                        {"CrmMaximumConcurrency=abc", "CrmMaximumConcurrency is 'abc': it is a whole number"},
		"a number is not less than the smallest":                     {"CrmMaximumConcurrency=1", "CrmMaximumConcurrency is '1': it is 2 or more"},
		"nor more than the largest":                                  {"CrmMaximumConcurrency=1001", "CrmMaximumConcurrency is '1001': it is 1000 or less"},
		"a text has its pattern":                                     {"PublicBaseUrl=https://Hooks.Example.com/", "PublicBaseUrl is 'https://Hooks.Example.com/': it is https:// and a host in small letters"},
		"a variable is none":                                         {"PublicBaseUrl=https://${AWS::Region}.x", "PublicBaseUrl is 'https://${AWS::Region}.x': it is https://"},
		"a topic has an ARN":                                         {"AlarmTopicArn=alarms", "AlarmTopicArn is 'alarms': it is empty, or the ARN of an SNS topic"},
		"an ARN is deployed":                                         {"AlarmTopicArn=arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms", ""},
		"nothing may be said in quotes":                              {`AlarmTopicArn="" BackoffMinSeconds=3`, ""},
		"a value is not cut at a blank":                              {"AlarmTopicArn=not an arn", "resolve_parameters: 'an' is no parameter's value: write Name=value, and quotes around a value with blanks"},
		"a blank before a value is told":                             {"CrmMaximumConcurrency= 7", "resolve_parameters: '7' is no parameter's value"},
		"a blank around the sign is told":                            {"CrmMaximumConcurrency = 7", "resolve_parameters: 'CrmMaximumConcurrency' is no parameter's value"},
		"a parameter without a value is told":                        {"CrmMaximumConcurrency=", "resolve_parameters: CrmMaximumConcurrency= is not a valid format"},
		"a time that no function starts with is refused":             {"CrmAttemptSeconds=0", "CrmAttemptSeconds is '0': it is 1 or more"},
		"a margin does not make room by being negative":              {"SoftMarginSeconds=-100", "SoftMarginSeconds is '-100': it is 3 or more"},
		"a margin holds what is written at the end of a batch":       {"SoftMarginSeconds=2", "SoftMarginSeconds is '2': it is 3 or more"},
		"one CRM and one channel are deployed":                       {"Crms=hubspot Channels=twilio", ""},
		"a name is in small letters":                                 {"Crms=HubSpot", "Crms is 'HubSpot': it is one name or more, each once"},
		"a list has a name":                                          {`Crms=""`, "Crms is '': it is one name or more"},
		"a list has no name twice":                                   {"Channels=twilio,twilio", "Channels is 'twilio,twilio': it is one name or more, each once"},
		"nor one that is empty":                                      {"Crms=hubspot,", "Crms is 'hubspot,': it is one name or more"},
		"nor a blank":                                                {`Crms="hubspot, salesforce"`, "Crms is 'hubspot, salesforce': it is one name or more"},
		"a quote that is not closed is told":                         {`AlarmTopicArn="x`, "resolve_parameters: AlarmTopicArn=\"x: No closing quotation"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			python := os.Getenv(pythonVariable)
			if python == "" {
				t.Skip("needs what the SAM CLI reads its settings with: run make validate")
			}
			source, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			built := filepath.Join(t.TempDir(), "template.yaml")
			if err := os.WriteFile(built, source, 0o600); err != nil {
				t.Fatal(err)
			}
			arguments := []string{"shared/operations/resolve_parameters.py", built, "prod"}
			if c.parameters != "" {
				arguments = append(arguments, c.parameters)
			}
			command := exec.CommandContext(t.Context(), python, arguments...)
			command.Dir = root(t)
			said, err := command.CombinedOutput()
			if (err != nil) != (c.refused != "") || !strings.Contains(string(said), c.refused) || strings.Contains(string(said), "Traceback") {
				t.Errorf("%v: %s", err, said)
			}
			if after, _ := os.ReadFile(built); err != nil && !bytes.Equal(after, source) {
				t.Error("the template was changed all the same")
			}
		})
	}
}
