package rbm

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

func TestSignatureVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]struct {
		Token, Body, Signature, Refused string
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	for name, v := range vectors {
		content := decode(v.Body, v.Signature)
		for which, tokens := range map[string]secret.Versions{"current": {secret.Value(v.Token), "x"}, "previous": {"x", secret.Value(v.Token)}} {
			if err := content.Verify(tokens); v.Refused == "" && err != nil || v.Refused != "" && (fault.Of(err).Code != v.Refused || fault.Of(err).Kind != fault.Rejected) {
				t.Errorf("%s, %s token: %v, want %q", name, which, err, v.Refused)
			}
		}
		for _, tokens := range []secret.Versions{nil, {""}, {"x"}} {
			if content.Verify(tokens) == nil {
				t.Errorf("%s: accepted with %d other tokens", name, len(tokens))
			}
		}
	}
}

// TestAMessageSaysWhatItsSignatureCovers: what is beside the data in the envelope is anybody's word.
func TestAMessageSaysWhatItsSignatureCovers(t *testing.T) {
	said := string(sample(t, "without-agent").JSON)
	if parsed, err := parse(said); fault.Of(err).Code != "agent_missing" {
		t.Errorf("the agent of the envelope's attributes was believed: %v, %v", parsed, err)
	}
}

func TestOnlyWhatGoogleAsksIsAHandshake(t *testing.T) {
	const token, other = "RBMTOKEN7Q2W9E4R", "RBMTOKEN00000000"
	right := webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte("904417")}
	wrong := webhook.Response{Status: http.StatusForbidden}
	for name, c := range map[string]struct {
		body   string
		tokens secret.Versions
		answer webhook.Response
		asks   bool
	}{
		"the token and a secret":          {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":"904417"}`, secret.Versions{token, other}, right, true},
		"the token before":                {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":"904417"}`, secret.Versions{other, token}, right, true},
		"another token":                   {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":"904417"}`, secret.Versions{other}, wrong, true},
		"an empty token that nobody has":  {`{"clientToken":"","secret":"904417"}`, secret.Versions{""}, wrong, true},
		"no tokens":                       {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":"904417"}`, nil, wrong, true},
		"the beginning of the token":      {`{"clientToken":"RBMTOKEN","secret":"904417"}`, secret.Versions{token}, wrong, true},
		"a secret that is markup":         {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":"<b>"}`, secret.Versions{token}, webhook.Response{Status: 200, ContentType: "text/plain", Body: []byte("<b>")}, true},
		"no secret":                       {`{"clientToken":"RBMTOKEN7Q2W9E4R"}`, secret.Versions{token}, webhook.Response{}, false},
		"a secret that is a number":       {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":904417}`, secret.Versions{token}, webhook.Response{}, false},
		"a message that has both members": {`{"clientToken":"RBMTOKEN7Q2W9E4R","secret":"x","message":{"data":"e30="}}`, secret.Versions{token}, webhook.Response{}, false},
		"a message":                       {string(envelope([]byte(`{}`))), secret.Versions{token}, webhook.Response{}, false},
		"no JSON":                         {`clientToken=RBMTOKEN7Q2W9E4R&secret=904417`, secret.Versions{token}, webhook.Response{}, false},
		"nothing":                         {``, secret.Versions{token}, webhook.Response{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			content, ok := decode(c.body, "").(adapter.Handshaker)
			if !ok {
				t.Fatal("the channel has no handshake")
			}
			answer, asks := content.Handshake(c.tokens)
			if diff := cmp.Diff(c.answer, answer); diff != "" || asks != c.asks {
				t.Errorf("asks %t, answer -want +got:\n%s", asks, diff)
			}
		})
	}
}
