package architecture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"gopkg.in/yaml.v3"

	"signalbox/shared/redrive"
)

// pythonVariable names the environment variable that holds the path of a Python with AWS's own translator. It is set by
// make validate. Without it only the tests on the template as written run.
const pythonVariable = "SAM_PYTHON"

var expansions sync.Map // results of expand by its arguments

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

// expanded returns the template as AWS's translator expands it with these parameters ("Name=value"); the others have their defaults.
func expanded(t *testing.T, parameters ...string) template {
	t.Helper()
	return expand(t, append([]string{filepath.Join(root(t), "template.yaml")}, parameters...)...)[0]
}

// expansion returns the command that runs expand.py, whose text says what the arguments are.
func expansion(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Skip("needs AWS's translator: run make validate")
	}
	return exec.CommandContext(t.Context(), python, append([]string{"expand.py"}, arguments...)...)
}

// expand returns one template for each list of parameters. Tests share what they only read.
func expand(t *testing.T, arguments ...string) []template {
	t.Helper()
	key := strings.Join(arguments, " ")
	if known, ok := expansions.Load(key); ok {
		return known.([]template) //nolint:forcetypeassert // stored below
	}
	command := expansion(t, arguments...)
	command.Stderr = t.Output()
	source, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []template
	for decoder := json.NewDecoder(bytes.NewReader(source)); decoder.More(); {
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		results = append(results, parsed(t, value))
	}
	expansions.Store(key, results)
	return results
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

// number answers a literal number, or the default of the parameter that is referred to.
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
		if strings.HasSuffix(name, "-simulate") {
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

// list answers the elements of a list as printed, which is enough to compare intrinsic functions.
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

// TestExpandedWithoutCanaries: clouds without CodeDeploy, as emulators are, can take the template.
func TestExpandedWithoutCanaries(t *testing.T) {
	tm := expanded(t, "CanaryDeployments=false")
	for id, r := range tm.Resources {
		if strings.HasPrefix(r.Type, "AWS::CodeDeploy::") || r.UpdatePolicy["CodeDeployLambdaAliasUpdate"] != nil {
			t.Errorf("%s (%s) needs CodeDeploy", id, r.Type)
		}
	}
}

// TestExpandedQueuePolicies: SQS takes a policy for the queue that has it and refuses one that names another.
func TestExpandedQueuePolicies(t *testing.T) {
	tm := expanded(t)
	covered := map[any]bool{}
	for id, p := range tm.of("AWS::SQS::QueuePolicy") {
		queues := list(p.Properties["Queues"])
		for _, q := range queues {
			covered[q] = true
		}
		statements, _ := at(p.Properties, "PolicyDocument", "Statement").([]any)
		for _, s := range statements {
			resource := at(s, "Resource")
			own := len(queues) == 1 && queues[0] == fmt.Sprint(map[string]any{"Ref": list(at(resource, "Fn::GetAtt"))[0]})
			if resource != "*" && !own {
				t.Errorf("%s.%v is set on %d queues and names %v: name the one queue, or * which is the queue itself", id, at(s, "Sid"), len(queues), resource)
			}
		}
	}
	for id := range tm.of("AWS::SQS::Queue") {
		if !covered[fmt.Sprint(map[string]any{"Ref": id})] {
			t.Errorf("%s takes requests over plain HTTP: add it to QueuesRefusePlainHttp", id)
		}
	}
}

func TestExpandedFunctions(t *testing.T) {
	tm := expanded(t)
	for id, f := range tm.of("AWS::Lambda::Function") {
		if f.Properties["Runtime"] != "provided.al2023" || fmt.Sprint(f.Properties["Architectures"]) != "[map[Ref:Architecture]]" {
			t.Errorf("%s is to run under provided.al2023 on the processor that is a parameter", id)
		}
		if variables := fmt.Sprint(at(f.Properties, "Environment", "Variables", "AWS_ENDPOINT_URL")); !strings.Contains(variables, "EndpointUrl") {
			t.Errorf("%s is to declare AWS_ENDPOINT_URL: sam local drops what a template does not declare", id)
		}
		if tm.Resources[id+"Aliaslive"].UpdatePolicy["CodeDeployLambdaAliasUpdate"] == nil {
			t.Errorf("%s: its alias is to be moved by CodeDeploy", id)
		}
	}
	for id, m := range tm.of("AWS::Lambda::EventSourceMapping") {
		if !strings.Contains(fmt.Sprint(m.Properties["FunctionName"]), "Aliaslive") {
			t.Errorf("%s is to invoke the alias, or no canary is one", id)
		}
		if at(m.Properties, "ScalingConfig", "MaximumConcurrency") == nil {
			t.Errorf("%s has no maximum concurrency", id)
		}
		if fmt.Sprint(m.Properties["FunctionResponseTypes"]) != "[ReportBatchItemFailures]" {
			t.Errorf("%s is to report batch item failures", id)
		}
		checkBatch(t, tm, id, m)
		checkVisibility(t, tm, id, m)
	}
	for id, r := range tm.of("AWS::Events::Rule") {
		if !strings.Contains(fmt.Sprint(r.Properties["Targets"]), "Aliaslive") {
			t.Errorf("%s is to invoke the alias", id)
		}
	}
	if body := fmt.Sprint(tm.Resources["Gateway"].Properties["Body"]); !strings.Contains(body, "Aliaslive") {
		t.Error("the HTTP API is to invoke the alias")
	}
	for id, s := range tm.of("AWS::ApiGatewayV2::Stage") {
		if s.Properties["AccessLogSettings"] == nil {
			t.Errorf("%s has no access log", id)
		}
	}
}

// checkBatch wants at most ten messages of a FIFO queue in a batch, and a window where there may be more.
func checkBatch(t *testing.T, tm template, id string, mapping resource) {
	t.Helper()
	source, _ := at(mapping.Properties, "EventSourceArn", "Fn::GetAtt").([]any)
	if tm.number(t, mapping.Properties["BatchSize"]) <= 10 || len(source) == 0 {
		return
	}
	if tm.Resources[fmt.Sprint(source[0])].Properties["FifoQueue"] != nil {
		t.Errorf("%s: a FIFO mapping takes at most ten messages", id)
	}
	if mapping.Properties["MaximumBatchingWindowInSeconds"] == nil {
		t.Errorf("%s: Lambda wants a batching window for more than ten messages", id)
	}
}

func checkVisibility(t *testing.T, tm template, id string, mapping resource) {
	t.Helper()
	alias, _ := at(mapping.Properties, "FunctionName", "Ref").(string)
	function := tm.Resources[strings.TrimSuffix(alias, "Aliaslive")]
	source, _ := at(mapping.Properties, "EventSourceArn", "Fn::GetAtt").([]any)
	if len(source) == 0 {
		t.Errorf("%s: its queue is not of this template", id)
		return
	}
	queue := tm.Resources[fmt.Sprint(source[0])]
	visibility, timeout := tm.number(t, queue.Properties["VisibilityTimeout"]), tm.number(t, function.Properties["Timeout"])
	window := 0.0
	if value := mapping.Properties["MaximumBatchingWindowInSeconds"]; value != nil {
		window = tm.number(t, value)
	}
	least, why := 6*timeout+window, "six times its time-out and its window, as AWS advises"
	if queue.Properties["FifoQueue"] != nil {
		least, why = tm.number(t, map[string]any{"Ref": "ClaimLeaseSeconds"})+1, "the claim's lease, which is longer than its time-out: a thread stands still for as long"
	}
	if visibility < max(least, timeout+1) {
		t.Errorf("%s: visibility %v s is to be more than %s", id, visibility, why)
	}
}

func TestExpandedQueues(t *testing.T) {
	tm := expanded(t)
	for id, q := range tm.of("AWS::SQS::Queue") {
		if q.Properties["KmsMasterKeyId"] == nil {
			t.Errorf("%s is not encrypted with the customer-managed key", id)
		}
		if tm.number(t, q.Properties["MessageRetentionPeriod"]) != 14*24*3600 {
			t.Errorf("%s is to keep messages for 14 days", id)
		}
		if q.Properties["FifoQueue"] == nil {
			continue
		}
		if q.Properties["DeduplicationScope"] != "messageGroup" || q.Properties["FifoThroughputLimit"] != "perMessageGroupId" {
			t.Errorf("%s: high throughput needs DeduplicationScope messageGroup and FifoThroughputLimit perMessageGroupId", id)
		}
		if strings.HasSuffix(id, "DeadLetters") {
			if at(q.Properties, "RedriveAllowPolicy", "redrivePermission") != "byQueue" {
				t.Errorf("%s is to say whose dead letters it takes", id)
			}
			continue
		}
		target, _ := at(q.Properties, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt").([]any)
		if len(target) == 0 || tm.Resources[fmt.Sprint(target[0])].Properties["FifoQueue"] != true {
			t.Errorf("%s needs a FIFO dead-letter queue of this template", id)
		}
		if tm.number(t, at(q.Properties, "RedrivePolicy", "maxReceiveCount")) != 1000 {
			t.Errorf("%s: attempts are counted in the claim, so that maxReceiveCount is 1000", id)
		}
	}
}

// TestExpandedDataSurvivesTheStack: what holds data is kept when the stack goes, but not when its creation is rolled back: it
// would be in the way of the next one.
func TestExpandedDataSurvivesTheStack(t *testing.T) {
	tm, found := expanded(t), 0
	for id, r := range tm.Resources {
		if !slices.Contains([]string{"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::KMS::Key", "AWS::SecretsManager::Secret"}, r.Type) {
			continue
		}
		found++
		if r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s: DeletionPolicy is to be RetainExceptOnCreate and UpdateReplacePolicy Retain, not %q and %q", id, r.DeletionPolicy, r.UpdateReplacePolicy)
		}
	}
	if found < 15 {
		t.Errorf("only %d resources with data were found", found)
	}
}

func TestExpandedState(t *testing.T) {
	tm := expanded(t)
	for id, table := range tm.of("AWS::DynamoDB::Table") {
		if protected := fmt.Sprint(table.Properties["DeletionProtectionEnabled"]); protected != "map[Fn::If:[TakesWebhooks true false]]" {
			t.Errorf("%s is to be protected from deletion once webhooks arrive, and not before: the first rollback could not delete it", id)
		}
		if at(table.Properties, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
			t.Errorf("%s has no point-in-time recovery", id)
		}
		if days := at(table.Properties, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays"); id == "PersonKeysTable" && fmt.Sprint(days) != "1" {
			t.Errorf("%s can be recovered for %v days: an erased key would come back", id, days)
		}
		if at(table.Properties, "TimeToLiveSpecification", "Enabled") != true {
			t.Errorf("%s does not remove what has expired", id)
		}
		if at(table.Properties, "SSESpecification", "SSEType") != "KMS" || at(table.Properties, "SSESpecification", "KMSMasterKeyId") == nil {
			t.Errorf("%s is not encrypted with the customer-managed key", id)
		}
	}
	for id, key := range tm.of("AWS::KMS::Key") {
		if key.Properties["EnableKeyRotation"] != true {
			t.Errorf("%s is to be rotated", id)
		}
	}
	for id, s := range tm.of("AWS::SecretsManager::Secret") {
		if s.Properties["KmsKeyId"] == nil {
			t.Errorf("%s is to be encrypted with the customer-managed key", id)
		}
	}
	for id, g := range tm.of("AWS::Logs::LogGroup") {
		if g.Properties["RetentionInDays"] == nil || g.Properties["KmsKeyId"] == nil {
			t.Errorf("%s needs retention and the customer-managed key", id)
		}
	}
}

func TestExpandedPoliciesAreLeast(t *testing.T) {
	tm := expanded(t)
	roles := 0
	for id, role := range tm.of("AWS::IAM::Role") {
		if id == "CodeDeployServiceRole" { // made by the transform, for CodeDeploy alone
			continue
		}
		roles++
		if role.Properties["ManagedPolicyArns"] != nil {
			t.Errorf("%s takes a managed policy: those allow more than one function needs", id)
		}
		policies, _ := role.Properties["Policies"].([]any)
		for _, p := range policies {
			statements, _ := at(p, "PolicyDocument", "Statement").([]any)
			for _, s := range statements {
				checkStatement(t, id, s)
			}
		}
	}
	if functions := len(tm.of("AWS::Lambda::Function")); roles != functions {
		t.Errorf("%d roles for %d functions: each has its own", roles, functions)
	}
}

func checkStatement(t *testing.T, role string, statement any) {
	t.Helper()
	sid := fmt.Sprint(at(statement, "Sid"))
	for _, action := range list(at(statement, "Action")) {
		if strings.Contains(fmt.Sprint(action), "*") {
			t.Errorf("%s.%s allows %v: name the actions", role, sid, action)
		}
	}
	resources := at(statement, "Resource")
	if fmt.Sprint(resources) == "*" || slices.Contains(list(resources), any("*")) {
		t.Errorf("%s.%s allows every resource: name them", role, sid)
	}
}
