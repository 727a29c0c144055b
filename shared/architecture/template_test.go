package architecture

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	model "signalbox/shared/dev/local/template"
	"signalbox/shared/redrive"

	"gopkg.in/yaml.v3"
)

// template is what the tests look at: parameters, resources and outputs as plain maps.
type template struct {
	Globals    map[string]any
	Parameters map[string]map[string]any
	Resources  map[string]resource
	Outputs    map[string]map[string]any
}

type resource struct {
	Type                string
	DeletionPolicy      string
	UpdateReplacePolicy string
	Metadata            map[string]any
	Properties          map[string]any
	UpdatePolicy        map[string]any
}

// UnmarshalJSON leaves out a loop, which is no resource until it is written out.
func (r *resource) UnmarshalJSON(data []byte) error {
	type fields resource
	if data[0] == '[' {
		return nil
	}
	return json.Unmarshal(data, (*fields)(r))
}

// written reads template.yaml with its loops written out, for parameters ("Name=value") or their defaults; the short forms of intrinsic functions become the long ones.
func written(t *testing.T, parameters ...string) template {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(source, &node); err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for name, p := range parsed(t, plain(t, node.Content[0])).Parameters {
		defaults[name] = fmt.Sprint(p["Default"])
	}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		defaults[name] = value
	}
	if err := model.Expand(node.Content[0], defaults); err != nil {
		t.Fatal(err)
	}
	tm := parsed(t, plain(t, node.Content[0]))
	if len(tm.Resources) < 20 {
		t.Fatalf("only %d resources: the rules would be checked on nothing", len(tm.Resources))
	}
	return tm
}

func parsed(t *testing.T, value any) template {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var result template
	if err := json.Unmarshal(encoded, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	var value any
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		value = m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(t, c))
		}
		value = list
	default:
		if strings.HasPrefix(n.Tag, "!!") {
			if err := n.Decode(&value); err != nil {
				t.Fatal(err)
			}
		} else {
			value = n.Value
		}
	}
	switch {
	case strings.HasPrefix(n.Tag, "!!") || n.Tag == "":
		return value
	case n.Tag == "!Ref":
		return map[string]any{"Ref": value}
	case n.Tag == "!GetAtt":
		name, attribute, _ := strings.Cut(n.Value, ".")
		return map[string]any{"Fn::GetAtt": []any{name, attribute}}
	default:
		return map[string]any{"Fn::" + n.Tag[1:]: value}
	}
}

func (tm template) of(kind string) map[string]resource {
	found := map[string]resource{}
	for name, r := range tm.Resources {
		if r.Type == kind {
			found[name] = r
		}
	}
	return found
}

// at follows names through maps and returns nil where the path ends early.
func at(value any, names ...string) any {
	for _, name := range names {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[name]
	}
	return value
}

// number returns a literal number, or the default of the parameter that is referred to.
func (tm template) number(t *testing.T, value any) float64 {
	t.Helper()
	if name, ok := at(value, "Ref").(string); ok {
		value = tm.Parameters[name]["Default"]
	}
	n, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	if err != nil {
		t.Fatalf("%v is not a number", value)
	}
	return n
}

func TestEveryEntryPointHasItsBlock(t *testing.T) {
	functions := written(t).of("AWS::Serverless::Function")
	byCode := map[string]string{}
	for id, f := range functions {
		byCode[strings.Trim(fmt.Sprint(f.Properties["CodeUri"]), "/")] = id
	}
	mains := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.syntax.Name.Name != "main" || f.test || !within(f.folder, "functions") {
			continue
		}
		mains[f.folder] = true
		name := path.Base(f.folder)
		id, ok := byCode[f.folder]
		if strings.HasSuffix(name, "-simulate") || strings.HasSuffix(name, "-relay") { // run by people
			if ok {
				t.Errorf("%s is never deployed, but template.yaml has %s", f.folder, id)
			}
			continue
		}
		if !ok {
			t.Errorf("%s has no AWS::Serverless::Function with that CodeUri in template.yaml", f.folder)
			continue
		}
		if kebab(id) != name {
			t.Errorf("%s is %s in template.yaml: the folder is to be called %s", f.folder, id, kebab(id))
		}
	}
	for code, id := range byCode {
		if !mains[code] {
			t.Errorf("%s points at %s, where no main.go is", id, code)
		}
	}
}

