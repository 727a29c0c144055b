package queuetest

import (
	"time"

	"signalbox/shared/queue/memqueue"
)

// short is a visibility time-out that a test can wait for in real time.
const short = 2 * time.Second

func flightCases() map[string]testCase {
	return map[string]testCase{
		"a message comes back when its visibility ends, and counts its receives": {Settings: Settings{Visibility: short}, takes: 3 * short, run: attempts},
		"a receipt whose visibility ended is refused for delete and visibility change": {
			Settings: Settings{Visibility: short}, takes: 2 * short,
			run: func(e env) {
				e.send("a1")
				d := e.expect(1, "a1")[0]
				time.Sleep(short + e.slack)
				e.refused(d)
				e.expect(1, "a1")
				e.refused(d)
			},
		},
		"a receipt is refused after its flight was ended": {run: func(e env) {
			e.send("a1")
			d := e.expect(1, "a1")[0]
			e.mustHide(d, 0)
			e.refused(d)
			e.expect(1, "a1")
		}},
		"deleting twice succeeds": {run: func(e env) {
			e.send("a1")
			d := e.expect(1, "a1")
			e.delete(d...)
			e.delete(d...)
		}},
		"what is no receipt is refused, alone": {run: func(e env) {
			e.send("a1")
			d := e.expect(1, "a1")[0]
			errs := e.errs(e.Queue.Delete(e.Context(), "nonsense", d.ReceiptHandle))
			if errs[0] == nil || errs[1] != nil {
				e.Errorf("answered %v", errs)
			}
		}},
		"a visibility change lengthens and shortens the flight": {Settings: Settings{Visibility: short}, takes: 3 * short, run: func(e env) {
			e.send("a1 b1")
			both := e.expect(2, "a1 b1")
			e.mustHide(both[0], 3*short)
			e.mustHide(both[1], short/2)
			time.Sleep(short/2 + e.slack)
			e.expect(2, "b1")
			time.Sleep(short)
			e.mustHide(both[0], 0)
			if n := len(e.receive(2)); n == 0 {
				e.Error("a flight that was ended is not over")
			}
		}},
		"a flight is over after twelve hours whatever is asked for": {takes: 12 * time.Hour, run: twelveHours},
		"what is held and what is in flight is counted": {run: func(e env) {
			e.counted(0, 0)
			e.send("a1 a2 b1")
			e.counted(3, 0)
			d := e.expect(1, "a1")
			e.counted(2, 1)
			e.delete(d...)
			e.counted(2, 0)
		}},
	}
}

// standardCases are what a queue without order does otherwise.
func standardCases() map[string]testCase {
	standard := Settings{Standard: true, Visibility: short}
	return map[string]testCase{
		"a standard queue delivers a repetition again and holds nothing up": {Settings: standard, run: func(e env) {
			all := messages("a1 a1 a2")
			for i := range all {
				all[i].Group = ""
			}
			if _, err := e.Queue.Send(e.Context(), all...); err != nil {
				e.Fatal(err)
			}
			for range all {
				if n := len(e.receiveFrom(e.Queue, 1, time.Second)); n != 1 {
					e.Fatalf("received %d messages, want one each time", n)
				}
			}
		}},
		"a standard queue deletes by the latest receipt even after its visibility ended": {Settings: standard, takes: 2 * short, run: func(e env) {
			if _, err := e.Queue.Send(e.Context(), messages("a1")[0]); err != nil {
				e.Fatal(err)
			}
			first := e.receive(1)
			time.Sleep(short + e.slack)
			second := e.receive(1)
			e.delete(first...) // answered as a success, without effect
			time.Sleep(short + e.slack)
			e.counted(1, 0)
			e.delete(second...)
			e.counted(0, 0)
		}},
	}
}

func attempts(e env) {
	m := messages("a1")[0]
	m.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	before := time.Now()
	sent, err := e.Queue.Send(e.Context(), m)
	if err != nil {
		e.Fatal(err)
	}
	var firstReceived, firstSent time.Time
	for n := 1; n <= 3; n++ {
		d := e.expect(1, "a1")[0]
		if n == 1 {
			firstReceived, firstSent = d.FirstReceived, d.FirstSent
		}
		if off := d.FirstSent.Sub(before).Abs(); off > e.slack+time.Millisecond {
			e.Errorf("sent at %v and said to be sent at %v", before, d.FirstSent)
		}
		if d.Attempt != n || !d.FirstReceived.Equal(firstReceived) || !d.FirstSent.Equal(firstSent) {
			e.Errorf("receive %d says attempt %d, first received %v, sent %v", n, d.Attempt, d.FirstReceived, d.FirstSent)
		}
		if d.Group != m.Group || d.Trace != m.Trace || d.MessageID != sent[0].MessageID || d.Sequence != sent[0].Sequence {
			e.Errorf("sent %+v as %+v, received %+v", m, sent[0], d)
		}
		e.expect(1, "")
		time.Sleep(short + e.slack)
	}
}

// refused checks that a receipt can do nothing any more.
func (e env) refused(d memqueue.Delivery) {
	e.Helper()
	if err := e.errs(e.Queue.Delete(e.Context(), d.ReceiptHandle))[0]; err == nil {
		e.Error("an expired receipt deleted its message")
	}
	if err := e.hide(d, time.Minute); err == nil {
		e.Error("an expired receipt changed the visibility of its message")
	}
}

func (e env) counted(visible, inFlight int) {
	e.Helper()
	v, f := e.Counts(e.T)
	if v != visible || f != inFlight {
		e.Errorf("%d visible and %d in flight, want %d and %d", v, f, visible, inFlight)
	}
}

func twelveHours(e env) {
	e.send("a1")
	d := e.expect(1, "a1")[0]
	e.mustHide(d, 11*time.Hour)
	time.Sleep(10 * time.Hour)
	if err := e.hide(d, 2*time.Hour+time.Second); err == nil {
		e.Error("more than twelve hours in all were accepted")
	}
	e.mustHide(d, 2*time.Hour)
	time.Sleep(2 * time.Hour)
	e.expect(1, "a1")
}
