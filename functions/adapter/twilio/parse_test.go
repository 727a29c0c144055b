package twilio

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

func parse(kind, body string) ([]adapter.Parsed, error) {
	return (&Channel{}).Decode(adapter.Webhook{
		Request: webhook.Request{Body: []byte(body), Received: adaptertest.Clock()}, Provider: Provider, Kind: kind,
		AccountID: "account", ProviderAccount: "AC1",
	}).Parse()
}

func TestEveryStatus(t *testing.T) {
	want := map[string]string{
		"accepted": "queued", "scheduled": "queued", "queued": "queued", "sending": "sending", "sent": "sent", "delivered": "delivered",
		"partially_delivered": "delivered", "read": "read", "undelivered": "failed", "failed": "failed", "canceled": "canceled",
		"receiving": "", "received": "", "": "", "DELIVERED": "",
	}
	keys := map[string]bool{}
	for status, state := range want {
		parsed, err := parse(Status, "AccountSid=AC1&MessageSid=SM1&From=%2B15557654321&To=%2B15552010001&MessageStatus="+status)
		if state == "" {
			if fault.Of(err).Code != "message_status_unknown" {
				t.Errorf("%q: %v, want message_status_unknown", status, err)
			}
			continue
		}
		if err != nil || parsed[0].Event.Receipt.State != state {
			t.Errorf("%q: %v, %v, want %s", status, parsed, err, state)
			continue
		}
		keys[parsed[0].Key] = true
	}
	if len(keys) != 11 {
		t.Errorf("%d distinct keys, want one a status", len(keys))
	}
}

// TestACodeHasAReason: of a message that was given up, and of no other.
func TestACodeHasAReason(t *testing.T) {
	const status = "AccountSid=AC1&MessageSid=SM1&From=%2B15557654321&To=%2B15552010001&MessageStatus="
	for body, want := range map[string]string{
		"failed&ErrorCode=21610": receipt.OptedOut, "undelivered&ErrorCode=21610": receipt.OptedOut, "failed&ErrorCode=63014": receipt.OptedOut,
		"undelivered&ErrorCode=63033": receipt.OptedOut, "failed&ErrorCode=63024": receipt.InvalidNumber, "undelivered&ErrorCode=30005": receipt.InvalidNumber,
		"undelivered&ErrorCode=30006": receipt.Unreachable, "undelivered&ErrorCode=30003": receipt.Unreachable, "failed&ErrorCode=30007": receipt.Blocked,
		"failed&ErrorCode=63016": receipt.OutsideWindow, "failed&ErrorCode=30036": receipt.Expired, "failed&ErrorCode=30034": receipt.Misconfigured,
		"failed&ErrorCode=30022": receipt.RateLimited, "failed&ErrorCode=63005": receipt.RejectedContent,
		"failed&ErrorCode=99999": "", "failed": "", "delivered": "", "delivered&ErrorCode=21610": "", "sent&ErrorCode=21610": "", "read&ErrorCode=30005": "",
	} {
		parsed, err := parse(Status, status+body)
		if err != nil || len(parsed) != 1 || parsed[0].Event.Receipt.Reason != want {
			t.Errorf("%s: %+v, %v, want the reason %q", body, parsed, err, want)
		}
	}
}

// TestTheCarriersMinute: a receipt is of a minute, and a consent that it tells of the end of that.
func TestTheCarriersMinute(t *testing.T) {
	received := adaptertest.Clock()
	for name, c := range map[string]struct {
		done string
		at   time.Time // zero is of when it was received
	}{
		"a minute of before":                      {"2611231150", received.Add(-10 * time.Minute)},
		"the last minute of before":               {"2611231159", received.Add(-time.Minute)},
		"the minute in which it was received":     {"2611231200", received},
		"a minute that may be of another zone":    {"2611231145", time.Time{}},
		"a minute after that of the receipt":      {"2611231201", time.Time{}},
		"a receipt without a time of a carrier's": {"", time.Time{}},
	} {
		parsed, err := parse(Status, "AccountSid=AC1&MessageSid=SM1&From=%2B15557654321&To=%2B15552010001&MessageStatus=failed&ErrorCode=21610&RawDlrDoneDate="+c.done)
		if err != nil || !parsed[0].Event.Timestamp.Equal(c.at) || parsed[0].Within != time.Minute {
			t.Errorf("%s: %+v, %v, want %s", name, parsed, err, c.at)
		}
	}
}

// TestAReactionIsRelatedAsOne is what ended sequences: a thumb that the provider calls a reaction was taken for words.
func TestAReactionIsRelatedAsOne(t *testing.T) {
	const body = "AccountSid=AC1&MessageSid=SM1&From=whatsapp%3A%2B15552010001&To=whatsapp%3A%2B15557654321&Body=%F0%9F%91%8D"
	for fields, want := range map[string]*canonical.Relation{
		"&MessageType=reaction": {Kind: "reaction"},
		"&MessageType=reaction&OriginalRepliedMessageSid=SM2&OriginalRepliedMessageSender=x": {Kind: "reaction", ProviderMessageID: "SM2", Sender: "x"},
		"&MessageType=text&OriginalRepliedMessageSid=SM2":                                    {Kind: "reply", ProviderMessageID: "SM2"},
		"&MessageType=text": nil,
		"":                  nil,
	} {
		parsed, err := parse(Messages, body+fields)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, parsed[0].Event.RelatesTo); diff != "" {
			t.Errorf("%s: -want +got:\n%s", fields, diff)
		}
	}
}

