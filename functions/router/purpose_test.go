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

// entered is what an operator entered of the sender of an event, and the event that tells of it.
func entered(t *testing.T, w *world, source, state string) canonical.Event {
	t.Helper()
	e := told(canonical.Consent{Keyword: map[string]string{consent.OptedOut: consent.Stop, consent.OptedIn: consent.Start}[state], State: state, Source: source}, func(e *canonical.Event) {
		e.Direction, e.Provider, e.AccountID, e.LineID = canonical.Status, consent.Operator, "", ""
		e.EventID = canonical.NewEventID("demo", consent.Operator, source, "consent", state)
	})
	x := consent.Entry{Actor: "ada", Proof: "form 12", Mark: consent.Mark{
		State: state, Channel: e.Channel, Purpose: consent.Messaging, At: e.Timestamp, EventID: e.EventID, Source: source,
	}}
	if _, err := consent.Apply(t.Context(), w.store, subject(event("", nil)), x); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWhatAnOperatorEnteredReachesCRMs: it changed what may be sent, and every CRM showed the state before. The evidence stays what was
// entered. An import is told to CRMs that are known to hold the person, and marks whoever writes later.
func TestWhatAnOperatorEnteredReachesCRMs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source, state string
		linked        bool
		want          []string
		kept          string // in the head
	}{
		"what an agent was told":         {consent.SourceAgent, consent.OptedOut, true, []string{consent.OptedOut}, consent.OptedOut},
		"of somebody whom no CRM holds":  {consent.SourceAgent, consent.OptedOut, false, []string{consent.OptedOut}, consent.OptedOut},
		"an opt-in by a form":            {consent.SourceForm, consent.OptedIn, true, []string{consent.OptedIn}, consent.OptedIn},
		"an import":                      {consent.SourceImport, consent.OptedOut, true, []string{consent.OptedOut}, consent.OptedOut},
		"an import of who is not linked": {consent.SourceImport, consent.OptedOut, false, nil, consent.OptedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			e := entered(t, w, c.source, c.state)
			if c.linked {
				w.link(t, e)
			}
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
			kinds, states := w.kinds(t)
			if diff := cmp.Diff(c.want, states); diff != "" || len(kinds) != len(states) {
				t.Error(diff, kinds)
			}
			evidence, err := consent.Evidence(t.Context(), w.store, subject(event("", nil)))
			if err != nil || len(evidence) != 1 || evidence[0].Actor != "ada" || evidence[0].Proof != "form 12" {
				t.Errorf("%+v, %v", evidence, err)
			}
			if _, head := w.may(t, event("", nil)); head.Consent[canonical.SMS].State != c.kept {
				t.Errorf("the thread's head says %+v", head.Consent)
			}
			w.sent = nil
			hello := event("hello there", func(e *canonical.Event) { e.Timestamp = at.Add(time.Hour) })
			if err := w.route(t, message(t, hello)); err != nil {
				t.Fatal(err)
			}
			if _, states := w.kinds(t); !c.linked && len(states) != 1 {
				t.Errorf("whoever is made later is shown as %q", states)
			}
		})
	}
}
