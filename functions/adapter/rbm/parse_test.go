package rbm

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
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
