package awsstack_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/awsstack"
	"signalbox/shared/operations/operate"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// recovered is the stack that the tests delete and take back, of the data of template.yaml without its functions.
const recovered = "recovery"

// emulator is a third-party emulator, and the data of template.yaml as it can take it. Run by make emulator:
//
//	SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run Emulator -v ./shared/aws/...
type emulator struct {
	t      *testing.T
	kept   operate.Kept
	stack  *awsstack.Stack
	stacks *cloudformation.Client
	tables *dynamodb.Client
	keys   *kms.Client
}

func newEmulator(t *testing.T) emulator {
	t.Helper()
	endpoint := os.Getenv("SIGNALBOX_EMULATOR_URL")
	if endpoint == "" {
		t.Skip("skipped: SIGNALBOX_EMULATOR_URL names no emulator; the second opinion is asked for by hand")
	}
	source, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := operate.NewKept(plain(t, source), recovered)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := awsstack.Open(t.Context(), recovered, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	config := awsconfig.Base("us-east-1", awsconfig.NewHTTPClient())
	config.Credentials = awsconfig.Static("test", "test", "")
	config.BaseEndpoint = aws.String(endpoint)
	return emulator{t, kept, stack, cloudformation.NewFromConfig(config), dynamodb.NewFromConfig(config), kms.NewFromConfig(config)}
}

// plain takes the secrets out of a template, which MiniStack cannot import, and writes literals for references to
// parameters, as make deploy does: MiniStack makes texts of them.
func plain(t *testing.T, template []byte) []byte {
	t.Helper()
	var sections map[string]yaml.Node
	if err := yaml.Unmarshal(template, &sections); err != nil {
		t.Fatal(err)
	}
	all := sections["Resources"]
	var resources []*yaml.Node
	for i := 0; i < len(all.Content); i += 2 {
		var body struct {
			Type string `yaml:"Type"`
		}
		if err := all.Content[i+1].Decode(&body); err != nil {
			t.Fatal(err)
		}
		if body.Type != operate.KindSecret {
			resources = append(resources, all.Content[i:i+2]...)
		}
	}
	all.Content = resources
	var parameters map[string]struct {
		Default yaml.Node `yaml:"Default"`
	}
	given := sections["Parameters"]
	if err := given.Decode(&parameters); err != nil {
		t.Fatal(err)
	}
	literal(&all, func(name string) (yaml.Node, bool) {
		p, ok := parameters[name]
		return p.Default, ok
	})
	sections["Resources"] = all
	rest, err := yaml.Marshal(sections)
	if err != nil {
		t.Fatal(err)
	}
	return rest
}

// literal replaces references to what lookup has.
func literal(n *yaml.Node, lookup func(name string) (yaml.Node, bool)) {
	for _, child := range n.Content {
		literal(child, lookup)
	}
	if n.Tag != "!Ref" {
		return
	}
	if value, ok := lookup(n.Value); ok {
		*n = value
	}
}

// create creates the stack and returns how that ended.
func (e emulator) create(template string) error {
	e.t.Helper()
	if _, err := e.stacks.CreateStack(e.t.Context(), &cloudformation.CreateStackInput{StackName: aws.String(recovered), TemplateBody: &template}); err != nil {
		e.t.Fatal(err)
	}
	waiter := cloudformation.NewStackCreateCompleteWaiter(e.stacks, func(o *cloudformation.StackCreateCompleteWaiterOptions) { o.MinDelay = time.Second })
	return waiter.Wait(e.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(recovered)}, time.Minute)
}

func (e emulator) delete() {
	e.t.Helper()
	if _, err := e.stacks.DeleteStack(e.t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String(recovered)}); err != nil {
		e.t.Fatal(err)
	}
	waiter := cloudformation.NewStackDeleteCompleteWaiter(e.stacks, func(o *cloudformation.StackDeleteCompleteWaiterOptions) { o.MinDelay = time.Second })
	if err := waiter.Wait(e.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(recovered)}, time.Minute); err != nil {
		e.t.Fatal(err)
	}
}

