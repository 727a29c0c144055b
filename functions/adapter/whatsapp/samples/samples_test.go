package samples

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
)

// The expected signature was computed by openssl.
func TestTheSignatureIsOfTheBody(t *testing.T) {
	got := Channel{}.Sign("https://hooks.example.net/", []byte(`{"object":"whatsapp_business_account"}`), "meta_app_secret_abc123", time.Time{})
	if want := "sha256=633a0237826d714d8b0c1996c146125fed56868756bc41a8dd77a0c5680d45cd"; got.Get("X-Hub-Signature-256") != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestALoadsWebhooksSayWhatTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		load samples.Load
		want samples.Identity
	}{
		"a message": {samples.Load{Kind: samples.Message, Number: "1", Text: "hello"}, samples.Identity{ID: "wamid.1", Kind: "message", Key: "wamid.1", Text: "hello"}},
		"a file":    {samples.Load{Kind: samples.Message, Number: "1", Media: "https://media.example/1"}, samples.Identity{ID: "wamid.1", Kind: "message", Key: "wamid.1"}},
		"a status":  {samples.Load{Kind: samples.Status, Number: "1", Text: "sent"}, samples.Identity{ID: "wamid.1", Kind: "receipt", Key: "wamid.1|sent|"}},
		"a failure": {samples.Load{Kind: samples.Status, Number: "1", Text: "failed", Problem: "131026"}, samples.Identity{ID: "wamid.1", Kind: "receipt", Key: "wamid.1|failed|131026"}},
	} {
		s, ok := Channel{}.New(c.load)
		if got := (Channel{}).Identify(s.JSON); !ok || got != c.want {
			t.Errorf("%s is %+v", name, got)
		}
	}
	for name, load := range map[string]samples.Load{
		"an outreach": {Kind: samples.Outreach}, "an SMS": {Kind: samples.Message, Channel: canonical.SMS}, "a refusal": {Kind: samples.Refused},
	} {
		if _, ok := (Channel{}).New(load); ok {
			t.Errorf("it sends %s", name)
		}
	}
	if got := (Channel{}).Identify([]byte(`{"object":"page"}`)); got != (samples.Identity{}) {
		t.Errorf("another's is %+v", got)
	}
}
