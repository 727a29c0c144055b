package awsstack_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/aws/awsstack"
	"signalbox/shared/aws/sigv4"
	"signalbox/shared/operations/operate"

	"github.com/google/go-cmp/cmp"
)

// service stands for Lambda and CloudFormation: it answers everything alike and keeps what it was asked.
type service struct {
	status      int
	headers     map[string]string
	body        string
	path, query string
	form        string
	key         string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.path, s.query, s.form, s.key = r.URL.Path, r.URL.RawQuery, string(body), r.Header.Get("Authorization")
	for name, value := range s.headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

// open returns the stack st at a service, with an environment that has nothing else.
func open(t *testing.T, s *service) *awsstack.Stack {
	t.Helper()
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	stack, err := awsstack.Open(t.Context(), "st", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

// TestSign: the clouds of one machine take what is signed for them, and nothing is signed without credentials.
func TestSign(t *testing.T) {
	request := func() *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/v1/connectors/toy/health", http.NoBody)
	}
	r := request()
	if err := open(t, &service{}).Sign(t.Context(), r); err != nil || sigv4.CheckEmulated(r, nil) != nil {
		t.Errorf("%v: %v", err, r.Header)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_REGION", "eu-west-1")
	deployed, err := awsstack.Open(t.Context(), "st", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := deployed.Sign(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "AWS_PROFILE") {
		t.Errorf("%v", err)
	}
}

func TestInvoke(t *testing.T) {
	for name, c := range map[string]struct {
		service service
		failed  string
	}{
		"an answer":          {service{status: 200, body: `{"more":true}`}, ""},
		"a function's error": {service{status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"}, body: `{"errorMessage":"store_throttled"}`}, "store_throttled"},
		"a crash":            {service{status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"}, body: `crash`}, "/signalbox/st"},
		"no such function": {
			service{status: 404, headers: map[string]string{"X-Amzn-ErrorType": "ResourceNotFoundException"}, body: `{"Type":"User","Message":"Function not found: st-redrive"}`},
			"no function st-redrive in us-east-1",
		},
		"a role that may not": {
			service{status: 403, headers: map[string]string{"X-Amzn-ErrorType": "AccessDeniedException"}, body: `{"Message":"not authorized"}`},
			"the role needs lambda:InvokeFunction",
		},
		"credentials that are over": {
			service{status: 403, headers: map[string]string{"X-Amzn-ErrorType": "ExpiredTokenException"}, body: `{"message":"The security token is expired"}`},
			"ExpiredTokenException: The security token is expired",
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := open(t, &c.service).Invoke(t.Context(), "redrive", []byte(`{"a":1}`))
			if c.service.path != "/2015-03-31/functions/st-redrive/invocations" || c.service.query != "" || c.service.form != `{"a":1}` {
				t.Errorf("asked %s?%s with %s", c.service.path, c.service.query, c.service.form)
			}
			if !strings.Contains(c.service.key, "Credential=test/") {
				t.Errorf("an endpoint of its own got the credentials %s", c.service.key)
			}
			if c.failed == "" && (err != nil || string(answer) != c.service.body) || c.failed != "" && (err == nil || !strings.Contains(err.Error(), c.failed)) {
				t.Errorf("%q, %v; want an error with %q", answer, err, c.failed)
			}
		})
	}
}

func TestOutputs(t *testing.T) {
	const described = `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
<StackName>st</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime><Outputs>
<member><OutputKey>GatewayUrl</OutputKey><OutputValue>https://a.example</OutputValue></member>
<member><OutputKey>Stage</OutputKey><OutputValue>dev</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`
	const missing = `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id st does not exist</Message></Error></ErrorResponse>`
	const denied = `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`
	for name, c := range map[string]struct {
		service service
		want    map[string]string
		failed  string
	}{
		"a stack":             {service{status: 200, body: described}, map[string]string{"GatewayUrl": "https://a.example", "Stage": "dev"}, ""},
		"no such stack":       {service{status: 400, body: missing}, nil, "there is no stack st in us-east-1"},
		"a role that may not": {service{status: 403, body: denied}, nil, "the role needs cloudformation:DescribeStacks"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := open(t, &c.service).Outputs(t.Context())
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("outputs (-want +got): %s", diff)
			}
			if (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("error %v, want %q", err, c.failed)
			}
			if !strings.Contains(c.service.form, "Action=DescribeStacks") || !strings.Contains(c.service.form, "StackName=st") {
				t.Errorf("asked %s", c.service.form)
			}
		})
	}
}

func TestWhatADeletedStackLeft(t *testing.T) {
	refusal := func(status int, code string) service {
		return service{status: status, headers: map[string]string{"X-Amzn-ErrorType": code}, body: `{"__type":"` + code + `","message":"because"}`}
	}
	find := func(kind, name string) func(*awsstack.Stack) (string, error) {
		return func(s *awsstack.Stack) (string, error) { return s.Find(t.Context(), kind, name) }
	}
	remove := func(kind, id string) func(*awsstack.Stack) (string, error) {
		return func(s *awsstack.Stack) (string, error) {
			return "", s.Delete(t.Context(), operate.Resource{LogicalID: "It", Kind: kind, ID: id})
		}
	}
	status := func(s *awsstack.Stack) (string, error) { return s.Status(t.Context()) }
	const missing = `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id st does not exist</Message></Error></ErrorResponse>`
	const denied = `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>because</Message></Error></ErrorResponse>`
	const refusedXML = `<Error><Code>AccessDenied</Code><Message>because</Message></Error>`
	const buckets = `<ListAllMyBucketsResult><Buckets><Bucket><Name>st-files-1</Name><CreationDate>2026-11-01T00:00:00.000Z</CreationDate></Bucket>` +
		`<Bucket><Name>st-files-2</Name><CreationDate>2026-11-02T00:00:00.000Z</CreationDate></Bucket>` +
		`<Bucket><Name>another</Name><CreationDate>2026-11-03T00:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`
	for sentence, c := range map[string]struct {
		service service
		call    func(*awsstack.Stack) (string, error)
		want    string
		failed  string
	}{
		"a table is imported by its name":           {service{status: 200, body: `{"Table":{"TableName":"st-state"}}`}, find(operate.KindTable, "st-state"), "st-state", ""},
		"a queue by its address":                    {service{status: 200, body: `{"QueueUrl":"https://sqs/q"}`}, find(operate.KindQueue, "q"), "https://sqs/q", ""},
		"a secret by its ARN":                       {service{status: 200, body: `{"ARN":"arn:s"}`}, find(operate.KindSecret, "s"), "arn:s", ""},
		"a key is found by a queue":                 {service{status: 200, body: `{"Attributes":{"KmsMasterKeyId":"k"}}`}, find(operate.KindKey, "https://sqs/q"), "k", ""},
		"a table that is not there":                 {refusal(400, "ResourceNotFoundException"), find(operate.KindTable, "t"), "", ""},
		"a queue that is not there":                 {refusal(400, "AWS.SimpleQueueService.NonExistentQueue"), find(operate.KindQueue, "q"), "", ""},
		"a secret that is not there":                {refusal(400, "ResourceNotFoundException"), find(operate.KindSecret, "s"), "", ""},
		"a role that may not look is not missing":   {refusal(400, "AccessDeniedException"), find(operate.KindSecret, "s"), "", "look up s in us-east-1: access denied: the role needs secretsmanager:DescribeSecret"},
		"a kind that nothing is known of":           {service{}, find("AWS::SNS::Topic", "b"), "", "cannot be looked up"},
		"a bucket by what its name begins with":     {service{status: 200, body: buckets}, find(operate.KindBucket, "st-files-"), "st-files-2", ""},
		"a bucket that is not there":                {service{status: 200, body: buckets}, find(operate.KindBucket, "st-other-"), "", ""},
		"buckets that nobody may see are not gone":  {service{status: 403, body: refusedXML}, find(operate.KindBucket, "st-files-"), "", "access denied: the role needs s3:ListBuckets"},
		"a bucket that may not be deleted":          {service{status: 403, body: refusedXML}, remove(operate.KindBucket, "st-files-2"), "", "delete It st-files-2 in us-east-1: access denied: the role needs s3:ListObjectsV2"},
		"a key whose deletion was scheduled before": {refusal(400, "KMSInvalidStateException"), remove(operate.KindKey, "k"), "", ""},
		"a queue that may not be deleted":           {refusal(403, "AccessDeniedException"), remove(operate.KindQueue, "https://sqs/q"), "", "delete It https://sqs/q in us-east-1: access denied: the role needs sqs:DeleteQueue"},
		"a stack that is not there":                 {service{status: 400, body: missing}, status, "", ""},
		"a stack that nobody may see is not gone":   {service{status: 403, body: denied}, status, "", "the role needs cloudformation:DescribeStacks"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := c.call(open(t, &c.service))
			if got != c.want || (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%q, %v; want %q, and an error with %q", got, err, c.want, c.failed)
			}
		})
	}
}

func TestARegionIsNeeded(t *testing.T) {
	open(t, &service{}) // an environment without one
	if _, err := awsstack.Open(t.Context(), "st", ""); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("error %v", err)
	}
}