// identifiers returns what is there of what the stack keeps, by logical id.
func (e emulator) identifiers() map[string]string {
	e.t.Helper()
	found, queue := map[string]string{}, ""
	for _, r := range e.kept.Resources {
		if r.Kind == operate.KindKey {
			continue
		}
		id := e.find(r.Kind, r.Name)
		if id != "" {
			found[r.LogicalID] = id
		}
		if r.Kind == operate.KindQueue && id != "" {
			queue = id
		}
	}
	if queue != "" {
		found["DataKey"] = e.find(operate.KindKey, queue)
	}
	return found
}

func (e emulator) find(kind, name string) string {
	e.t.Helper()
	id, err := e.stack.Find(e.t.Context(), kind, name)
	if err != nil {
		e.t.Fatal(err)
	}
	return id
}

func (e emulator) recover() (string, error) {
	var out strings.Builder
	err := operate.Recover(e.t.Context(), &out, e.kept, e.stack)
	return out.String(), err
}

func (e emulator) remove(confirmed string) (string, error) {
	var out strings.Builder
	err := operate.Remove(e.t.Context(), &out, e.kept, confirmed, e.stack)
	return out.String(), err
}

func TestAFailedFirstDeploymentLeavesNothingBehindOnAnEmulator(t *testing.T) {
	e := newEmulator(t)
	var all []string
	for _, r := range e.kept.Resources {
		all = append(all, r.LogicalID)
	}
	broken := "    Broken:\n        Type: AWS::SQS::Queue\n        DependsOn: [" + strings.Join(all, ", ") + "]\n        Properties: {QueueName: no name.fifo}\n"
	err := e.create(string(e.kept.Template) + broken)
	if status, failed := e.stack.Status(t.Context()); err == nil || failed != nil || status != "ROLLBACK_COMPLETE" {
		t.Fatalf("a broken stack: %v, state %q, %v", err, status, failed)
	}
	e.delete()
	if left := e.identifiers(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestWhatADeletedStackKeptIsTakenBackAndDeletedOnAnEmulator(t *testing.T) {
	e, ctx := newEmulator(t), t.Context()
	t.Log("skipped: the import of the pepper: MiniStack cannot import a secret")
	if err := e.create(string(e.kept.Template)); err != nil {
		t.Fatal(err)
	}
	item := map[string]dynamotypes.AttributeValue{"p": &dynamotypes.AttributeValueMemberS{Value: "here"}, "s": &dynamotypes.AttributeValueMemberS{Value: "still"}}
	if _, err := e.tables.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(recovered + "-state"), Item: item}); err != nil {
		t.Fatal(err)
	}
	_, recovering := e.recover()
	_, removing := e.remove(recovered)
	for _, err := range []error{recovering, removing} {
		if err == nil || !strings.Contains(err.Error(), "delete it first") {
			t.Errorf("a stack that is there: %v", err)
		}
	}
	before := e.identifiers()
	e.delete()
	key := before["DataKey"]
	if _, err := e.keys.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	if out, err := e.recover(); err != nil || !strings.Contains(out, "owns 18 resources again") {
		t.Fatalf("%s, %v", out, err)
	}
	if diff := cmp.Diff(before, e.identifiers()); diff != "" {
		t.Errorf("before and after (-want +got): %s", diff)
	}
	described, err := e.keys.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	if err != nil || described.KeyMetadata.KeyState != kmstypes.KeyStateEnabled {
		t.Errorf("the key: %v, %v", described, err)
	}
	held, err := e.tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(recovered + "-state"), Key: item})
	if err != nil || len(held.Item) != len(item) {
		t.Errorf("the item: %v, %v", held, err)
	}
	e.delete()
	if _, err := e.remove(""); !isUsage(err) || len(e.identifiers()) != len(e.kept.Resources) {
		t.Errorf("without a confirmation: %v; left %v", err, e.identifiers())
	}
	if out, err := e.remove(recovered); err != nil || !strings.Contains(out, "DataKey "+key+" is deleted in 30 days") {
		t.Errorf("%s, %v", out, err)
	}
	if left := e.identifiers(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := e.recover(); err == nil || !strings.Contains(err.Error(), "cannot be found") {
		t.Errorf("what is deleted is recovered: %v", err)
	}
}

func isUsage(err error) bool {
	_, ok := errors.AsType[*operate.UsageError](err)
	return ok
}
