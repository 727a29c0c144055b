package cloud_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox/shared/dev/local/cloud"

	"github.com/google/go-cmp/cmp"
)

// named returns its name.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}

func services() cloud.Services {
	return cloud.Services{
		SQS: named("sqs"), DynamoDB: named("dynamodb"), KMS: named("kms"), SecretsManager: named("secretsmanager"),
		Lambda: cloud.Lambda(func(_ context.Context, name string, event []byte) ([]byte, string, error) {
			if name != "apply" {
				return nil, "", cloud.ErrNoFunction
			}
			return event, "Unhandled", nil
		}),
	}
}

func request(t *testing.T, path, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=Route.7/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	return r
}

func TestEveryServiceIsToldApartAndCounted(t *testing.T) {
	counts := &cloud.Counts{}
	handler := cloud.New(services(), nil, counts)
	for target, want := range map[string]string{
		"AmazonSQS.SendMessageBatch": "sqs", "DynamoDB_20120810.GetItem": "dynamodb", "TrentService.Decrypt": "kms",
		"secretsmanager.GetSecretValue": "secretsmanager",
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request(t, "/", target, "{}"))
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, request(t, "/", "AmazonSNS.Publish", "{}"))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "AmazonSNS.Publish") {
		t.Errorf("an unknown service: %d %s", w.Code, w.Body)
	}
	want := map[cloud.Call]int{
		{Service: "sqs", Operation: "SendMessageBatch", Caller: "Route"}:          1,
		{Service: "dynamodb", Operation: "GetItem", Caller: "Route"}:              1,
		{Service: "kms", Operation: "Decrypt", Caller: "Route"}:                   1,
		{Service: "secretsmanager", Operation: "GetSecretValue", Caller: "Route"}: 1,
		{Service: "", Operation: "Publish", Caller: "Route"}:                      1,
	}
	if diff := cmp.Diff(want, counts.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

func TestADirectInvocationAnswersWhatTheFunctionDid(t *testing.T) {
	handler := cloud.New(services(), nil, &cloud.Counts{})
	for path, want := range map[string]int{
		"/2015-03-31/functions/apply/invocations":                                                     200,
		"/2015-03-31/functions/apply:live/invocations":                                                200,
		"/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:apply/invocations":      200,
		"/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:apply:live/invocations": 200,
		"/2015-03-31/functions/other/invocations":                                                     404,
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request(t, path, "", "event"))
		if w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w.Code == 200 && (w.Body.String() != "event" || w.Header().Get("X-Amz-Function-Error") != "Unhandled") {
			t.Errorf("%s: %s %v", path, w.Body, w.Header())
		}
	}
}

// loser loses calls before or after their effect.
type loser struct{ before, after bool }

func (l loser) Pass(_ cloud.Call, effect func()) bool {
	if l.before {
		return false
	}
	effect()
	return !l.after
}

func TestAnObserverLosesACallBeforeOrAfterItsEffect(t *testing.T) {
	for name, c := range map[string]struct {
		observer loser
		effects  int32
		answered bool
	}{
		"nothing is lost":       {loser{}, 1, true},
		"lost before":           {loser{before: true}, 0, false},
		"lost after its effect": {loser{after: true}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			var effects atomic.Int32
			s := services()
			s.SQS = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { effects.Add(1) })
			server := httptest.NewServer(cloud.New(s, c.observer, &cloud.Counts{}))
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessageBatch")
			response, err := http.DefaultClient.Do(r)
			if err == nil {
				_ = response.Body.Close()
			}
			if (err == nil) != c.answered || effects.Load() != c.effects {
				t.Errorf("answered %v, %d effects", err == nil, effects.Load())
			}
		})
	}
}
