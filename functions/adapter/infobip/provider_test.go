package infobip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

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
