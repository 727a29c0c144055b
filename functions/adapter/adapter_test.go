package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// batch is a channel whose body is a JSON array of the addresses of its events: several events a webhook, as no provider
// of the first issue has. It redelivers.
type batch struct{ redelivers []int }

func (b batch) Describe() Description {
	return Description{
		Provider: "batch", Answers: map[string]webhook.Response{"events": {Status: http.StatusAccepted}},
		Redelivery: RedeliveryPolicy{On: b.redelivers},
	}
}

func (batch) Verify(r webhook.Request, tokens secret.Versions) error {
	if r.Header.Get("Token") == "panic" {
		panic("+15551234567")
	}
	if r.Header.Get("Token") != string(tokens[0]) {
		return fault.New(fault.Rejected, "token_wrong", nil)
	}
	return nil
}

func (batch) Parse(w Webhook) ([]Parsed, error) {
	var addresses []string
	if err := json.Unmarshal(w.Body, &addresses); err != nil {
		return nil, fault.New(fault.Permanent, "json_malformed", nil)
	}
	var all []Parsed
	for i, address := range addresses {
		text := strings.Repeat("x", 10)
		switch address {
		case "large":
			text = strings.Repeat("€", 99_999) // 300 KB
		case "bulky":
			text = strings.Repeat("é", 60_000) // 120 KB, twice with what was received
		}
		all = append(all, Parsed{
			Event: canonical.Event{
				Channel: canonical.SMS, Direction: canonical.Inbound, Sender: canonical.Participant{Phone: "+15552010001"},
				Message: &canonical.Message{Text: text},
			},
			Kind: "message", Key: string(rune('a' + i)), Addresses: []string{"", address, address}, Person: "+15552010001", Side: address,
			Vendor: []VendorField{{Name: "Body", Value: text}},
		})
	}
	return all, nil
}

// directory knows three lines of two tenants.
type directory struct{ lookups []string }

func (*directory) Account(_ context.Context, id string) (tenant.Account, error) {
	if id != "shared" {
		return tenant.Account{}, tenant.ErrUnknown
	}
	return tenant.Account{ID: id, TenantID: "first", Provider: "batch", AuthTokens: secret.Versions{"token"}}, nil
}

func (d *directory) Line(_ context.Context, account, address string) (tenant.Line, error) {
	d.lookups = append(d.lookups, address)
	owners := map[string]string{"one": "first", "two": "second", "large": "first", "bulky": "first", "lost": "third"}
	if address == "slow" {
		return tenant.Line{}, errors.New("down")
	}
	if owners[address] == "" {
		return tenant.Line{}, tenant.ErrUnknown
	}
	return tenant.Line{ID: address, TenantID: owners[address], AccountID: account, Address: address}, nil
}

func (*directory) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	if id == "third" {
		return tenant.Tenant{}, tenant.ErrUnknown
	}
	return tenant.Tenant{ID: id, RawVendor: tenant.RawVendorFull}, nil
}

func (*directory) Pepper(_ context.Context, tenant string) (canonical.Pepper, error) {
	return canonical.NewPepper("pepper", tenant), nil
}

// receive sends a body to the batch channel.
func receive(t *testing.T, channel batch, events queue.Publisher, token, body string) (webhook.Response, []deadletter.Record, string) {
	t.Helper()
	var output bytes.Buffer
	id := telemetry.Identity{Function: "BatchReceive", Version: "1"}
	spool, state, known := memstore.New(), memstore.New(), &directory{}
	a := New(Parts{
		Channel: channel, Directory: known, Peppers: known, Places: Places(events, NewSpool(spool)),
		Letters: &DeadLetters{Bytes: spool, Records: state}, Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id),
	})
	answer := a.Receive(t.Context(), webhook.Request{
		Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {token}}, Body: []byte(body),
	})
	var letters []deadletter.Record
	for r := range state.All() {
		if strings.HasPrefix(r.Sort, "dead/") {
			letter, _ := deadletter.Read(r)
			letters = append(letters, letter)
		}
	}
	return answer, letters, output.String()
}

func TestEventsOfOneWebhook(t *testing.T) {
	never, always := batch{}, batch{redelivers: []int{500, 503}}
	cases := map[string]struct {
		channel batch
		body    string
		status  int
		tenants []string
		letter  string
	}{
		"of two tenants":                             {never, `["one","two","one"]`, 202, []string{"first", "second", "first"}, ""},
		"one of them to nobody's address":            {never, `["one","none","two"]`, 202, []string{"first", "second"}, "permanent unowned_address"},
		"none at all":                                {never, `[]`, 202, nil, ""},
		"unreadable":                                 {always, `{`, 202, nil, "permanent json_malformed"},
		"one that is too large for the queue":        {never, `["large"]`, 202, nil, "permanent event_too_large"},
		"one that is too large with what came":       {never, `["bulky"]`, 202, []string{"first"}, ""},
		"a lookup fails, and it never comes again":   {never, `["one","slow"]`, 202, nil, "retryable line_unreadable"},
		"a lookup fails, and it comes again":         {always, `["one","slow"]`, 503, nil, ""},
		"a line whose tenant is gone":                {never, `["lost"]`, 202, nil, "blocked tenant_unreadable"},
		"a line whose tenant is gone, it comes back": {always, `["lost"]`, 503, nil, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var tenants []string
			events := publisher(func(all []queue.Message) error {
				for _, m := range all {
					var e canonical.Event
					if err := json.Unmarshal(m.Body, &e); err != nil {
						t.Error(err)
					}
					tenants = append(tenants, e.TenantID)
				}
				return nil
			})
			answer, letters, _ := receive(t, c.channel, events, "token", c.body)
			got := ""
			for _, l := range letters {
				got += l.Kind + " " + l.Code
			}
			if answer.Status != c.status || got != c.letter {
				t.Errorf("status %d and dead letter %q, want %d and %q", answer.Status, got, c.status, c.letter)
			}
			if diff := cmp.Diff(c.tenants, tenants); diff != "" {
				t.Errorf("tenants -want +got:\n%s", diff)
			}
		})
	}
}

