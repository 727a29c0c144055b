package samples

import (
	"net/url"
	"testing"
	"time"

	"signalbox/shared/dev/samples"
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
