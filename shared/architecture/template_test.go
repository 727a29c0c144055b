package architecture

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

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

// written reads template.yaml; the short forms of intrinsic functions become the long ones.
func written(t *testing.T) template {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(source, &node); err != nil {
		t.Fatal(err)
	}
	return parsed(t, plain(t, node.Content[0]))
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
	if len(result.Resources) < 20 {
		t.Fatalf("only %d resources: the rules would be checked on nothing", len(result.Resources))
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

// at follows names through maps and answers nil where the path ends early.
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
		if strings.HasSuffix(name, "-simulate") || strings.HasSuffix(name, "-install") { // run by people
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

// TestCRMSNamesTheKindsThatHaveQueues: a tenant's CRM is accepted if its kind is on the list, and then has to have its queues.
func TestCRMSNamesTheKindsThatHaveQueues(t *testing.T) {
	tm := written(t)
	listed, _ := at(tm.Globals, "Function", "Environment", "Variables", "CRMS").(string)
	kinds := strings.Split(listed, ",")
	found := map[string][]string{}
	for _, q := range tm.of("AWS::SQS::Queue") {
		name, _ := at(q.Properties, "QueueName", "Fn::Sub").(string)
		for _, lane := range []string{"deliver", "receipts"} {
			kind, ok := strings.CutPrefix(strings.TrimSuffix(name, ".fifo"), "${AWS::StackName}-"+lane+"-")
			if ok && !strings.HasSuffix(kind, "-dead") && kind != "dead" {
				found[lane] = append(found[lane], kind)
			}
		}
	}
	for _, kind := range kinds {
		wantSchema(t, "connector/"+kind+"/crm")
		wantSchema(t, "connector/"+kind+"/settings")
	}
	slices.Sort(kinds)
	for lane, queues := range found {
		slices.Sort(queues)
		if !slices.Equal(kinds, queues) {
			t.Errorf("CRMS lists %v, queues of the lane %s are those of %v", kinds, lane, queues)
		}
	}
	if len(found) != 2 {
		t.Errorf("queues of %d lanes were found", len(found))
	}
}

// wantSchema wants what apply-tenant does not start without.
func wantSchema(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root(t), "functions", filepath.FromSlash(name)+".schema.json")); err != nil {
		t.Errorf("a plug-in says what tenants' files may hold of it: %v", err)
	}
}

// TestCHANNELSNamesTheReceivers: a tenant's account is accepted if its provider is on the list, and then something has to take its
// webhooks.
func TestCHANNELSNamesTheReceivers(t *testing.T) {
	deployed := written(t).of("AWS::Serverless::Function")
	listed, _ := at(deployed["ApplyTenant"].Properties, "Environment", "Variables", "CHANNELS").(string)
	var receivers []string
	for _, f := range deployed {
		code, _ := f.Properties["CodeUri"].(string)
		if provider, ok := strings.CutSuffix(path.Base(code), "-receive"); ok && code == "functions/adapter/"+provider+"/cmd/"+provider+"-receive" {
			receivers = append(receivers, provider)
			wantSchema(t, "adapter/"+provider+"/account")
		}
	}
	slices.Sort(receivers)
	if len(receivers) == 0 || listed != strings.Join(receivers, ",") {
		t.Errorf("CHANNELS lists %q, receivers are those of %v", listed, receivers)
	}
}

func TestEveryFunctionIsComplete(t *testing.T) {
	tm := written(t)
	for id, f := range tm.of("AWS::Serverless::Function") {
		for _, suffix := range []string{"Logs", "Role", "ErrorsAlarm", "CanaryAlarm"} {
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
		if !slices.Contains(list(at(f.Properties, "DeploymentPreference", "Alarms")), any(fmt.Sprint(map[string]any{"Ref": id + "CanaryAlarm"}))) {
			t.Errorf("%s: a deployment is to be rolled back by %sCanaryAlarm", id, id)
		}
		canary := tm.Resources[id+"CanaryAlarm"].Properties
		dimensions := fmt.Sprint(canary["Dimensions"])
		if canary["Namespace"] != "Signalbox" || !strings.Contains(dimensions, "Function") || !strings.Contains(dimensions, id+" Version.Version") {
			t.Errorf("%sCanaryAlarm is to watch an embedded metric by function and by the version being deployed: with partial batch responses Lambda's own Errors stays 0", id)
		}
		checkLast(t, tm, id, f)
	}
}

// checkLast wants a last resort for every way in: a queue for what SQS and asynchronous callers hand over. A synchronous
// caller (the HTTP API) has the answer itself, and the adapter keeps what it cannot read.
func checkLast(t *testing.T, tm template, id string, f resource) {
	t.Helper()
	events, _ := at(f.Properties, "Events").(map[string]any)
	asynchronous := len(events) == 0
	for name, event := range events {
		switch at(event, "Type") {
		case "Schedule":
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
			var q redrive.Asked
			input, _ := at(event, "Properties", "Input").(string)
			asked = asked || at(event, "Type") == "Schedule" && json.Unmarshal([]byte(input), &q) == nil && q.Action == redrive.Again
		}
		if !asked {
			t.Errorf("%s has no Schedule whose Input asks for the action %q", id, redrive.Again)
		}
		policies := fmt.Sprint(tm.Resources[id+"Role"].Properties["Policies"])
		if strings.Count(policies, "dynamodb:Query") != 1 || strings.Count(policies, "dynamodb:DeleteItem") != 1 || strings.Count(policies, "again/*") != 1 {
			t.Errorf("%sRole is to allow Query and DeleteItem of again/* alone", id)
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

func TestEveryAlarmHasItsRunbookPage(t *testing.T) {
	pages := filepath.Join(root(t), "shared", "operations", "runbooks")
	alarms := written(t).of("AWS::CloudWatch::Alarm")
	for id, alarm := range alarms {
		page := "shared/operations/runbooks/" + id + ".md"
		if !strings.Contains(fmt.Sprint(alarm.Properties["AlarmDescription"]), page) {
			t.Errorf("%s: AlarmDescription is to name %s", id, page)
		}
		text, err := os.ReadFile(filepath.Join(pages, id+".md"))
		if err != nil {
			t.Errorf("%s has no runbook page: %v", id, err)
			continue
		}
		for _, heading := range []string{"# " + id, "## What it means", "## What to look at", "## What to do"} {
			if !strings.Contains(string(text), heading+"\n") {
				t.Errorf("%s has no line %q", page, heading)
			}
		}
	}
	written, err := filepath.Glob(filepath.Join(pages, "*.md"))
	if err != nil || len(written) == 0 {
		t.Fatalf("no runbook pages: %v", err)
	}
	for _, page := range written {
		if _, ok := alarms[strings.TrimSuffix(filepath.Base(page), ".md")]; !ok {
			t.Errorf("%s is the page of no alarm", filepath.Base(page))
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
