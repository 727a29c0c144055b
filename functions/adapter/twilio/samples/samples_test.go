package samples

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"

	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// The expected signatures are those of Twilio's own validators for the same requests.
func TestSignaturesOverURLAndForm(t *testing.T) {
	// The example of https://www.twilio.com/docs/usage/security#validating-requests with its token 12345.
	const documented = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
	for name, body := range map[string]string{
		"the documented example":           documented,
		"in another order, and repetition": "Digits=1234&" + documented,
	} {
		t.Run(name, func(t *testing.T) {
			got := Channel{}.Sign("https://mycompany.com/myapp.php?foo=1&bar=2", []byte(body), "12345", time.Time{})
			if want := "RSOYDt4T1cUTdK1PDd93/VVr8B8="; got.Get("X-Twilio-Signature") != want {
				t.Errorf("signature %s, want %s", got, want)
			}
		})
	}
}

func TestALoadsWebhooksSayWhatTheyAre(t *testing.T) {
	for kind, want := range map[string]samples.Identity{
		samples.Message: {ID: "SM1", Kind: "message", Key: "SM1", Text: "sent"},
		samples.Status:  {ID: "MM1", Kind: "receipt", Key: "MM1|sent|"},
	} {
		s, ok := Channel{}.New(samples.Load{Kind: kind, Number: "1", Text: "sent"})
		form := url.Values{}
		for _, pair := range s.Form {
			form.Add(pair[0], pair[1])
		}
		if got := (Channel{}).Identify([]byte(form.Encode())); !ok || got != want {
			t.Errorf("%s is %+v", kind, got)
		}
	}
	if _, ok := (Channel{}).New(samples.Load{Kind: samples.Outreach}); ok {
		t.Error("it sends an outreach")
	}
}

// TestSamplesOfEventStreamsAreSignedByTheirHash: the URL of each names the hash of what it holds.
func TestSamplesOfEventStreamsAreSignedByTheirHash(t *testing.T) {
	all, err := samples.Read("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	const base = "https://hooks.example.net"
	receiver, err := Channel{}.Receiver(base)
	if err != nil {
		t.Fatal(err)
	}
	hashed := 0
	for _, s := range all {
		path, query, ok := strings.Cut(s.Path, "?")
		if s.Provider() != "twilio" || !ok {
			continue
		}
		hashed++
		if sum := sha256.Sum256(s.JSON); query != "bodySHA256="+hex.EncodeToString(sum[:]) {
			t.Errorf("the URL of %s is to have bodySHA256=%x", s.Name, sum)
		}
		r := webhook.Request{Method: http.MethodPost, Path: path, RawQuery: query, Body: s.JSON, Header: Channel{}.Sign(base+s.Path, s.JSON, "token", time.Time{})}
		if err := receiver.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"token"}); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if about := (Channel{}).Identify(s.JSON); about.ID == "" || about.Text == "" {
			t.Errorf("%s is %+v", s.Name, about)
		}
	}
	if hashed < 2 {
		t.Errorf("there are %d", hashed)
	}
}
