package template_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local/template"

	"github.com/google/go-cmp/cmp"
)

const small = `
Parameters:
  Seconds: {Type: Number, Default: 30}
  Topic: {Type: String, Default: ""}
  Needed: {Type: String}
Mappings:
  Sizes: {dev: {Memory: 256}}
Conditions:
  HasTopic: !Not [!Equals [!Ref Topic, ""]]
Globals:
  Function:
    Timeout: !Ref Seconds
    Runtime: provided.al2023
    Handler: bootstrap
    Environment: {Variables: {STAGE: dev, TOPIC: !If [HasTopic, !Ref Topic, !Ref AWS::NoValue]}}
Resources:
  Route:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}-route
      CodeUri: functions/router/cmd/route/
      MemorySize: !FindInMap [Sizes, dev, Memory]
      Policies: [!Sub "${Unknown.Arn}"]
      Environment:
        Variables:
          QUEUE: !Ref Events
          PREFIX: !Sub ["${Base}/${AWS::AccountId}/${!literal}", {Base: !Join ["", [https://, x]]}]
          TABLE: {"Fn::GetAtt": [State, Arn]}
          KEY: !Ref Data
          NAMED: !If [HasTopic, yes, no]
      Events:
        Web: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: post, Path: "/v1/{a}", TimeoutInMillis: 5000}}
        Own: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: get, Path: /v1/own, Auth: {Authorizer: AWS_IAM}}}
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Events.Arn
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 7}
        Often: {Type: Schedule, Properties: {Schedule: rate(5 minutes)}}
  Absent: {Type: AWS::SQS::Queue, Condition: HasTopic}
  Api: {Type: AWS::Serverless::HttpApi, Properties: {StageName: $default, Auth: {EnableIamAuthorizer: true}}}
  Events:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${AWS::StackName}-events.fifo
      FifoQueue: true
      DeduplicationScope: messageGroup
      VisibilityTimeout: 180
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead.fifo, FifoQueue: true}}
  State:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: [{AttributeName: p, KeyType: HASH}, {AttributeName: s, KeyType: RANGE}]
      TimeToLiveSpecification: {AttributeName: e, Enabled: true}
  Data: {Type: AWS::KMS::Key, Properties: {EnableKeyRotation: true}}
  DataAlias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/data, TargetKeyId: !Ref Data}}
  Pepper: {Type: AWS::SecretsManager::Secret, Properties: {Name: pepper, GenerateSecretString: {PasswordLength: 64, ExcludePunctuation: true}}}
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {Anything: !GetAtt Nowhere.Arn}}
`

