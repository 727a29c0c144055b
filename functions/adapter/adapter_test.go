package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/claimcheck"
	"signalbox/shared/deadletter"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
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
		Provider: "batch", Responses: map[string]webhook.Response{"events": {Status: http.StatusAccepted}},
		Redelivery: RedeliveryPolicy{On: b.redelivers},
	}
}

func (batch) Decode(w Webhook) Content { return list{w} }

// list is a webhook of batch.
type list struct{ Webhook }

func (w list) Verify(tokens secret.Versions) error {
	if w.Header.Get("Token") == "panic" {
		panic("+15551234567")
	}
	if w.Header.Get("Token") != string(tokens[0]) {
		return fault.New(fault.Rejected, "token_wrong", nil)
	}
	return nil
}

func (w list) Parse() ([]Parsed, error) {
	var addresses []string
	if err := json.Unmarshal(w.Body, &addresses); err != nil {
		return nil, fault.New(fault.Permanent, "json_malformed", nil)
	}
	var all []Parsed
	for i, address := range addresses {
		text, cards := strings.Repeat("x", 10), []canonical.Card(nil)
		switch address {
		case "large":
			text = strings.Repeat("€", 99_999) // 300 KB
		case "bulky":
			text = strings.Repeat("é", 60_000) // 120 KB, twice with what was received
		case "huge": // 13 MB
			offers := slices.Repeat([]canonical.Suggestion{{Text: "yes", Postback: strings.Repeat("€", 4096)}}, 64)
			cards = slices.Repeat([]canonical.Card{{Title: "one", Suggestions: offers}}, 16)
		}
		all = append(all, Parsed{
			Event: canonical.Event{
				Channel: canonical.SMS, Direction: canonical.Inbound, Sender: canonical.Participant{Phone: "+15552010001"},
				Message: &canonical.Message{Text: text, Cards: cards},
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
	return tenant.Account{ID: id, TenantID: "first", Provider: "batch", AuthTokens: secret.Versions{"token"}, HandshakeTokens: secret.Versions{"token"}}, nil
}

func (d *directory) Line(_ context.Context, account, address string, _ canonical.Channel) (tenant.Line, error) {
	d.lookups = append(d.lookups, address)
	owners := map[string]string{"one": "first", "two": "second", "large": "first", "bulky": "first", "huge": "first"}
	switch address {
	case "slow":
		return tenant.Line{}, errors.New("down")
	case "lost":
		return tenant.Line{}, fault.New(fault.Blocked, "tenant_unreadable", nil)
	}
	if owners[address] == "" {
		return tenant.Line{}, tenant.ErrUnknown
	}
	return tenant.Line{
		ID: address, TenantID: owners[address], AccountID: account, Address: address, Channels: []canonical.Channel{canonical.SMS}, RawVendor: tenant.RawVendorFull,
	}, nil
}

func (*directory) Pepper(_ context.Context, tenant string) (canonical.Pepper, error) {
	return canonical.NewPepper("pepper", tenant), nil
}

// opened returns the body of a message as it was before it was sealed.
func opened(t *testing.T, ring envelope.Opener, m queue.Message) []byte {
	t.Helper()
	plain, unsealed, err := envelope.Open(t.Context(), ring, m.Body)
	if err != nil || unsealed {
		t.Fatalf("not sealed: %t, %v", unsealed, err)
	}
	return plain
}

// receive sends a body to the batch channel.
func receive(t *testing.T, ring Sealer, channel batch, events queue.Publisher, token, body string) (webhook.Response, []deadletter.Record, string) {
	t.Helper()
	var output bytes.Buffer
	id := telemetry.Identity{Function: "BatchReceive", Version: "1"}
	spool, state, known := memstore.New(), memstore.New(), &directory{}
	a := New(ring, Parts{
		Channel: channel, Directory: known, Peppers: known, Sinks: Sinks(events, NewSpool(spool)),
		DeadLetters: NewDeadLetters(ring, spool, state, "1"), Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id),
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
		"one that is larger than a queue takes":      {never, `["large"]`, 202, []string{"first"}, ""},
		"one that is larger with what came":          {never, `["bulky"]`, 202, []string{"first"}, ""},
		"one that nobody reads":                      {never, `["huge"]`, 202, nil, "permanent event_too_large"},
		"a lookup fails, and it never comes again":   {never, `["one","slow"]`, 202, nil, "retryable line_unreadable"},
		"a lookup fails, and it comes again":         {always, `["one","slow"]`, 503, nil, ""},
		"a line whose tenant is gone":                {never, `["lost"]`, 202, nil, "blocked tenant_unreadable"},
		"a line whose tenant is gone, it comes back": {always, `["lost"]`, 503, nil, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ring := claimcheck.New(keyringtest.New(), memobjects.New())
			var tenants []string
			events := publisher(func(all []queue.Message) error {
				for _, m := range all {
					var e canonical.Event
					if err := json.Unmarshal(opened(t, ring, m), &e); err != nil {
						t.Error(err)
					}
					if e.Metadata[canonical.RawVendor] == nil || len(m.Body) > queue.MaxBody {
						t.Errorf("a message of %d bytes, with %d of metadata", len(m.Body), len(e.Metadata))
					}
					tenants = append(tenants, e.TenantID)
				}
				return nil
			})
			answer, letters, _ := receive(t, ring, c.channel, events, "token", c.body)
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

// TestAWebhookAlwaysSaysWhenItCame: channels compare signatures' times with it.
func TestAWebhookAlwaysSaysWhenItCame(t *testing.T) {
	ring := keyringtest.New()
	var came time.Time
	receive(t, ring, batch{}, publisher(func(all []queue.Message) error {
		var e canonical.Event
		if err := json.Unmarshal(opened(t, ring, all[0]), &e); err != nil {
			return err
		}
		came = e.ReceivedAt
		return nil
	}), "token", `["one"]`)
	if age := time.Since(came); age < 0 || age > time.Hour {
		t.Errorf("it came at %v", came)
	}
}

// counting is a channel that counts how often a webhook is decoded, and reads what was decoded before it was verified.
type counting struct {
	batch
	decoded *int
}

func (c counting) Decode(w Webhook) Content {
	*c.decoded++
	return c.batch.Decode(w)
}

// TestAWebhookIsDecodedOnce is what was done twice: a form was decoded to verify it, and again to read it.
func TestAWebhookIsDecodedOnce(t *testing.T) {
	decoded := 0
	ring, known, id := keyringtest.New(), &directory{}, telemetry.Identity{}
	a := New(ring, Parts{
		Channel: counting{decoded: &decoded}, Directory: known, Peppers: known, Sinks: Sinks(publisher(func([]queue.Message) error { return nil }), nil),
		Logger: telemetry.NewLogger(io.Discard, id), Meter: telemetry.NewMeter(io.Discard, id),
	})
	answer := a.Receive(t.Context(), webhook.Request{
		Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {"token"}}, Body: []byte(`["one","two"]`),
	})
	if answer.Status != http.StatusAccepted || decoded != 1 {
		t.Errorf("status %d, decoded %d times", answer.Status, decoded)
	}
}

// TestTheLogNamesTheEvent is what was missing: a line of the adapter could not be found by the event's id.
func TestTheLogNamesTheEvent(t *testing.T) {
	var want string
	refusals := 1
	_, _, output := receive(t, keyringtest.New(), batch{}, publisher(func(all []queue.Message) error {
		want = all[0].ID
		if refusals--; refusals >= 0 {
			return errors.New("refused")
		}
		return nil
	}), "token", `["one","two"]`)
	if got := strings.Count(output, `"eventId":"`+want+`"`); got != 2 { // that of the refusal, that of the webhook
		t.Errorf("the event is on %d lines:\n%s", got, output)
	}
}

// TestADeadLetterSurvivesAnyPartialFailure fails every call of a large one in every way; the same webhook again completes it.
func TestADeadLetterSurvivesAnyPartialFailure(t *testing.T) {
	w := Webhook{
		Request:  webhook.Request{Path: "/v1/x", Header: http.Header{}, Body: bytes.Repeat([]byte("0123456789"), 400_000)},
		Provider: "batch", Kind: "events", AccountID: "shared",
	}
	for _, how := range []memstore.Fault{memstore.Before, memstore.After, memstore.Partial, memstore.Throttled} {
		for failing := range 4 { // two calls for the parts, the pointer, the record
			calls := 0
			faulty := memstore.Faulty(func(memstore.Call) memstore.Fault {
				if calls++; calls == failing+1 {
					return how
				}
				return memstore.None
			})
			parts, state := memstore.New(faulty), memstore.New(faulty)
			ring := keyringtest.New()
			letters := NewDeadLetters(ring, parts, state, "1")
			cause := fault.New(fault.Permanent, "x", nil)
			w.Received = time.Now()
			if err := letters.Write(t.Context(), w, "first", cause); err == nil {
				t.Fatalf("fault %d at call %d was not told", how, failing)
			}
			w.Received = w.Received.Add(time.Second)
			if err := letters.Write(t.Context(), w, "first", cause); err != nil {
				t.Fatal(err)
			}
			var found []deadletter.Record
			for r := range state.All() {
				if letter, ok := deadletter.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") {
					found = append(found, letter)
				}
			}
			if len(found) != 1 {
				t.Fatalf("fault %d at call %d: %d dead letters", how, failing, len(found))
			}
			var whole []byte
			for n := range found[0].Parts {
				key := deadletter.PartKey(found[0], n)
				records, err := parts.Get(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				part, err := ring.Open(t.Context(), sealedFor(found[0], key.Sort), records[0].Data)
				if err != nil {
					t.Fatal(err)
				}
				whole = append(whole, part...)
			}
			if !bytes.Equal(whole, w.Body) {
				t.Errorf("fault %d at call %d: %d bytes of %d can be read", how, failing, len(whole), len(w.Body))
			}
		}
	}
}

// TestOrderWithinAWebhookSurvivesAnyFailure lets entries and whole calls fail at random, with and without effect, on the queue
// and in the spool: what is answered 2xx arrives whole, and in the order of each thread.
func TestOrderWithinAWebhookSurvivesAnyFailure(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 1))
		var all, arrived []queue.Message
		for i := range 1 + random.IntN(14) {
			all = append(all, queue.Message{ID: fmt.Sprintf("%02d", i), Group: fmt.Sprint(random.IntN(3)), Body: []byte("{}")})
		}
		well := false
		send := func(_ context.Context, part []queue.Message) ([]error, error) {
			errs := make([]error, len(part))
			whole := !well && random.IntN(3) == 0
			for i, m := range part {
				if !well && random.IntN(4) == 0 {
					errs[i] = errors.New("refused")
				} else if !slices.ContainsFunc(arrived, func(held queue.Message) bool { return held.ID == m.ID }) {
					arrived = append(arrived, m) // also where the call as a whole is not answered
				}
			}
			if whole {
				return nil, errors.New("no answer")
			}
			return errs, nil
		}
		events := publisher(func(part []queue.Message) error { return inorder.Publish(t.Context(), part, send) })
		table := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault {
			if well {
				return memstore.None
			}
			return memstore.Fault(random.IntN(12)) // mostly none
		}))
		a := New(nil, Parts{Channel: batch{}, Sinks: Sinks(events, NewSpool(table)), Logger: slog.New(slog.DiscardHandler)})
		_, err := a.publish(t.Context(), a.Sinks, all, defaultBudget)
		well = true
		drain, _ := newDrain(table, events)
		if err := drain.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err == nil && len(arrived) != len(all) {
			t.Fatalf("seed %d: %d of %d arrived", seed, len(arrived), len(all))
		}
		last := map[string]string{}
		for _, m := range arrived {
			if err == nil && m.ID < last[m.Group] {
				t.Fatalf("seed %d: %s arrived after %s", seed, m.ID, last[m.Group])
			}
			last[m.Group] = m.ID
		}
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
	answer, _, _ := receive(t, keyringtest.New(), batch{}, events, "token", `["one","two","one"]`)
	if answer.Status != http.StatusAccepted || len(calls) != 2 || len(calls[1]) != 2 || calls[1][0] != calls[0][1] || calls[1][1] != calls[0][2] {
		t.Errorf("status %d, publishes %q", answer.Status, calls)
	}
}

func TestPanicBeforeTheSignature(t *testing.T) {
	answer, letters, output := receive(t, keyringtest.New(), batch{}, publisher(func([]queue.Message) error { return nil }), "panic", `["one"]`)
	if answer.Status != http.StatusServiceUnavailable || len(letters) > 0 {
		t.Errorf("status %d, dead letters %v: want 503 and nothing stored", answer.Status, letters)
	}
	if !strings.Contains(output, "PanicRecovered") || strings.Contains(output, "5551234567") {
		t.Errorf("the panic must be counted and its value not logged:\n%s", output)
	}
}

func TestPanicInAPlaceIsADeadLetter(t *testing.T) {
	answer, letters, output := receive(t, keyringtest.New(), batch{}, publisher(func([]queue.Message) error { panic("5551234567") }), "token", `["one"]`)
	if answer.Status != http.StatusAccepted || len(letters) != 1 || letters[0].Code != CodePanic {
		t.Errorf("status %d, dead letters %v", answer.Status, letters)
	}
	if strings.Contains(output, "5551234567") || strings.Contains(letters[0].Reason, "5551234567") {
		t.Error("the panic's value was told")
	}
}

// hanging is a directory whose store does not answer, from the account or from the line on.
type hanging struct {
	directory
	account bool
}

func (h *hanging) Account(ctx context.Context, id string) (tenant.Account, error) {
	if h.account {
		<-ctx.Done()
		return tenant.Account{}, ctx.Err()
	}
	return h.directory.Account(ctx, id)
}

func (*hanging) Line(ctx context.Context, _, _ string, _ canonical.Channel) (tenant.Line, error) {
	<-ctx.Done()
	return tenant.Line{}, ctx.Err()
}

// TestASlowStoreLeavesTimeForTheDeadLetter is what was lost: a lookup that took all of the function's time left none to keep
// an authentic webhook.
func TestASlowStoreLeavesTimeForTheDeadLetter(t *testing.T) {
	cases := map[string]struct {
		account bool
		status  int
		letters int
	}{
		"before the signature nothing can be kept, and it is said": {true, http.StatusServiceUnavailable, 0},
		"after it there is a dead letter":                          {false, http.StatusAccepted, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spool, state, known := memstore.New(), memstore.New(), &hanging{account: c.account}
				id := telemetry.Identity{}
				ring := keyringtest.New()
				a := New(ring, Parts{
					Channel: batch{}, Directory: known, Peppers: known, DeadLetters: NewDeadLetters(ring, spool, state, "1"),
					Logger: telemetry.NewLogger(io.Discard, id), Meter: telemetry.NewMeter(io.Discard, id),
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // the function's
				defer cancel()
				answer := a.Receive(ctx, webhook.Request{
					Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {"token"}}, Body: []byte(`["one"]`),
				})
				letters := 0
				for r := range state.All() {
					if letter, ok := deadletter.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") && letter.Code == "line_unreadable" {
						letters++
					}
				}
				if answer.Status != c.status || letters != c.letters || ctx.Err() != nil {
					t.Errorf("status %d, %d dead letters, %v: want %d and %d in time", answer.Status, letters, ctx.Err(), c.status, c.letters)
				}
			})
		})
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
		if got := c.policy.FailureStatus(); got != c.want {
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
		tenant.RawVendorFull:     `{"Body":"say \"hi\"\n<é>�","Count":"2","Many":["b",""],"To":"+1"}`,
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

func TestJSONFields(t *testing.T) {
	document, err := jsontext.Parse([]byte(`{"data":{"id":"e1","to":[{"n":"+1","s":"sent"},{"n":"+2"}],"cost":null,"parts":2,"ok":true,"none":{},"empty":[]},"l":["a",["b"]]}`), 10)
	if err != nil {
		t.Fatal(err)
	}
	fields := JSONFields(document, func(name string) bool { return name == "data.id" || name == "data.to.s" })
	want := []VendorField{
		{"data.id", "e1", true},
		{"data.to.n", "+1", false},
		{"data.to.s", "sent", true},
		{"data.to.n", "+2", false},
		{"data.parts", "2", false},
		{"data.ok", "true", false},
		{"l", "a", false},
		{"l", "b", false},
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
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
