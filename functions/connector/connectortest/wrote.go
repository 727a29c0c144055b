package connectortest

import (
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// written returns the delivery of message m to person n, who is known, which somebody of ours wrote.
func (w *world[R]) written(n, m int) delivery.Delivery {
	d := w.known(n, m)
	d.Event.Direction, d.Event.Actor = canonical.Outbound, &canonical.Actor{Kind: "agent", Via: "inbox"}
	d.Event.Sender, d.Event.Recipient = d.Event.Recipient, d.Event.Sender
	d.Actions = []delivery.Action{
		{Kind: delivery.LogActivity, Value: map[string]string{delivery.OfWhom: delivery.Held}},
		{Kind: delivery.CancelSequences, Value: map[string]string{"at": d.Event.Timestamp.Format(time.RFC3339Nano)}},
	}
	return d
}

// ended fails the test unless there is one person, who never replied, and whose sequences are over or not.
func (w *world[R]) ended(want bool) {
	w.t.Helper()
	if held := w.Held().Persons; len(held) != 1 || !held[0].RepliedAt.IsZero() || held[0].Ended != want {
		w.t.Errorf("persons %+v, want one who never replied, sequences over: %t", held, want)
	}
}

// wrote carries out a delivery, and once more when its claim is forgotten.
func wrote[R any](w *world[R]) {
	first := w.unknown(1, 1)
	w.finish(first)
	w.Enrol(w.Held().Persons[0].ID, first.Event.Timestamp)
	d := w.written(1, 2)
	for range 2 {
		w.finish(d)
		w.ended(true)
		w.holds(1, first, d)
		time.Sleep(40 * 24 * time.Hour)
	}
}

func wroteBeforeEnrolment[R any](w *world[R]) {
	if !w.enrol {
		w.t.Skip("this CRM does not tell when a sequence began")
	}
	w.finish(w.unknown(1, 1))
	d := w.written(1, 2)
	w.Enrol(w.Held().Persons[0].ID, d.Event.Timestamp.Add(time.Minute))
	for range 2 {
		w.finish(d)
		w.ended(false)
		time.Sleep(40 * 24 * time.Hour)
	}
}

func wroteLate[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	late, newest := w.written(1, 2), w.reply(1, 3)
	w.finish(newest)
	w.finish(late)
	w.repliedAt(newest, true)
}

func wroteToNobody[R any](w *world[R]) {
	w.finish(w.written(1, 1))
	w.holds(0)
}
