package router_test

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/delivery"

	"github.com/google/go-cmp/cmp"
)

// told returns an event that tells of a change of consent, as a program or an operator does.
func told(c canonical.Consent, change func(*canonical.Event)) canonical.Event {
	e := event("", func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "edge", "demo-edge", "event", c.Keyword+c.State+c.Purpose)
		e.Type, e.Actor, e.Message, e.Provider = canonical.TypeConsent, nil, nil, "edge"
		e.Consent = &c
		if change != nil {
			change(e)
		}
	})
	if e.Direction == canonical.Status {
		e.Sender, e.Recipient = e.Recipient, e.Sender
		e.ThreadID = event("", nil).ThreadID
	}
	return e
}

// kinds returns what CRMs are to do, and what they are told of consent.
func (w *world) kinds(t *testing.T) (kinds []delivery.Kind, states []string) {
	t.Helper()
	for _, d := range w.deliveries(t) {
		for _, a := range d.Actions {
			if kinds = append(kinds, a.Kind); a.Kind == delivery.SetConsent {
				states = append(states, a.Value["state"])
			}
		}
	}
	return kinds, states
}

// TestAChangeThatIsToldWithoutAWordReachesCRMs is what the rules, which ask for a word, left out: the state says which.
func TestAChangeThatIsToldWithoutAWordReachesCRMs(t *testing.T) {
	t.Parallel()
	for _, state := range []string{consent.OptedOut, consent.OptedIn} {
		for _, direction := range []canonical.Direction{canonical.Inbound, canonical.Status} {
			w := newWorld()
			e := told(canonical.Consent{State: state, Source: consent.SourceForm}, func(e *canonical.Event) { e.Direction = direction })
			w.link(t, e)
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
			if _, states := w.kinds(t); len(states) != 1 || states[0] != state {
				t.Errorf("%s, %s: CRMs are told %q", state, direction, states)
			}
		}
	}
}

// TestAStopOfMarketingClosesMarketingAlone: it is kept, and no CRM shows the person as one who may not be written to.
func TestAStopOfMarketingClosesMarketingAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	e := told(canonical.Consent{State: consent.OptedOut, Source: consent.SourceForm, Purpose: consent.Marketing}, nil)
	w.link(t, e)
	for range 2 { // a copy changes nothing
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	held, err := consent.Read(t.Context(), w.store, subject(e))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]consent.Verdict{}
	for _, purpose := range []string{consent.Messaging, consent.Marketing} {
		got[purpose] = w.tenant.Consent.May(held.Address, held.Person, consent.Question{Channel: e.Channel, Purpose: purpose}).Verdict
	}
	if diff := cmp.Diff(map[string]consent.Verdict{consent.Messaging: consent.Unknown, consent.Marketing: consent.Denied}, got); diff != "" {
		t.Error(diff)
	}
	if _, states := w.kinds(t); len(states) > 0 {
		t.Errorf("CRMs are told %q", states)
	}
	if _, head := w.may(t, e); len(head.Consent) > 0 {
		t.Errorf("the thread's head says %+v", head.Consent)
	}
	stop := event("STOP", func(e *canonical.Event) { e.Timestamp = at.Add(time.Minute) })
	w.sent = nil
	if err := w.route(t, message(t, stop)); err != nil {
		t.Fatal(err)
	}
	if _, states := w.kinds(t); len(states) != 1 {
		t.Errorf("a stop of everything tells CRMs %q", states)
	}
}
