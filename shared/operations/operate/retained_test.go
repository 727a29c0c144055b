package operate_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/operations/operate"

	"github.com/google/go-cmp/cmp"
)

// account is what there is under a stack's name: identifiers by kind and name. It keeps what was done to it.
type account struct {
	status  string
	there   map[string]string
	failing string // the identifier of what cannot be deleted
	done    *[]string
}

func (a account) Status(context.Context) (string, error) { return a.status, nil }

func (a account) Find(_ context.Context, kind, name string) (string, error) {
	return a.there[kind+" "+name], nil
}

func (a account) Import(_ context.Context, template []byte, resources []operate.Resource) error {
	if *a.done = append(*a.done, string(template)); len(resources) == 0 {
		return errors.New("nothing to import")
	}
	for _, r := range resources {
		*a.done = append(*a.done, "import "+r.LogicalID+" "+r.ID)
	}
	return nil
}

func (a account) Delete(_ context.Context, r operate.Resource) error {
	if r.ID == a.failing {
		return errors.New("access denied")
	}
	*a.done = append(*a.done, "delete "+r.LogicalID+" "+r.ID)
	return nil
}

const retained = `Parameters:
    Seconds: {Type: Number, Default: 42}
Conditions:
    Has: !Not [!Equals [!Ref Seconds, 1]]
Resources:
    Key:
        Type: AWS::KMS::Key
        DeletionPolicy: RetainExceptOnCreate
    Events:
        Type: AWS::SQS::Queue
        DeletionPolicy: RetainExceptOnCreate
        Properties: {QueueName: !Sub '${AWS::StackName}-events.fifo', VisibilityTimeout: !Ref Seconds, KmsMasterKeyId: !Ref Key}
    State:
        Type: AWS::DynamoDB::Table
        DeletionPolicy: RetainExceptOnCreate
        Properties: {TableName: !Sub '${AWS::StackName}-state', DeletionProtectionEnabled: !If [Has, true, false]}
    Pepper:
        Type: AWS::SecretsManager::Secret
        DeletionPolicy: RetainExceptOnCreate
        Properties: {Name: !Sub '${AWS::StackName}/pepper'}
    Files:
        Type: AWS::S3::Bucket
        DeletionPolicy: RetainExceptOnCreate
`

// whole is a template with more than is retained.
const whole = retained + `    Api:
        Type: AWS::Serverless::HttpApi
Outputs:
    Gone: {Value: !Ref Api}
`

// left is what a deleted stack st of the template leaves.
func left(but ...string) map[string]string {
	there := map[string]string{
		"AWS::DynamoDB::Table st-state": "st-state", "AWS::SQS::Queue st-events.fifo": "https://sqs/events",
		"AWS::SecretsManager::Secret st/pepper": "arn:pepper", "AWS::KMS::Key https://sqs/events": "key",
		"AWS::S3::Bucket st-files-": "st-files-x1",
	}
	for _, name := range but {
		delete(there, name)
	}
	return there
}

func TestRetained(t *testing.T) {
	const list = "the stack st kept these, with everything in them:\n  State st-state\n  Files st-files-x1\n  Pepper arn:pepper\n  Key key\n  Events https://sqs/events\n"
	imports := []string{retained, "import Key key", "import Events https://sqs/events", "import State st-state", "import Pepper arn:pepper", "import Files st-files-x1"}
	deletions := []string{"delete State st-state", "delete Files st-files-x1", "delete Pepper arn:pepper", "delete Key key", "delete Events https://sqs/events"}
	for sentence, c := range map[string]struct {
		command, confirmed string
		account            account
		done               []string
		out                string
		failed             []string
	}{
		"what a deleted stack kept is imported into a stack of its name": {"recover", "", account{there: left()}, imports, "st owns 5 resources again. Next: make deploy\n", nil},
		"a stack that is there is not recovered": {
			"recover", "", account{status: "CREATE_COMPLETE", there: left()}, nil, "", []string{"the stack st is there (CREATE_COMPLETE): delete it first: sam delete --stack-name st"},
		},
		"nothing is recovered as long as a part is missing": {
			"recover", "", account{there: left("AWS::DynamoDB::Table st-state")}, nil, "", []string{"nothing was recovered: this of the stack st cannot be found in this account and Region: State st-state: check STACK", "AWS_REGION"},
		},
		"a key is missing where no queue leads to it": {
			"recover", "", account{there: left("AWS::SQS::Queue st-events.fifo")}, nil, "", []string{"Region: Key, Events st-events.fifo: check"},
		},
		"a removal without a confirmation shows what it would delete": {"remove", "", account{there: left()}, nil, list, []string{"nothing was deleted", "CONFIRM=st", "make remove STACK="}},
		"a confirmation for another stack is none":                    {"remove", "signalbox-dev", account{there: left()}, nil, list, []string{"nothing was deleted"}},
		"yes is no confirmation":                                      {"remove", "yes", account{there: left()}, nil, list, []string{"nothing was deleted"}},
		"a confirmed removal deletes everything, what leads to the key last": {
			"remove", "st",
			account{there: left()},
			deletions,
			list + "State st-state is deleted\nFiles st-files-x1 is deleted\nPepper arn:pepper is deleted\nKey key is deleted in 30 days\nEvents https://sqs/events is deleted\n", nil,
		},
		"a removal that failed says how far it got": {
			"remove", "st", account{there: left(), failing: "arn:pepper"}, deletions[:2], list + "State st-state is deleted\nFiles st-files-x1 is deleted\n", []string{"access denied", "run it again"},
		},
		"a removal takes away what is left of one that failed": {
			"remove", "st",
			account{there: left("AWS::DynamoDB::Table st-state", "AWS::SecretsManager::Secret st/pepper", "AWS::S3::Bucket st-files-")},
			deletions[3:],
			"the stack st kept these, with everything in them:\n  Key key\n  Events https://sqs/events\nKey key is deleted in 30 days\nEvents https://sqs/events is deleted\n", nil,
		},
		"a removal of nothing is done":        {"remove", "", account{}, nil, "nothing of the stack st is left in this account and Region\n", nil},
		"a stack that is there keeps its own": {"remove", "st", account{status: "DELETE_FAILED", there: left()}, nil, "", []string{"the stack st is there (DELETE_FAILED): delete it first"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			kept, err := operate.NewKept([]byte(whole), "st", nil)
			if err != nil {
				t.Fatal(err)
			}
			var done []string
			var out strings.Builder
			if c.account.done = &done; c.command == "recover" {
				err = operate.Recover(t.Context(), &out, kept, c.account)
			} else {
				err = operate.Remove(t.Context(), &out, kept, c.confirmed, c.account)
			}
			checkError(t, err, c.failed)
			if diff := cmp.Diff(c.done, done); diff != "" {
				t.Errorf("done (-want +got): %s", diff)
			}
			if diff := cmp.Diff(c.out, out.String()); diff != "" {
				t.Errorf("printed (-want +got): %s", diff)
			}
		})
	}
}

