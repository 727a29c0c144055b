package awsstack_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/awsstack"
	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/aws/s3objects"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/operations/operate"
	"signalbox/shared/store"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	gocmp "github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// recovered is the stack that the tests delete and take back, of the data of template.yaml without its functions.
const recovered = "recovery"

// emulator is a third-party emulator, and the data of template.yaml as it can take it. Run by make emulator:
//
//	SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run Emulator -v ./shared/aws/...
type emulator struct {
	t      *testing.T
	config aws.Config
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
	kept, err := operate.NewKept(plain(t, source, nil), recovered, nil)
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
	return emulator{t, config, kept, stack, cloudformation.NewFromConfig(config), dynamodb.NewFromConfig(config), kms.NewFromConfig(config)}
}

// plain writes out the loops of a template, takes the secrets out, which MiniStack cannot import, and writes literals for references
// to parameters, as make deploy does: MiniStack makes texts of them.
func plain(t *testing.T, source []byte, values map[string]string) []byte {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		t.Fatal(err)
	}
	var sections struct {
		Parameters map[string]struct {
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	if err := document.Decode(&sections); err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for name, p := range sections.Parameters {
		defaults[name] = cmp.Or(values[name], p.Default.Value)
	}
	if err := template.Expand(document.Content[0], defaults); err != nil {
		t.Fatal(err)
	}
	var all struct {
		Rest      map[string]yaml.Node `yaml:",inline"`
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	if err := document.Decode(&all); err != nil {
		t.Fatal(err)
	}
	for id, r := range all.Resources {
		var body struct {
			Type string `yaml:"Type"`
		}
		if err := r.Decode(&body); err != nil {
			t.Fatal(err)
		}
		if body.Type == operate.KindSecret {
			delete(all.Resources, id)
		}
		literal(&r, func(name string) (yaml.Node, bool) {
			p, ok := sections.Parameters[name]
			return p.Default, ok
		})
	}
	rest, err := yaml.Marshal(all)
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
func (e emulator) create(text string) error {
	e.t.Helper()
	if _, err := e.stacks.CreateStack(e.t.Context(), &cloudformation.CreateStackInput{StackName: aws.String(recovered), TemplateBody: &text}); err != nil {
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
	files := s3.NewFromConfig(e.config, s3objects.Options)
	bucket := e.identifiers()["ObjectsBucket"]
	if _, err := files.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("large/demo/event/x"), Body: strings.NewReader("kept")}); err != nil {
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
	if out, err := e.recover(); err != nil || !strings.Contains(out, fmt.Sprintf("owns %d resources again", len(before))) {
		t.Fatalf("%s, %v", out, err)
	}
	if diff := gocmp.Diff(before, e.identifiers()); diff != "" {
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
	if got, err := files.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("large/demo/event/x")}); err != nil || got.Body.Close() != nil {
		t.Errorf("the object: %v", err)
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

// TestACRMLeavesAndReturnsOnAnEmulator: its queues outlive its leaving, for the emulator as for CloudFormation, which creates none under
// a name that is taken. The minute that SQS keeps a deleted queue's name is waited for.
func TestACRMLeavesAndReturnsOnAnEmulator(t *testing.T) {
	e, ctx := newEmulator(t), t.Context()
	defer func() {
		e.delete()
		_, _ = e.remove(recovered)
	}()
	source, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, one := map[string]string{"Crms": "one,two", "Channels": "any"}, map[string]string{"Crms": "two", "Channels": "any"}
	text := func(parameters map[string]string) string {
		kept, err := operate.NewKept(plain(t, source, parameters), recovered, parameters)
		if err != nil {
			t.Fatal(err)
		}
		return string(kept.Template) + "Outputs:\n    ConfigTable: {Value: !Ref ConfigTable}\n"
	}
	check := func(parameters map[string]string) (string, error) {
		var out strings.Builder
		err := operate.Check(ctx, &out, source, recovered, parameters, operate.Stack{Deployed: e.stack, Remover: e.stack})
		return out.String(), err
	}
	if out, err := check(all); out != "" || err != nil {
		t.Fatalf("a first deployment: %s, %v", out, err)
	}
	e.deploy(text(all), all)
	const queue = recovered + "-deliver-one.fifo"
	id := e.find(operate.KindQueue, queue)
	queues := sqs.NewFromConfig(e.config)
	group := aws.String("thread")
	if _, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &id, MessageBody: group, MessageGroupId: group, MessageDeduplicationId: group}); err != nil {
		t.Fatal(err)
	}
	table := dynamostore.New(e.tables, recovered+"-config")
	put := func(partition, sort string, version int64, data string) {
		record := store.Record{Key: store.Key{Partition: partition, Sort: sort}, Version: version, Data: []byte(data)}
		if _, err := table.Write(ctx, store.Change{Record: record}); err != nil {
			t.Fatal(err)
		}
	}
	bound := func(version int64, kind string) {
		put("acme/config", "current", version, `{"format":1,"version":1,"content":{"tenant":{"id":"acme","crms":[{"name":"a","kind":"`+kind+`"}]}}}`)
	}
	put("tenants", "acme", 0, "")
	bound(0, "one")
	if _, err := check(all); err != nil {
		t.Errorf("nothing goes: %v", err)
	}
	if _, err := check(one); err == nil || !strings.Contains(err.Error(), "bindings of acme name it") || !strings.Contains(err.Error(), queue+" holds 1 messages") {
		t.Errorf("a CRM in use: %v", err)
	}
	bound(1, "two")
	got, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &id, VisibilityTimeout: 60})
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := check(one); err == nil || strings.Contains(err.Error(), "acme") || !strings.Contains(err.Error(), queue+" holds 1 messages") {
		t.Errorf("a message in flight: %v", err)
	}
	if _, err := queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &id, ReceiptHandle: got.Messages[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	if out, err := check(one); out != "" || err != nil {
		t.Fatalf("a CRM that nobody uses: %s, %v", out, err)
	}
	e.deploy(text(one), one)
	if e.find(operate.KindQueue, queue) == "" {
		t.Error("its queue went with it")
	}
	if out, err := check(all); err != nil || !strings.Contains(out, queue+", was empty and is deleted") {
		t.Fatalf("it returns: %s, %v", out, err)
	}
	e.deploy(text(all), all)
	if e.find(operate.KindQueue, queue) == "" {
		t.Error("it has no queue")
	}
}

// deploy creates the stack, or updates it.
func (e emulator) deploy(text string, parameters map[string]string) {
	e.t.Helper()
	var given []cfntypes.Parameter
	for name, value := range parameters {
		given = append(given, cfntypes.Parameter{ParameterKey: &name, ParameterValue: &value})
	}
	name, ctx := &cloudformation.DescribeStacksInput{StackName: aws.String(recovered)}, e.t.Context()
	status, err := e.stack.Status(ctx)
	if err == nil && status == "" {
		_, err = e.stacks.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: name.StackName, TemplateBody: &text, Parameters: given})
		if err == nil {
			err = cloudformation.NewStackCreateCompleteWaiter(e.stacks, func(o *cloudformation.StackCreateCompleteWaiterOptions) { o.MinDelay = time.Second }).Wait(ctx, name, time.Minute)
		}
	} else if err == nil {
		_, err = e.stacks.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: name.StackName, TemplateBody: &text, Parameters: given})
		if err == nil {
			err = cloudformation.NewStackUpdateCompleteWaiter(e.stacks, func(o *cloudformation.StackUpdateCompleteWaiterOptions) { o.MinDelay = time.Second }).Wait(ctx, name, time.Minute)
		}
	}
	if err != nil {
		e.t.Fatal(err)
	}
}
