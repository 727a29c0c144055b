package samples

import (
	"strings"
	"testing"
)

// The expected signatures are those of Twilio's own validators for the same requests.
func TestSignaturesOverURLAndForm(t *testing.T) {
	for name, c := range map[string]struct {
		form [][2]string
		want string
	}{
		// The example of https://www.twilio.com/docs/usage/security#validating-requests with its token 12345.
		"the documented example": {
			[][2]string{{"CallSid", "CA1234567890ABCDE"}, {"Caller", "+14158675309"}, {"Digits", "1234"}, {"From", "+14158675309"}, {"To", "+18005551212"}},
			"RSOYDt4T1cUTdK1PDd93/VVr8B8=",
		},
		"in another order, with a repetition": {
			[][2]string{{"To", "+18005551212"}, {"From", "+14158675309"}, {"Digits", "1234"}, {"Digits", "1234"}, {"Caller", "+14158675309"}, {"CallSid", "CA1234567890ABCDE"}},
			"RSOYDt4T1cUTdK1PDd93/VVr8B8=",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := signForm("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", c.form); got != c.want {
				t.Errorf("signature %s, want %s", got, c.want)
			}
		})
	}
}

func TestAFormIsSentInItsOrder(t *testing.T) {
	s := Sample{Form: [][2]string{{"To", "+1"}, {"Body", "a b&c"}, {"Empty", ""}}}
	if got, want := s.body(), "To=%2B1&Body=a+b%26c&Empty="; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
}

// TestEverySampleCanBeSent wants of every file what a client needs to sign it and to find what becomes of it.
func TestEverySampleCanBeSent(t *testing.T) {
	const root = "../../.."
	all, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(root, Target{Gateway: "http://127.0.0.1:1", Host: "api.example", PublicBaseURL: "https://hooks.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		request, err := client.Request(t.Context(), s)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if request.Host != "api.example" || request.URL.String() != "http://127.0.0.1:1"+s.Path || len(request.Header) < 2 {
			t.Errorf("%s goes to %s as %s with %v", s.Name, request.URL, request.Host, request.Header)
		}
		if s.ID() == "" || client.EventID(s) == "" || client.MessageKey(s) == "" {
			t.Errorf("%s has no id", s.Name)
		}
	}
	if len(all) < 10 {
		t.Errorf("only %d samples", len(all))
	}
}

func TestASampleThatNobodyCanSign(t *testing.T) {
	client, err := NewClient("../../..", Target{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/v1/accounts/demo-twilio/nobody/messages": `no signature that is known for the provider "nobody"`,
		"/v1/accounts/other/twilio/messages":       "the tenant demo has no account other",
		"/":                                        "has no account ",
	} {
		if _, err := client.Request(t.Context(), Sample{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}
