package whatsapp

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

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

func TestACodeHasAReason(t *testing.T) {
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

func TestAChecksumIsReadInHexAndBase64(t *testing.T) {
	const sum = "3f9d94d399fa61c191bc1d4ca71375a035cd9b9f5b1128e1f0963a415c16b0cc"
	for written, want := range map[string]string{
		sum: sum, strings.ToUpper(sum): sum, "P52U05n6YcGRvB1MpxN1oDXNm59bESjh8JY6QVwWsMw=": sum, "": "", "29ed500f": "", "4654+8g=": "", sum + "00": "",
	} {
		if got := checksum(written); got != want {
			t.Errorf("%s is read as %q", written, got)
		}
	}
}

func TestATimeIsReadInSecondsAndMilliseconds(t *testing.T) {
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
