package telnyx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"testing"
	"time"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	sample := func(name string) adaptertest.Case { return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json") }
	line := func(id, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-telnyx", Address: address, Channels: channels}
	}
	return adaptertest.Provider{
		Channel:   &Channel{},
		Sign:      sign,
		Token:     func(word string) secret.Value { return public(key(word)) },
		Account:   tenant.Account{ID: "demo-telnyx", TenantID: "demo", Provider: Provider, ProviderAccount: "b448f9cc-a842-4784-98e9-03c1a5872900"},
		Lines:     []tenant.Line{line("telnyx-number", "+15557654327", canonical.SMS), line("telnyx-agent", "acme_demo_telnyx_agent", canonical.RCS)},
		Sample:    sample("sms"),
		Malformed: sample("malformed"),
		Needed: []string{
			"data.event_type", "data.payload.id", "data.payload.from.phone_number", "data.payload.from.agent_id", "data.payload.to.phone_number", "data.payload.text", "data.payload.subject", "data.payload.body.text",
			"data.payload.to", "data.payload.from", "data.payload.to.status", "data.payload.to.agent_id", "data.payload.type", "data", "data.payload", "data.payload.body",
		},
		Update: *update,
		Stale: func(r webhook.Request, token secret.Value) webhook.Request {
			return signAt(r, token, r.Received.Add(-6*time.Minute))
		},
		Unknown: sample("rcs-unheard-of"),
	}
}

// key makes a key of a word. The suite gives its public half as a token, by which sign finds it again.
func key(word string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(word))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(k ed25519.PrivateKey) secret.Value {
	return secret.Value(base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey)))
}

// sign signs a request as Telnyx does at the moment it is received.
func sign(r webhook.Request, token secret.Value) webhook.Request { return signAt(r, token, r.Received) }

func signAt(r webhook.Request, token secret.Value, at time.Time) webhook.Request {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signer := key("nobody's")
	for _, word := range []string{"current-token-for-tests", "previous-token-for-tests", "older-token-for-tests"} {
		if k := key(word); public(k) == token {
			signer = k
		}
	}
	r.Header = r.Header.Clone()
	r.Header.Set("telnyx-timestamp", timestamp)
	r.Header.Set("telnyx-signature-ed25519", base64.StdEncoding.EncodeToString(ed25519.Sign(signer, []byte(timestamp+"|"+string(r.Body)))))
	return r
}
