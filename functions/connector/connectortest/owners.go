package connectortest

import (
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// ownerCases are the cases of whose persons are and of who is told.
func ownerCases[R any]() map[string]func(*world[R]) {
	return map[string]func(*world[R]){
		"the owner of a new person is told":                         ownerTold[R],
		"of a new person without an owner somebody else is told":    standInTold[R],
		"of a new person whom nobody owns yet it is told later":     laterTold[R],
		"and to who owns them by then":                              laterOwned[R],
		"a new person who was owned at once is told of once":        laterToldBefore[R],
		"who was there before is told of neither at once nor later": laterHeld[R],
		"a new person of whom nobody is told is counted":            nobodyTold[R],
		"who is there stays their owner's, and nobody is told":      ownedBefore[R],
		"who was given to somebody else stays theirs":               ownedLater[R],
		"a notice about nobody is a task":                           notified[R],
		"a notice about somebody held is a task on their record":    notifiedOfHeld[R],
		"who waits is told of to their owner":                       waitTold[R],
		"and of nobody's to somebody else":                          waitToldToStandIn[R],
		"of whom the CRM does not hold nobody is told":              waitOfNobody[R],
		"only who was made costs the question whose they are":       ownerCosts[R],
	}
}

// owned makes a delivery one that gives the person whom it makes to owner and tells whoever it is, or else standIn. Either may be "".
func owned(d delivery.Delivery, owner, standIn string) delivery.Delivery {
	value := d.Actions[0].Value
	value[delivery.Tell] = "owner"
	for name, user := range map[string]string{delivery.Owner: owner, delivery.StandIn: standIn} {
		if user != "" {
			value[name] = user
		}
	}
	return d
}

// notify returns a delivery of somebody unknown with a task that is about nobody.
func (w *world[R]) notify(n, m int) delivery.Delivery {
	d := w.held(n, m)
	d.Actions = append(d.Actions, delivery.Action{Kind: delivery.Notify, Value: map[string]string{
		"about": "leads/line/2026-01-18", "subject": "line has had its new leads of 2026-01-18", "text": "No more today.", delivery.Owner: w.Users[1],
	}})
	return d
}

// told fails the test unless the CRM holds these notices: to whom, and about whom.
func (w *world[R]) told(want ...Notice) {
	w.t.Helper()
	got := w.Held().Notices
	if len(got) != len(want) {
		w.t.Errorf("notices %+v, want %+v", got, want)
		return
	}
	for i, n := range want {
		if got[i].To != n.To || got[i].Person != n.Person || got[i].Subject == "" {
			w.t.Errorf("notices %+v, want %+v", got, want)
		}
	}
}

// holdsNotice fails the test unless what a delivery wants told is told once.
func (w *world[R]) holdsNotice(held Held, d delivery.Delivery) {
	w.t.Helper()
	n, wanted := connector.NoticeOf(d)
	if !wanted {
		return
	}
	found := 0
	for _, held := range held.Notices {
		if held.Subject == n.Subject {
			found++
		}
	}
	if found != 1 {
		w.t.Errorf("what %s tells is told %d times", d.ID, found)
	}
}

func ownerTold[R any](w *world[R]) {
	d := owned(w.unknown(1, 1), w.Users[0], w.Users[1])
	w.finish(d)
	w.holds(1, d)
	made := w.Held().Persons[0]
	if made.Owner != w.Users[0] {
		w.t.Errorf("the person belongs to %q, want %q", made.Owner, w.Users[0])
	}
	w.told(Notice{To: w.Users[0], Person: made.ID})
	w.finish(d)
	w.told(Notice{To: w.Users[0], Person: made.ID})
}

func standInTold[R any](w *world[R]) {
	d := owned(w.unknown(1, 1), "", w.Users[1])
	w.finish(d)
	w.holds(1, d)
	w.told(Notice{To: w.Users[1], Person: w.Held().Persons[0].ID})
}

// later returns two deliveries of somebody new whom the CRM's own rules give to somebody: the first, and the one that asks again.
func (w *world[R]) later() (first, again delivery.Delivery) {
	first, again = owned(w.unknown(1, 1), "", ""), w.unknown(1, 2)
	first.Actions[0].Value[delivery.Later] = "true"
	again.Event.Type, again.Event.Message = canonical.TypeChange, nil
	again.Actions = []delivery.Action{{Kind: delivery.Notify, Value: map[string]string{
		"about": "person/" + first.Person.Key, "text": "What was said.", delivery.MadeSince: time.Now().UTC().Format(time.RFC3339Nano),
		delivery.OfWhom: delivery.Held, delivery.To: delivery.TheirOwner, delivery.Owner: w.Users[1],
	}}}
	return first, again
}

func laterTold[R any](w *world[R]) {
	first, again := w.later()
	w.finish(first)
	w.told()
	time.Sleep(5 * time.Minute)
	w.finish(again)
	w.finish(again)
	w.told(Notice{To: w.Users[1], Person: w.Held().Persons[0].ID})
	if strings.Contains(w.out.String(), "has no owner") {
		w.t.Error("it is told that nobody was told")
	}
}

func laterOwned[R any](w *world[R]) {
	first, again := w.later()
	w.finish(first)
	made := w.Held().Persons[0].ID
	w.Give(made, w.Users[0])
	w.finish(again)
	w.told(Notice{To: w.Users[0], Person: made})
}

func laterToldBefore[R any](w *world[R]) {
	first, again := w.later()
	first.Actions[0].Value[delivery.Owner] = w.Users[0]
	w.finish(first)
	w.finish(again)
	w.told(Notice{To: w.Users[0], Person: w.Held().Persons[0].ID})
}

func laterHeld[R any](w *world[R]) {
	w.AddPerson(phone(1), "Person 01", "")
	time.Sleep(time.Hour)
	first, again := w.later()
	w.finish(first)
	w.finish(again)
	w.told()
}

func nobodyTold[R any](w *world[R]) {
	d := owned(w.unknown(1, 1), "", "")
	w.finish(d)
	if len(w.Held().Persons) != 1 || len(w.Held().Activities) != 1 {
		w.t.Errorf("%+v", w.Held())
	}
	w.told()
	if !strings.Contains(w.out.String(), "nobody is told of a person") {
		w.t.Error("nobody is told, and nothing says so")
	}
}

// ownedBefore is somebody who is in the CRM: whose they are stays so, and nobody is told.
func ownedBefore[R any](w *world[R]) {
	id := w.AddPerson(phone(1), "Person 01", "")
	w.Give(id, w.Users[1])
	d := owned(w.unknown(1, 1), w.Users[0], w.Users[0])
	w.finish(d)
	if owner := w.Held().Persons[0].Owner; owner != w.Users[1] {
		w.t.Errorf("the person belongs to %q, want %q", owner, w.Users[1])
	}
	w.told()
}

// ownedLater is somebody whom a user gave to somebody else: a copy, a redrive and another message leave it so, and nobody is told again.
func ownedLater[R any](w *world[R]) {
	d := owned(w.unknown(1, 1), w.Users[0], "")
	w.finish(d)
	made := w.Held().Persons[0].ID
	w.Give(made, w.Users[1])
	w.finish(d)
	w.finish(owned(w.unknown(1, 2), w.Users[0], ""))
	time.Sleep(40 * 24 * time.Hour) // the claim is forgotten
	w.finish(d)
	if owner := w.Held().Persons[0].Owner; owner != w.Users[1] {
		w.t.Errorf("the person belongs to %q, want %q", owner, w.Users[1])
	}
	w.told(Notice{To: w.Users[0], Person: made})
}

func notified[R any](w *world[R]) {
	w.finish(w.notify(1, 1))
	w.finish(w.notify(1, 1))
	w.told(Notice{To: w.Users[1]})
	w.holds(0)
}

// notifiedOfHeld is a task on the record of somebody whom the CRM holds, with their message and by itself; a copy makes no second one.
func notifiedOfHeld[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	notice := func(about string) delivery.Action {
		return delivery.Action{Kind: delivery.Notify, Value: map[string]string{
			"about": "merge/" + about, "subject": "One person has several records: " + about, "text": "Merge them if that is right.",
			delivery.OfWhom: delivery.Held, delivery.Owner: w.Users[1],
		}}
	}
	d := w.known(1, 2)
	d.Actions = append(d.Actions, notice("1/2"))
	alone := w.known(1, 3)
	alone.Actions = []delivery.Action{notice("1/3")}
	for _, d := range []delivery.Delivery{d, d, alone, alone} {
		w.finish(d)
	}
	made := w.Held().Persons[0].ID
	w.told(Notice{To: w.Users[1], Person: made}, Notice{To: w.Users[1], Person: made})
}

// waits returns a delivery that tells somebody of a person who waits, and does nothing else.
func (w *world[R]) waits(d delivery.Delivery) delivery.Delivery {
	d.Event.Type, d.Event.Message = canonical.TypeChange, nil
	d.Actions = []delivery.Action{{Kind: delivery.Notify, Value: map[string]string{
		"about": "waiting/1", "subject": "Waiting for an answer", "text": "For half an hour.",
		delivery.OfWhom: delivery.Held, delivery.To: delivery.TheirOwner, delivery.Owner: w.Users[1],
	}}}
	return d
}

func waitTold[R any](w *world[R]) {
	id := w.AddPerson(phone(1), "Person 01", "")
	w.Give(id, w.Users[0])
	first := w.waits(w.unknown(1, 1)) // the thread has no link yet
	w.finish(first)
	w.finish(first)
	w.told(Notice{To: w.Users[0], Person: id})
	if held := w.Held(); len(held.Persons) != 1 || len(held.Activities) != 0 {
		w.t.Errorf("%+v", held)
	}
}

func waitToldToStandIn[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	w.finish(w.waits(w.known(1, 2)))
	w.told(Notice{To: w.Users[1], Person: w.Held().Persons[0].ID})
}

func waitOfNobody[R any](w *world[R]) {
	w.finish(w.waits(w.unknown(1, 1)))
	w.told()
	if held := w.Held(); len(held.Persons) != 0 {
		w.t.Errorf("%+v", held.Persons)
	}
}

// ownerCosts: whose somebody is, is asked of who was made and of nobody else.
func ownerCosts[R any](w *world[R]) {
	w.finish(owned(w.unknown(1, 1), w.Users[0], ""))
	w.wire.spoil(nil)
	d := w.known(1, 2)
	w.finish(d)
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("%d requests, the limit is %d", n, w.KnownCalls)
	}
}
