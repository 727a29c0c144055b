package rbm

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// decode returns the content of a body as it was sent.
func decode(body, signature string) adapter.Content {
	r := webhook.Request{Body: []byte(body), Header: http.Header{}, Received: adaptertest.Clock()}
	if signature != "" {
		r.Header.Set(header, signature)
	}
	return (&Channel{}).Decode(adapter.Webhook{Request: r, Provider: Provider, Kind: Messages})
}

func parse(said string) ([]adapter.Parsed, error) {
	return decode(string(envelope([]byte(said))), "").Parse()
}

func TestSignatureVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]struct {
		Token, Body, Signature, Refused string
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
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

func TestHandshake(t *testing.T) {
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

// TestEveryEventType holds what becomes of each type against its description.
func TestEveryEventType(t *testing.T) {
	for kind, want := range map[string]string{
		"DELIVERED":                    "receipt delivered",
		"READ":                         "receipt read",
		"TTL_EXPIRATION_REVOKED":       "receipt expired expired",
		"TTL_EXPIRATION_REVOKE_FAILED": "receipt sent",
		"IS_TYPING":                    "",
		"UNSUBSCRIBE":                  "consent opted_out marketing",
		"SUBSCRIBE":                    "consent opted_in messaging, consent opted_in marketing",
		"EVENT_TYPE_UNSPECIFIED":       "event_type_unknown",
		"delivered":                    "event_type_unknown",
	} {
		for _, who := range []string{"senderPhoneNumber", "phoneNumber"} {
			parsed, err := parse(`{"` + who + `":"+15552020101","eventType":"` + kind + `","eventId":"e1","messageId":"m1","agentId":"a"}`)
			var got []string
			if err != nil {
				got = append(got, fault.Of(err).Code)
			}
			for _, p := range parsed {
				switch e := p.Event; {
				case e.Receipt != nil:
					got = append(got, strings.TrimSpace("receipt "+e.Receipt.State+" "+e.Receipt.Reason))
				case e.Consent != nil:
					got = append(got, "consent "+e.Consent.State+" "+e.Consent.Purpose)
				}
				if p.Event.Customer().Phone != "+15552020101" || p.Person != "+15552020101" || p.Side != "a" {
					t.Errorf("%s of %s is of %v", kind, who, p.Event.Customer())
				}
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s of %s is %q, want %q", kind, who, got, want)
			}
		}
	}
}

// TestTheWordsThatPhonesSendWithUnsubscribe are recognised, by the list of the page that describes the event.
func TestTheWordsThatPhonesSendWithUnsubscribe(t *testing.T) {
	for _, word := range []string{"STOP", "BAJA", "parar"} {
		if consent.Keyword(word) != consent.Stop {
			t.Errorf("%s is no opt-out", word)
		}
	}
}

// TestIDsAreOfAPerson: Google promises that an id is unique for a person, not for an agent.
func TestIDsAreOfAPerson(t *testing.T) {
	keys := map[string]bool{}
	for _, said := range []string{
		`{"senderPhoneNumber":"+15552020101","messageId":"1","agentId":"a","text":"Hi"}`,
		`{"senderPhoneNumber":"+15552020102","messageId":"1","agentId":"a","text":"Hi"}`,
		`{"senderPhoneNumber":"+15552020101","messageId":"2","agentId":"a","text":"Hi"}`,
	} {
		parsed, err := parse(said)
		if err != nil {
			t.Fatal(err)
		}
		keys[parsed[0].Kind+parsed[0].Key] = true
	}
	if len(keys) != 3 {
		t.Errorf("%d keys of 3 messages", len(keys))
	}
}

// TestThePageNamesEveryTypeOfEvent that the channel knows.
func TestThePageNamesEveryTypeOfEvent(t *testing.T) {
	if n := adaptertest.Named(t, regexp.MustCompile(`"([A-Z]+_?[A-Z_]+)"`)); n < 9 {
		t.Errorf("only %d were found", n)
	}
}
