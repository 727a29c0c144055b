package router_test

import (
	"testing"
	"testing/synctest"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
)

// TestAnOptOutOfAReassignedNumberIsOfWhoHasItNow: a provider that finds out that a number changed hands opts it out. That closes it for who has
// it now, who agreed to nothing, and says nothing of who had it before.
func TestAnOptOutOfAReassignedNumberIsOfWhoHasItNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		had := canonical.Participant{Phone: phone}
		moved := changes("moved", 30, canonical.Reassigned, had, []canonical.Identifier{number(phone)}, nil)
		moved.Channel = canonical.SMS
		stop := says("stop", 30, "", canonical.SMS, had)
		stop.Type, stop.Direction, stop.Message, stop.Actor = canonical.TypeConsent, canonical.Status, nil, nil
		stop.Sender, stop.Recipient = stop.Recipient, stop.Sender
		stop.Consent = &canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceProvider}
		o.receiveAll(says("hello", 0, "hello", canonical.SMS, had), moved, stop)
		_, key := canonical.NextThreadID(o.pepper, canonical.NewThreadID(o.pepper, phone), moved.EventID)
		for name, c := range map[string]struct {
			who  consent.Subject
			want consent.Verdict
		}{
			"who had it": {consent.NewSubject(o.pepper, "demo", phone, canonical.PersonKey(o.pepper, phone), false), consent.Unknown},
			"who has it": {consent.NewSubject(o.pepper, "demo", phone, key, true), consent.Denied},
		} {
			held, err := consent.Read(t.Context(), o.state, c.who)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.w.tenant.Consent.May(held.Address, held.Person, consent.Question{Channel: canonical.SMS, Purpose: consent.Messaging}); got.Verdict != c.want {
				t.Errorf("%s: %+v, want %s", name, got, c.want)
			}
		}
		if len(o.leads) != 1 {
			t.Errorf("%d leads: nobody wrote after the number changed hands", len(o.leads))
		}
	})
}
