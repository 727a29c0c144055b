package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	line := func(id, account, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: account, Address: address, Channels: channels}
	}
	rivals := line("rival-number", "rival-edge", "+15559990000", canonical.SMS)
	rivals.TenantID = "rival"
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Token:   adaptertest.StandardSecret,
		Account: tenant.Account{ID: "demo-edge", TenantID: "demo", Provider: Provider, ProviderAccount: "demo-edge"},
		Lines: []tenant.Line{
			line("edge-number", "demo-edge", "+15557654321", canonical.SMS, canonical.RCS, canonical.WhatsApp),
			line("edge-apple", "demo-edge", "support@acme.example", canonical.IMessage),
			line("edge-site", "demo-edge", "web:acme.example/chat", canonical.Web),
			rivals,
		},
		Sample:    sample(tb, "seed"),
		Malformed: sample(tb, "malformed"),
		Needed:    []string{"message", "message.text", "recipient", "recipient.channelAddress", "recipient.phone"},
		Update:    *update,
	}
}

func sample(tb testing.TB, name string) adaptertest.Case {
	tb.Helper()
	return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json")
}

// sign signs a request under an id that is its body's own.
func sign(r webhook.Request, token secret.Value) webhook.Request {
	sum := sha256.Sum256(r.Body)
	return adaptertest.SignStandard(r, token, "msg_"+hex.EncodeToString(sum[:8]))
}
