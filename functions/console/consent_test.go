package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/console"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/secret"
	"signalbox/shared/secret/memsecret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// policies are those of one tenant, acme, with a line by SMS and RCS and one by WhatsApp.
type policies struct{}

func (policies) Policy(_ context.Context, id string) (consent.Policy, map[string]consent.Line, error) {
	if id != "acme" {
		return consent.Policy{}, nil, tenant.ErrUnknown
	}
	return consent.DefaultPolicy(), map[string]consent.Line{
		"sales": {Channels: []canonical.Channel{canonical.SMS, canonical.RCS}}, "wa": {Channels: []canonical.Channel{canonical.WhatsApp}},
		"pool": {Channels: []canonical.Channel{canonical.SMS}, Tells: "acme-provider"},
	}, nil
}

// office is where consent is asked for.
type office struct {
	t     *testing.T
	store *memstore.Store
	log   strings.Builder
	serve func(context.Context, console.Request) (console.Result, error)
	shut  error             // of the queue
	told  []canonical.Event // what was queued for the router
	plain []canonical.Event // what was sealed
}

// SealTenant implements envelope.TenantSealer.
func (o *office) SealTenant(_ context.Context, _ keyring.Place, plain []byte) ([]byte, error) {
	e, err := canonical.Decode(plain)
	o.plain = append(o.plain, e)
	return plain, err
}

// Publish implements queue.Publisher.
func (o *office) Publish(_ context.Context, messages ...queue.Message) error {
	for i, m := range messages {
		e := o.plain[len(o.plain)-len(messages)+i]
		if m.ID != string(e.EventID) || m.Group != string(e.ThreadID) {
			o.t.Errorf("message %s in group %s", m.ID, m.Group)
		}
		if o.shut == nil {
			o.told = append(o.told, e)
		}
	}
	return o.shut
}

func newOffice(t *testing.T, options ...memstore.Option) *office {
	t.Helper()
	o := &office{t: t, store: memstore.New(options...)}
	o.serve = console.Serve(tenants(t, "any", io.Discard), &console.Consents{
		Store: o.store, Policies: policies{}, Peppers: tenant.NewPeppers(memsecret.New(map[string]secret.Versions{"pepper": {"local use only"}}), "pepper"),
		Events: o, Sealer: o, Logger: telemetry.NewLogger(&o.log, telemetry.Identity{}), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	})
	return o
}

func (o *office) ask(action string, r consent.Request) consent.Result {
	o.t.Helper()
	r.Tenant = "acme"
	if action == consent.Enter && r.By == "" {
		r.By, r.Reason = "ada", "INC-7"
	}
	result, err := o.serve(o.t.Context(), console.Request{Action: action, Consent: &r})
	if err != nil || result.Consent == nil {
		o.t.Fatalf("%+v, %v", result, err)
	}
	return *result.Consent
}

// verdict returns what holds of an address on a channel.
func (o *office) verdict(address string, channel canonical.Channel, purpose string) consent.Verdict {
	o.t.Helper()
	for _, h := range o.ask(consent.Show, consent.Request{Address: address}).Holds {
		if h.Channel == channel && h.Purpose == purpose {
			return h.Verdict
		}
	}
	return ""
}

const anyone = "+12025550123"

