package bird

import (
	"crypto/hmac"
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
