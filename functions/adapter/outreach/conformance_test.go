package outreach

import (
	"encoding/json"
	"flag"
	"path/filepath"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

var update = flag.Bool("update", false, "write the golden files")

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	line := func(id, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-outreach", Address: address, Channels: channels}
	}
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Token:   adaptertest.StandardSecret,
		Account: tenant.Account{ID: "demo-outreach", TenantID: "demo", Provider: Provider, ProviderAccount: "demo-outreach"},
		Lines: []tenant.Line{
			line("outreach-number", "+15557654321", canonical.SMS, canonical.WhatsApp, "call"),
			line("outreach-whatsapp", "whatsapp:+15557654321", canonical.WhatsApp),
			line("outreach-agent", "rcs:acme_demo_agent", canonical.RCS),
			line("outreach-mailbox", "sales@acme.example", "email"),
		},
		Sample:    sample(tb, "text"),
		Malformed: sample(tb, "malformed"),
		Needed:    []string{"text"},
		Update:    *update,
	}
}

func sample(tb testing.TB, name string) adaptertest.Case {
	tb.Helper()
	return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json")
}

// token makes a secret of a word.
func sign(r webhook.Request, token secret.Value) webhook.Request {
	return adaptertest.SignStandard(r, token, "msg_1")
}

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

// TestTheSampleIsAnOutreach keeps the request that newcomers see from rotting.
func TestTheSampleIsAnOutreach(t *testing.T) {
	files, err := filepath.Glob("samples/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		p := provider(t)
		p.Sample = adaptertest.ReadCase(t, file)
		events := adaptertest.Events(t, p)
		if len(events) != 1 || events[0].Direction != canonical.Outbound || events[0].Recipient.Phone == "" {
			t.Errorf("%s becomes %v", file, events)
		}
		var body struct{ ID string }
		if err := json.Unmarshal(p.Sample.JSON, &body); err != nil || events[0].ProviderMessageID != body.ID {
			t.Errorf("%s: provider message id %q, want %q", file, events[0].ProviderMessageID, body.ID)
		}
	}
}

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }
