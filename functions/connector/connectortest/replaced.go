package connectortest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
)

// replaced takes the record of a person who is linked away in each of the CRM's ways between two messages.
func replaced[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	for way := range fresh(t).Replace {
		for what, second := range map[string]func(w *world[R]) delivery.Delivery{
			"a message": func(w *world[R]) delivery.Delivery { return w.known(1, 2) },
			"a reply":   func(w *world[R]) delivery.Delivery { return w.reply(1, 2) },
			"a message and a change of consent": func(w *world[R]) delivery.Delivery {
				d := w.known(1, 2)
				d.Actions = append(d.Actions, says(d, "opted_out").Actions...)
				return d
			},
			"a message, and somebody is told": func(w *world[R]) delivery.Delivery {
				d := w.known(1, 2)
				d.Actions = append(d.Actions, w.waits(d).Actions...)
				return d
			},
		} {
			t.Run(way+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, fresh(t))
					w.replaced(w.Replace[way], second)
				})
			})
		}
	}
}

// replaced fails the test unless what comes for a person whose record was replaced goes to the one that they are then, or to a new one, and
// what comes after that finds it at once.
func (w *world[R]) replaced(replace func(person, other string) string, second func(w *world[R]) delivery.Delivery) {
	w.t.Helper()
	w.finish(w.unknown(1, 1))
	person := w.Held().Persons[0].ID
	now := replace(person, w.AddPerson(phone(9), "Person 09", ""))
	d := second(w)
	w.finish(d)
	time.Sleep(time.Minute)
	w.wire.spoil(nil)
	third := w.known(1, 3)
	w.finish(third)
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("%d requests for the message after, the limit is %d", n, w.KnownCalls)
	}
	held := w.Held()
	w.holdsMessage(held, d)
	w.holdsMessage(held, third)
	w.holdsNotice(held, d)
	var at []string
	for _, a := range held.Activities {
		if a.ExternalID == messageKey(d) || a.ExternalID == messageKey(third) {
			at = append(at, a.Persons...)
		}
	}
	if at = slices.Compact(at); len(at) != 1 || now != "" && at[0] != now || at[0] == person && now != person {
		w.t.Errorf("the messages are with %q, and %s is %q by now", at, person, now)
	}
	for _, p := range held.Persons {
		consented := len(d.Actions) < 2 || d.Actions[1].Kind != delivery.SetConsent || p.Consent["sms"] == "opted_out"
		if len(at) == 1 && p.ID == at[0] && !consented {
			w.t.Errorf("%+v does not show the change of consent", p)
		}
	}
}
