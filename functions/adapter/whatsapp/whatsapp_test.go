package whatsapp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// TestSignatures: the expected signature was computed by another program, in another language. What must be refused is what a receiver
// computes who encodes the JSON again.
func TestSignatures(t *testing.T) {
	var vector struct{ Secret, Body, Signature, Encoded, Unescaped string }
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &vector); err != nil {
		t.Fatal(err)
	}
	short := vector.Signature[:len(vector.Signature)-2]
	for name, c := range map[string]struct {
		header string
		tokens secret.Versions
		code   string
	}{
		"of the bytes that were received":       {vector.Signature, secret.Versions{secret.Value(vector.Secret)}, ""},
		"by the secret of before":               {vector.Signature, secret.Versions{"another", secret.Value(vector.Secret)}, ""},
		"of the JSON encoded again":             {vector.Encoded, secret.Versions{secret.Value(vector.Secret)}, "signature_wrong"},
		"of the JSON without its escaped slash": {vector.Unescaped, secret.Versions{secret.Value(vector.Secret)}, "signature_wrong"},
		"by another secret":                     {vector.Signature, secret.Versions{"another"}, "signature_wrong"},
		"by no secret":                          {vector.Signature, secret.Versions{""}, "signature_wrong"},
		"none":                                  {"", secret.Versions{secret.Value(vector.Secret)}, "signature_missing"},
		"without its scheme":                    {strings.TrimPrefix(vector.Signature, "sha256="), secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
		"of the older scheme":                   {"sha1=" + strings.Repeat("0", 64), secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
		"cut short":                             {short, secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
		"with what is no digit":                 {short + "xy", secret.Versions{secret.Value(vector.Secret)}, "signature_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := webhook.Request{Method: http.MethodPost, Header: http.Header{"X-Hub-Signature-256": {c.header}}, Body: []byte(vector.Body)}
			err := (&Channel{}).Decode(adapter.Webhook{Request: r}).Verify(c.tokens)
			got := ""
			if err != nil {
				got = fault.Of(err).Code
			}
			if got != c.code {
				t.Errorf("code %q, want %q", got, c.code)
			}
		})
	}
}

func TestOnlyWhatMetaAsksIsAHandshake(t *testing.T) {
	tokens := secret.Versions{"a-verify-token-of-mine"}
	challenge := webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte("<7>&")}
	for name, c := range map[string]struct {
		method, query string
		answer        webhook.Response
		asks          bool
	}{
		"the right token":                        {http.MethodGet, "hub.mode=subscribe&hub.challenge=%3C7%3E%26&hub.verify_token=a-verify-token-of-mine", challenge, true},
		"another token":                          {http.MethodGet, "hub.mode=subscribe&hub.challenge=7&hub.verify_token=a-guess", webhook.Response{Status: http.StatusForbidden}, true},
		"no token":                               {http.MethodGet, "hub.mode=subscribe&hub.challenge=7", webhook.Response{Status: http.StatusForbidden}, true},
		"another mode":                           {http.MethodGet, "hub.mode=unsubscribe&hub.verify_token=a-verify-token-of-mine", webhook.Response{}, false},
		"somebody who looks what is there":       {http.MethodGet, "", webhook.Response{}, false},
		"what cannot be decoded":                 {http.MethodGet, "hub.mode=subscribe&hub.verify_token=%zz", webhook.Response{}, false},
		"a webhook with a question in its query": {http.MethodPost, "hub.mode=subscribe&hub.challenge=7&hub.verify_token=a-verify-token-of-mine", webhook.Response{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			content := (&Channel{}).Decode(adapter.Webhook{Request: webhook.Request{Method: c.method, RawQuery: c.query}})
			answer, asks := content.(adapter.Handshaker).Handshake(tokens)
			if diff := cmp.Diff(c.answer, answer); diff != "" || asks != c.asks {
				t.Errorf("asks %v, answer -want +got:\n%s", asks, diff)
			}
		})
	}
	if answer, _ := (content{adapter.Webhook{Request: webhook.Request{Method: http.MethodGet, RawQuery: "hub.mode=subscribe&hub.verify_token="}}}).Handshake(secret.Versions{""}); answer.Status != http.StatusForbidden {
		t.Errorf("an empty token is answered %d", answer.Status)
	}
}

// parse reads a body of the demo account.
func parse(t testing.TB, body []byte) ([]adapter.Parsed, error) {
	t.Helper()
	return (&Channel{}).Decode(adapter.Webhook{
		Request: webhook.Request{Method: http.MethodPost, Body: body, Received: adaptertest.Clock()}, ProviderAccount: "900800700600500",
	}).Parse()
}

