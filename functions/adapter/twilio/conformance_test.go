package twilio

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"strings"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

var update = flag.Bool("update", false, "write the golden files")

const publicURL = "https://hooks.example.net"

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	channel, err := New(publicURL)
	if err != nil {
		tb.Fatal(err)
	}
	line := func(id, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-twilio", Address: address, Channels: channels}
	}
	return adaptertest.Provider{
		Channel: channel,
		Sign:    sign,
		Account: tenant.Account{ID: "demo-twilio", TenantID: "demo", Provider: Provider, ProviderAccount: "AC00000000000000000000000000000de0"},
		Lines: []tenant.Line{
			line("acme-number", "+15557654321", canonical.SMS, canonical.WhatsApp),
			line("acme-agent", "rcs:acme_demo_agent", canonical.RCS),
			line("acme-pool", "MG00000000000000000000000000000de0", canonical.SMS),
		},
		Sample:    sample(tb, "sms"),
		Malformed: sample(tb, "another-account"),
		Needed: []string{
			"MessageSid", "SmsMessageSid", "SmsSid", "From", "To", "AccountSid", "MessagingServiceSid", "data", "Body", "MessageStatus", "SmsStatus",
			"type", "data.messageSid", "data.from", "data.to", "data.body", "data.accountSid",
			"data.from_number", "data.to_number", "data.account_sid", "data.is_reassigned", "data.consent_operation", "data.errorCode",
		},
		Update: *update,
	}
}

func sample(tb testing.TB, name string) adaptertest.Case {
	tb.Helper()
	return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json")
}

// sign signs a request as Twilio does, written apart from the code that verifies.
func sign(r webhook.Request, token secret.Value) webhook.Request {
	r.Header = r.Header.Clone()
	if strings.HasSuffix(r.Path, "/"+Events) {
		sum := sha256.Sum256(r.Body)
		r.RawQuery = "bodySHA256=" + hex.EncodeToString(sum[:])
	}
	r.Header.Set("X-Twilio-Signature", reference(string(token), publicURL+r.Path, r))
	return r
}

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

func BenchmarkStream(b *testing.B) {
	p := provider(b)
	p.Sample = sample(b, "stream-inbound")
	adaptertest.Bench(b, p)
}

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }
