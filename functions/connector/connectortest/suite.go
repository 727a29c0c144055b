package connectortest

import (
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// Run runs the contract. It calls fresh once a case, inside a synctest bubble, for a harness with a simulator that holds
// nothing.
func Run[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	seen := &requests{}
	fresh = watched(fresh, seen)
	cases := map[string]func(*world[R]){
		"an unknown sender becomes a person with an activity":         unknownSender[R],
		"a linked person gets an activity, within the limit":          linkedPerson[R],
		"a person known by phone is not made twice":                   knownByPhone[R],
		"two persons with one phone: one is chosen":                   twoWithOnePhone[R],
		"a link to a record that was never there does not stop":       staleLink[R],
		"a second copy changes nothing and costs no request":          redelivered[R],
		"a copy after the claim is forgotten changes nothing":         forgotten[R],
		"a message that comes late keeps its own time":                late[R],
		"a reply marks the person and ends their sequences":           replied[R],
		"a reply that comes late undoes nothing":                      repliedLate[R],
		"a reply ends no sequence that began after it":                enrolledLater[R],
		"a reply of somebody unknown makes nobody":                    repliedByNobody[R],
		"what is written by hand ends sequences, and is no reply":     wrote[R],
		"what is written by hand ends nothing that began later":       wroteBeforeEnrolment[R],
		"what is written by hand and comes late undoes no reply":      wroteLate[R],
		"what is written by hand to somebody unknown makes nobody":    wroteToNobody[R],
		"replies of several persons in a batch":                       repliesTogether[R],
		"a person without a name is called by their number":           calledByNumber[R],
		"a person without a phone is called by their address":         calledByAddress[R],
		"a name that comes later replaces the number":                 namedLater[R],
		"a name that comes later replaces the address":                namedLaterByAddress[R],
		"a name that a user gave stays":                               namedByUser[R],
		"a name that comes in another thread replaces the number":     namedUnlinked[R],
		"a person whom a user named keeps the name":                   namedBefore[R],
		"who has a number that was another person's is somebody else": unmatched[R],
		"the advertisement is on the person and the message":          cameByAd[R],
		"an advertisement of absurd length costs no message":          longAd[R],
		"a button without a body is one text everywhere":              button[R],
		"what was offered, chosen and sent reads as people saw it":    richAlone[R],
		"a batch of several persons":                                  batch[R],
		"a request that hangs ends with the attempt":                  hanging[R],
		"what one row does to the wire is not felt by another":        neighbours[R],
		"what spoils a shared call costs the others one try":          spoiltCall[R],
		"somebody who is looked for holds up nobody who is known":     searched[R],
		"a row the CRM refuses does not fail the rest of a batch":     spoiltRow[R],
		"nobody is made of who makes no lead":                         noLead[R],
		"who makes no lead and is known gets an activity":             noLeadKnown[R],
	}
	maps.Copy(cases, ownerCases[R]())
	maps.Copy(cases, changeCases[R]())
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
	for name, part := range map[string]func(*testing.T, func(*testing.T) Harness[R]){
		"numbers": numbers[R], "statuses": showsStatuses[R], "sessions": showsSessions[R], "mapped": mapsFields[R], "works": works[R], "files": takesFiles[R],
		"edited": edited[R], "replaced": replaced[R], "gates": gates[R], "budgets": budgets[R], "tiers": tiers[R],
	} {
		t.Run(name, func(t *testing.T) { part(t, fresh) })
	}
	endures(t, fresh, seen)
}

func unknownSender[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	w.holds(1, d)
	if p := w.Held().Persons; len(p) == 1 && (p[0].Key != d.Person.Key || p[0].Phone != d.Person.Phone) {
		w.t.Errorf("person %+v, want key %s and phone %s", p[0], d.Person.Key, d.Person.Phone)
	}
	if len(w.links.of(d.Event.ThreadID)) == 0 {
		w.t.Error("no link was learned")
	}
}

// held returns the delivery of message m of person n, whom nobody is to be made of.
func (w *world[R]) held(n, m int) delivery.Delivery {
	d := w.unknown(n, m)
	d.Actions = []delivery.Action{{Kind: delivery.LogActivity, Value: map[string]string{delivery.OfWhom: delivery.Held}}}
	return d
}

func noLead[R any](w *world[R]) {
	w.finish(w.held(1, 1))
	w.holds(0)
	w.finish(w.unknown(1, 2)) // who is made later is made as if it were the first message
	w.holds(1, w.unknown(1, 2))
}

func noLeadKnown[R any](w *world[R]) {
	w.AddPerson(phone(1), "Person 01", "")
	d := w.held(1, 1)
	w.finish(d)
	w.holds(1, d)
	if len(w.links.of(d.Event.ThreadID)) == 0 {
		w.t.Error("no link was learned")
	}
}

func linkedPerson[R any](w *world[R]) {
	first := w.unknown(1, 1)
	w.finish(first)
	second := w.known(1, 2)
	w.wire.spoil(nil)
	w.finish(second)
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("%d requests, the limit is %d", n, w.KnownCalls)
	}
	w.holds(1, first, second)
}

