package connectortest

import (
	"time"

	"signalbox/shared/delivery"
)

// changeCases are the cases of what a record is to say differently.
func changeCases[R any]() map[string]func(*world[R]) {
	return map[string]func(*world[R]){
		"a consent change is on every record with the number":  consentEverywhere[R],
		"a number that changed is changed where it is held":    renumbered[R],
		"a number that somebody changed stays":                 renumberedByUser[R],
		"a consent change of somebody unknown makes nobody":    consentOfNobody[R],
		"a consent change is not on who had the number before": consentUnmatched[R],
		"consent is set on the person":                         consentSet[R],
	}
}

// says makes a delivery a change of consent by SMS, and nothing else.
func says(d delivery.Delivery, state string) delivery.Delivery {
	d.Actions = []delivery.Action{{Kind: delivery.SetConsent, Value: map[string]string{
		"channel": "sms", "state": state, "at": d.Event.Timestamp.Format(time.RFC3339Nano),
	}}}
	return d
}

func consentSet[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	for i, state := range []string{"opted_out", "opted_in"} {
		d := says(w.known(1, i+2), state)
		w.finish(d)
		w.finish(d)
		if p := w.Held().Persons; len(p) != 1 || p[0].Consent["sms"] != state {
			w.t.Errorf("consent %+v, want %s", p, state)
		}
	}
}

// consentEverywhere is of a number that several people of the CRM have: one is linked, the others are found, once nobody is and in another
// batch than those of somebody else.
func consentEverywhere[R any](w *world[R]) {
	w.width = w.Width
	w.finish(w.unknown(1, 1), w.unknown(2, 1))
	w.AddPerson("(415) 555-0001", "Person 03", "United States")
	w.AddPerson(phone(1), "Person 04", "")
	w.AddPerson(phone(5), "Person 05", "")
	for n, state := range []string{"opted_out", "opted_in"} {
		w.finish(says(w.known(1, n+2), state), says(w.known(2, n+2), "opted_out"))
		w.consent(map[string]string{"Person 01": state, "Person 02": "opted_out", "Person 03": state, "Person 04": state, "Person 05": ""})
	}
	w.finish(says(w.unknown(5, 2), "opted_out"))
	w.consent(map[string]string{"Person 05": "opted_out", "Person 04": "opted_in"})
}

// consent fails the test unless there are these people, by what they are called, and each says this by SMS.
func (w *world[R]) consent(want map[string]string) {
	w.t.Helper()
	seen := 0
	for _, p := range w.Held().Persons {
		if state, ok := want[p.Name]; ok && p.Consent["sms"] != state {
			w.t.Errorf("%s says %q, want %q", p.Name, p.Consent["sms"], state)
		} else if ok {
			seen++
		}
	}
	if seen < len(want) {
		w.t.Errorf("%d of %d persons are there or say it", seen, len(want))
	}
}

func consentOfNobody[R any](w *world[R]) {
	w.AddPerson(phone(2), "Person 02", "")
	w.finish(says(w.unknown(1, 1), "opted_out"))
	if p := w.Held().Persons; len(p) != 1 || p[0].Consent["sms"] != "" {
		w.t.Errorf("persons %+v", p)
	}
}

func consentUnmatched[R any](w *world[R]) {
	w.AddPerson(phone(1), "Person 02", "")
	first := w.unknown(1, 1)
	first.Person.Unmatched = true
	w.finish(first)
	second := says(w.known(1, 2), "opted_out")
	second.Person.Unmatched = true
	w.finish(second)
	w.consent(map[string]string{"Person 01": "opted_out", "Person 02": ""})
}
