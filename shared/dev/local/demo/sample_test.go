package demo

import "testing"

// The expected signatures are those of Twilio's own validators for the same requests.
func TestSignaturesAreTwilios(t *testing.T) {
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
			if got := (Sample{Form: c.form}).sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2"); got != c.want {
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
