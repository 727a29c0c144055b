// Package cloud is the AWS services of one machine behind one port: it tells requests apart, knows which process makes each
// call, counts them, and lets an observer see and stop them.
package cloud

import (
	"maps"
	"net/http"
	"strings"
	"sync"

	"signalbox/shared/dev/local/cloud/awsjson"
)

// Services are the handlers of the local cloud.
type Services struct {
	SQS, DynamoDB, KMS, SecretsManager, S3 http.Handler

	Lambda         http.Handler // direct invocations
	CloudFormation http.Handler // describes the stack
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

// New returns the handler of the whole cloud. The observer may be nil; counts may be read at any time.
func New(s Services, observer Observer, counts *Counts) http.Handler {
	named := map[string]struct { // by prefix of X-Amz-Target
		service string
		handler http.Handler
	}{
		"AmazonSQS":         {"sqs", s.SQS},
		"DynamoDB_20120810": {"dynamodb", s.DynamoDB},
		"TrentService":      {"kms", s.KMS},
		"secretsmanager":    {"secretsmanager", s.SecretsManager},
	}
	return Observe(observer, func(r *http.Request) (Call, http.Handler) {
		prefix, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		target, found := named[prefix]
		call := Call{Service: target.service, Operation: operation, Caller: caller(r.Header.Get("Authorization"))}
		switch {
		case found:
		case strings.HasPrefix(r.URL.Path, invokePath):
			call.Service, call.Operation, target.handler = "lambda", "Invoke", s.Lambda
		case isSignedFor(r, "s3"): // whose paths are anything
			call.Service, call.Operation, target.handler = "s3", r.URL.Query().Get("x-id"), s.S3
		case r.Method == http.MethodPost && r.URL.Path == "/" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
			target.handler = s.CloudFormation // it alone speaks the query protocol
		default:
			target.handler = http.HandlerFunc(notUnderstood)
		}
		counts.add(call)
		return call, target.handler
	})
}

// notUnderstood refuses what is no call to a service that is here.
func notUnderstood(w http.ResponseWriter, r *http.Request) {
	awsjson.Write(w, "1.1", nil, awsjson.NotUnderstood("%s %s, X-Amz-Target %q", r.Method, r.URL.Path, r.Header.Get("X-Amz-Target")))
}

// isSignedFor reports whether a request is signed for a service.
func isSignedFor(r *http.Request, service string) bool {
	return strings.Contains(r.Header.Get("Authorization"), "/"+service+"/aws4_request")
}

// caller returns the access key id of a signature.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
func caller(authorization string) string {
	_, credential, _ := strings.Cut(authorization, "Credential=")
	id, _, _ := strings.Cut(credential, "/")
	return id
}
