package architecture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// pythonVariable names the environment variable that holds the path of a Python with AWS's own translator. It is set by
// make validate. Without it only the tests on the template as written run.
const pythonVariable = "SAM_PYTHON"

var expansions sync.Map // results of expand by its arguments

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

// TestExpandedLoopsAreThoseOfSAM: the local reader writes out loops and mappings as the SAM CLI does, whose text is deployed.
func TestExpandedLoopsAreThoseOfSAM(t *testing.T) {
	for _, parameters := range [][]string{nil, {"Channels=outreach", "Crms=salesforce,hubspot"}} {
		sam := expand(t, append([]string{"--loops", filepath.Join(root(t), "template.yaml")}, parameters...)...)[0]
		if diff := cmp.Diff(sam.Resources, written(t, parameters...).Resources); diff != "" {
			t.Errorf("%v (-SAM +here): %s", parameters, diff)
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
		if alias, ok := tm.Resources[id+"Aliaslive"]; ok && alias.UpdatePolicy["CodeDeployLambdaAliasUpdate"] == nil {
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

// TestExpandedRoutesOfOperatorsAreSigned: what tells how tenants' CRMs are is behind IAM; a provider could not sign so.
func TestExpandedRoutesOfOperatorsAreSigned(t *testing.T) {
	paths, _ := at(expanded(t).Resources["Gateway"].Properties, "Body", "paths").(map[string]any)
	operators := 0
	for path, methods := range paths {
		for method, operation := range methods.(map[string]any) { //nolint:forcetypeassert // OpenAPI
			signed := strings.Contains(fmt.Sprint(at(operation, "security")), "AWS_IAM")
			if ours := strings.HasPrefix(path, "/v1/connectors/"); signed != ours {
				t.Errorf("%s %s asks for credentials of IAM: %t", method, path, signed)
			} else if ours {
				operators++
			}
		}
	}
	if operators != 2 {
		t.Errorf("%d routes are the operators': %v", operators, paths)
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
			if at(q.Properties, "RedriveAllowPolicy", "redrivePermission") == nil {
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
		if !slices.Contains([]string{"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::S3::Bucket"}, r.Type) {
			continue
		}
		found++
		if r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s: DeletionPolicy is to be RetainExceptOnCreate and UpdateReplacePolicy Retain, not %q and %q", id, r.DeletionPolicy, r.UpdateReplacePolicy)
		}
	}
	if found < 10 {
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
		if strings.Contains(fmt.Sprint(role.Properties["AssumeRolePolicyDocument"]), "lambda.amazonaws.com") {
			roles++
		}
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

// TestExpandedRightsAreWhatTheyWere holds every right of every role: who changes one changes the file, and somebody reads it.
func TestExpandedRightsAreWhatTheyWere(t *testing.T) {
	tm := expanded(t)
	var lines []string
	for id, role := range tm.of("AWS::IAM::Role") {
		policies, _ := role.Properties["Policies"].([]any)
		for _, p := range policies {
			statements, _ := at(p, "PolicyDocument", "Statement").([]any)
			for _, s := range statements {
				only := ""
				if branches, ok := at(s, "Fn::If").([]any); ok {
					s, only = branches[1], fmt.Sprintf(" if %v", branches[0])
				}
				condition, err := json.Marshal(at(s, "Condition"))
				if err != nil {
					t.Fatal(err)
				}
				resources := []any{at(s, "Resource")}
				if several, ok := resources[0].([]any); ok {
					resources = several
				}
				for _, action := range list(at(s, "Action")) {
					for _, resource := range resources {
						lines = append(lines, fmt.Sprintf("%s %s %v %s%s", id, action, resource, condition, only))
					}
				}
			}
		}
	}
	slices.Sort(lines)
	golden(t, filepath.Join("testdata", "rights.txt"), strings.Join(lines, "\n")+"\n")
}

// TestExpandedStackFitsCloudFormation: 500 resources are a stack's limit. Nine functions that are still to come are counted, and thirty resources stay free.
func TestExpandedStackFitsCloudFormation(t *testing.T) {
	of := func(parameters ...string) int { return len(expanded(t, parameters...).Resources) }
	base := of("Channels=twilio", "Crms=hubspot")
	channel, crm := of("Channels=twilio,outreach", "Crms=hubspot")-base, of("Channels=twilio", "Crms=hubspot,salesforce")-base
	if channel > 9+5 || crm > 28 {
		t.Errorf("a channel has %d resources, of 9 for what receives and 5 for what parses again; a CRM %d, of 28", channel, crm)
	}
	shared, functions := base-channel-crm, 0
	for id := range written(t).of("AWS::Serverless::Function") {
		if unicode.IsUpper(rune(id[0])) {
			functions++
		}
	}
	own := 0 // of the functions that serve every plug-in
	for id := range expanded(t).Resources {
		for _, name := range []string{"Route", "Media", "RecordDeadLetter", "SpoolDrain", "ApplyTenant", "Redrive", "Replay"} {
			if strings.HasPrefix(id, name) {
				own++
				break
			}
		}
	}
	sum := shared + 12*channel + 4*crm + (9*own+functions-1)/functions
	t.Logf("%d resources; %d a channel, %d a CRM, %d of %d functions; with twelve channels, four CRMs and nine more functions %d",
		of(), channel, crm, own, functions, sum)
	if sum > 470 {
		t.Errorf("twelve channels, four CRMs and nine more functions are %d resources, of 470", sum)
	}
	source, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(source, []byte("\n")); lines > 1000 {
		t.Errorf("template.yaml has %d lines, of 1000", lines)
	}
}

// checkPartiQL holds a right to run statements to name its partitions, and to be met by no request without one: ForAllValues alone
// is true of a request that has no leading key. An event's partition has its record and claims, a thread's what is shown together.
// Statements are for what works on batches; what faces the Internet takes none.
func checkPartiQL(t *testing.T, at string, statement any) {
	t.Helper()
	role, _, _ := strings.Cut(at, ".")
	if role != "RouteRole" && !strings.HasSuffix(role, "DeliverRole") && !strings.HasSuffix(role, "DrainRole") {
		t.Errorf("%s allows statements of PartiQL: only routers and connectors run any", at)
	}
	condition, err := json.Marshal(statement.(map[string]any)["Condition"]) //nolint:forcetypeassert // it has actions
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["*/event/*","*/thread/*"]},"Null":{"dynamodb:LeadingKeys":"false"}}`
	if string(condition) != want {
		t.Errorf("%s allows statements of PartiQL under the condition %s, want %s", at, condition, want)
	}
}

func checkStatement(t *testing.T, role string, statement any) {
	t.Helper()
	sid := fmt.Sprint(at(statement, "Sid"))
	for _, action := range list(at(statement, "Action")) {
		if strings.Contains(fmt.Sprint(action), "*") {
			t.Errorf("%s.%s allows %v: name the actions", role, sid, action)
		}
		if strings.HasPrefix(fmt.Sprint(action), "dynamodb:PartiQL") {
			checkPartiQL(t, role+"."+sid, statement)
		}
	}
	resources := at(statement, "Resource")
	if fmt.Sprint(resources) == "*" || slices.Contains(list(resources), any("*")) {
		t.Errorf("%s.%s allows every resource: name them", role, sid)
	}
}
