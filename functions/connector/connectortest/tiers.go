package connectortest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/tenant"
)

// tiers has messages wait for the hour, and move between the tiers meanwhile.
func tiers[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	for sentence, run := range map[string]func(*world[R]){
		"a batch tenant's messages are in the CRM after the hour, in at most 0.05 calls each": collected[R],
		"a message that was live and comes again by the hour is one record":                   liveThenBatch[R],
		"a message that was live and is of a history the next time is one record":             liveThenBulk[R],
		"a tenant that becomes live while messages wait has each once":                        batchThenLive[R],
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
	t.Run("jobs", func(t *testing.T) { jobs(t, fresh) })
}

// ofKnown returns message m of each of so many people who are held.
func (w *world[R]) ofKnown(people, m int) (all []delivery.Delivery) {
	for n := range people {
		all = append(all, w.known(n, m))
	}
	return all
}

func (l *lane[R]) receiveAll(all []delivery.Delivery) {
	l.t.Helper()
	for chunk := range slices.Chunk(all, 10) {
		l.receive(chunk...)
	}
}

func collected[R any](w *world[R]) {
	const people, each = 100, 3
	l := newLane(w)
	l.tiers = tenant.Tiers{Messages: tenant.Batch}
	all := w.hold(people)
	before := w.wire.count()
	for m := range each {
		more := w.ofKnown(people, m+2)
		l.receiveAll(more)
		all = append(all, more...)
		l.minutes(15)
	}
	if n := w.wire.count() - before; n > 0 || l.parked() != people*each {
		w.t.Fatalf("%d requests before the hour, and %d are parked", n, l.parked())
	}
	l.minutes(20)
	if n := w.wire.count() - before; !w.Singly && n > people*each/20 {
		w.t.Errorf("%d requests for %d messages, the limit is 0.05 each", n, people*each)
	}
	w.holds(people, all...)
}

// liveThenBatch delivers live by a process that is killed before the first or the second of its writes is known of, or not at all, and redrives what it delivered.
func liveThenBatch[R any](w *world[R]) {
	l := newLane(w)
	all := w.hold(3)
	more := w.ofKnown(3, 2)
	for i, d := range more {
		w.deliver(&process{kill: 3 - i, after: true}, d)
	}
	l.tiers = tenant.Tiers{Messages: tenant.Batch}
	for i := range more {
		more[i].Generation++
	}
	l.receive(more...)
	l.minutes(62)
	if left := l.parked(); left > 0 {
		w.t.Errorf("%d are parked after the hour", left)
	}
	w.holds(3, append(all, more...)...)
}

// liveThenBulk delivers likewise what is of a history, and then beside what is live.
func liveThenBulk[R any](w *world[R]) {
	l := newLane(w)
	all := w.hold(3)
	more := w.ofKnown(3, 2)
	for i, d := range more {
		w.deliver(&process{kill: 3 - i, after: true}, d)
		more[i].Generation++
		more[i].Event.Flags.Historical, more[i].Event.ReceivedAt = true, d.Event.Timestamp.Add(30*24*time.Hour)
	}
	l.receive(more...)
	if n := l.parked(); n != len(more) {
		w.t.Errorf("%d are parked, want all", n)
	}
	l.minutes(3)
	if n := l.parked(); n > 0 {
		w.t.Errorf("%d are parked after the drain", n)
	}
	w.holds(3, append(all, more...)...)
}

func batchThenLive[R any](w *world[R]) {
	l := newLane(w)
	all := w.hold(3)
	l.tiers = tenant.Tiers{Messages: tenant.Batch}
	first, second := w.ofKnown(3, 2), w.ofKnown(3, 3)
	l.receive(first...)
	l.minutes(1)
	l.tiers = tenant.Tiers{}
	l.receive(second...)
	l.receive(first...) // what parked them died before it told the queue
	l.minutes(1)
	if left := l.parked(); left > 0 {
		w.t.Errorf("%d are parked a minute later", left)
	}
	w.holds(3, append(append(all, first...), second...)...)
}