func TestOnlyWhatWasRefusedGoesOn(t *testing.T) {
	calls := [][]string{}
	events := publisher(func(all []queue.Message) error {
		var ids []string
		for _, m := range all {
			ids = append(ids, m.ID)
		}
		calls = append(calls, ids)
		if len(calls) == 1 {
			return &queue.PartialError{Errs: []error{nil, errors.New("refused"), errors.New("refused")}}
		}
		return nil
	})
	answer, _, _ := receive(t, batch{}, events, "token", `["one","two","one"]`)
	if answer.Status != http.StatusAccepted || len(calls) != 2 || len(calls[1]) != 2 || calls[1][0] != calls[0][1] || calls[1][1] != calls[0][2] {
		t.Errorf("status %d, publishes %q", answer.Status, calls)
	}
}

func TestPanicBeforeTheSignature(t *testing.T) {
	answer, letters, output := receive(t, batch{}, publisher(func([]queue.Message) error { return nil }), "panic", `["one"]`)
	if answer.Status != http.StatusServiceUnavailable || len(letters) > 0 {
		t.Errorf("status %d, dead letters %v: want 503 and nothing stored", answer.Status, letters)
	}
	if !strings.Contains(output, "PanicRecovered") || strings.Contains(output, "5551234567") {
		t.Errorf("the panic must be counted and its value not logged:\n%s", output)
	}
}

func TestPanicInAPlaceIsADeadLetter(t *testing.T) {
	answer, letters, output := receive(t, batch{}, publisher(func([]queue.Message) error { panic("5551234567") }), "token", `["one"]`)
	if answer.Status != http.StatusAccepted || len(letters) != 1 || letters[0].Code != CodePanic {
		t.Errorf("status %d, dead letters %v", answer.Status, letters)
	}
	if strings.Contains(output, "5551234567") || strings.Contains(letters[0].Reason, "5551234567") {
		t.Error("the panic's value was told")
	}
}

func TestRedeliveryPolicyDecidesTheAnswer(t *testing.T) {
	cases := map[string]struct {
		policy RedeliveryPolicy
		want   int
	}{
		"never":                    {RedeliveryPolicy{}, 503},
		"on any server error":      {RedeliveryPolicy{On: []int{500, 502, 503}}, 503},
		"on one that is not a 503": {RedeliveryPolicy{On: []int{500, 429}}, 500},
	}
	for name, c := range cases {
		if got := c.policy.Failure(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestRawVendor(t *testing.T) {
	fields := func() []VendorField {
		return []VendorField{
			{Name: "To", Value: "+1", Open: false},
			{Name: "Body", Value: "say \"hi\"\n<é>\xff"},
			{Name: "Many", Value: "b"},
			{Name: "Many", Value: ""},
			{Name: "Count", Value: "2", Open: true},
		}
	}
	cases := map[tenant.RawVendor]string{
		tenant.RawVendorNone:     "",
		tenant.RawVendorFull:     `{"Body":"say \"hi\"\n\u003cé\u003e\ufffd","Count":"2","Many":["b",""],"To":"+1"}`,
		tenant.RawVendorRedacted: `{"Body":"[redacted]","Count":"2","Many":["[redacted]",""],"To":"[redacted]"}`,
		"unheard of":             `{"Body":"[redacted]","Count":"2","Many":["[redacted]",""],"To":"[redacted]"}`,
	}
	for policy, want := range cases {
		if got := string(RawVendor(policy, fields())); got != want {
			t.Errorf("%s: %s, want %s", policy, got, want)
		}
	}
	if got := string(RawVendor(tenant.RawVendorFull, nil)); got != "{}" {
		t.Errorf("no fields: %s", got)
	}
}

func FuzzRawVendor(f *testing.F) {
	f.Add("A", "1", "A", "2")
	f.Add("\x00", "\"\\", "<", "\u2028")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		for _, policy := range []tenant.RawVendor{tenant.RawVendorFull, tenant.RawVendorRedacted} {
			raw := RawVendor(policy, []VendorField{{Name: name1, Value: value1}, {Name: name2, Value: value2}})
			if !json.Valid(raw) {
				t.Errorf("%s: %q is not JSON", policy, raw)
			}
		}
	})
}

func TestConversationHoldsNoAddress(t *testing.T) {
	thread := canonical.NewThreadID(canonical.NewPepper("pepper", "first"), "+15552010001")
	id := conversationID(canonical.RCS, "account", thread, "+15557654321")
	if !strings.HasPrefix(id, "rcs:account:conv:") || strings.Contains(id, "555") || id != conversationID(canonical.RCS, "account", thread, "+15557654321") {
		t.Errorf("conversation %q", id)
	}
	if id == conversationID(canonical.RCS, "account", thread, "+15557654322") {
		t.Error("two sides of ours share a conversation")
	}
}
