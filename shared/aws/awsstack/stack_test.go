package awsstack_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/aws/awsstack"

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

func TestInvoke(t *testing.T) {
	for name, c := range map[string]struct {
		service service
		failed  string
	}{
		"an answer":          {service{status: 200, body: `{"more":true}`}, ""},
		"a function's error": {service{status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"}, body: `{"errorMessage":"store_throttled"}`}, "store_throttled"},
		"a crash":            {service{status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"}, body: `crash`}, "/signalbox/st/redrive"},
		"no such function": {
			service{status: 404, headers: map[string]string{"X-Amzn-ErrorType": "ResourceNotFoundException"}, body: `{"Type":"User","Message":"Function not found: st-redrive"}`},
			"no function st-redrive:live in us-east-1",
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
			if c.service.path != "/2015-03-31/functions/st-redrive/invocations" || c.service.query != "Qualifier=live" || c.service.form != `{"a":1}` {
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

func TestARegionIsNeeded(t *testing.T) {
	open(t, &service{}) // an environment without one
	if _, err := awsstack.Open(t.Context(), "st", ""); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("error %v", err)
	}
}
