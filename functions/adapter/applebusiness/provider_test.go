package applebusiness

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const msp = "9d2f1c77-0a51-4e0e-8f0c-0d4c8d1a2b3c"

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	line := func(id, business string) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-applebusiness", Address: business, Channels: []canonical.Channel{canonical.IMessage}}
	}
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Stale: func(r webhook.Request, token secret.Value) webhook.Request {
			return signAt(r, token, r.Received.Add(-61*time.Minute))
		},
		BodyUnsigned: true,
		Token: func(word string) secret.Value {
			sum := sha256.Sum256([]byte(word))
			return secret.Value(base64.StdEncoding.EncodeToString(sum[:]))
		},
		Account:   tenant.Account{ID: "demo-applebusiness", TenantID: "demo", Provider: Provider, ProviderAccount: msp},
		Lines:     []tenant.Line{line("apple-acme", "2f6f0d1e-1b2c-4d3e-8f90-a1b2c3d4e5f6"), line("apple-other", "81c3a7d2-5e4f-4a6b-9c8d-0e1f2a3b4c5d")},
		Sample:    sample(tb, "text"),
		Malformed: sample(tb, "malformed"),
		Unknown:   sample(tb, "unknown-kind"),
		Needed:    []string{"type", "id", "sourceId", "destinationId", "body"},
		Update:    *update,
	}
}

func sample(tb testing.TB, name string) adaptertest.Case {
	tb.Helper()
	return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json")
}

// sign signs a request as Apple does, at the moment it is received.
func sign(r webhook.Request, token secret.Value) webhook.Request { return signAt(r, token, r.Received) }

func signAt(r webhook.Request, token secret.Value, at time.Time) webhook.Request {
	return authorized(r, tokenOf(token, `{"alg":"HS256"}`, fmt.Sprintf(`{"aud":%q,"iat":%d}`, msp, at.Unix())))
}

func authorized(r webhook.Request, token string) webhook.Request {
	r.Header = r.Header.Clone()
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// tokenOf returns a token with the secret's signature, whatever it says.
func tokenOf(s secret.Value, head, claims string) string {
	key, _ := base64.StdEncoding.DecodeString(string(s))
	signed := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
