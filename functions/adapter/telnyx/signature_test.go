package telnyx

import (
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// TestSignatureVectors: the key is that of a known seed, and the signature was computed by another program.
func TestSignatureVectors(t *testing.T) {
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
