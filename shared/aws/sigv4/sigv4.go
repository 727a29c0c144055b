// Package sigv4 signs requests to an HTTP API of API Gateway whose routes ask for IAM credentials, and checks such signatures for the
// local cloud. Both are AWS's own signer: a check signs again and compares.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// What a signature is made with: its algorithm, the service whose name it carries, how it writes its time, and for how long it holds.
const (
	algorithm = "AWS4-HMAC-SHA256"
	service   = "execute-api"
	layout    = "20060102T150405Z"
	holds     = 5 * time.Minute
)

// EmulatorSecret is the secret of every key of a cloud on one machine, ours or another: it keeps nobody out.
const EmulatorSecret = "test"

// ErrRefused is the error of a request that has no signature which holds.
var ErrRefused = errors.New("sigv4: the request has no signature that holds")

// Sign signs a request whose body is given, for an API of a region.
func Sign(r *http.Request, body []byte, credentials aws.Credentials, region string, now time.Time) error {
	return v4.NewSigner().SignHTTP(r.Context(), credentials, r, hash(body), service, region, now)
}

// Check returns ErrRefused unless a request that a server received is signed with a secret, at a time that is within five minutes of now.
// Whose key it is and for which region it says so are the caller's: a cloud on one machine has one secret, and takes every region for its own.
func Check(r *http.Request, body []byte, secret string, now time.Time) error {
	a, ok := parse(r.Header.Get("Authorization"))
	at, err := time.Parse(layout, r.Header.Get("X-Amz-Date"))
	if !ok || err != nil || at.Sub(now).Abs() > holds || a.scope[0] != at.Format("20060102") || a.scope[2] != service {
		return ErrRefused
	}
	again := r.Clone(r.Context())
	again.Header, again.ContentLength = http.Header{}, 0
	for _, name := range a.headers {
		if name == "content-length" {
			again.ContentLength = int64(len(body))
		}
		if values, sent := r.Header[http.CanonicalHeaderKey(name)]; sent && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if Sign(again, body, aws.Credentials{AccessKeyID: a.key, SecretAccessKey: secret}, a.scope[1], at) != nil {
		return ErrRefused
	}
	if held, ok := parse(again.Header.Get("Authorization")); !ok || !hmac.Equal([]byte(held.signature), []byte(a.signature)) {
		return ErrRefused
	}
	return nil
}

// CheckEmulated is Check for the clouds of one machine.
func CheckEmulated(r *http.Request, body []byte) error {
	return Check(r, body, EmulatorSecret, time.Now())
}

// authorization is the header of that name.
type authorization struct {
	key       string
	scope     []string // date, region, service, and the word that ends it
	headers   []string
	signature string
}

func parse(header string) (a authorization, ok bool) {
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	a.key, rest, _ = strings.Cut(fields["Credential"], "/")
	a.scope, a.headers, a.signature = strings.Split(rest, "/"), strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]
	return a, ok && a.key != "" && len(a.scope) == 4 && a.signature != ""
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
