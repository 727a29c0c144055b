package bluebubbles

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	sample := func(name string) adaptertest.Case { return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json") }
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Token:   adaptertest.StandardSecret,
		Account: tenant.Account{ID: "demo-bluebubbles", TenantID: "demo", Provider: Provider, ProviderAccount: "+15557654355"},
		Lines: []tenant.Line{{
			ID: "demo-agents-mac", TenantID: "demo", AccountID: "demo-bluebubbles", Address: "+15557654355",
			Channels: []canonical.Channel{canonical.IMessage, canonical.SMS, canonical.RCS},
		}},
		Sample:    sample("text"),
		Malformed: sample("malformed"),
		Unknown:   sample("app"),
		Needed:    []string{"type", "data", "data.guid", "data.text", "data.subject", "data.chats", "data.associatedMessageGuid", "data.associatedMessageType"},
		Stale: func(r webhook.Request, token secret.Value) webhook.Request {
			received := r.Received
			r.Received = received.Add(-standardwebhooks.Tolerance - time.Second)
			r = sign(r, token)
			r.Received = received
			return r
		},
		Update: *update,
	}
}

// sign signs a request under an id that is its body's own.
func sign(r webhook.Request, token secret.Value) webhook.Request {
	sum := sha256.Sum256(r.Body)
	return adaptertest.SignStandard(r, token, "bb_"+hex.EncodeToString(sum[:16]))
}
