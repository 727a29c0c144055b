package vonage

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

func TestSignatureVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Secret, APIKey string
		Received       time.Time
		Tokens         map[string]struct{ Body, Authorization, Refused string }
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors.Tokens) < 18 {
		t.Fatal(len(vectors.Tokens), err)
	}
	for name, v := range vectors.Tokens {
		content := decode(v.Body, v.Authorization, vectors.APIKey, vectors.Received)
		for _, secrets := range []secret.Versions{{secret.Value(vectors.Secret), "x"}, {"x", secret.Value(vectors.Secret)}} {
			if err := content.Verify(secrets); v.Refused == "" && err != nil || v.Refused != "" && (fault.Of(err).Code != v.Refused || fault.Of(err).Kind != fault.Rejected) {
				t.Errorf("%s: %v, want %q", name, err, v.Refused)
			}
		}
		for _, secrets := range []secret.Versions{nil, {""}, {"x"}} {
			if content.Verify(secrets) == nil {
				t.Errorf("%s: accepted with %d other secrets", name, len(secrets))
			}
		}
	}
}
