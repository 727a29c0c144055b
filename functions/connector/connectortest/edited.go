package connectortest

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
)

// edited edits each field of what a message made, and looks that nothing which comes after takes that back.
func edited[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	ways := map[string]func(w *world[R], edit func() int){
		"later messages":                     editedBetween[R],
		"a copy when the claim is forgotten": editedForgotten[R],
	}
	for name := range fresh(t).Fields {
		for way, run := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { newWorld(t, fresh(t)).keeps(name, run) })
			})
		}
		for _, how := range []spoiling{resetAfter, truncate} {
			t.Run(name+", a repeat of what got no reply", func(t *testing.T) {
				each(t, func(t *testing.T, n int) (met bool) {
					newWorld(t, fresh(t)).keeps(name, func(w *world[R], edit func() int) {
						d := w.addressed(1)
						w.wire.spoil(&trouble{how: how, at: n})
						w.deliver(&process{}, d)
						met = w.wire.count() >= n
						w.wire.spoil(nil)
						edit()
						time.Sleep(lease)
						w.finish(d)
					})
					return met
				})
			})
		}
	}
}

// keeps runs what comes before and after an edit of a field, and fails the test unless each record that was edited is as it was then.
func (w *world[R]) keeps(name string, run func(w *world[R], edit func() int)) {
	w.t.Helper()
	field, were := w.Fields[name], 0
	run(w, func() int {
		field.Edit()
		were = field.Kept()
		return were
	})
	if kept := field.Kept(); kept != were {
		w.t.Errorf("%d records are as they were edited, of %d", kept, were)
	}
}

// addressed returns the delivery of message m of a person who has everything that a record shows.
func (w *world[R]) addressed(m int) delivery.Delivery {
	d := w.unknown(1, m)
	d.Person.Email = "person@example.test"
	return d
}

func (w *world[R]) must(edited int) {
	w.t.Helper()
	if edited == 0 {
		w.t.Fatal("there is nothing to edit")
	}
}

func editedBetween[R any](w *world[R], edit func() int) {
	w.finish(w.addressed(1))
	w.must(edit())
	next := w.known(1, 2)
	next.Actions = append(next.Actions, says(next, "opted_out").Actions...)
	w.finish(next)
	w.finish(w.reply(1, 3))
	again := w.addressed(4) // who writes in another thread, or whose link is lost
	again.Event.ThreadID = w.unknown(4, 1).Event.ThreadID
	w.finish(again)
}

func editedForgotten[R any](w *world[R], edit func() int) {
	first := w.addressed(1)
	w.finish(first)
	second := w.known(1, 2)
	w.finish(second)
	w.must(edit())
	time.Sleep(40 * 24 * time.Hour)
	w.finish(first)
	w.finish(second)
}
