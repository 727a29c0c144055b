package applebusiness

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// vectors were computed apart from this code.
type vectors struct {
	Secret        secret.Value `json:"secret"`
	Authorization string       `json:"authorization"`
	OfPyJWT       string       `json:"ofPyJWT"`  // made by PyJWT, which Apple's own programs use, for several
	Outbound      string       `json:"outbound"` // what an MSP sends, which is not what it gets
	KeyField      string       `json:"keyField"`
	Plain         string       `json:"plain"`
	Encrypted     string       `json:"encrypted"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTokenVectors(t *testing.T) {
	v := readVectors(t)
	now := adaptertest.Clock().Unix()
	claims := func(aud string, iat int64) string { return fmt.Sprintf(`{"aud":%s,"iat":%d}`, aud, iat) }
	ours := `"` + msp + `"`
	hs256 := `{"alg":"HS256"}`
	by := func(s secret.Value, head, body string) string { return "Bearer " + tokenOf(s, head, body) }
	unsigned := tokenOf(v.Secret, `{"alg":"none"}`, claims(ours, now))
	unsigned = "Bearer " + unsigned[:strings.LastIndexByte(unsigned, '.')+1]
	decoded, err := base64.StdEncoding.DecodeString(string(v.Secret))
	if err != nil {
		t.Fatal(err)
	}
	asText := secret.Value(base64.StdEncoding.EncodeToString([]byte(v.Secret))) // the secret as it stands is the key
	for name, c := range map[string]struct{ header, code string }{
		"of the vector":                              {v.Authorization, ""},
		"that PyJWT made":                            {v.OfPyJWT, ""},
		"for several, one of which we are":           {by(v.Secret, `{"typ":"JWT","alg":"HS256"}`, claims(`["another",`+ours+`]`, now)), ""},
		"with the scheme in small letters":           {strings.Replace(v.Authorization, "Bearer", "bearer", 1), ""},
		"of an hour ago":                             {by(v.Secret, hs256, claims(ours, now-3600)), ""},
		"with a fraction of a second":                {by(v.Secret, hs256, fmt.Sprintf(`{"aud":%s,"iat":%d.25}`, ours, now)), ""},
		"that an MSP sends":                          {v.Outbound, "token_audience"},
		"of more than an hour ago":                   {by(v.Secret, hs256, claims(ours, now-3601)), "token_stale"},
		"of more than an hour ahead":                 {by(v.Secret, hs256, claims(ours, now+3601)), "token_stale"},
		"that has run out":                           {by(v.Secret, hs256, fmt.Sprintf(`{"aud":%s,"iat":%d,"exp":%d}`, ours, now-60, now-30)), "token_stale"},
		"without a time":                             {by(v.Secret, hs256, `{"aud":`+ours+`}`), "token_malformed"},
		"whose claims are none":                      {by(v.Secret, hs256, `[]`), "token_malformed"},
		"for another MSP":                            {by(v.Secret, hs256, claims(`"another"`, now)), "token_audience"},
		"for nobody":                                 {by(v.Secret, hs256, claims(`[]`, now)), "token_audience"},
		"without a signature, by its own word":       {unsigned, "token_algorithm"},
		"of another algorithm":                       {by(v.Secret, `{"alg":"HS512"}`, claims(ours, now)), "token_algorithm"},
		"with the algorithm in small letters":        {by(v.Secret, `{"alg":"hs256"}`, claims(ours, now)), "token_algorithm"},
		"whose signature is cut":                     {v.Authorization[:len(v.Authorization)-1], "token_signature"},
		"whose signature is gone":                    {v.Authorization[:strings.LastIndexByte(v.Authorization, '.')+1], "token_signature"},
		"signed with the secret that is not decoded": {by(asText, hs256, claims(ours, now)), "token_signature"},
		"by another scheme":                          {strings.Replace(v.Authorization, "Bearer", "Basic", 1), "token_missing"},
		"that is none":                               {"Bearer x", "token_missing"},
		"that is not there":                          {"", "token_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			err := verify(c.header, msp, adaptertest.Clock(), secret.Versions{v.Secret})
			if got := codeOf(err); got != c.code {
				t.Errorf("code %q, want %q", got, c.code)
			}
		})
	}
	for name, s := range map[string]secret.Value{"empty": "", "not base64": "secret!", "the bytes themselves": secret.Value(decoded)} {
		if err := verify(v.Authorization, msp, adaptertest.Clock(), secret.Versions{s}); codeOf(err) != "token_signature" {
			t.Errorf("a secret that is %s: %v", name, err)
		}
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

// received returns the content of a case, signed as it is received.
func received(t *testing.T, name string, change func(*webhook.Request)) adapter.Content {
	t.Helper()
	r := sample(t, name).Request()
	if change != nil {
		change(&r)
	}
	r = sign(r, provider(t).Token("now"))
	return (&Channel{}).Decode(adapter.Webhook{Request: r, Provider: Provider, Kind: Message, AccountID: "demo-applebusiness", ProviderAccount: msp})
}

func TestHeadersAndBodySayTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		header, value, code string
	}{
		"as they are":           {"X-Other", "x", ""},
		"another id":            {"Id", "00000000-0000-4000-8000-000000000000", "headers_wrong"},
		"another person":        {"Source-Id", "urn:mbid:somebody", "headers_wrong"},
		"another business":      {"Destination-Id", "81c3a7d2-5e4f-4a6b-9c8d-0e1f2a3b4c5d", "headers_wrong"},
		"in capitals":           {"Destination-Id", "2F6F0D1E-1B2C-4D3E-8F90-A1B2C3D4E5F6", ""},
		"one that says nothing": {"Destination-Id", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, of := range []string{"text", "compressed"} {
				err := received(t, of, func(r *webhook.Request) { r.Header.Set(c.header, c.value) }).Verify(secret.Versions{provider(t).Token("now")})
				if got := codeOf(err); got != c.code {
					t.Errorf("%s: code %q, want %q", of, got, c.code)
				}
			}
		})
	}
}

// bomb is so many bytes, compressed.
func bomb(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABodyThatInflatesTooFar(t *testing.T) {
	const large = 64 << 20
	body := bomb(t, large)
	c := received(t, "text", func(r *webhook.Request) { r.Body = body })
	if err := c.Verify(secret.Versions{provider(t).Token("now")}); err != nil {
		t.Errorf("it is authentic, and Verify returns %v", err)
	}
	if _, err := c.Parse(); codeOf(err) != adapter.CodeInflated {
		t.Errorf("Parse returns %v", err)
	}
	spent := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			stranger := received(t, "text", func(r *webhook.Request) { r.Body = body })
			if err := stranger.Verify(secret.Versions{provider(t).Token("another")}); codeOf(err) != "token_signature" {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if spent > 200_000 {
		t.Errorf("a stranger's costs %d bytes: it is inflated before its sender is known", spent)
	}
}

// TestTheWebhookOfTheVector is one that was written apart from this code.
func TestTheWebhookOfTheVector(t *testing.T) {
	v := readVectors(t)
	r := sample(t, "vector").Request()
	r.Header = http.Header{"Authorization": {v.Authorization}, "Id": {"6b1f0e9c-7a54-4f0e-b1a2-3c4d5e6f7081"}}
	c := (&Channel{}).Decode(adapter.Webhook{Request: r, ProviderAccount: msp})
	if err := c.Verify(secret.Versions{v.Secret}); err != nil {
		t.Fatal(err)
	}
	parsed, err := c.Parse()
	if err != nil || len(parsed) != 1 {
		t.Fatal(parsed, err)
	}
	m := parsed[0].Event.Message
	if m.Text != "Where is my parcel?" || len(m.Attachments) != 1 || m.Attachments[0].Access.Key != key64 || m.Attachments[0].Size != 11 {
		t.Errorf("%+v", m)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := provider(b).Token("now")
	at := time.Now()
	token := "Bearer " + tokenOf(s, `{"alg":"HS256"}`, fmt.Sprintf(`{"aud":%q,"iat":%d}`, msp, at.Unix()))
	b.ReportAllocs()
	for b.Loop() {
		if err := verify(token, msp, at, secret.Versions{s}); err != nil {
			b.Fatal(err)
		}
	}
}
