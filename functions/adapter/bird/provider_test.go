package bird

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

const publicURL = "https://hooks.example.net"

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	sample := func(name string) adaptertest.Case { return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json") }
	line := func(id, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-bird", Address: address, Channels: channels}
	}
	channel, err := New(publicURL)
	if err != nil {
		tb.Fatal(err)
	}
	return adaptertest.Provider{
		Channel: channel,
		Sign:    sign,
		Account: tenant.Account{ID: "demo-bird", TenantID: "demo", Provider: Provider, ProviderAccount: "8f0c1d2e-0000-4000-8000-0000000000de"},
		Lines: []tenant.Line{
			line("bird-number", "8f0c1d2e-0002-4000-8000-000000000002", canonical.SMS),
			line("bird-whatsapp", "8f0c1d2e-0002-4000-8000-000000000003", canonical.WhatsApp),
		},
		Sample:    sample("sms"),
		Malformed: sample("malformed"),
		Needed: []string{
			"event", "payload", "payload.id", "payload.channelId", "payload.sender", "payload.sender.contact", "payload.sender.contact.identifierValue", "payload.receiver",
			"payload.receiver.contacts", "payload.receiver.contacts.identifierValue", "payload.body", "payload.body.type", "payload.body.text", "payload.body.text.text",
			"payload.body.image", "payload.body.image.text", "payload.status",
		},
		Update: *update,
		Stale: func(r webhook.Request, token secret.Value) webhook.Request {
			return signAt(r, token, r.Received.Add(-6*time.Minute))
		},
		Unknown: sample("unheard-of"),
	}
}

func sign(r webhook.Request, token secret.Value) webhook.Request { return signAt(r, token, r.Received) }

// signAt signs a request as Bird documents it, apart from the code that verifies.
func signAt(r webhook.Request, token secret.Value, at time.Time) webhook.Request {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256(r.Body)
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(timestamp + "\n" + publicURL + r.Path + "\n" + string(sum[:])))
	r.Header = r.Header.Clone()
	r.Header.Set("messagebird-request-timestamp", timestamp)
	r.Header.Set("messagebird-signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

// TestASignatureThatOthersMade is a vector that another program computed. The hash of the body in hex, which looks as likely, is refused.
func TestASignatureThatOthersMade(t *testing.T) {
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
