package whatsapp

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// TestSignatureVectors: the expected signature was computed by another program, in another language. What must be refused is what a receiver
// computes who encodes the JSON again.
func TestSignatureVectors(t *testing.T) {
	var vector struct{ Secret, Body, Signature, Encoded, Unescaped string }
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &vector); err != nil {
		t.Fatal(err)
	}
	short := vector.Signature[:len(vector.Signature)-2]
	for name, c := range map[string]struct {
		header string
		tokens secret.Versions
		code   string
	}{
		"of the bytes that were received":       {vector.Signature, secret.Versions{secret.Value(vector.Secret)}, ""},
		"by the secret of before":               {vector.Signature, secret.Versions{"another", secret.Value(vector.Secret)}, ""},
		"of the JSON encoded again":             {vector.Encoded, secret.Versions{secret.Value(vector.Secret)}, "signature_wrong"},
		"of the JSON without its escaped slash": {vector.Unescaped, secret.Versions{secret.Value(vector.Secret)}, "signature_wrong"},
		"by another secret":                     {vector.Signature, secret.Versions{"another"}, "signature_wrong"},
		"by no secret":                          {vector.Signature, secret.Versions{""}, "signature_wrong"},
		"none":                                  {"", secret.Versions{secret.Value(vector.Secret)}, "signature_missing"},
		"without its scheme":                    {strings.TrimPrefix(vector.Signature, "sha256="), secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
		"of the older scheme":                   {"sha1=" + strings.Repeat("0", 64), secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
		"cut short":                             {short, secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
		"with what is no digit":                 {short + "xy", secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := webhook.Request{Method: http.MethodPost, Header: http.Header{"X-Hub-Signature-256": {c.header}}, Body: []byte(vector.Body)}
			err := (&Channel{}).Decode(adapter.Webhook{Request: r}).Verify(c.tokens)
			got := ""
			if err != nil {
				got = fault.Of(err).Code
			}
			if got != c.code {
				t.Errorf("code %q, want %q", got, c.code)
			}
		})
	}
}

func TestOnlyWhatMetaAsksIsAHandshake(t *testing.T) {
	tokens := secret.Versions{"a-verify-token-of-mine"}
	challenge := webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte("<7>&")}
	for name, c := range map[string]struct {
		method, query string
		answer        webhook.Response
		asks          bool
	}{
		"the right token":                        {http.MethodGet, "hub.mode=subscribe&hub.challenge=%3C7%3E%26&hub.verify_token=a-verify-token-of-mine", challenge, true},
		"another token":                          {http.MethodGet, "hub.mode=subscribe&hub.challenge=7&hub.verify_token=a-guess", webhook.Response{Status: http.StatusForbidden}, true},
		"no token":                               {http.MethodGet, "hub.mode=subscribe&hub.challenge=7", webhook.Response{Status: http.StatusForbidden}, true},
		"another mode":                           {http.MethodGet, "hub.mode=unsubscribe&hub.verify_token=a-verify-token-of-mine", webhook.Response{}, false},
		"somebody who looks what is there":       {http.MethodGet, "", webhook.Response{}, false},
		"what cannot be decoded":                 {http.MethodGet, "hub.mode=subscribe&hub.verify_token=%zz", webhook.Response{}, false},
		"a webhook with a question in its query": {http.MethodPost, "hub.mode=subscribe&hub.challenge=7&hub.verify_token=a-verify-token-of-mine", webhook.Response{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			content := (&Channel{}).Decode(adapter.Webhook{Request: webhook.Request{Method: c.method, RawQuery: c.query}})
			answer, asks := content.(adapter.Handshaker).Handshake(tokens)
			if diff := cmp.Diff(c.answer, answer); diff != "" || asks != c.asks {
				t.Errorf("asks %v, answer -want +got:\n%s", asks, diff)
			}
		})
	}
	if answer, _ := (content{adapter.Webhook{Request: webhook.Request{Method: http.MethodGet, RawQuery: "hub.mode=subscribe&hub.verify_token="}}}).Handshake(secret.Versions{""}); answer.Status != http.StatusForbidden {
		t.Errorf("an empty token is answered %d", answer.Status)
	}
}
