package awsconfig_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"signalbox/shared/aws/awsconfig"
)

func lambda(changes map[string]string) func(string) (string, bool) {
	env := map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token",
	}
	maps.Copy(env, changes)
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

// seen is a transport that keeps the request and returns an error that is not tried again.
type seen struct{ request *http.Request }

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.request = r
	return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"__type":"AccessDenied"}`)), Request: r}, nil
}

func TestWhereRequestsGoAndWhoSignsThem(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		env  map[string]string
		urls []string // DynamoDB, KMS, Secrets Manager, SQS
		sign string
	}{
		"in a region the services are AWS's": {
			nil, []string{
				"https://dynamodb.eu-central-1.amazonaws.com/", "https://kms.eu-central-1.amazonaws.com/",
				"https://secretsmanager.eu-central-1.amazonaws.com/", "https://sqs.eu-central-1.amazonaws.com/",
			}, "Credential=id/",
		},
		"in another partition the suffix is that partition's": {
			map[string]string{"AWS_REGION": "cn-north-1"}, []string{
				"https://dynamodb.cn-north-1.amazonaws.com.cn/", "https://kms.cn-north-1.amazonaws.com.cn/",
				"https://secretsmanager.cn-north-1.amazonaws.com.cn/", "https://sqs.cn-north-1.amazonaws.com.cn/",
			}, "/cn-north-1/",
		},
		"AWS_ENDPOINT_URL is where all services are": {
			map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, []string{
				"http://127.0.0.1:4566/", "http://127.0.0.1:4566/", "http://127.0.0.1:4566/", "http://127.0.0.1:4566/",
			}, "/eu-central-1/",
		},
		"AWS_DEFAULT_REGION stands in for AWS_REGION": {
			map[string]string{"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, []string{
				"https://dynamodb.us-east-1.amazonaws.com/", "https://kms.us-east-1.amazonaws.com/",
				"https://secretsmanager.us-east-1.amazonaws.com/", "https://sqs.us-east-1.amazonaws.com/",
			}, "/us-east-1/",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			config, err := awsconfig.From(lambda(c.env))
			if err != nil {
				t.Fatal(err)
			}
			spy := &seen{}
			config.HTTPClient = &http.Client{Transport: spy}
			var urls []string
			for _, call := range []func() error{
				func() error { _, err := dynamodb.NewFromConfig(config).ListTables(t.Context(), nil); return err },
				func() error { _, err := kms.NewFromConfig(config).ListKeys(t.Context(), nil); return err },
				func() error { _, err := secretsmanager.NewFromConfig(config).ListSecrets(t.Context(), nil); return err },
				func() error { _, err := sqs.NewFromConfig(config).ListQueues(t.Context(), nil); return err },
			} {
				if err := call(); err == nil || spy.request == nil {
					t.Fatalf("no request was made: %v", err)
				}
				urls = append(urls, spy.request.URL.String())
				if h := spy.request.Header; !strings.Contains(h.Get("Authorization"), c.sign) || h.Get("X-Amz-Security-Token") != "token" {
					t.Errorf("the request is signed %q", h.Get("Authorization"))
				}
			}
			if d := cmp.Diff(c.urls, urls); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		_, err := awsconfig.From(lambda(map[string]string{name: ""}))
		if missing, ok := errors.AsType[*awsconfig.MissingError](err); !ok || missing.Name != name {
			t.Errorf("without %s the error is %v", name, err)
		}
	}
	config, err := awsconfig.From(lambda(map[string]string{"AWS_SESSION_TOKEN": ""}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := config.Credentials.Retrieve(t.Context()); err != nil || got.SessionToken != "" || got.AccessKeyID != "id" {
		t.Errorf("the credentials are of %q, %v", got.AccessKeyID, err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	client := awsconfig.NewHTTPClient()
	client.Transport = redirecting{}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://aws.invalid/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(request)
	if err == nil {
		_ = reply.Body.Close()
		t.Error("the redirect was followed")
	}
}

type redirecting struct{}

func (redirecting) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://elsewhere.invalid/"}}, Body: http.NoBody, Request: r}, nil
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		config, err := awsconfig.From(lambda(nil))
		if err != nil || aws.ToString(&config.Region) == "" {
			b.Fatal(err)
		}
	}
}

func TestWhetherAWSIsOnThisMachine(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"": false, "http://127.0.0.1:4566": true, "http://[::1]:4566": true, "http://10.0.0.1:4566": false, "http://localhost:4566": false,
		"https://sqs.us-east-1.amazonaws.com": false, "http://127.0.0.1.evil.example": false, "://": false,
	} {
		lookup := func(name string) (string, bool) { return endpoint, name == "AWS_ENDPOINT_URL" }
		if got := awsconfig.IsLocal(lookup); got != want {
			t.Errorf("%q: %t", endpoint, got)
		}
	}
}
