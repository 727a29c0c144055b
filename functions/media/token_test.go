package media

import (
	"testing"
	"time"
)

// TestATokenOfAnAccount is one that another program made of the same secret, issuer and time.
func TestATokenOfAnAccount(t *testing.T) {
	const (
		secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
		want   = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiI5ZDJmMWM3Ny0wYTUxLTRlMGUtOGYwYy0wZDRjOGQxYTJiM2MiLCJpYXQiOjE3OTU0MzUyMDB9.pjA1sbErGIhHclTNNC8jLeBTC0TxyrisFJBXcDhCDWE"
	)
	if got := webToken("9d2f1c77-0a51-4e0e-8f0c-0d4c8d1a2b3c", secret, time.Unix(1795435200, 0)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := webToken("x", "no base64!", time.Unix(0, 0)); got != "" {
		t.Errorf("a secret of no form makes %s", got)
	}
}