func knownByPhone[R any](w *world[R]) {
	id := w.AddPerson(phone(1), "Person 01", "")
	d := w.unknown(1, 1)
	w.finish(d)
	w.holds(1, d)
	for _, a := range w.Held().Activities {
		if len(a.Persons) == 1 && a.Persons[0] != id {
			w.t.Errorf("the activity is with %q, want %q", a.Persons[0], id)
		}
	}
}

func twoWithOnePhone[R any](w *world[R]) {
	w.AddPerson(phone(1), "Person 01", "")
	w.AddPerson(phone(1), "Person 02", "")
	d := w.unknown(1, 1)
	w.finish(d)
	w.holds(2, d)
}

func staleLink[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	d := w.unknown(2, 1)
	d.Person.Links = map[string]string{}
	for object := range w.links.of(w.unknown(1, 1).Event.ThreadID) {
		d.Person.Links[object] = "987654321"
	}
	w.finish(d)
	w.holds(2, w.unknown(1, 1), d)
}

func redelivered[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	w.wire.spoil(nil)
	w.finish(d)
	if n := w.wire.count(); n != 0 {
		w.t.Errorf("%d requests for a copy", n)
	}
	w.holds(1, d)
}

func forgotten[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	time.Sleep(40 * 24 * time.Hour)
	w.finish(d)
	w.holds(1, d)
}

func late[R any](w *world[R]) {
	first, second := w.unknown(1, 1), w.unknown(1, 2)
	w.finish(second)
	w.finish(first)
	w.holds(1, first, second)
}

// reply returns the delivery of message m of person n, who is known, as one that answers an outreach.
func (w *world[R]) reply(n, m int) delivery.Delivery {
	d := w.known(n, m)
	at := map[string]string{"at": d.Event.Timestamp.Format(time.RFC3339Nano)}
	d.Actions = []delivery.Action{
		{Kind: delivery.LogActivity}, {Kind: delivery.MarkReplied, Value: at}, {Kind: delivery.CancelSequences, Value: at},
	}
	return d
}

// repliedAt fails the test unless there is one person, who replied last with the message of d, and whose sequences are over or not.
func (w *world[R]) repliedAt(d delivery.Delivery, ended bool) {
	w.t.Helper()
	held := w.Held().Persons
	if len(held) != 1 || !second(held[0].RepliedAt).Equal(second(d.Event.Timestamp)) || held[0].Ended != ended {
		w.t.Errorf("persons %+v, want one who replied at %s, sequences over: %t", held, d.Event.Timestamp, ended)
	}
}

func replied[R any](w *world[R]) {
	first := w.unknown(1, 1)
	w.finish(first)
	w.Enrol(w.Held().Persons[0].ID, first.Event.Timestamp)
	d := w.reply(1, 2)
	w.finish(d)
	w.finish(d)
	w.repliedAt(d, true)
	w.holds(1, first, d)
}

func repliedLate[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	late, newest := w.reply(1, 2), w.reply(1, 3)
	w.finish(newest)
	w.finish(late)
	w.repliedAt(newest, true)
}

func enrolledLater[R any](w *world[R]) {
	if !w.enrol {
		w.t.Skip("this CRM does not tell when a sequence began")
	}
	w.finish(w.unknown(1, 1))
	d := w.reply(1, 2)
	w.Enrol(w.Held().Persons[0].ID, d.Event.Timestamp.Add(time.Minute))
	w.finish(d)
	w.repliedAt(d, false)
}

func repliedByNobody[R any](w *world[R]) {
	d := w.reply(1, 1)
	d.Actions = d.Actions[1:]
	w.finish(d)
	w.holds(0)
}

func repliesTogether[R any](w *world[R]) {
	w.width = w.Width
	var first, replies []delivery.Delivery
	for n := range w.Width {
		first = append(first, w.unknown(n, 1))
	}
	w.finish(first...)
	for _, p := range w.Held().Persons {
		w.Enrol(p.ID, first[0].Event.Timestamp)
	}
	for n := range w.Width {
		replies = append(replies, w.reply(n, 2))
	}
	w.finish(replies...)
	for _, p := range w.Held().Persons {
		if !second(p.RepliedAt).Equal(second(replies[0].Event.Timestamp)) || !p.Ended {
			w.t.Errorf("person %+v did not reply", p)
		}
	}
}

func batch[R any](w *world[R]) {
	w.width = w.Width
	var first, second, all []delivery.Delivery
	for n := range w.Width {
		first = append(first, w.unknown(n, 1))
	}
	w.finish(first...)
	for n := range w.Width {
		second = append(second, w.known(n, 2))
	}
	w.wire.spoil(nil)
	w.finish(second...)
	limit := max(1, w.Width*4/10)
	if w.Singly {
		limit = w.KnownCalls * w.Width
	}
	if n := w.wire.count(); n > limit {
		w.t.Errorf("%d requests for %d messages in a batch, the limit is %d", n, w.Width, limit)
	}
	w.holds(w.Width, append(append(all, first...), second...)...)
}

func hanging[R any](w *world[R]) {
	w.wire.spoil(&trouble{how: hang, at: 1})
	d, began := w.unknown(1, 1), time.Now()
	err := w.deliver(&process{}, d)[0]
	if f := fault.Of(err); err == nil || f.Kind != fault.Retryable {
		w.t.Errorf("%v", err)
	}
	if took := time.Since(began); took > attempt+time.Second {
		w.t.Errorf("took %s, an attempt is %s", took, attempt)
	}
	w.finish(d)
	w.holds(1, d)
}

func neighbours[R any](w *world[R]) {
	for _, how := range []spoiling{hang, reset, refuse} {
		victim, others := w.unknown(int(how)*10, 1), []delivery.Delivery{w.unknown(int(how)*10+1, 1), w.unknown(int(how)*10+2, 1)}
		mine := matches(victim)
		w.wire.spoil(&trouble{how: how, match: mine, status: http.StatusInternalServerError})
		errs := w.deliver(&process{}, others[0], victim, others[1])
		if errs[0] != nil || errs[2] != nil || errs[1] == nil {
			w.t.Errorf("trouble %d: %v", how, errs)
		}
		w.wire.spoil(nil)
		w.finish(victim)
	}
	if held := w.Held(); len(held.Persons) != 9 || len(held.Activities) != 9 {
		w.t.Errorf("%d persons and %d activities, want 9", len(held.Persons), len(held.Activities))
	}
}

// spoiltCall has the wire refuse whatever is about one delivery, without a word of which it is.
func spoiltCall[R any](w *world[R]) {
	w.width = w.Width
	for _, how := range []spoiling{hang, reset, refuse} {
		victim, others := w.unknown(int(how)*10, 1), []delivery.Delivery{w.unknown(int(how)*10+1, 1), w.unknown(int(how)*10+2, 1)}
		mine := matches(victim)
		w.wire.spoil(&trouble{how: how, match: mine, status: http.StatusInternalServerError})
		var errs []error
		for range 2 {
			errs = w.deliver(&process{}, others[0], victim, others[1])
		}
		if errs[0] != nil || errs[2] != nil || errs[1] == nil {
			w.t.Errorf("trouble %d: %v", how, errs)
		}
		w.wire.spoil(nil)
		w.finish(victim)
	}
	if held := w.Held(); len(held.Persons) != 9 || len(held.Activities) != 9 {
		w.t.Errorf("%d persons and %d activities, want 9", len(held.Persons), len(held.Activities))
	}
}

func searched[R any](w *world[R]) {
	w.width = w.Width
	w.finish(w.unknown(1, 1), w.unknown(3, 1))
	victim := w.unknown(2, 1)
	w.wire.spoil(&trouble{how: hang, match: matches(victim)})
	if errs := w.deliver(&process{}, w.known(1, 2), victim, w.known(3, 2)); errs[0] != nil || errs[1] == nil || errs[2] != nil {
		w.t.Error(errs)
	}
	w.wire.spoil(nil)
	w.finish(victim)
	w.holds(3, w.unknown(1, 1), w.known(1, 2), victim, w.unknown(3, 1), w.known(3, 2))
}

func spoiltRow[R any](w *world[R]) {
	if w.Spoil == nil {
		w.t.Skip("this CRM refuses no single rows")
	}
	w.width = w.Width
	good, bad := []delivery.Delivery{w.unknown(1, 1)}, w.unknown(2, 1)
	w.Spoil(&bad)
	for n := 3; n <= w.Width; n++ {
		good = append(good, w.unknown(n, 1))
	}
	errs := w.deliver(&process{}, append([]delivery.Delivery{bad}, good...)...)
	if fault.Of(errs[0]) == nil || fault.Of(errs[0]).Kind != fault.Permanent {
		w.t.Errorf("the bad row: %v", errs[0])
	}
	for i, err := range errs[1:] {
		if err != nil {
			w.t.Errorf("good row %d: %v", i, err)
		}
	}
	for _, d := range good {
		w.holdsMessage(w.Held(), d)
	}
}
