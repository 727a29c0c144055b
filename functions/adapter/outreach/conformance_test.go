package outreach

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"path/filepath"
	"strconv"
	"strings"
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
		Token:   token,
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
func token(word string) secret.Value {
	sum := sha256.Sum256([]byte(word))
	return secret.Value("whsec_" + base64.StdEncoding.EncodeToString(sum[:]))
}

// sign signs a request as it would be sent at the moment it is received, written apart from the code that verifies.
func sign(r webhook.Request, token secret.Value) webhook.Request {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(token), "whsec_"))
	timestamp := strconv.FormatInt(r.Received.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("msg_1." + timestamp + "." + string(r.Body)))
	r.Header = r.Header.Clone()
	r.Header.Set("webhook-id", "msg_1")
	r.Header.Set("webhook-timestamp", timestamp)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
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
