package rbm

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// provider is what the suite has to be told of the channel. Its cases are what is in the envelope.
func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	line := func(id, owner, address string) tenant.Line {
		return tenant.Line{ID: id, TenantID: owner, AccountID: "demo-rbm", Address: address, Channels: []canonical.Channel{canonical.RCS}}
	}
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Account: tenant.Account{ID: "demo-rbm", TenantID: "demo", Provider: Provider, ProviderAccount: "acme-partner"},
		Lines: []tenant.Line{
			line("acme-agent", "demo", "acme_support_d3mo_agent@rbm.goog"),
			line("acme-second", "demo", "acme_second_s3cond_agent"),
			line("rival-agent", "rival", "rival_homes_r1val_agent@rbm.goog"),
		},
		Sample:    sample(tb, "text"),
		Malformed: sample(tb, "malformed"),
		Needed:    []string{"senderPhoneNumber", "phoneNumber", "messageId", "eventId", "eventType", "agentId", "text"},
		Update:    *update,
		Unknown:   sample(tb, "unknown-content"),
		Handshakes: []adaptertest.Handshake{{
			Name: "a client token and a secret",
			Ask: func(token secret.Value) webhook.Request {
				c := sample(tb, "text")
				c.JSON = json.RawMessage(`{"clientToken":"` + string(token) + `","secret":"904417"}`)
				return c.Request()
			},
			Answer: webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte("904417")},
		}},
	}
}

func sample(tb testing.TB, name string) adaptertest.Case {
	tb.Helper()
	return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json")
}

// sign puts what a case says into an envelope and signs it as Google does, written apart from the code that verifies.
func sign(r webhook.Request, token secret.Value) webhook.Request {
	mac := hmac.New(sha512.New, []byte(token))
	mac.Write(r.Body)
	r.Header = r.Header.Clone()
	r.Header.Set("X-Goog-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r.Header.Set("Content-Type", "application/json")
	r.Body = envelope(r.Body)
	return r
}

func envelope(said []byte) []byte {
	return []byte(`{"message":{"attributes":{"business_id":"acme_support_d3mo_agent@rbm.goog","message_type":"TEXT","product":"RBM","project_number":"555201000","type":"message"},` +
		`"data":"` + base64.StdEncoding.EncodeToString(said) + `","messageId":"14150481888479752","message_id":"14150481888479752","publishTime":"2026-11-23T12:00:00.88Z"},` +
		`"subscription":"projects/acme-demo/subscriptions/rbm"}`)
}