func TestWhatRunsLocallyIsRead(t *testing.T) {
	got, err := template.Parse([]byte(small), map[string]string{"Seconds": "1.5", "Needed": "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const account = "us-east-1:000000000000:"
	key := got.Keys[0].ID
	want := &template.Template{
		Region: "us-east-1", StackName: "signalbox",
		Parameters: map[string]string{"Seconds": "1.5", "Topic": "", "Needed": "x"},
		Functions: []template.Function{{
			LogicalID: "Route", Name: "signalbox-route", ARN: "arn:aws:lambda:" + account + "function:signalbox-route",
			Folder: "functions/router/cmd/route", Binary: "route", Timeout: 1500 * time.Millisecond, MemoryMB: 256,
			Environment: map[string]string{
				"STAGE": "dev", "QUEUE": "https://sqs.us-east-1.amazonaws.com/000000000000/signalbox-events.fifo",
				"PREFIX": "https://x/000000000000/${literal}", "TABLE": "arn:aws:dynamodb:" + account + "table/signalbox-State",
				"KEY": key, "NAMED": "no",
			},
			Routes: []template.Route{
				{Method: "POST", Path: "/v1/{a}", Timeout: 5 * time.Second}, {Method: "GET", Path: "/v1/own", Timeout: 30 * time.Second, Signed: true},
			},
			Mappings: []template.Mapping{{
				QueueARN: "arn:aws:sqs:" + account + "signalbox-events.fifo", BatchSize: 5, MaximumConcurrency: 7, ReportFailures: true,
			}},
			Schedules: []template.Schedule{{Name: "Route.Often", Every: 5 * time.Minute}},
		}},
		Queues: []template.Queue{{
			LogicalID: "Events", Name: "signalbox-events.fifo", ARN: "arn:aws:sqs:" + account + "signalbox-events.fifo",
			FIFO: true, GroupScope: true,
			Visibility: 180 * time.Second, Retention: 96 * time.Hour, DeadLettersARN: "arn:aws:sqs:" + account + "dead.fifo", MaxReceive: 3,
		}, {
			LogicalID: "Dead", Name: "dead.fifo", ARN: "arn:aws:sqs:" + account + "dead.fifo",
			FIFO: true, Visibility: 30 * time.Second, Retention: 96 * time.Hour,
		}},
		Tables: []template.Table{{LogicalID: "State", Name: "signalbox-State"}},
		Keys:   []template.Key{{ID: key, ARN: "arn:aws:kms:" + account + "key/" + key, Aliases: []string{"data"}}},
		Alarms: 1,
		Secrets: []template.Secret{{
			Name: "pepper", ARN: "arn:aws:secretsmanager:" + account + "secret:pepper-Local0", Length: 64,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotUnderstoodIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct {
		template string
		line     int
		reason   string
	}{
		"a section":               {"Resources: {}\nHooks: {}", 2, "the property Hooks is not understood"},
		"a type":                  {"Resources:\n  A:\n    Type: AWS::EC2::Instance", 2, `"AWS::EC2::Instance" is not understood`},
		"a property":              {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      Colour: red", 5, "A: the property Colour"},
		"an event":                {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: x\n      Events:\n        S: {Type: S3}", 7, "event of type S3"},
		"a schedule":              {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: x\n      Events:\n        S: {Type: Schedule, Properties: {Schedule: cron(1)}}", 7, "only rate"},
		"a runtime":               {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: python3.13", 5, "only provided.al2023"},
		"a function of CFN":       {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !ImportValue x", 5, "ImportValue has no local meaning"},
		"a reference":             {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Ref B", 5, "there is no B"},
		"a name that is circular": {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !GetAtt A.QueueName", 5, "there is no A.QueueName"},
		"an attribute":            {"Resources:\n  B: {Type: AWS::SQS::Queue}\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !GetAtt B.Colour", 6, "there is no B.Colour"},
		"a condition":             {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Condition: C", 4, `no condition "C"`},
		"a parameter's value":     {"Parameters:\n  P: {Type: String}\nResources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Ref P", 7, "there is no P to refer to"},
		"a number":                {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: soon", 5, `"soon" is not a number`},
		"a FIFO queue's name":     {"Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: {FifoQueue: true}", 2, ".fifo"},
		"a loop":                  {"Resources:\n  Fn::ForEach::A: [X, [a]]", 2, "an identifier, a collection and a block"},
		"a list to go through":    {"Resources:\n  Fn::ForEach::A: [X, !Ref B, {}]", 2, "B has no list"},
		"an entry of a mapping":   {"Mappings: {M: {a: {b: 1}}}\nResources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      DelaySeconds: !FindInMap [M, a, c]", 6, "has no a.c"},
		"an authorizer":           {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: x\n      Events:\n        W: {Type: HttpApi, Properties: {Method: get, Path: /, Auth: {Authorizer: Own}}}", 7, "only AWS_IAM"},
		"one that the API lacks":  {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: x\n      Events:\n        W: {Type: HttpApi, Properties: {Method: get, Path: /, Auth: {Authorizer: AWS_IAM}}}", 7, "no EnableIamAuthorizer"},
		"a function without code": {"Resources:\n  A:\n    Type: AWS::Serverless::Function", 2, "CodeUri"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template.Parse([]byte(c.template), nil, nil)
			refused, ok := errors.AsType[*template.Error](err)
			if !ok || refused.Line != c.line || !strings.Contains(refused.Reason, c.reason) {
				t.Errorf("%v, want line %d and %q", err, c.line, c.reason)
			}
		})
	}
}

func TestWhatRefersToNothingIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ template, reason string }{
		"a dead-letter queue": {"Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: x, maxReceiveCount: 1}}}", "go to no queue"},
		"a mapping's queue":   {"Resources:\n  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: x, Events: {Q: {Type: SQS, Properties: {Queue: y}}}}}", "not in the template"},
		"one binary twice":    {"Resources:\n  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: x/a}}\n  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: y/a}}", "the same binary"},
		"an override":         {"Resources: {}", "no parameter P"},
		"an empty template":   {"", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			overrides := map[string]string{}
			if name == "an override" {
				overrides["P"] = "1"
			}
			if _, err := template.Parse([]byte(c.template), overrides, nil); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
		})
	}
}

func TestTheProjectsTemplateRunsLocally(t *testing.T) {
	got, err := template.Read("../../../../template.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Functions) == 0 || len(got.Queues) == 0 || len(got.Tables) == 0 || got.Parameters["PublicBaseUrl"] == "" {
		t.Errorf("%+v", got)
	}
}

func TestLoopsAndMappingsAreWrittenOut(t *testing.T) {
	const source = `
Parameters: {Names: {Type: CommaDelimitedList, Default: "a,b"}}
Mappings: {Sizes: {b: {Seconds: 7}}}
Resources:
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - ${Name}Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "q-${Name}", VisibilityTimeout: !FindInMap [Sizes, !Ref Name, Seconds, {DefaultValue: 5}]}}
      Fn::ForEach::Lanes:
        - Lane
        - [x-1]
        - ${Name}&{Lane}: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${Name}-${Lane}"}}`
	got, err := template.Parse([]byte(source), map[string]string{"Names": "b,c"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, q := range got.Queues {
		names = append(names, q.LogicalID+" "+q.Name+" "+q.Visibility.String())
	}
	if diff := cmp.Diff([]string{"bQueue q-b 7s", "bx1 b-x-1 30s", "cQueue q-c 5s", "cx1 c-x-1 30s"}, names); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	f.Add("Resources:\n  A: &a {Type: *a}")
	f.Add("Conditions: {A: !Condition A}\nResources: {B: {Type: x, Condition: A}}")
	f.Fuzz(func(_ *testing.T, s string) {
		_, _ = template.Parse([]byte(s), map[string]string{"Needed": "x"}, nil) // it answers or refuses, and does not panic
	})
}

// TestAParameterIsWhatTheTemplateAllows wants CloudFormation's own checks: a name, what the value has to be, and what it is.
func TestAParameterIsWhatTheTemplateAllows(t *testing.T) {
	const declared = `
Parameters:
  Stage: {Type: String, AllowedValues: [dev, prod], Default: dev}
  Size: {Type: Number, MinValue: 2, MaxValue: 10, Default: 2}
  Days: {Type: Number, AllowedValues: [1, 30], Default: 30}
  Base: {Type: String, AllowedPattern: "https://[a-z.]+|", Default: "", ConstraintDescription: a URL of https without a slash at its end}
  Name: {Type: String, AllowedPattern: "[a-z]+", Default: a}
  Names: {Type: CommaDelimitedList, AllowedPattern: "[a-z]+", Default: "a,b"}
Resources: {}`
	for sentence, c := range map[string]struct{ name, value, reason string }{
		"a value of the list is taken":                 {"Stage", "prod", ""},
		"another is refused, and the list is given":    {"Stage", "qa", `the parameter Stage is "qa", and has to be one of dev, prod`},
		"the smallest is taken":                        {"Size", "2", ""},
		"the largest is taken":                         {"Size", "10", ""},
		"a fraction is a number":                       {"Size", "2.5", ""},
		"less than the smallest is refused":            {"Size", "1.9", `the parameter Size is "1.9", and has to be 2 or more`},
		"more than the largest is refused":             {"Size", "10.1", `the parameter Size is "10.1", and has to be 10 or less`},
		"what is no number is refused":                 {"Size", "abc", `the parameter Size is "abc", and has to be a number`},
		"nor is what is none":                          {"Size", "NaN", "has to be a number"},
		"a blank is no part of a number":               {"Size", " 7", `the parameter Size is " 7", and has to be a number`},
		"a list may be of numbers":                     {"Days", "7", `the parameter Days is "7", and has to be one of 1, 30`},
		"a value of the pattern is taken":              {"Base", "https://x.example", ""},
		"nothing is taken where the pattern allows it": {"Base", "", ""},
		"the pattern is of the whole value":            {"Base", "https://x.example/", `the parameter Base is "https://x.example/", and has to be a URL of https without a slash at its end`},
		"without a description the pattern is given":   {"Name", "A", `the parameter Name is "A", and has to be a text of the pattern [a-z]+`},
		"a list has items of the pattern":              {"Names", "b,c", ""},
		"each item is of the pattern":                  {"Names", "b, c", `the parameter Names is "b, c", and has to be`},
		"an item is there once":                        {"Names", "b,b", `the parameter Names is "b,b", and has to be`},
		"nor is a line's end":                          {"Name", "a\n", `the parameter Name is "a\n", and has to be`},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := template.Parse([]byte(declared), map[string]string{c.name: c.value}, nil)
			if (err != nil) != (c.reason != "") || err != nil && !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
		})
	}
	got, err := template.Parse([]byte(declared), nil, map[string]string{"Size": "0.2"})
	if err != nil || got.Parameters["Size"] != "0.2" {
		t.Errorf("a time of a test's is taken as it is: %v, %v", got, err)
	}
}

func TestTheProjectsPublicBaseURL(t *testing.T) {
	for value, taken := range map[string]bool{
		"https://x.example": true, "https://x.example:8443/a/b": true,
		"https://x.example/": false, "ftp://x": false, "https://X.example": false, "https://x.example/a b": false,
	} {
		_, err := template.Read("../../../../template.yaml", map[string]string{"PublicBaseUrl": value}, nil)
		if (err == nil) != taken || err != nil && !strings.Contains(err.Error(), "PublicBaseUrl is") {
			t.Errorf("%s: %v", value, err)
		}
	}
}
