package connectortest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/dev/race"
	"signalbox/shared/store"
)

// jobs has a CRM that is a connector.JobWriter write a long history, with all that can go wrong between two requests of a job.
func jobs[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	limit := jobsOf(t, fresh)
	if limit == 0 {
		return
	}
	t.Run("a long history", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, fresh(t))
			if n := w.longHistory(nil, nil); n > limit {
				t.Errorf("%d requests, the limit is %d", n, limit)
			}
			if n := w.JobRows(); n < historyOf*historyEach {
				t.Errorf("jobs wrote %d records of %d messages", n, historyOf*historyEach)
			}
		})
	})
	t.Run("a history of messages so large that few fill a job", func(t *testing.T) {
		if race.Enabled {
			t.Skip("make test runs it without the detector")
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, fresh(t))
			const each = 25
			w.history(each, historyOf*each, strings.Repeat("large ", 5_000), nil, nil)
			if n := w.JobRows(); n < historyOf*each/2 {
				t.Errorf("jobs wrote %d records of %d messages", n, historyOf*each)
			}
		})
	})
	for n := 1; n <= limit; n++ {
		at := strconv.Itoa(n)
		t.Run("request "+at+" is not sent", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, fresh(t)).longHistory(&trouble{how: refuse, at: n, status: 503}, nil) })
		})
		t.Run("the process is killed after request "+at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{}
				newWorld(t, fresh(t)).longHistory(&trouble{how: meanwhile, at: n, do: p.die}, p)
			})
		})
	}
	for name, spoilt := range map[string]*trouble{
		"a job that takes too long is ended":                    nil,
		"a job that takes too long is ended by another request": {how: refuse, at: 1, status: 503},
		"a job is ended although the answer is lost":            {how: resetAfter, at: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, fresh(t)).jobThatTakesLong(spoilt) })
		})
	}
	t.Run("rows that the job refuses go by themselves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, fresh(t))
			started := func(body []byte) bool { return strings.Contains(string(body), "UploadComplete") }
			w.longHistory(&trouble{how: meanwhile, match: started, do: w.JobsRefuse}, nil)
		})
	})
}

// jobThatTakesLong parks a history of which the job does not end for days. It fails the test unless each message is there once an hour after the day that a
// job has, and the job, however long it is left, writes nothing any more.
func (w *world[R]) jobThatTakesLong(spoilt *trouble) {
	w.t.Helper()
	l, all := w.parkHistory(historyEach, historyOf*historyEach/2, "")
	w.JobsTake(72 * time.Hour)
	l.minutes(2)
	if n := l.parked(); n != historyOf*historyEach {
		w.t.Errorf("%d are parked while the job goes on", n)
	}
	time.Sleep(25 * time.Hour)
	w.wire.spoil(spoilt)
	l.minutes(60)
	if n := l.parked(); n > 0 {
		w.t.Errorf("%d are parked although the job takes more than a day", n)
	}
	w.holdsAll(historyOf, all)
	time.Sleep(72 * time.Hour)
	if n := w.JobRows(); n > 0 {
		w.t.Errorf("the job wrote %d rows after it was given up", n)
	}
}

// jobsOf returns how many requests a history by jobs takes of a CRM, 0 if it has none.
func jobsOf[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) (limit int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { limit = fresh(t).Jobs })
	return limit
}

// die kills a process at once.
func (p *process) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// List implements connector.GateStore.
func (s storage) List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error) {
	err = s.pass(func() (err error) {
		page, more, err = s.store.List(ctx, r)
		return err
	})
	return page, more, err
}

// How many people a history is of, and how many messages each has in it.
const (
	historyOf   = 6
	historyEach = 5
)

// longHistory has a history parked that is worth a job and drains it, at first by a process that may die, with one request spoilt. It fails the test unless
// each message is there once. It returns how many requests there were.
func (w *world[R]) longHistory(spoilt *trouble, first *process) (requests int) {
	w.t.Helper()
	return w.history(historyEach, historyOf*historyEach/2, "", spoilt, first)
}

// history does what longHistory does, with so many messages of each person, of a text unless it is "". A job is worth while from so many on.
func (w *world[R]) history(each, from int, text string, spoilt *trouble, first *process) (requests int) {
	w.t.Helper()
	l, all := w.parkHistory(each, from, text)
	w.wire.spoil(spoilt)
	for range 20 {
		p := &process{}
		if first != nil && !first.died() {
			p = first
		}
		time.Sleep(time.Minute)
		l.minute(p)
	}
	if n := l.parked(); n > 0 {
		w.t.Errorf("%d are parked after the drain", n)
	}
	requests = w.wire.count()
	w.holdsAll(historyOf, all)
	return requests
}

// parkHistory has a history parked that is worth a job, and returns all that the CRM is to hold in the end.
func (w *world[R]) parkHistory(each, from int, text string) (l *lane[R], all []delivery.Delivery) {
	w.t.Helper()
	const people = historyOf
	l = newLane(w)
	l.jobFrom = from
	all = w.hold(people)
	for m := range each {
		more := w.ofKnown(people, m+2)
		for i := range more {
			more[i].Event.Flags.Historical, more[i].Event.ReceivedAt = true, more[i].Event.Timestamp.Add(30*24*time.Hour)
			if text != "" {
				more[i].Event.Message.Text = text
			}
		}
		l.receiveAll(more)
		all = append(all, more...)
	}
	if n := l.parked(); n != people*each {
		w.t.Fatalf("%d are parked, want %d", n, people*each)
	}
	return l, all
}

// holdsAll does what holds does, at once for very many.
func (w *world[R]) holdsAll(persons int, all []delivery.Delivery) {
	w.t.Helper()
	held, count := w.Held(), map[string]int{}
	for _, a := range held.Activities {
		if len(a.Persons) == 1 && slices.ContainsFunc(held.Persons, func(p Person) bool { return p.ID == a.Persons[0] }) {
			count[a.ExternalID]++
		}
	}
	wrong := 0
	for _, d := range all {
		if count[messageKey(d)] != 1 {
			wrong++
		}
	}
	if wrong > 0 || len(held.Persons) != persons || len(held.Activities) != len(all) {
		w.t.Errorf("%d persons and %d activities, of which %d are not there once; want %d and %d", len(held.Persons), len(held.Activities), wrong, persons, len(all))
	}
}

// Rows implements connector.JobWriter for CRMs that do.
func (p pure[R]) Rows(ctx context.Context, steps []connector.Step[R]) [][]connector.Row {
	if writer, ok := p.CRM.(connector.JobWriter[R]); ok {
		return writer.Rows(ctx, steps)
	}
	return make([][]connector.Row, len(steps))
}

// Result implements connector.JobWriter for CRMs that do.
func (p pure[R]) Result(step connector.Step[R], rows []connector.Row) connector.Result {
	return p.CRM.(connector.JobWriter[R]).Result(step, rows) //nolint:forcetypeassert // it gave the rows
}
