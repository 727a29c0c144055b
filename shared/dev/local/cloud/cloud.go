// Package cloud is the AWS services of one machine behind one port: it tells requests apart, knows which process makes each
// call, counts them, and lets an observer see and stop them.
package cloud

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Services are the handlers of the local cloud.
type Services struct {
	SQS, DynamoDB, KMS, SecretsManager http.Handler
	Lambda                             http.Handler // direct invocations
	CloudFormation                     http.Handler // describes the stack
}

// Counts are calls by kind.
type Counts struct {
	mu sync.Mutex
	n  map[Call]int
}

// Snapshot returns the calls so far. Caller is the function, without the number of its process.
func (c *Counts) Snapshot() map[Call]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

func (c *Counts) add(call Call) {
	call.Caller = call.Function()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[Call]int{}
	}
	c.n[call]++
}

// prefixes of X-Amz-Target and the services behind them.
func (s Services) prefixes() map[string]struct {
	service string
	handler http.Handler
} {
	return map[string]struct {
		service string
		handler http.Handler
	}{
		"AmazonSQS":         {"sqs", s.SQS},
		"DynamoDB_20120810": {"dynamodb", s.DynamoDB},
		"TrentService":      {"kms", s.KMS},
		"secretsmanager":    {"secretsmanager", s.SecretsManager},
	}
}

// New returns the handler of the whole cloud. The observer may be nil; counts may be read at any time.
func New(s Services, observer Observer, counts *Counts) http.Handler {
	known := s.prefixes()
	dispatch := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch target, found := known[prefix]; {
		case found:
			target.handler.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, invokePath):
			s.Lambda.ServeHTTP(w, r)
		case r.Method == http.MethodPost && r.URL.Path == "/" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
			s.CloudFormation.ServeHTTP(w, r) // it alone speaks the query protocol
		default:
			notUnderstood(w, r)
		}
	})
	call := func(r *http.Request) Call {
		prefix, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		c := Call{Service: known[prefix].service, Operation: operation, Caller: caller(r.Header.Get("Authorization"))}
		if strings.HasPrefix(r.URL.Path, invokePath) {
			c.Service, c.Operation = "lambda", "Invoke"
		}
		counts.add(c)
		return c
	}
	if observer == nil {
		observer = noObserver{}
	}
	return Observe(observer, call, dispatch)
}

// noObserver lets every call pass.
type noObserver struct{}

func (noObserver) Pass(_ Call, effect func()) bool {
	effect()
	return true
}

// notUnderstood refuses what is no call to a service that is here.
func notUnderstood(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(map[string]string{
		"__type":  "UnknownOperationException",
		"message": "the local cloud has no service for " + r.Method + " " + r.URL.Path + ", X-Amz-Target " + r.Header.Get("X-Amz-Target"),
	})
	if err != nil { // texts always encode
		body = nil
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}

// caller returns the access key id of a signature.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
func caller(authorization string) string {
	_, credential, found := strings.Cut(authorization, "Credential=")
	if !found {
		return ""
	}
	id, _, _ := strings.Cut(credential, "/")
	return id
}
