package outreach

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

func parse(body string) ([]adapter.Parsed, error) {
	return (&Channel{}).Decode(adapter.Webhook{
		Request: webhook.Request{Body: []byte(body), Received: adaptertest.Clock()}, Provider: Provider, Kind: Messages, AccountID: "account",
	}).Parse()
}

// whole request with one of its members replaced, or taken out where the new one is empty.
func with(t testing.TB, member, written string) string {
	t.Helper()
	members := map[string]json.RawMessage{
		"id": json.RawMessage(`"out_1"`), "from": json.RawMessage(`"+15557654321"`), "to": json.RawMessage(`{"phone":"+15552010001"}`),
		"channel": json.RawMessage(`"sms"`), "sentAt": json.RawMessage(`"2026-11-23T12:00:00Z"`), "text": json.RawMessage(`"Hi"`),
	}
	if written == "" {
		delete(members, member)
	} else {
		members[member] = json.RawMessage(written)
	}
	encoded, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// answer is what a caller is told.
type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// TestRefused compares what callers are told with testdata/refused.golden.json. No value of a request may be in an answer: most
// requests hold the word hunter2 where it is wrong.
func TestRefused(t *testing.T) {
	long := func(n int) string { return `"` + strings.Repeat("h", n) + `"` }
	cases := map[string]string{
		"nothing":                             ``,
		"no JSON":                             `hunter2`,
		"an array":                            `["hunter2"]`,
		"a string":                            `"hunter2"`,
		"an object that does not end":         `{"id":"hunter2"`,
		"something behind the object":         with(t, "", "") + `{"hunter2":1}`,
		"a comma too many":                    `{"id":"hunter2",}`,
		"not UTF-8":                           `{"id":"hunter2` + "\xff" + `"}`,
		"nothing of what is needed":           `{}`,
		"other letters are another name":      `{"ID":"hunter2","From":"hunter2","TO":{},"Channel":"hunter2","sentat":"hunter2"}`,
		"everything null":                     `{"id":null,"from":null,"to":null,"channel":null,"sentAt":null,"text":null,"sequence":null,"actor":null,"message":null}`,
		"everything of another type":          `{"id":1,"from":{"hunter2":1},"to":"hunter2","channel":["hunter2"],"sentAt":1795435200,"text":{},"sequence":7,"actor":"hunter2","message":["hunter2"]}`,
		"an id that is empty":                 with(t, "id", `""`),
		"an id that is blank":                 with(t, "id", `" "`),
		"an id with a space behind it":        with(t, "id", `"hunter2 "`),
		"an id with a line break":             with(t, "id", `"hunter2\nx"`),
		"an id beyond ASCII":                  with(t, "id", `"hunter2é"`),
		"an id of 129 characters":             with(t, "id", long(129)),
		"a from of 257 characters":            with(t, "from", long(257)),
		"a person without anything":           with(t, "to", `{}`),
		"a person with a name alone":          with(t, "to", `{"name":"hunter2"}`),
		"a national number":                   with(t, "to", `{"phone":"552010001"}`),
		"a number with blanks":                with(t, "to", `{"phone":"+1 555 201 0001"}`),
		"a number with a channel":             with(t, "to", `{"phone":"whatsapp:+15552010001"}`),
		"an id without a channel":             with(t, "to", `{"id":"hunter2"}`),
		"an id behind nothing":                with(t, "to", `{"id":":hunter2"}`),
		"an id that ends too soon":            with(t, "to", `{"id":"whatsapp:"}`),
		"an id with a blank":                  with(t, "to", `{"id":"whatsapp:hunter2 x"}`),
		"an id of 257 characters":             with(t, "to", `{"id":"whatsapp:`+strings.Repeat("h", 248)+`"}`),
		"a number as an id":                   with(t, "to", `{"id":"whatsapp:+15552010001"}`),
		"a number as an id, as digits":        with(t, "to", `{"id":"whatsapp:15552010001"}`),
		"a number as an id, by SMS":           with(t, "to", `{"id":"sms:5552010001"}`),
		"a name with a control character":     with(t, "to", `{"phone":"+15552010001","name":"hunter2\u0007"}`),
		"a name of 257 characters":            with(t, "to", `{"phone":"+15552010001","name":"`+strings.Repeat("é", 257)+`"}`),
		"a channel in capitals":               with(t, "channel", `"SMS"`),
		"a channel with a hyphen":             with(t, "channel", `"e-mail"`),
		"a channel of 33 letters":             with(t, "channel", long(33)),
		"a time without an offset":            with(t, "sentAt", `"2026-11-23T12:00:00"`),
		"a time with a comma":                 with(t, "sentAt", `"2026-11-23T12:00:00,5Z"`),
		"a time with an hour of one digit":    with(t, "sentAt", `"2026-11-23T9:00:00Z"`),
		"a time with an offset of a day":      with(t, "sentAt", `"2026-11-23T12:00:00+24:00"`),
		"a time with an offset of 60 minutes": with(t, "sentAt", `"2026-11-23T12:00:00-00:60"`),
		"a day alone":                         with(t, "sentAt", `"2026-11-23"`),
		"a day that is none":                  with(t, "sentAt", `"2026-02-30T12:00:00Z"`),
		"a time before events":                with(t, "sentAt", `"1969-12-31T23:59:59Z"`),
		"a time five minutes and a bit on":    with(t, "sentAt", `"2026-11-23T12:05:00.001Z"`),
		"the last time there is":              with(t, "sentAt", `"9999-12-31T23:59:59-23:59"`),
		"a sequence that is empty":            with(t, "sequence", `""`),
		"a sequence of 129 characters":        with(t, "sequence", long(129)),
		"an actor of no kind":                 with(t, "actor", `{"via":"hunter2"}`),
		"an actor who is the customer":        with(t, "actor", `{"kind":"customer"}`),
		"an actor with an empty via":          with(t, "actor", `{"kind":"agent","via":""}`),
		"a message of nobody":                 with(t, "message", `{"id":"hunter2"}`),
		"a message without its id":            with(t, "message", `{"provider":"acme","account":"a-1","id":""}`),
		"a message of an account of no form":  with(t, "message", `{"provider":"Hunter2","account":"hunter 2","id":"x\u0007"}`),
		"names written twice":                 `{"id":"hunter2","id":"hunter3","from":"a","from":"b","hunter2":1,"hunter2":2,"hunter3":1,"hunter3":2}`,
		"names written twice, spelled apart":  `{"id":"hunter2","\u0069d":"hunter3"}`,
		"names written twice further in":      `{"to":{"phone":"+15552010001","phone":"+15552010002","hunter2":1,"hunter2":2},"actor":{"kind":"agent","kind":"agent"}}`,
		"a body of more than 64 KB":           with(t, "text", long(64<<10)),
	}
	got := map[string]answer{}
	for name, body := range cases {
		parsed, err := parse(body)
		if err == nil {
			t.Errorf("%s: accepted as %v", name, parsed)
			continue
		}
		told, ok := (&Channel{}).Refuse(fault.Of(err))
		if !ok || told.ContentType != "application/json" || strings.Contains(string(told.Body), "hunter") || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: told %v %s of %v", name, ok, told.Body, err)
		}
		got[name] = answer{told.Status, told.Body}
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(got); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/refused.golden.json"
	if *update {
		if err := os.WriteFile(file, encoded.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update and read what it wrote)", err)
	}
	if diff := cmp.Diff(string(want), encoded.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAccepted(t *testing.T) {
	cases := map[string]string{
		"nothing but what is needed":       with(t, "text", ""),
		"an id of 128 characters":          with(t, "id", `"`+strings.Repeat("h", 128)+`"`),
		"an id with spaces in it":          with(t, "id", `"a b"`),
		"a sequence of 128 characters":     with(t, "sequence", `"`+strings.Repeat("h", 128)+`"`),
		"an empty text":                    with(t, "text", `""`),
		"a text of many kinds":             with(t, "text", `"\u0000 \ud83d\ude00 <é> \u2028"`),
		"a phone and an id that is one":    with(t, "to", `{"phone":"+15552010001","id":"whatsapp:15552010001"}`),
		"an id of digits elsewhere":        with(t, "to", `{"id":"telegram:123456789"}`),
		"an address of mail":               with(t, "to", `{"id":"email:ada@example.com"}`),
		"a name of 256 characters":         with(t, "to", `{"phone":"+15552010001","name":"`+strings.Repeat("é", 256)+`"}`),
		"five minutes from now":            with(t, "sentAt", `"2026-11-23T12:05:00Z"`),
		"long ago":                         with(t, "sentAt", `"1970-01-01T00:00:00Z"`),
		"an agent without a name":          with(t, "actor", `{"kind":"agent"}`),
		"a message of a provider":          with(t, "message", `{"provider":"acme","account":"acme-1","id":"M1"}`),
		"a sender's name with a blank":     with(t, "from", `"ACME Shop"`),
		"an unknown member":                with(t, "hunter2", `{"a":1,"a":[null]}`),
		"what may be left out as null":     with(t, "text", `null`),
		"white space around and within":    " \n" + strings.ReplaceAll(with(t, "", ""), ",", " ,\t") + "\r\n",
		"a body of 64 KB":                  with(t, "text", `"`+strings.Repeat("h", (64<<10)-len(with(t, "text", `""`)))+`"`),
		"a text of 60 thousand characters": with(t, "text", `"`+strings.Repeat("h", 60_000)+`"`),
	}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			parsed, err := parse(body)
			if err != nil {
				t.Fatal(err)
			}
			checkParsed(t, parsed)
		})
	}
}

// checkParsed checks what holds for every outreach: an event that can be encoded once the adapter has completed it.
func checkParsed(t *testing.T, parsed []adapter.Parsed) {
	t.Helper()
	if len(parsed) != 1 {
		t.Fatalf("%d events, want 1", len(parsed))
	}
	p := parsed[0]
	if p.Kind != "outreach" || p.Key == "" || p.Key != p.Event.ProviderMessageID && p.Event.AccountID == "" || p.Person == "" || len(p.Addresses) != 1 || p.Side != p.Addresses[0] {
		t.Errorf("incomplete: %+v", p)
	}
	if person := p.Event.Recipient; p.Person != person.Phone && (person.Phone != "" || p.Person != person.ID) {
		t.Errorf("the thread is made of %q, and the person is %+v", p.Person, person)
	}
	e := p.Event
	e.SchemaVersion, e.EventID = canonical.SchemaVersion, canonical.NewEventID("t", Provider, "a", p.Kind, p.Key)
	e.ConversationID = string(e.Channel) + ":a:conv:1"
	encoded, err := canonical.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	var back canonical.Event
	if err := json.Unmarshal(encoded, &back); err != nil || back.Message.Summary == "" || back.Direction != canonical.Outbound || back.Actor == nil {
		t.Errorf("%v: %s", err, encoded)
	}
}

// FuzzParse holds that every body becomes one valid event or is refused with what is wrong, and that no answer holds what was sent.
func FuzzParse(f *testing.F) {
	f.Add(with(f, "", ""))
	f.Add(with(f, "actor", `{"kind":"agent","via":"x","via":1}`))
	f.Add(with(f, "message", `{"provider":"acme","account":"acme-1","id":"M1","id":null}`))
	f.Add(with(f, "to", `{"id":"whatsapp:US.1","name":"\ud800"}`))
	f.Add(with(f, "sentAt", `"9999-12-31T23:59:59.999999999-23:59"`))
	f.Add(`{"id":{"id":[1e999]},"\u0000":"` + "\u2028" + `"}`)
	place := regexp.MustCompile(`^\$(\.(id|from|to|to\.phone|to\.id|to\.name|to\.\*|channel|sentAt|text|sequence|actor|actor\.kind|actor\.via|actor\.\*|message|message\.provider|message\.account|message\.id|message\.\*|\*))?$`)
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := parse(body)
		if err == nil {
			checkParsed(t, parsed)
			return
		}
		refused, ok := errors.AsType[*canonical.ValidationError](err)
		if !ok || fault.Of(err).Kind != fault.Permanent || len(refused.Problems) == 0 {
			t.Fatalf("refused without a reason: %v", err)
		}
		for _, p := range refused.Problems {
			if !place.MatchString(p.Path) || p.Code == "" || p.Reason == "" {
				t.Errorf("problem %+v", p)
			}
		}
		if told, ok := (&Channel{}).Refuse(fault.Of(err)); !ok || told.Status != http.StatusBadRequest || !json.Valid(told.Body) {
			t.Errorf("told %v %d %s", ok, told.Status, told.Body)
		}
	})
}

func TestOnlyTheCallersFaultsAreRefused(t *testing.T) {
	for code, want := range map[string]int{adapter.CodeUnowned: 422, adapter.CodeLarge: 0, adapter.CodePanic: 0, "person_erased": 0} {
		told, ok := (&Channel{}).Refuse(fault.New(fault.Permanent, code, nil))
		if told.Status != want || ok != (want != 0) {
			t.Errorf("%s: %v, status %d, want %d", code, ok, told.Status, want)
		}
	}
}
