package telnyx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	"signalbox/functions/adapter"
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
			"data.event_type", "data.payload.id", "data.payload.from.phone_number", "data.payload.to.phone_number", "data.payload.text", "data.payload.subject", "data.payload.body.text",
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

// TestASignatureThatOthersMade is a vector: the key is the one of a known seed, and the signature was computed by another program.
func TestASignatureThatOthersMade(t *testing.T) {
	const (
		token     = "ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ="
		signature = "g4VHTgjTIR9+qE76UgduuXf0/5Gweh7BpEc7p2xN+Po4BRk6ZuQgjIJbFBQ2OjzuDoGQpEe/dsezP5oT0VJHDg=="
		body      = `{"data":{"record_type":"event","id":"7f3c0d8e-1111-4222-8333-444455556666","event_type":"message.received","occurred_at":"2026-11-23T12:00:00.000+00:00","payload":{"record_type":"message","direction":"inbound","id":"0b1c2d3e-aaaa-4bbb-8ccc-ddddeeeeffff","type":"SMS","messaging_profile_id":"p1","from":{"phone_number":"+447700900123"},"to":[{"phone_number":"+447700900200","status":"webhook_delivered"}],"text":"hi","media":[],"parts":1,"encoding":"GSM-7","received_at":"2026-11-23T12:00:00.000+00:00"}},"meta":{"attempt":1,"delivered_to":"https://hooks.example.net/prod/telnyx"}}`
	)
	seed, _ := hex.DecodeString("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20")
	if public(ed25519.NewKeyFromSeed(seed)) != token {
		t.Fatal("the vector's key is not that of its seed")
	}
	r := webhook.Request{Received: time.Unix(1795435200, 0), Body: []byte(body), Header: http.Header{}}
	r.Header.Set(timestampHeader, "1795435200")
	r.Header.Set(signatureHeader, signature)
	verify := func() error {
		return (&Channel{}).Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"not base64", token})
	}
	if err := verify(); err != nil {
		t.Error(err)
	}
	r.Body = []byte(body + " ")
	if verify() == nil {
		t.Error("another body was accepted")
	}
}
