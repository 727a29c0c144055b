package bird

import (
	"net/http"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// TestSignatureVectors: the signatures were computed by another program. The hash of the body in hex, which looks as likely, is refused.
func TestSignatureVectors(t *testing.T) {
	const body = `{"service":"channels","event":"sms.inbound","payload":{"id":"8f0c1d2e-0001-4000-8000-000000000001","channelId":"8f0c1d2e-0002-4000-8000-000000000002","sender":{"contact":{"id":"c1","identifierKey":"phonenumber","identifierValue":"+447700900123"}},"receiver":{"connector":{"id":"k1"}},"body":{"type":"text","text":{"text":"hi"}},"status":"delivered","direction":"incoming","createdAt":"2026-11-23T12:00:00Z","lastStatusAt":"2026-11-23T12:00:00Z"}}`
	channel, err := New("https://hooks.example.net/prod/")
	if err != nil {
		t.Fatal(err)
	}
	for signature, ok := range map[string]bool{"9LvaSuhnLmeCDQdDZ4FJAoK0ARctjR5/aCgEpSLSygM=": true, "c/WznEUnl2W4jVO9K+kSZ/bwH5whySZ0+k2Y1NvK2sE=": false} {
		r := webhook.Request{Received: time.Unix(1795435200, 0), Path: "/bird", Body: []byte(body), Header: http.Header{}}
		r.Header.Set(timestampHeader, "1795435200")
		r.Header.Set(signatureHeader, signature)
		if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"another", "bird_signing_key_1"}); (err == nil) != ok {
			t.Errorf("%s: %v", signature, err)
		}
	}
}

func TestABaseURLIsOneThatCanBeSigned(t *testing.T) {
	for _, base := range []string{"", "hooks.example.net", "ftp://hooks.example.net", "https://u@hooks.example.net", "https://hooks.example.net?x=1", "https://hooks.example.net#x"} {
		if _, err := New(base); err == nil {
			t.Errorf("%q is taken", base)
		}
	}
}
