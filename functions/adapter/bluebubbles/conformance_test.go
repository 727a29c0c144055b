package bluebubbles

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

var update = flag.Bool("update", false, "write the golden files")

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

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }

// TestThePageSaysEveryCode holds README.md against the codes.
func TestThePageSaysEveryCode(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{CodeBody, CodeEvent, CodeGUID, CodeChat, CodeSender} {
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("README.md does not say what %s is", code)
		}
	}
}

// TestWhatAServerPostsByItselfIsRefused: the account's path is no secret, and a body without the relay's signature is a stranger's.
func TestWhatAServerPostsByItselfIsRefused(t *testing.T) {
	r := adaptertest.ReadCase(t, "testdata/text/request.json").Request()
	r.Header.Set("User-Agent", "axios/1.7.2")
	err := (&Channel{}).Decode(adapter.Webhook{Request: r, Kind: Messages}).Verify(secret.Versions{adaptertest.StandardSecret("any")})
	if f := fault.Of(err); f.Kind != fault.Rejected || f.Code != standardwebhooks.CodeMissing {
		t.Error(err)
	}
}
