package twilio

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// reference signs by the book, with a map of sets and nothing shared with the code under test but the form decoder's rules.
func reference(token, address string, r webhook.Request) string {
	if r.RawQuery != "" {
		address += "?" + r.RawQuery
	}
	values := map[string][]string{}
	if !strings.Contains(r.RawQuery, bodyHash+"=") {
		for segment := range strings.SplitSeq(string(r.Body), "&") {
			if segment == "" {
				continue
			}
			name, value, _ := strings.Cut(segment, "=")
			name, value = tolerant(name), tolerant(value)
			if !slices.Contains(values[name], value) {
				values[name] = append(values[name], value)
			}
		}
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		slices.Sort(values[name])
		for _, value := range values[name] {
			address += name + value
		}
	}
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// tolerant is the standard library's decoder where that succeeds.
func tolerant(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	var text strings.Builder
	return unescape(&text, []byte(s))
}

func TestSignatureVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]struct {
		Token, URL, Body, Signature string
		Accepted                    bool
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 15 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(v.URL)
			if err != nil {
				t.Fatal(err)
			}
			channel, err := New(u.Scheme + "://" + u.Host)
			if err != nil {
				t.Fatal(err)
			}
			r := webhook.Request{Method: http.MethodPost, Path: u.Path, RawQuery: u.RawQuery, Body: []byte(v.Body), Header: http.Header{}}
			r.Header.Set("x-twilio-signature", v.Signature)
			tokens := map[string]struct {
				versions secret.Versions
				accepted bool
			}{
				"current":  {secret.Versions{secret.Value(v.Token), "another"}, v.Accepted},
				"previous": {secret.Versions{"another", secret.Value(v.Token)}, v.Accepted},
				"unknown":  {secret.Versions{"another"}, false},
				"none":     {nil, false},
			}
			for which, tokens := range tokens {
				err := channel.Decode(adapter.Webhook{Request: r}).Verify(tokens.versions)
				if (err == nil) != tokens.accepted {
					t.Errorf("%s token: error %v, want accepted %t", which, err, tokens.accepted)
				}
				if err != nil && fault.Of(err).Kind != fault.Rejected {
					t.Errorf("%s token: %v is not a rejection", which, err)
				}
			}
		})
	}
}

func TestPublicBaseURL(t *testing.T) {
	cases := map[string][]string{
		"https://hooks.example.net":          {"https://hooks.example.net", "https://hooks.example.net:443"},
		"https://hooks.example.net/":         {"https://hooks.example.net", "https://hooks.example.net:443"},
		"https://hooks.example.net:443":      {"https://hooks.example.net", "https://hooks.example.net:443"},
		"http://hooks.example.net":           {"http://hooks.example.net", "http://hooks.example.net:80"},
		"http://127.0.0.1:8080":              {"http://127.0.0.1", "http://127.0.0.1:8080"},
		"https://hooks.example.net/prod":     {"https://hooks.example.net/prod", "https://hooks.example.net:443/prod"},
		"":                                   nil,
		"hooks.example.net":                  nil,
		"ftp://hooks.example.net":            nil,
		"https://":                           nil,
		"https://hooks.example.net?a=1":      nil,
		"https://hooks.example.net#a":        nil,
		"https://user:pw@hooks.example.net":  nil,
		"https://hooks.example.net:port":     nil,
		"https://hooks.example.net:443:8080": nil,
	}
	for public, want := range cases {
		got, err := bases(public)
		if !slices.Equal(got, want) || (want == nil) != errors.Is(err, ErrBaseURL) {
			t.Errorf("%q: %q, %v, want %q", public, got, err, want)
		}
	}
}

// TestAnAuthenticWebhookOfManyFieldsIsRead is what was refused as if it were a stranger's: more fields than anybody expects.
func TestAnAuthenticWebhookOfManyFieldsIsRead(t *testing.T) {
	var body strings.Builder
	body.WriteString("AccountSid=AC1&MessageSid=SM1&From=%2B15552010001&To=%2B15557654321&Body=hi")
	for i := range 5_000 {
		fmt.Fprintf(&body, "&Field%d=%d", i, i)
	}
	channel, err := New(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	r := sign(webhook.Request{Path: "/v1/x", Body: []byte(body.String()), Header: http.Header{}}, "token")
	if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"token"}); err != nil {
		t.Fatal(err)
	}
	parsed, err := parse(Messages, body.String())
	if err != nil || len(parsed) != 1 || parsed[0].Event.Message.Text != "hi" {
		t.Errorf("%v, %v", parsed, err)
	}
}

func TestSignatureStageIsPartOfTheURL(t *testing.T) {
	channel, err := New("https://hooks.example.net/prod")
	if err != nil {
		t.Fatal(err)
	}
	r := webhook.Request{Path: "/v1/x", Body: []byte("A=1"), Header: http.Header{}}
	r.Header.Set(header, reference("token", "https://hooks.example.net/prod/v1/x", r))
	if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"token"}); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	channel, err := New(publicURL)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("token", "/v1/x", "a=1", "A=2&A=1&B=")
	f.Add("token", "/v1/x", "bodySHA256=00", "{}")
	f.Add("token", "", "", "%&%zz&;+=&&=")
	f.Fuzz(func(t *testing.T, token, path, query, body string) {
		r := webhook.Request{Path: path, RawQuery: query, Body: []byte(body), Header: http.Header{}}
		r.Header.Set(header, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{secret.Value(token), "another"}); err == nil {
			t.Error("a signature of zeros was accepted")
		}
		decoded, _ := decodeForm([]byte(query))
		_, hashed := decoded.lookup(bodyHash)
		if hashed || strings.Contains(query, bodyHash) || token == "" || strings.Count(body, "&") >= maxFields {
			return
		}
		r.Header.Set(header, reference(token, publicURL+path, r))
		if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"another", secret.Value(token)}); err != nil {
			t.Errorf("a right signature was refused: %v", err)
		}
	})
}

func TestEmptyTokenSignsNothing(t *testing.T) {
	channel, err := New(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	r := webhook.Request{Path: "/v1/x", Body: []byte("A=1"), Header: http.Header{}}
	r.Header.Set(header, reference("", publicURL+"/v1/x", r))
	if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{""}); err == nil {
		t.Error("anybody can sign with an empty token")
	}
}
