package infobip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// profile is what a token of the suite says before its secret.
const profile = "hmac:sha256:X-Hub-Signature:hex:"

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	sample := func(name string) adaptertest.Case { return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json") }
	line := func(id, owner, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: owner, AccountID: "demo-infobip", Address: address, Channels: channels}
	}
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Token:   func(word string) secret.Value { return secret.Value(profile + word) },
		Account: tenant.Account{ID: "demo-infobip", TenantID: "demo", Provider: Provider, ProviderAccount: "q1234"},
		Lines: []tenant.Line{
			line("infobip-number", "demo", "+15557654328", canonical.SMS, canonical.WhatsApp),
			line("infobip-agent", "demo", "acme_demo_infobip_agent", canonical.RCS),
			line("infobip-business", "demo", "2f6f0d1e-1b2c-4d3e-8f90-a1b2c3d4e5f6", canonical.IMessage),
			line("infobip-page", "demo", "acme.shop", "instagram_dm"),
			line("rivals", "rival", "15559990028", canonical.SMS),
		},
		Sample:    sample("sms"),
		Malformed: sample("malformed"),
		Needed: []string{
			"results", "results.messageId", "results.sender", "results.destination", "results.from", "results.to", "results.channel", "results.event",
			"results.content", "results.content.type", "results.content.text", "results.content.url", "results.text", "results.status", "results.status.groupName",
			"results.status.name", "results.seenAt", "results.pairedMessageId", "results.content.emoji",
		},
		Update:  *update,
		Unknown: sample("unheard-of"),
		Several: sample("several"),
	}
}

func sign(r webhook.Request, token secret.Value) webhook.Request {
	mac := hmac.New(sha256.New, []byte(strings.TrimPrefix(string(token), profile)))
	mac.Write(r.Body)
	r.Header = r.Header.Clone()
	r.Header.Set("X-Hub-Signature", hex.EncodeToString(mac.Sum(nil)))
	return r
}

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