// many returns a body of so many messages of so many people, with texts that make it as large as Meta's largest.
func many(n, people int) []byte {
	var b strings.Builder
	b.WriteString(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"106540352240030"},"contacts":[`)
	for i := range people {
		fmt.Fprintf(&b, `{"profile":{"name":"Person %d"},"wa_id":"1555300%04d","user_id":"US.%d"},`, i, i, i)
	}
	text := strings.TrimSuffix(b.String(), ",") + `],"messages":[`
	b.Reset()
	b.WriteString(text)
	for i := range n {
		fmt.Fprintf(&b, `{"from":"1555300%04d","id":"wamid.%d","timestamp":"1795435140","type":"text","text":{"body":"%s"}},`, i%people, i, strings.Repeat("x", 200))
	}
	return []byte(strings.TrimSuffix(b.String(), ",") + `]}}]}]}`)
}

func TestTenThousandMessagesOfOneBody(t *testing.T) {
	body := many(10_000, 2_000)
	if len(body) < 3_000_000 {
		t.Fatalf("%d bytes", len(body))
	}
	parsed, err := parse(t, body)
	if err != nil || len(parsed) != 10_000 {
		t.Fatalf("%d events, %v", len(parsed), err)
	}
	for i := range parsed {
		p := &parsed[i]
		if p.Err != nil || p.Key != fmt.Sprintf("wamid.%d", i) || p.Person != fmt.Sprintf("+1555300%04d", i%2_000) || p.Event.Sender.DisplayName != fmt.Sprintf("Person %d", i%2_000) {
			t.Fatalf("event %d is %q of %q, %q: %v", i, p.Key, p.Person, p.Event.Sender.DisplayName, p.Err)
		}
	}
}

// TestNobodyIsTakenForAnother: of several messages and one contact the contact is not whose every message is.
func TestNobodyIsTakenForAnother(t *testing.T) {
	const body = `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1"},
		"contacts":[{"profile":{"name":"Bo"},"wa_id":"15552010031","user_id":"US.1"}],
		"messages":[{"from":"15552010031","id":"a","type":"text","text":{"body":"1"}},{"from":"15552010032","id":"b","type":"text","text":{"body":"2"}}]}}]}]}`
	parsed, err := parse(t, []byte(body))
	if err != nil || len(parsed) != 2 {
		t.Fatal(len(parsed), err)
	}
	want := canonical.Participant{ID: "whatsapp:15552010032", Phone: "+15552010032"}
	if diff := cmp.Diff(want, parsed[1].Event.Sender); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReasons(t *testing.T) {
	for code, want := range map[string]string{
		"131026": "unreachable", "131050": "blocked", "131049": "blocked", "131047": "outside_window", "130429": "rate_limited", "131056": "rate_limited",
		"131042": "insufficient_funds", "132012": "rejected_content", "132001": "misconfigured", "190": "misconfigured", "": "", "199999": "",
	} {
		if got := reason(code, "failed"); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
	if got := reason("131026", "delivered"); got != "" {
		t.Errorf("a delivered message has the reason %s", got)
	}
}

func TestChecksums(t *testing.T) {
	const sum = "3f9d94d399fa61c191bc1d4ca71375a035cd9b9f5b1128e1f0963a415c16b0cc"
	for written, want := range map[string]string{
		sum: sum, strings.ToUpper(sum): sum, "P52U05n6YcGRvB1MpxN1oDXNm59bESjh8JY6QVwWsMw=": sum, "": "", "29ed500f": "", "4654+8g=": "", sum + "00": "",
	} {
		if got := checksum(written); got != want {
			t.Errorf("%s is read as %q", written, got)
		}
	}
}

func TestInstants(t *testing.T) {
	r := reader{received: adaptertest.Clock()}
	for written, want := range map[string]time.Time{
		"1795435140": time.Date(2026, 11, 23, 11, 59, 0, 0, time.UTC), "1795435140123": time.Date(2026, 11, 23, 11, 59, 0, 123e6, time.UTC),
		"1795435200": adaptertest.Clock(), "1795435201": {}, "0": {}, "-1": {}, "soon": {}, "": {}, "1.5": {}, "99999999999999999999": {},
	} {
		if got := r.instant(written); !got.Equal(want) {
			t.Errorf("%s is %v, want %v", written, got, want)
		}
	}
}

// TestEveryCodeIsOnThePage: whoever finds a dead letter finds what it means.
func TestEveryCodeIsOnThePage(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, file := range []string{"channel.go", "change.go", "message.go", "receipt.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?:malformed|fail)\("(\w+)"\)`).FindAllStringSubmatch(string(source), -1) {
			if codes++; !strings.Contains(string(page), "`"+found[1]+"`") {
				t.Errorf("%s gives up with %s, of which the page says nothing", file, found[1])
			}
		}
	}
	if codes < 9 {
		t.Errorf("only %d codes were found", codes)
	}
}
