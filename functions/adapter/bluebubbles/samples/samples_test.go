package samples

import (
	"testing"
	"time"

	"signalbox/shared/dev/samples"
)

// The expected signature was computed by Python's hmac of the secret, time and body that the specification's libraries are tested with.
func TestSignaturesAreOfTheStandard(t *testing.T) {
	const body, token = `{"test": 2432232314}`, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	got := Channel{}.Sign("", []byte(body), token, time.Unix(1614265330, 0))
	if want := "v1,dCSBbHbrF7ahPmuffWdV9T9aync66qL4HwQWdvohANg="; got.Get("Webhook-Signature") != want || got.Get("Webhook-Timestamp") != "1614265330" {
		t.Errorf("%v, want the signature %s", got, want)
	}
}

func TestALoadsWebhooksSayWhatTheyAre(t *testing.T) {
	s, ok := Channel{}.New(samples.Load{Kind: samples.Message, Number: "1", Text: "hello", Person: "+15552010551"})
	if got, want := (Channel{}).Identify(s.JSON), (samples.Identity{ID: "1", Kind: "message", Key: "1", Text: "hello"}); !ok || got != want {
		t.Errorf("%+v", got)
	}
	for _, kind := range []string{samples.Status, samples.Answer, samples.Outreach, samples.Refused} {
		if _, ok := (Channel{}).New(samples.Load{Kind: kind, Number: "1", Person: "+15552010551"}); ok {
			t.Errorf("it sends %s", kind)
		}
	}
	if got := (Channel{}).Identify([]byte("{")); got != (samples.Identity{}) {
		t.Errorf("%+v", got)
	}
}