func TestTemplatesWhoseRemainsAreNotFound(t *testing.T) {
	for sentence, c := range map[string]struct{ template, failed string }{
		"a template that keeps nothing":            {"Resources:\n  A: {Type: AWS::SQS::Queue}", "no resource with DeletionPolicy RetainExceptOnCreate"},
		"an empty template":                        {"", "is empty"},
		"a template that is none":                  {"Resources: [", "cannot be read"},
		"a kind that nothing is known of":          {"Resources:\n  A:\n    Type: AWS::SNS::Topic\n    DeletionPolicy: RetainExceptOnCreate", "template.yaml:3: A is kept, and a AWS::SNS::Topic"},
		"a name that the stack's is not enough of": {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: RetainExceptOnCreate\n    Properties: {QueueName: !Sub '${Stage}-a'}", "A is kept: its QueueName"},
		"a bucket whose name is everybody's":       {"Resources:\n  A:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: RetainExceptOnCreate\n    Properties: {BucketName: files}", "template.yaml:3: A is kept, and a AWS::S3::Bucket"},
		"a name that CloudFormation makes up":      {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: RetainExceptOnCreate", "A is kept: its QueueName"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := operate.NewKept([]byte(c.template), "st", nil)
			checkError(t, err, []string{c.failed})
		})
	}
}

// TestRetainedOfTheTemplate goes by template.yaml, as the commands do.
func TestRetainedOfTheTemplate(t *testing.T) {
	variables := map[string]string{"STACK": "st"}
	var opened []string
	open := func(_ context.Context, name, endpoint string) (operate.Stack, error) {
		opened = append(opened, name+"@"+endpoint)
		at := account{there: map[string]string{"AWS::DynamoDB::Table st-state": "st-state"}, done: &[]string{}}
		return operate.Stack{Importer: at, Remover: at}, nil
	}
	lookup := func(name string) string { return variables[name] }
	var out strings.Builder
	checkError(t, operate.Command(t.Context(), &out, root, "remove", lookup, open), []string{"CONFIRM=st"})
	if !strings.Contains(out.String(), "  StateTable st-state\n") {
		t.Errorf("printed %s", &out)
	}
	maps.Copy(variables, map[string]string{"ENDPOINT": "http://127.0.0.1:4566", "CONFIRM": "st"})
	checkError(t, operate.Command(t.Context(), &out, root, "remove", lookup, open), nil)
	checkError(t, operate.Command(t.Context(), &out, root, "recover", lookup, open), []string{"EventsQueue st-events.fifo", "DataKey", "PepperSecret st/pepper", "ObjectsBucket st-objectsbucket-"})
	if want := []string{"st@", "st@http://127.0.0.1:4566", "st@http://127.0.0.1:4566"}; !slices.Equal(opened, want) {
		t.Errorf("opened %v", opened)
	}
	for _, command := range []string{"recover", "remove"} {
		for _, endpoint := range []string{"", "http://127.0.0.1:4566"} { // which is enough to mean make run's stack elsewhere
			variables = map[string]string{"ENDPOINT": endpoint}
			err := operate.Command(t.Context(), &out, root, command, lookup, never)
			checkError(t, err, []string{"STACK is not set", "make run has none", "make " + command + " STACK="})
		}
	}
	variables["STACK"] = "st"
	checkError(t, operate.Command(t.Context(), &out, filepath.Join(root, "shared"), "recover", lookup, never), []string{"run this where template.yaml is"})
}