// TestARowOfAnImport holds what becomes of each kind of row, first where nothing is held of the address, and that a plan says the same and
// keeps nothing.
func TestARowOfAnImport(t *testing.T) {
	t.Parallel()
	full := consent.Row{Address: anyone, Channel: "sms", State: "opted_in", At: "2026-01-31T10:00:00Z", Source: "form", Proof: "form 12, page /contact"}
	row := func(change func(*consent.Row)) consent.Row {
		r := full
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		row             consent.Row
		outcome, reason string
		sms             consent.Verdict
	}{
		"an opt-in with evidence":           {full, consent.Taken, "", consent.Allowed},
		"an opt-in of a day":                {row(func(r *consent.Row) { r.At = "2026-01-31" }), consent.Taken, "", consent.Allowed},
		"a number as people write it":       {row(func(r *consent.Row) { r.Address = "+1 (202) 555-0123" }), consent.Taken, "", consent.Allowed},
		"an opt-in without evidence":        {row(func(r *consent.Row) { r.Proof = " " }), consent.Refused, "proof is missing", consent.Unknown},
		"an opt-in without a time":          {row(func(r *consent.Row) { r.At = "" }), consent.Refused, "at is not a time", consent.Unknown},
		"an opt-in that is to come":         {row(func(r *consent.Row) { r.At = "2999-01-01" }), consent.Refused, "at is not a time", consent.Unknown},
		"an opt-in of no channel":           {row(func(r *consent.Row) { r.Channel = "" }), consent.Refused, "channel is missing", consent.Unknown},
		"an opt-in to no line of ours":      {row(func(r *consent.Row) { r.Line = "gone" }), consent.Refused, "line is not the id", consent.Unknown},
		"a proof that names a person":       {row(func(r *consent.Row) { r.Proof = "mail of ada@example.com" }), consent.Refused, "proof is longer than 300 bytes, or", consent.Unknown},
		"a state that is none":              {row(func(r *consent.Row) { r.State = "yes" }), consent.Refused, "state is not", consent.Unknown},
		"a purpose that is none":            {row(func(r *consent.Row) { r.Purpose = "fun" }), consent.Refused, "purpose is not", consent.Unknown},
		"a source that is none":             {row(func(r *consent.Row) { r.Source = "keyword" }), consent.Refused, "source is not", consent.Unknown},
		"a channel that is none":            {row(func(r *consent.Row) { r.Channel = "SMS!" }), consent.Refused, "channel is not", consent.Unknown},
		"a national number":                 {row(func(r *consent.Row) { r.Address = "202 555 0123" }), consent.Refused, "address is not E.164", consent.Unknown},
		"nobody":                            {row(func(r *consent.Row) { r.Address = "" }), consent.Refused, "address is not E.164", consent.Unknown},
		"somebody who was asked":            {row(func(r *consent.Row) { r.State, r.Proof = "pending", "" }), consent.Taken, "", consent.Unknown},
		"an opt-out and nothing else":       {consent.Row{Address: anyone, State: "opted_out"}, consent.Taken, "", consent.Denied},
		"an opt-out of an odd time":         {consent.Row{Address: anyone, State: "opted_out", At: "yesterday"}, consent.Taken, "", consent.Denied},
		"an opt-out of another channel":     {consent.Row{Address: anyone, State: "opted_out", Channel: "whatsapp"}, consent.Taken, "", consent.Unknown},
		"an opt-out of a line that is gone": {consent.Row{Address: anyone, State: "opted_out", Line: "gone"}, consent.Taken, "", consent.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			c.row.Number = 7
			var first []consent.RowResult
			for _, action := range []string{consent.Plan, consent.Enter} {
				got := o.ask(action, consent.Request{Rows: []consent.Row{c.row}}).Rows
				if len(got) != 1 || got[0].Number != 7 || got[0].Outcome != c.outcome || !strings.HasPrefix(got[0].Reason, c.reason) || (c.reason == "") != (got[0].Reason == "") {
					t.Fatalf("%s: %+v, want %s %q", action, got, c.outcome, c.reason)
				}
				if action == consent.Plan {
					if known := o.ask(consent.Export, consent.Request{}).Known; len(known) > 0 {
						t.Errorf("a plan kept %+v", known)
					}
					first = got
				}
				if diff := cmp.Diff(first, got); diff != "" {
					t.Error(diff)
				}
			}
			if got := o.verdict(anyone, canonical.SMS, consent.Messaging); got != c.sms {
				t.Errorf("SMS is %s, want %s", got, c.sms)
			}
			if strings.Contains(o.log.String(), "2025550123") {
				t.Error("the address is logged")
			}
		})
	}
}

// TestWhatIsOlderThanWhatIsHeldIsHistory: it is kept, and opens nothing.
func TestWhatIsOlderThanWhatIsHeldIsHistory(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	in := consent.Row{Number: 1, Address: anyone, Channel: "rcs", State: "opted_in", At: "2026-01-31T10:00:00Z", Proof: "form 12"}
	out := consent.Row{Number: 2, Address: anyone, Channel: "sms", State: "opted_out", At: "2026-02-01T10:00:00Z"}
	for _, step := range []struct {
		row  consent.Row
		want string
	}{{out, consent.Taken}, {in, consent.History}, {in, consent.History}, {out, consent.History}} {
		if got := o.ask(consent.Enter, consent.Request{Rows: []consent.Row{step.row}}).Rows[0]; got.Outcome != step.want {
			t.Errorf("%s: %+v, want %s", step.row.State, got, step.want)
		}
	}
	if got := o.verdict(anyone, canonical.RCS, consent.Messaging); got != consent.Denied {
		t.Errorf("RCS is %s", got)
	}
	shown := o.ask(consent.Show, consent.Request{Address: anyone})
	if len(shown.Evidence) != 2 || shown.Evidence[0].Proof != "form 12" || shown.Evidence[0].Actor != "ada" || shown.Evidence[0].Mark.Source != consent.SourceImport {
		t.Errorf("%+v", shown.Evidence)
	}
	if encoded, _ := json.Marshal(shown); strings.Contains(string(encoded), "2025550123") {
		t.Errorf("%s holds the address", encoded)
	}
}

