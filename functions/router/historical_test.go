package router_test

import (
	"slices"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
)

// TestHistoryMakesNobodyAndOpensNothing: what was said before we were there makes no lead and tells nobody. Its stops hold at their time,
// its starts never. What never came and was fetched is like anything else.
func TestHistoryMakesNobodyAndOpensNothing(t *testing.T) {
	t.Parallel()
	history, fetched := canonical.Flags{Historical: true}, canonical.Flags{Backfilled: true}
	for sentence, c := range map[string]struct {
		text    string
		flags   canonical.Flags
		known   bool
		before  string // consent that is in force, of a minute before
		makes   bool
		logs    bool
		consent string // in force then
		owed    bool
	}{
		"a message of somebody unknown":              {text: "hello", flags: history, logs: true},
		"a message of somebody known":                {text: "hello", flags: history, known: true, logs: true},
		"a stop":                                     {text: "STOP", flags: history, known: true, logs: true, consent: consent.OptedOut},
		"a stop of somebody unknown":                 {text: "STOP", flags: history, logs: true, consent: consent.OptedOut},
		"a start opens nothing":                      {text: "START", flags: history, known: true, logs: true, before: consent.OptedOut, consent: consent.OptedOut},
		"a start is no consent":                      {text: "START", flags: history, known: true, logs: true},
		"help is owed to nobody":                     {text: "HELP", flags: history, known: true, logs: true},
		"what never came, of somebody unknown":       {text: "hello", flags: fetched, makes: true, logs: true},
		"a stop that never came":                     {text: "STOP", flags: fetched, known: true, logs: true, consent: consent.OptedOut},
		"a start that never came":                    {text: "START", flags: fetched, known: true, logs: true, before: consent.OptedOut, consent: consent.OptedIn},
		"help that never came is owed":               {text: "HELP", flags: fetched, known: true, logs: true, owed: true},
		"a stop that is older than what is in force": {text: "STOP", flags: history, known: true, logs: true, before: "later", consent: consent.OptedIn},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			e := said(10, c.text, func(e *canonical.Event) { e.Flags = c.flags })
			if c.known {
				w.link(t, e)
			}
			switch c.before {
			case consent.OptedOut:
				w.routeAll(t, said(9, "STOP"))
			case "later":
				w.routeAll(t, said(11, "START"))
			}
			w.sent = nil
			w.routeAll(t, e)
			var makes, logs bool
			for _, d := range w.deliveries(t) {
				makes = makes || slices.ContainsFunc(d.Actions, delivery.Action.MakesPerson) && !c.known
				logs = logs || slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return a.Kind == delivery.LogActivity })
				if slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return a.Kind == delivery.Notify }) {
					t.Errorf("somebody is told: %+v", d.Actions)
				}
			}
			record, _ := w.record(t, e)
			var held conversation.Head
			if held = w.head(t, e); makes != c.makes || logs != c.logs || held.Consent[canonical.SMS].State != c.consent {
				t.Errorf("makes %t, logs %t, consent %q: want %t, %t, %q", makes, logs, held.Consent[canonical.SMS].State, c.makes, c.logs, c.consent)
			}
			if owed := record.Decision.Owed != ""; owed != c.owed {
				t.Errorf("owed %q", record.Decision.Owed)
			}
			if at := held.Consent[canonical.SMS].At; c.consent == consent.OptedOut && c.before == "" && !at.Equal(minute(10)) {
				t.Errorf("since %s", at)
			}
		})
	}
}
