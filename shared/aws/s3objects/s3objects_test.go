package s3objects_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/s3objects"
	"signalbox/shared/dev/local/cloud/inprocess"
	local "signalbox/shared/dev/local/cloud/s3"
	"signalbox/shared/fault"
	"signalbox/shared/objects"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/objects/objectstest"
)

const bucket = "demo-objects"

func newClient(to http.RoundTripper, endpoint string) *s3.Client {
	config := awsconfig.Base("us-east-1", &http.Client{Transport: to})
	config.Credentials = awsconfig.Static("id", "key", "")
	if endpoint != "" {
		config.BaseEndpoint = aws.String(endpoint)
	}
	return s3.NewFromConfig(config, s3objects.Options)
}

// TestConformance is ring 2: the SDK talks to the local cloud's handler.
func TestConformance(t *testing.T) {
	t.Parallel()
	objectstest.Run(t, func(t *testing.T) objects.Store {
		handler := local.New(map[string]*memobjects.Store{bucket: memobjects.New()})
		handler.Refused = func(message string) { t.Errorf("refused: %s", message) }
		return s3objects.New(newClient(inprocess.Transport{Handler: handler}, "http://s3.test"), bucket)
	}, nil)
}

// TestObjectsOnAnEmulator asks a third party's emulator. Run by hand:
//
//	SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run Emulator -v ./shared/aws/...
func TestObjectsOnAnEmulator(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("SIGNALBOX_EMULATOR_URL")
	if endpoint == "" {
		t.Skip("skipped: SIGNALBOX_EMULATOR_URL names no emulator; the second opinion is asked for by hand")
	}
	objectstest.Run(t, func(t *testing.T) objects.Store {
		client, name := newClient(http.DefaultTransport, endpoint), strings.ToLower("objects-"+rand.Text())
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
			t.Fatalf("CreateBucket: %v", err)
		}
		return s3objects.New(client, name)
	}, nil)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhatS3RepliesIsSorted(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		status int
		code   string
		want   string
		kind   fault.Kind
	}{
		"nothing of this name":           {404, "NoSuchKey", objects.CodeAbsent, fault.Permanent},
		"no such bucket":                 {404, "NoSuchBucket", s3objects.CodeUnusable, fault.Blocked},
		"no right":                       {403, "AccessDenied", s3objects.CodeUnusable, fault.Blocked},
		"the key is disabled":            {400, "KMS.DisabledException", s3objects.CodeUnusable, fault.Blocked},
		"a request for patience":         {503, "SlowDown", s3objects.CodeThrottled, fault.Throttled},
		"a server's error":               {500, "InternalError", s3objects.CodeFailed, fault.Retryable},
		"what was sent was not received": {400, "RequestTimeout", s3objects.CodeFailed, fault.Retryable},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/xml")
					w.WriteHeader(c.status)
					_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>demo/t1_0</Message></Error>", c.code)
				})
				s := s3objects.New(newClient(inprocess.Transport{Handler: handler}, "http://s3.test"), bucket)
				_, err := s.Get(t.Context(), "demo/t1_0")
				for _, err := range []error{err, s.Put(t.Context(), "demo/t1_0", nil)} {
					if f := fault.Of(err); f == nil || f.Kind != c.kind || f.Code != c.want || strings.Contains(err.Error(), "t1_0") {
						t.Errorf("%v, want %s %s", err, c.kind, c.want)
					}
				}
			})
		})
	}
}

// TestABucketHasAHostOfItsOwn: AWS's paths hold no bucket, and TLS is what is spoken.
func TestABucketHasAHostOfItsOwn(t *testing.T) {
	t.Parallel()
	var asked []string
	s := s3objects.New(newClient(transport(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.Method+" "+r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
		return nil, context.Canceled
	}), ""), bucket)
	_ = s.Put(t.Context(), "a/b", []byte("x"))
	if len(asked) == 0 || asked[0] != "PUT https://demo-objects.s3.us-east-1.amazonaws.com/a/b" {
		t.Errorf("%v", asked)
	}
}
