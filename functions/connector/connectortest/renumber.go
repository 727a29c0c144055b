package connectortest

import "signalbox/shared/delivery"

// moves makes a delivery the news that the person has another number, and nothing else.
func moves(d delivery.Delivery, from, to string) delivery.Delivery {
	d.Actions = []delivery.Action{{Kind: delivery.ChangePhone, Value: map[string]string{"from": from, "to": to}}}
	d.Person.Phone, d.Event.Sender.Phone = to, to
	return d
}

// numbered fails the test unless there are persons with these numbers, by what they are called.
func (w *world[R]) numbered(want map[string]string) {
	w.t.Helper()
	held := w.Held().Persons
	if len(held) != len(want) {
		w.t.Errorf("%d persons, want %d", len(held), len(want))
	}
	for _, p := range held {
		if p.Phone != want[p.Name] {
			w.t.Errorf("%s has the number %q, want %q", p.Name, p.Phone, want[p.Name])
		}
	}
}

// renumbered is of two people whose numbers were typed and whom we made, and of somebody else who has the new number of one.
func renumbered[R any](w *world[R]) {
	w.width = w.Width
	w.AddPerson("(415) 555-0001", "Person 01", "United States")
	w.AddPerson(phone(3), "Person 03", "")
	w.finish(w.unknown(1, 1), w.unknown(2, 1))
	first, second := moves(w.known(1, 2), phone(1), phone(3)), moves(w.known(2, 2), phone(2), phone(4))
	for range 2 {
		w.finish(first, second)
		w.numbered(map[string]string{"Person 01": phone(3), "Person 02": phone(4), "Person 03": phone(3)})
	}
}

// renumberedByUser is of somebody whose record a user has put right already.
func renumberedByUser[R any](w *world[R]) {
	w.AddPerson(phone(5), "Person 01", "")
	before := w.unknown(1, 1)
	before.Person.Phone, before.Event.Sender.Phone = phone(5), phone(5)
	w.finish(before)
	w.finish(moves(w.known(1, 2), phone(1), phone(2)))
	w.numbered(map[string]string{"Person 01": phone(5)})
}