func kebab(id string) string {
	var b strings.Builder
	for i, r := range id {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// TestEveryPlugInSaysWhatATenantsFileMayHoldOfIt: apply-tenant does not start without the schemas of the channels and CRMs listed.
func TestEveryPlugInSaysWhatATenantsFileMayHoldOfIt(t *testing.T) {
	tm := written(t)
	for family, schemas := range map[string][]string{"adapter Channels": {"account"}, "connector Crms": {"crm", "settings"}} {
		folder, list, _ := strings.Cut(family, " ")
		for name := range strings.SplitSeq(fmt.Sprint(tm.Parameters[list]["Default"]), ",") {
			for _, schema := range schemas {
				if _, err := os.Stat(filepath.Join(root(t), "functions", folder, name, schema+".schema.json")); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestEveryFunctionIsComplete(t *testing.T) {
	tm := written(t)
	for id, f := range tm.of("AWS::Serverless::Function") {
		for _, suffix := range []string{"Logs", "Role", "ErrorsAlarm"} {
			if _, ok := tm.Resources[id+suffix]; !ok {
				t.Errorf("%s has no %s%s", id, id, suffix)
			}
		}
		if f.Metadata["BuildMethod"] != "go1.x" {
			t.Errorf("%s: Metadata BuildMethod is to be go1.x, which builds in place and finds go.mod", id)
		}
		if at(f.Properties, "LoggingConfig", "LogGroup", "Ref") != id+"Logs" {
			t.Errorf("%s: LoggingConfig is to name %sLogs", id, id)
		}
		checkLast(t, tm, id, f)
		if f.Properties["AutoPublishAlias"] == nil && isCalled(f) {
			continue
		}
		if !slices.Contains(list(at(f.Properties, "DeploymentPreference", "Alarms")), any(fmt.Sprint(map[string]any{"Ref": id + "CanaryAlarm"}))) {
			t.Errorf("%s: a deployment is to be rolled back by %sCanaryAlarm", id, id)
		}
		canary := tm.Resources[id+"CanaryAlarm"].Properties
		dimensions := fmt.Sprint(canary["Dimensions"])
		if canary["Namespace"] != "Signalbox" || !strings.Contains(dimensions, "Function") || !strings.Contains(dimensions, id+" Version.Version") {
			t.Errorf("%sCanaryAlarm is to watch an embedded metric by function and by the version being deployed: with partial batch responses Lambda's own Errors stays 0", id)
		}
	}
}

// isCalled reports whether a function is invoked by hand, by an operator's request, or by a schedule for what it could also be asked for by
// hand: who does so sees that it fails, so that it needs no canary.
func isCalled(f resource) bool {
	events, _ := at(f.Properties, "Events").(map[string]any)
	for _, event := range events {
		operators := at(event, "Properties", "Auth", "Authorizer") == "AWS_IAM"
		if at(event, "Type") != "ScheduleV2" && !operators {
			return false
		}
	}
	return true
}

// checkLast wants a last resort for every way in: a queue for what SQS and asynchronous callers hand over. A synchronous
// caller (the HTTP API) has the answer itself, and the adapter keeps what it cannot read.
func checkLast(t *testing.T, tm template, id string, f resource) {
	t.Helper()
	events, _ := at(f.Properties, "Events").(map[string]any)
	asynchronous := len(events) == 0
	for name, event := range events {
		switch at(event, "Type") {
		case "Schedule", "ScheduleV2":
			asynchronous = true
		case "SQS":
			queue, _ := at(event, "Properties", "Queue", "Fn::GetAtt").([]any)
			if len(queue) == 0 {
				t.Errorf("%s.%s: Queue is to be !GetAtt of a queue of this template", id, name)
				continue
			}
			source := fmt.Sprint(queue[0])
			if _, dead := tm.Resources[source].Properties["RedrivePolicy"]; !dead && !strings.HasSuffix(source, "DeadLetters") {
				t.Errorf("%s.%s: %s has no dead-letter queue", id, name, source)
			}
		}
	}
	// ApplyTenant is invoked by hand and waited for; a dead-letter queue would keep the credentials of its event.
	if keeps := at(f.Properties, "DeadLetterQueue") != nil; asynchronous && keeps == (id == "ApplyTenant") {
		t.Errorf("%s: what is invoked asynchronously has a DeadLetterQueue, and ApplyTenant never has", id)
	}
}

// TestWhatPassesByItselfIsParsedAgainByASchedule: every channel's function that parses again is asked to by a schedule, and may
// work through the list of what waits and nothing else of its table.
func TestWhatPassesByItselfIsParsedAgainByASchedule(t *testing.T) {
	tm, found := written(t), 0
	for id, f := range tm.of("AWS::Serverless::Function") {
		if !strings.HasSuffix(id, "Reparse") {
			continue
		}
		found++
		asked := false
		events, _ := at(f.Properties, "Events").(map[string]any)
		for _, event := range events {
			var q redrive.Common
			input, _ := at(event, "Properties", "Input").(string)
			asked = asked || at(event, "Type") == "ScheduleV2" && json.Unmarshal([]byte(input), &q) == nil && q.Action == redrive.Again
		}
		if !asked {
			t.Errorf("%s has no Schedule whose Input asks for the action %q", id, redrive.Again)
		}
		policies := fmt.Sprint(tm.Resources[id+"Role"].Properties["Policies"])
		lists := strings.Count(policies, "dynamodb:Query") == 3 && strings.Count(policies, "/provider-account") == 1 // of accounts, whose provider may be asked
		if !lists || strings.Count(policies, "dynamodb:DeleteItem") != 2 || strings.Count(policies, "again/*") != 1 || strings.Count(policies, "*/told") != 1 {
			t.Errorf("%sRole is to allow Query and DeleteItem of again/* and, for what its provider is told, */told alone, and Query of its provider's accounts", id)
		}
	}
	if found == 0 {
		t.Error("no function parses again")
	}
}

// list returns the elements of a list as printed, which is enough to compare intrinsic functions.
func list(value any) []any {
	elements, _ := value.([]any)
	printed := make([]any, len(elements))
	for i, e := range elements {
		printed[i] = fmt.Sprint(e)
	}
	return printed
}

// TestEveryAlarmOnAMetricOfOursWatchesTheStack: an alarm that lists functions says nothing of the next channel or CRM, takes at
// most ten, and metric math is unknown to emulators.
func TestEveryAlarmOnAMetricOfOursWatchesTheStack(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "        STACK: !Ref AWS::StackName\n") {
		t.Error("Globals are to give every function STACK, which its metrics carry")
	}
	stack := fmt.Sprint([]any{map[string]any{"Name": "Stack", "Value": map[string]any{"Ref": "AWS::StackName"}}})
	for id, alarm := range written(t).of("AWS::CloudWatch::Alarm") {
		if alarm.Properties["Metrics"] != nil {
			t.Errorf("%s computes with metrics: watch one metric by the dimension Stack", id)
		}
		if alarm.Properties["Namespace"] == "Signalbox" && !strings.HasSuffix(id, "CanaryAlarm") && fmt.Sprint(alarm.Properties["Dimensions"]) != stack {
			t.Errorf("%s is to watch its metric by the dimension Stack alone", id)
		}
	}
}

// TestEveryAlarmHasItsRunbook: a page of its own, or a part of the page in its plug-in's folder.
func TestEveryAlarmHasItsRunbook(t *testing.T) {
	used, texts := map[string]map[string]bool{}, map[string]string{}
	for id, alarm := range written(t).of("AWS::CloudWatch::Alarm") {
		link := regexp.MustCompile(`(functions/[a-z0-9/]+/runbook\.md)#(\w+)|(shared/operations/runbooks/(\w+)\.md)`).FindStringSubmatch(fmt.Sprint(alarm.Properties["AlarmDescription"]))
		if link == nil || link[4] != "" && link[4] != id || link[2] != "" && !strings.HasSuffix(id, link[2]) {
			t.Errorf("%s: AlarmDescription is to name shared/operations/runbooks/%s.md, or its plug-in's runbook.md#<the end of its name>", id, id)
			continue
		}
		page, heading, level := link[3], "# "+id, "## "
		if page == "" {
			page, heading, level = link[1], "## "+link[2], "### "
		}
		if texts[page] == "" {
			text, err := os.ReadFile(filepath.Join(root(t), page))
			if err != nil {
				t.Errorf("%s has no runbook: %v", id, err)
				continue
			}
			texts[page], used[page] = string(text)+"\n"+level[1:], map[string]bool{}
		}
		used[page][heading] = true
		_, part, found := strings.Cut(texts[page], heading+"\n")
		part, _, _ = strings.Cut(part, "\n"+level[1:])
		if !found {
			t.Errorf("%s has no line %q", page, heading)
		}
		for _, what := range []string{"What it means", "What to look at", "What to do"} {
			if found && !strings.Contains(part, level+what+"\n") {
				t.Errorf("%s, %s: there is no line %q", page, heading, level+what)
			}
		}
	}
	for _, pattern := range []string{"shared/operations/runbooks/*.md", "functions/*/*/runbook.md"} {
		pages, err := filepath.Glob(filepath.Join(root(t), filepath.FromSlash(pattern)))
		if err != nil || len(pages) == 0 {
			t.Fatalf("no runbooks %s: %v", pattern, err)
		}
		for _, file := range pages {
			page, _ := filepath.Rel(root(t), file)
			page = filepath.ToSlash(page)
			if used[page] == nil {
				t.Errorf("%s is the runbook of no alarm", page)
			}
			for _, heading := range regexp.MustCompile(`(?m)^## \w+Alarm$`).FindAllString(texts[page], -1) {
				if !used[page][heading] {
					t.Errorf("%s: %s is no alarm's", page, heading)
				}
			}
		}
	}
}

func TestTimesNest(t *testing.T) {
	tm := written(t)
	second := func(name string) float64 { return tm.number(t, map[string]any{"Ref": name}) }
	function := second("FunctionTimeoutSeconds")
	order := []struct {
		name  string
		value float64
	}{
		{"CrmAttemptSeconds", second("CrmAttemptSeconds")},
		{"MessageSeconds", second("MessageSeconds")},
		{"FunctionTimeoutSeconds - SoftMarginSeconds", function - second("SoftMarginSeconds")},
		{"FunctionTimeoutSeconds", function},
		{"ClaimLeaseSeconds", second("ClaimLeaseSeconds")},
		{"VisibilitySeconds", second("VisibilitySeconds")},
		{"what a killed function may hold its threads for", 45},
	}
	for i := 1; i < len(order); i++ {
		if order[i-1].value >= order[i].value {
			t.Errorf("%s (%v) is to be less than %s (%v)", order[i-1].name, order[i-1].value, order[i].name, order[i].value)
		}
	}
}

func TestParametersAndOutputsAreDescribed(t *testing.T) {
	tm := written(t)
	for name, p := range tm.Parameters {
		if len(fmt.Sprint(p["Description"])) < 20 {
			t.Errorf("parameter %s: say what it is and what follows from it", name)
		}
	}
	if len(tm.Outputs) == 0 {
		t.Error("the template has no outputs")
	}
	for name, o := range tm.Outputs {
		if o["Description"] == nil {
			t.Errorf("output %s has no description", name)
		}
	}
}
