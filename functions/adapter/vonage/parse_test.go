package vonage

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

func decode(body, authorization, account string, received time.Time) adapter.Content {
	r := webhook.Request{Body: []byte(body), Header: http.Header{}, Received: received}
	r.Header.Set("Authorization", authorization)
	return (&Channel{}).Decode(adapter.Webhook{Request: r, Provider: Provider, Kind: Messages, ProviderAccount: account})
}

func parse(body string) ([]adapter.Parsed, error) {
	return decode(body, "", apiKey, adaptertest.Clock()).Parse()
}

func TestEveryStatus(t *testing.T) {
	for status, want := range map[string]string{
		"submitted": "sent", "delivered": "delivered", "read": "read", "rejected": "failed unknown", "undeliverable": "failed unknown",
		"": "status_unknown", "accepted": "status_unknown", "DELIVERED": "status_unknown",
	} {
		if got := outcome(status, ""); got != want {
			t.Errorf("%q is %q, want %q", status, got, want)
		}
	}
}

// TestACodeHasAReason holds what codes mean against Vonage's list of them.
func TestACodeHasAReason(t *testing.T) {
	meanings := map[string][]int{
		"opted_out": {1240}, "invalid_number": {1170, 1190}, "blocked": {1050, 1210, 1280, 1470, 1472, 1483},
		"unreachable":      {1100, 1180, 1200, 1220, 1230, 1250, 1260, 1290, 1300, 1310},
		"rejected_content": {1270, 1482}, "rate_limited": {1000, 1241}, "outside_window": {1340}, "insufficient_funds": {1070},
		"misconfigured": {1010, 1020, 1021, 1022, 1060, 1080, 1090, 1110, 1120, 1130, 1140, 1150, 1160, 1350, 1370, 1480, 1481},
		"unknown":       {1030, 1040, 1320, 1330, 9999},
	}
	for meaning, codes := range meanings {
		for _, code := range codes {
			for _, written := range []string{
				`{"title":"%d"}`, `{"title":%d}`, `{"error":{"title":"%d"}}`, `{"type":"https://developer.vonage.com/api-errors/messages#%d","title":"Rejected"}`,
			} {
				if got := outcome("rejected", fmt.Sprintf(written, code)); got != "failed "+meaning {
					t.Errorf("%d is %q, want %q", code, got, meaning)
				}
			}
		}
	}
	if got := outcome("rejected", `{"title":1360}`); got != "expired expired" {
		t.Errorf("a time to live that ran out is %q", got)
	}
}

// outcome returns what a status is: its state and reason, or the code of what is wrong with it.
func outcome(status, problem string) string {
	if problem == "" {
		problem = "null"
	}
	parsed, err := parse(fmt.Sprintf(`{"message_uuid":"m","channel":"sms","to":"15552060101","from":"15557650060","status":%q,"error":%s}`, status, problem))
	if err != nil {
		return fault.Of(err).Code
	}
	r := parsed[0].Event.Receipt
	if r.Reason == "" {
		return r.State
	}
	return r.State + " " + r.Reason
}

func TestDigitsAreANumberWherePeopleHaveNumbers(t *testing.T) {
	for channel, cases := range map[string]map[string]string{
		"sms":           {"15552060101": "+15552060101", "+15552060101": "+15552060101", "28333": "sms:28333", "ACME": "sms:ACME"},
		"mms":           {"15552060101": "+15552060101"},
		"rcs":           {"15552060101": "+15552060101"},
		"whatsapp":      {"15552060101": "+15552060101", "GB.900100200300400": "whatsapp:GB.900100200300400"},
		"viber_service": {"15552060101": "+15552060101"},
		"messenger":     {"123456789012": "messenger:123456789012"},
	} {
		for written, want := range cases {
			parsed, err := parse(fmt.Sprintf(`{"message_uuid":"m","channel":%q,"to":"x","from":%q,"text":"Hi"}`, channel, written))
			if err != nil || parsed[0].Person != want {
				t.Errorf("%s on %s is %v, want %s: %v", written, channel, parsed, want, err)
			}
		}
	}
}