// TestAnEntryIsOfThePersonWhoseThreadItIs: a stop at one number closes the others of the person.
func TestAnEntryIsOfThePersonWhoseThreadItIs(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	pepper := canonical.NewPepper(secret.Value("local use only"), "acme")
	const other = "+12025550188"
	for _, address := range []string{anyone, other} {
		err := conversation.Update(t.Context(), o.store, conversation.Key("acme", canonical.NewThreadID(pepper, address)), nil, func(h *conversation.Head) bool {
			h.PersonKey = canonical.PersonKey(pepper, anyone)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	o.ask(consent.Enter, consent.Request{Rows: []consent.Row{{Number: 1, Address: anyone, State: "opted_out"}}})
	if got := o.verdict(other, canonical.SMS, consent.Messaging); got != consent.Denied {
		t.Errorf("the other number is %s", got)
	}
}

// TestANumberIsWhoseItIsNow: what was said by whoever had it before is not said by who has it, and a thread that is part of another is that
// person's.
func TestANumberIsWhoseItIsNow(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	pepper := canonical.NewPepper(secret.Value("local use only"), "acme")
	o.ask(consent.Enter, consent.Request{Rows: []consent.Row{
		{Number: 1, Address: anyone, Channel: "sms", State: "opted_in", At: "2026-01-31", Proof: "form 12"},
	}})
	thread := canonical.NewThreadID(pepper, anyone)
	next, person := canonical.NextThreadID(pepper, thread, "e")
	for key, change := range map[canonical.ThreadID]func(*conversation.Head) bool{
		thread: func(h *conversation.Head) bool {
			return h.AddSuccessor(conversation.Successor{Thread: next, At: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Event: "e"})
		},
		next: func(h *conversation.Head) bool { h.PersonKey, h.Reassigned = person, true; return true },
	} {
		if err := conversation.Update(t.Context(), o.store, conversation.Key("acme", key), nil, change); err != nil {
			t.Fatal(err)
		}
	}
	if got := o.verdict(anyone, canonical.SMS, consent.Messaging); got != consent.Unknown {
		t.Errorf("who has the number now is %s", got)
	}
	o.ask(consent.Enter, consent.Request{Rows: []consent.Row{{Number: 1, Address: anyone, State: "opted_out"}}})
	if got := o.verdict(anyone, canonical.SMS, consent.Messaging); got != consent.Denied {
		t.Errorf("after their stop they are %s", got)
	}
}

func TestWhatIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	rows := []consent.Row{{Number: 1, Address: anyone, State: "opted_out"}}
	for name, c := range map[string]struct {
		action string
		asked  consent.Request
		want   string
	}{
		"no reason":                      {consent.Enter, consent.Request{By: "ada", Rows: rows}, "reason is required"},
		"a reason that names a customer": {consent.Enter, consent.Request{By: "ada", Reason: "of " + anyone, Rows: rows}, "phone number"},
		"no row":                         {consent.Plan, consent.Request{}, "rows are 1 to 100"},
		"too many rows":                  {consent.Plan, consent.Request{Rows: make([]consent.Row, 101)}, "rows are 1 to 100"},
		"no address":                     {consent.Show, consent.Request{}, "address is not E.164"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newOffice(t).ask(c.action, c.asked)
			if c.want != "" && !strings.Contains(fmt.Sprint(got.Problems), c.want) {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
	o := newOffice(t)
	result, err := o.serve(t.Context(), console.Request{Action: consent.Show, Consent: &consent.Request{Tenant: "other", Address: anyone}})
	if err != nil || len(result.Consent.Problems) != 1 {
		t.Errorf("another tenant: %+v, %v", result.Consent, err)
	}
	if result, err := o.serve(t.Context(), console.Request{Action: consent.Show}); err != nil || len(result.Problems) != 1 {
		t.Errorf("nothing asked: %+v, %v", result, err)
	}
}

// TestAFailureOfTheStoreIsToldByItsCode, and a repeat of the request makes it whole.
func TestAFailureOfTheStoreIsToldByItsCode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := consent.Request{Tenant: "acme", By: "ada", Reason: "INC-7", Rows: []consent.Row{
			{Number: 1, Address: anyone, State: "opted_out", Channel: "sms", At: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)},
		}}
		for at := range 12 {
			calls := 0
			o := newOffice(t, memstore.Faulty(func(memstore.Call) memstore.Fault {
				if calls++; calls == at+1 {
					return memstore.After
				}
				return memstore.None
			}))
			_, err := o.serve(t.Context(), console.Request{Action: consent.Enter, Consent: &asked})
			if failed := calls <= at; err != nil && err.Error() != memstore.CodeFailed || failed && err != nil {
				t.Errorf("call %d: %v", at, err)
			}
			if err != nil {
				_, err = o.serve(t.Context(), console.Request{Action: consent.Enter, Consent: &asked})
			}
			calls = 12
			if got := o.verdict(anyone, canonical.RCS, consent.Messaging); err != nil || got != consent.Denied {
				t.Errorf("call %d: %s, %v", at, got, errors.Unwrap(err))
			}
		}
	})
}

// TestWhatProvidersKnowIsShown: of each line where something holds, what its provider knows of it, which may go on sending if it knows nothing.
func TestWhatProvidersKnowIsShown(t *testing.T) {
	t.Parallel()
	pepper := canonical.NewPepper("local use only", "acme")
	who := consent.NewSubject(pepper, "acme", anyone, canonical.PersonKey(pepper, anyone), false)
	word := func(o *office) consent.Word {
		held, err := consent.Read(o.t.Context(), o.store, who)
		if err != nil {
			o.t.Fatal(err)
		}
		mark := consent.DefaultPolicy().May(held.Address, held.Person, consent.Question{Channel: canonical.SMS, Line: "pool", Purpose: consent.Messaging}).Mark
		return consent.Word{
			Tenant: "acme", Account: "acme-provider", Digest: who.Address, Line: "pool", Channel: canonical.SMS, State: mark.State, At: mark.At, EventID: mark.EventID,
		}
	}
	for name, c := range map[string]struct {
		source string
		line   string
		then   func(*office) store.Record
		want   []string
	}{
		"nobody told it":          {consent.SourceAgent, "", nil, []string{"pool sms unknown", "sales sms unknown", "sales rcs unknown"}},
		"it is to be told":        {consent.SourceAgent, "", func(o *office) store.Record { w := word(o); return w.Record(nil) }, []string{"pool sms waiting", "sales sms unknown", "sales rcs unknown"}},
		"it was told":             {consent.SourceAgent, "", func(o *office) store.Record { w := word(o); return w.Outcome(w.At, "") }, []string{"pool sms told", "sales sms unknown", "sales rcs unknown"}},
		"it does not take it":     {consent.SourceAgent, "", func(o *office) store.Record { w := word(o); return w.Outcome(w.At, "invalid_sender_id") }, []string{"pool sms refused invalid_sender_id", "sales sms unknown", "sales rcs unknown"}},
		"it was told another one": {consent.SourceAgent, "", func(o *office) store.Record { w := word(o); w.EventID = "before"; return w.Outcome(w.At, "") }, []string{"pool sms unknown", "sales sms unknown", "sales rcs unknown"}},
		"it said so of its line":  {consent.SourceProvider, "sales", nil, []string{"pool sms unknown", "sales sms said_so", "sales rcs said_so"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.ask(consent.Enter, consent.Request{Rows: []consent.Row{{Number: 1, Address: anyone, Channel: "sms", State: consent.OptedOut, Source: c.source, Line: c.line}}})
			if c.then != nil {
				if err := o.store.Note(t.Context(), c.then(o)); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, k := range o.ask(consent.Show, consent.Request{Address: anyone}).Providers {
				got = append(got, strings.TrimSpace(k.Line+" "+string(k.Channel)+" "+k.State+" "+k.Reason))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
