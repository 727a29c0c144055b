package canonical

import "testing"

func TestForms(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct{ e164, channel bool }{
		"+15551234567": {e164: true}, "+1555123": {e164: true}, "+155512345678901": {e164: true},
		"+155512": {}, "+1555123456789012": {}, "+0555123456": {}, "15551234567": {}, "++5551234567": {}, "+": {}, "": {}, "+1555 123456": {},
		"sms": {channel: true}, "a_1": {channel: true}, "1a": {}, "_a": {}, "SMS": {}, "e-mail": {}, "abcdefghijklmnopqrstuvwxyz789012": {channel: true},
		"abcdefghijklmnopqrstuvwxyz7890123": {},
	} {
		if IsE164(s) != want.e164 || IsChannel(s) != want.channel {
			t.Errorf("%q: E.164 %t, a channel %t", s, IsE164(s), IsChannel(s))
		}
	}
}
