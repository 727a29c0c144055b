package console_test

import (
	"errors"
	"testing"

	"signalbox/functions/console"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"

	"github.com/google/go-cmp/cmp"
)

// TestWhatOperatorsEnterGoesToCRMs holds what the router is told: of what holds now, once a family of channels.
func TestWhatOperatorsEnterGoesToCRMs(t *testing.T) {
	t.Parallel()
	const before = "2026-01-30T10:00:00Z"
	in := consent.Row{Address: anyone, Channel: "sms", State: "opted_in", At: "2026-01-31T10:00:00Z", Source: "form", Proof: "form 12"}
	out := consent.Row{Address: anyone, State: "opted_out"}
	row := func(of consent.Row, change func(*consent.Row)) consent.Row {
		change(&of)
		return of
	}
	for name, c := range map[string]struct {
		first, row consent.Row
		want       []string // channel, state and source
	}{
		"an opt-in":                 {consent.Row{}, in, []string{"sms opted_in form"}},
		"an opt-out of all":         {consent.Row{}, out, []string{"sms opted_out import", "whatsapp opted_out import"}},
		"an opt-out of one channel": {consent.Row{}, row(out, func(r *consent.Row) { r.Channel, r.Source = "whatsapp", "agent" }), []string{"whatsapp opted_out agent"}},
		"one that is older":         {out, in, nil},
		"one that is newer":         {row(out, func(r *consent.Row) { r.At = before }), in, []string{"sms opted_in form"}},
		"the same again":            {in, in, []string{"sms opted_in form"}},
		"who was only asked":        {consent.Row{}, row(in, func(r *consent.Row) { r.State = "pending" }), nil},
		"an opt-out of marketing":   {consent.Row{}, row(out, func(r *consent.Row) { r.Purpose = consent.Marketing }), nil},
		"a row that is refused":     {consent.Row{}, row(in, func(r *consent.Row) { r.Proof = "" }), nil},
		"of who has no number":      {consent.Row{}, row(in, func(r *consent.Row) { r.Address, r.Channel = "whatsapp:US.900100200300400", "whatsapp" }), []string{"whatsapp opted_in form"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			if c.first.Address != "" {
				o.ask(consent.Enter, consent.Request{Rows: []consent.Row{c.first}})
			}
			before := o.told
			o.told = nil
			o.ask(consent.Plan, consent.Request{Rows: []consent.Row{c.row}})
			if len(o.told) > 0 {
				t.Error("a plan tells of it")
			}
			o.ask(consent.Enter, consent.Request{Rows: []consent.Row{c.row}})
			var got []string
			for _, e := range o.told {
				got = append(got, string(e.Channel)+" "+e.Consent.State+" "+e.Consent.Source)
				id := e.Recipient.ID
				if e.Type != canonical.TypeConsent || e.Direction != canonical.Status || e.TenantID != "acme" || e.Provider != consent.Operator || e.Recipient.Phone+id != c.row.Address {
					t.Errorf("%+v", e)
				}
			}
			// Of a family the one event is of any of its channels: all of them are closed by it.
			for i := range got {
				if len(got[i]) > 3 && got[i][:3] == "rcs" {
					got[i] = "sms" + got[i][3:]
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if c.first == c.row && before[0].EventID != o.told[0].EventID {
				t.Error("a repeat is another event")
			}
		})
	}
}

// TestWhatCouldNotBeToldIsToldByARepeat: the entries are kept although the queue is shut.
func TestWhatCouldNotBeToldIsToldByARepeat(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.shut = errors.New("shut")
	r := consent.Request{Tenant: "acme", By: "ada", Reason: "INC-7", Rows: []consent.Row{{Number: 2, Address: anyone, State: "opted_out"}}}
	if _, err := o.serve(t.Context(), console.Request{Action: consent.Enter, Consent: &r}); err == nil {
		t.Fatal("it is said to be done")
	}
	if got := o.verdict(anyone, canonical.SMS, consent.Messaging); got != consent.Denied {
		t.Errorf("the address is %s", got)
	}
	o.shut = nil
	if o.ask(consent.Enter, r); len(o.told) != 2 {
		t.Errorf("%d events", len(o.told))
	}
}