func TestDoneDateIsUsedOnlyWhenItCanOnlyBeUTC(t *testing.T) {
	cases := map[string]time.Duration{ // how long before the receipt; 0 is not used
		"2611231158": 2 * time.Minute,
		"2611231146": 14 * time.Minute,
		"2611231145": 0, // could be a quarter of an hour's zone
		"2611231201": 0, // after the receipt
		"2611230658": 0, // another zone
		"2611221158": 0, // a day late
		"":           0,
		"2611231":    0,
		"2613231158": 0,
	}
	for raw, before := range cases {
		want := time.Time{}
		if before > 0 {
			want = adaptertest.Clock().Add(-before)
		}
		if got := doneDate(raw, adaptertest.Clock()); !got.Equal(want) {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	cases := map[string]address{
		"+15552010001":             {"+15552010001", "sms", "+15552010001", "+15552010001"},
		" 15552010001":             {"+15552010001", "sms", "+15552010001", "+15552010001"},
		"whatsapp:+15552010001":    {"whatsapp:+15552010001", "whatsapp", "+15552010001", "+15552010001"},
		"whatsapp: 15552010001":    {"whatsapp:+15552010001", "whatsapp", "+15552010001", "+15552010001"},
		"whatsapp:US.900100200300": {"whatsapp:US.900100200300", "whatsapp", "US.900100200300", ""},
		"rcs:acme_demo_agent":      {"rcs:acme_demo_agent", "rcs", "acme_demo_agent", ""},
		"72345":                    {"72345", "sms", "72345", ""},
		"ACME Shop":                {"ACME Shop", "sms", "ACME Shop", ""},
		"+0155520100":              {"+0155520100", "sms", "+0155520100", ""},
		"":                         {"", "sms", "", ""},
		":":                        {":", "", "", ""},
	}
	for written, want := range cases {
		if diff := cmp.Diff(want, split(written), cmp.AllowUnexported(address{})); diff != "" {
			t.Errorf("%q -want +got:\n%s", written, diff)
		}
	}
}

func TestOnePersonIsOneThread(t *testing.T) {
	people := map[string][]string{
		"+15552010003": {
			"From=rcs%3A%2B15552010003", "From=%2B15552010003", "From=+15552010003", "From=whatsapp%3A%2B15552010003&WaId=15552010003",
			"From=whatsapp%3A%2B15552010003&ExternalUserId=whatsapp%3AUS.1",
		},
		"whatsapp:US.1": {"From=whatsapp%3AUS.1", "From=whatsapp%3AUS.1&ExternalUserId=whatsapp%3AUS.1", "From=&ExternalUserId=whatsapp%3AUS.1"},
		"sms:72345":     {"From=72345"},
	}
	for person, forms := range people {
		for _, from := range forms {
			parsed, err := parse(Messages, "AccountSid=AC1&MessageSid=SM1&To=%2B15557654321&"+from)
			if err != nil || parsed[0].Person != person {
				t.Errorf("%s: %v, %v, want %s", from, parsed, err, person)
			}
		}
		if !strings.HasPrefix(person, "sms:") {
			status, err := parse(Status, "AccountSid=AC1&MessageSid=SM1&MessageStatus=sent&From=x&To="+strings.ReplaceAll(person, "+", "%2B"))
			if err != nil || status[0].Person != person {
				t.Errorf("a receipt to %s: %v, %v", person, status, err)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	const good = "AccountSid=AC1&MessageSid=SM1&From=%2B15552010001&To=%2B15557654321&MessageStatus=sent"
	cases := map[string]struct{ kind, body, code string }{
		"nothing":                    {Messages, "", "form_empty"},
		"JSON without its hash":      {Messages, `{"AccountSid":"AC1"}`, "account_mismatch"},
		"another account":            {Messages, strings.Replace(good, "AC1", "AC2", 1), "account_mismatch"},
		"no account":                 {Status, "MessageSid=SM1", "account_mismatch"},
		"no id":                      {Messages, strings.Replace(good, "SM1", "", 1), "message_sid_missing"},
		"no sender":                  {Messages, strings.Replace(good, "From=%2B15552010001", "From=", 1), "from_missing"},
		"no line":                    {Messages, strings.Replace(good, "To=", "Two=", 1), "to_missing"},
		"a channel that is no word":  {Messages, strings.Replace(good, "From=", "From=Big%20Chat%3A", 1), "channel_malformed"},
		"too many fields":            {Messages, good + strings.Repeat("&a", maxFields), "too_many_fields"},
		"a status without recipient": {Status, strings.Replace(good, "To=", "Two=", 1), "to_missing"},
		"a status without a sender":  {Status, strings.Replace(good, "From=%2B15552010001", "From=", 1), "from_missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := parse(c.kind, c.body)
			if got := fault.Of(err); got == nil || got.Kind != fault.Permanent || got.Code != c.code {
				t.Errorf("%v, want permanent %s", err, c.code)
			}
		})
	}
}

// TestSampleRequests keeps what the demo sends acceptable: each sample becomes one event of its own, and one of Event Streams tells a message
// first, which another may tell, too.
func TestSampleRequests(t *testing.T) {
	files, err := filepath.Glob("samples/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d sample requests, %v", len(files), err)
	}
	p, seen := provider(t), map[string]bool{}
	for _, file := range files {
		p.Sample = adaptertest.ReadCase(t, file)
		t.Run(p.Sample.Name, func(t *testing.T) {
			var streamed bool
			p.Sample.Path, p.Sample.Query, streamed = strings.Cut(p.Sample.Path, "?")
			events := adaptertest.Events(t, p)
			if streamed && len(events) > 0 && events[0].Type == canonical.TypeMessage {
				return
			}
			want := canonical.TypeMessage
			if strings.HasSuffix(p.Sample.Path, "/"+Status) {
				want = canonical.TypeReceipt
			}
			if len(events) != 1 || events[0].Type != want || seen[events[0].ProviderMessageID] {
				t.Errorf("events %+v, want one %s with an id of its own", events, want)
				return
			}
			seen[events[0].ProviderMessageID] = true
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AccountSid=AC1&MessageSid=SM1&From=rcs%3A%2B15552010003&To=rcs%3Aagent&ButtonPayload=x&NumMedia=1&MediaUrl0=https://a/b", true)
	f.Add("AccountSid=AC1&MessageSid=SM1&From=whatsapp%3AUS.1&To=whatsapp%3A%2B15557654321&Latitude=1e400&Longitude=NaN", true)
	f.Add("AccountSid=AC1&SmsSid=SM1&From=&To=%2B1&MessageStatus=sent&MessagingServiceSid=MG1&RawDlrDoneDate=2611231158", false)
	f.Fuzz(func(t *testing.T, body string, inbound bool) {
		kind := Status
		if inbound {
			kind = Messages
		}
		parsed, err := parse(kind, "AccountSid=AC1&"+body)
		if err != nil {
			if sorted := fault.Of(err); sorted.Kind != fault.Permanent || sorted.Err != nil {
				t.Errorf("%v is not a bare permanent fault", err)
			}
			return
		}
		if len(parsed) == 0 || len(parsed) > 2 {
			t.Errorf("%d events", len(parsed))
		}
		for _, p := range parsed {
			if p.Key == "" || p.Person == "" || len(p.Addresses) == 0 {
				t.Errorf("incomplete: %+v", p)
			}
		}
	})
}

// TestAUsersIdentifierIsOneByItsForm: what is none costs nobody the message, and proves nothing.
func TestAUsersIdentifierIsOneByItsForm(t *testing.T) {
	const body = "AccountSid=AC1&MessageSid=SM1&To=whatsapp%3A%2B15557654321&Body=x&"
	user := func(kind, value string) []canonical.Identifier {
		return []canonical.Identifier{{Kind: kind, Scope: "AC1", Value: value}}
	}
	for fields, want := range map[string][]canonical.Identifier{
		"From=whatsapp%3A%2B15552010001&ExternalUserId=whatsapp%3AUS.1349":         user(canonical.KindBSUID, "US.1349"),
		"From=whatsapp%3A%2B15552010001&ExternalUserIdentifier=whatsapp%3AUS.1349": user(canonical.KindBSUID, "US.1349"),
		"From=whatsapp%3AUS.13aZ":                                            user(canonical.KindBSUID, "US.13aZ"),
		"From=whatsapp%3AUS.1&ExternalUserId=whatsapp%3AUS.1":                user(canonical.KindBSUID, "US.1"),
		"From=whatsapp%3A%2B15552010001&ExternalUserId=whatsapp%3AUS.ENT.99": user(canonical.KindParentBSUID, "US.ENT.99"),
		"From=whatsapp%3A%2B15552010001&ExternalUserId=whatsapp%3Afoo_bar":   nil,
		"From=whatsapp%3A%2B15552010001&ExternalUserId=whatsapp%3Aus.1":      nil,
		"From=whatsapp%3A%2B15552010001&ExternalUserId=whatsapp%3AUS.":       nil,
		"From=whatsapp%3A%2B15552010001&ExternalUserId=whatsapp%3AUS.1-2":    nil,
		"From=whatsapp%3A%2B15552010001&ExternalUserId=rcs%3AUS.1":           nil,
		"From=%2B15552010001":                                nil,
		"From=whatsapp%3A%2B15552010001&WaId=15552010001":    nil,
		"From=whatsapp%3A%2B5215512345678&WaId=525512345678": {{Kind: canonical.KindPhone, Value: "+525512345678"}},
		"From=whatsapp%3A%2B15552010001&WaId=US.1":           nil,
	} {
		parsed, err := parse(Messages, body+fields)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		if diff := cmp.Diff(want, parsed[0].Event.Sender.Identifiers); diff != "" {
			t.Errorf("%s: -want +got:\n%s", fields, diff)
		}
	}
}
