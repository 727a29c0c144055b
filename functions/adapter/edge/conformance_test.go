package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

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
		Needed:    []string{"message", "message.text"},
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

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

// TestTheSeedsExampleIsAccepted holds the sample and the case against the event that was agreed on first, byte for byte.
func TestTheSeedsExampleIsAccepted(t *testing.T) {
	agreed, err := os.ReadFile("../../../events/canonical-rcs.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"testdata/seed/request.json", "samples/14-canonical-event.json"} {
		p := provider(t)
		p.Sample = adaptertest.ReadCase(t, file)
		if diff := cmp.Diff(strings.TrimSpace(string(agreed)), string(p.Sample.JSON)); diff != "" {
			t.Errorf("%s: -agreed +sent:\n%s", file, diff)
		}
		events := adaptertest.Events(t, p)
		if len(events) != 1 || events[0].Sender.Phone != "+15551234567" || events[0].Message.Text != "Interested in pricing for product X" {
			t.Errorf("%s becomes %v", file, events)
		}
	}
}

// TestEveryExampleIsAccepted sends the examples of canonical events, each with a line of this account's in place of its own.
func TestEveryExampleIsAccepted(t *testing.T) {
	files, err := filepath.Glob("../../../events/canonical-*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e map[string]any
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		ours := "recipient"
		if e["direction"] != "inbound" {
			ours = "sender"
		}
		e[ours] = map[string]any{"phone": "+15557654321"}
		if e["channel"] == "imessage" {
			e[ours] = map[string]any{"channelAddress": "support@acme.example"}
		}
		p := provider(t)
		p.Sample.JSON, _ = json.Marshal(e)
		if events := adaptertest.Events(t, p); len(events) != 1 {
			t.Errorf("%s becomes %d events", file, len(events))
		}
	}
}

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }
