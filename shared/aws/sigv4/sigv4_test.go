package sigv4_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signalbox/shared/aws/sigv4"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	secret = "a secret"
	body   = `{"a":1}`
)

// received returns a request as a server has it: signed at a time, sent, and then changed.
func received(t *testing.T, at time.Time, after func(*http.Request)) (r *http.Request, sent []byte) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
		sent, _ = io.ReadAll(got.Body)
		r = got.Clone(t.Context()) // the server goes on with its own
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/a%20b/health?x=1&y=%2F", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Own", "one")
	if err := sigv4.Sign(request, []byte(body), aws.Credentials{AccessKeyID: "id", SecretAccessKey: secret, SessionToken: "token"}, "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	after(r)
	return r, sent
}

func TestASignatureHoldsForTheRequestItWasMadeOf(t *testing.T) {
	now := time.Date(2026, 11, 27, 23, 58, 0, 0, time.UTC)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	in := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	for sentence, c := range map[string]struct {
		at     time.Duration // of the signature, from now
		change func(*http.Request)
		secret string
		holds  bool
	}{
		"as it was signed":                            {holds: true},
		"what is not signed may be added on the way":  {change: header("X-Forwarded-For", "192.0.2.1"), holds: true},
		"nearly five minutes old":                     {at: -299 * time.Second, holds: true},
		"of the next day, by a clock that is ahead":   {at: 3 * time.Minute, holds: true},
		"more than five minutes old":                  {at: -301 * time.Second},
		"of more than five minutes from now":          {at: 301 * time.Second},
		"made with another secret":                    {secret: "another"},
		"of another method":                           {change: func(r *http.Request) { r.Method = http.MethodGet }},
		"of another path":                             {change: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/other/health", "" }},
		"of another query":                            {change: func(r *http.Request) { r.URL.RawQuery = "x=2" }},
		"of another host":                             {change: func(r *http.Request) { r.Host = "elsewhere" }},
		"of another value of a header that is signed": {change: header("X-Own", "two")},
		"of another session":                          {change: header("X-Amz-Security-Token", "another")},
		"with another time":                           {change: header("X-Amz-Date", now.Add(time.Minute).Format("20060102T150405Z"))},
		"without a time":                              {change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }},
		"without a signature":                         {change: func(r *http.Request) { r.Header.Del("Authorization") }},
		"with an empty one":                           {change: in("Signature=", "Unsigned=")},
		"with another scheme":                         {change: header("Authorization", "Bearer token")},
		"for another service":                         {change: in("execute-api", "s3")},
		"for another region":                          {change: in("eu-west-1", "us-east-1")},
		"with a header less":                          {change: in(";x-own", "")},
		"with nothing but the scheme":                 {change: header("Authorization", "AWS4-HMAC-SHA256 ")},
	} {
		t.Run(sentence, func(t *testing.T) {
			after := c.change
			if after == nil {
				after = func(*http.Request) {}
			}
			with := c.secret
			if with == "" {
				with = secret
			}
			r, sent := received(t, now.Add(c.at), after)
			if err := sigv4.Check(r, sent, with, now); (err == nil) != c.holds || err != nil && !errors.Is(err, sigv4.ErrRefused) {
				t.Errorf("%v", err)
			}
			if err := sigv4.Check(r, []byte(`{"a":2}`), with, now); err == nil {
				t.Error("it holds for another body")
			}
		})
	}
}

// FuzzCheck: a stranger writes the headers.
func FuzzCheck(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=id/20261127/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20261127T235800Z")
	f.Add("AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;, Signature=", "")
	f.Fuzz(func(t *testing.T, header, date string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("Authorization", header)
		r.Header.Set("X-Amz-Date", date)
		if sigv4.Check(r, nil, secret, time.Date(2026, 11, 27, 23, 58, 0, 0, time.UTC)) == nil {
			t.Error("it holds")
		}
	})
}
