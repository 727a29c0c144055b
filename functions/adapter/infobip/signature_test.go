package infobip

import (
	"net/http"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

func TestTheWaysAnAccountMaySecureItsWebhooks(t *testing.T) {
	body := []byte(`{"results":[]}`)
	header := func(name, value string) http.Header { return http.Header{http.CanonicalHeaderKey(name): {value}} }
	basic := func(user, password string) http.Header {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header
	}
	for name, c := range map[string]struct {
		token  secret.Value
		header http.Header
		ok     bool
	}{
		"basic":                           {"basic:us:er-secret", basic("us", "er-secret"), true},
		"basic with a colon":              {"basic:us:a:b", basic("us", "a:b"), true},
		"basic of another":                {"basic:us:er-secret", basic("us", "er-secret2"), false},
		"basic without a password":        {"basic:", basic("", ""), false},
		"basic where an HMAC is expected": {"hmac:sha256:X-S:hex:k", basic("us", "k"), false},
		"sha1 in hex":                     {"hmac:sha1:X-S:hex:k", header("X-S", "011a27b00a8b48d73a81388549f08f0887a11809"), true}, // by openssl, as the two below
		"sha512 in hex":                   {"hmac:sha512:X-S:hex:k", header("X-S", "fa94576d76f7f4055d2c43443254782bfe4751c0e8b88ab04ee354783eb9691dc4900ca0e0437a658c3ee0436f50eefe72bb7f0771b60ced88eb97b6b6b8b9d0"), true},
		"no secret":                       {"hmac:sha256:X-S:hex:", header("X-S", ""), false},
		"another hash":                    {"hmac:md5:X-S:hex:k", header("X-S", "x"), false},
		"a token of no form":              {"secret", header("X-S", "secret"), false},
		"a secret with a colon in base64": {"hmac:sha256:X-S:base64:a:b", header("X-S", "WabQhjWPyycCvWRLB0IpTVfqoxFMjPwsgadE5H8ENFU="), true},
	} {
		err := (&Channel{}).Decode(adapter.Webhook{Request: webhook.Request{Header: c.header, Body: body}}).Verify(secret.Versions{c.token})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, want %v", name, err, c.ok)
		}
	}
}
