package connectortest

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/dev/race"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
)

// matches reports whether a request is about a delivery's person or message.
func matches(d delivery.Delivery) func([]byte) bool {
	words := [][]byte{[]byte(d.Person.Key), []byte(messageKey(d)), []byte(d.Person.Phone)[1:]}
	return func(request []byte) bool {
		for _, word := range words {
			if bytes.Contains(request, word) {
				return true
			}
		}
		return false
	}
}

// situations are the deliveries that are made to fail: the steps of a CRM differ between them.
func situations[R any]() map[string]func(*world[R]) (d delivery.Delivery, before []delivery.Delivery, persons int) {
	return map[string]func(*world[R]) (delivery.Delivery, []delivery.Delivery, int){
		"an unknown sender": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			return w.unknown(1, 1), nil, 1
		},
		"a new person whose owner is told": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			return owned(w.unknown(1, 1), w.Users[0], w.Users[1]), nil, 1
		},
		"a new person of nobody's": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			return owned(w.unknown(1, 1), "", w.Users[1]), nil, 1
		},
		"a linked person, and a notice": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first := w.unknown(1, 1)
			w.finish(first)
			d := w.known(1, 2)
			d.Actions = append(d.Actions, w.notify(1, 2).Actions[1])
			return d, []delivery.Delivery{first}, 1
		},
		"a linked person who waits": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first := w.unknown(1, 1)
			w.finish(first)
			d := w.known(1, 2)
			d.Actions = append(d.Actions, w.waits(d).Actions...)
			return d, []delivery.Delivery{first}, 1
		},
		"a new person whom nobody owns": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first, again := w.later()
			w.finish(first)
			again.Actions = append([]delivery.Action{{Kind: delivery.LogActivity}}, again.Actions...)
			again.Event = w.unknown(1, 2).Event
			return again, []delivery.Delivery{first}, 1
		},
		"a person known by phone": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			w.AddPerson(phone(1), "Person 01", "")
			return w.unknown(1, 1), nil, 1
		},
		"a linked person": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first := w.unknown(1, 1)
			w.finish(first)
			return w.known(1, 2), []delivery.Delivery{first}, 1
		},
		"a linked person who replies": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first := w.unknown(1, 1)
			w.finish(first)
			w.Enrol(w.Held().Persons[0].ID, first.Event.Timestamp)
			return w.reply(1, 2), []delivery.Delivery{first}, 1
		},
		"a linked person whose name comes": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first := nameless(w.unknown(1, 1))
			w.finish(first)
			return w.known(1, 2), []delivery.Delivery{first}, 1
		},
		"a message of ours that receipts overtook": func(w *world[R]) (delivery.Delivery, []delivery.Delivery, int) {
			first := w.unknown(1, 1)
			w.finish(first)
			d := w.known(1, 2)
			d.Event.Direction = canonical.Outbound
			w.update(d, "delivered", "")
			return d, []delivery.Delivery{first}, 1
		},
	}
}

// endless bounds the loops over calls: no CRM makes so many for one message.
const endless = 60

// each runs a case with n = 1, 2, … in bubbles of their own, as long as the run before met the call it was made for. Under the race
// detector it runs every ninth of them, of different cases different ones: which call it is changes what is left to do, not who does it at once.
func each(t *testing.T, run func(t *testing.T, n int) (met bool)) {
	t.Helper()
	first, step := 1, 1
	if race.Enabled {
		step = 9
		first += int(crc32.ChecksumIEEE([]byte(t.Name())) % 9)
	}
	for n, met := first, true; met; n += step {
		if n > endless {
			t.Fatal("the calls never end")
		}
		synctest.Test(t, func(t *testing.T) { met = run(t, n) })
		if t.Failed() {
			t.Fatalf("at call %d", n)
		}
	}
}

// killed kills one process, and then a second, before and after each of their calls to the store and to the CRM.
func killed[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	for name, situation := range situations[R]() {
		for _, after := range []bool{false, true} {
			for _, again := range []int{0, 1, 2, 3} { // the second process dies so many calls in; 0: it lives
				t.Run(fmt.Sprintf("%s, after %v, again at %d", name, after, again), func(t *testing.T) {
					each(t, func(t *testing.T, n int) bool {
						w := newWorld(t, fresh(t))
						d, before, persons := situation(w)
						first := &process{kill: n, after: after}
						w.deliver(first, d)
						time.Sleep(lease)
						w.deliver(&process{kill: again, after: after}, d)
						time.Sleep(lease)
						w.finish(d)
						w.holds(persons, append(before, d)...)
						return first.died()
					})
				})
			}
		}
	}
}

// killedTogether kills a process at each of its calls for a batch of persons who are known and persons who are not.
func killedTogether[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after %v", after), func(t *testing.T) {
			each(t, func(t *testing.T, n int) bool {
				w := newWorld(t, fresh(t))
				w.width = w.Width
				before := []delivery.Delivery{w.unknown(1, 1), w.unknown(2, 1)}
				w.finish(before...)
				ds := []delivery.Delivery{w.known(1, 2), w.reply(2, 2), w.unknown(3, 1), w.unknown(4, 1)}
				first := &process{kill: n, after: after}
				w.deliver(first, ds...)
				time.Sleep(lease)
				w.finish(ds...)
				w.holds(4, append(before, ds...)...)
				return first.died()
			})
		})
	}
}

// endures runs the cases of what goes wrong: processes that die, requests that are refused, connections that break.
func endures[R any](t *testing.T, fresh func(t *testing.T) Harness[R], seen *requests) {
	t.Helper()
	t.Run("killed", func(t *testing.T) { killed(t, fresh) })
	t.Run("killed together", func(t *testing.T) { killedTogether(t, fresh) })
	t.Run("refused", func(t *testing.T) { refused(t, fresh) })
	t.Run("unreached", func(t *testing.T) { unreached(t, fresh) })
	t.Run("cut off", func(t *testing.T) { cutOff(t, fresh) })
	t.Run("told nothing", func(t *testing.T) { toldNothing(t, fresh) })
	t.Run("cut", func(t *testing.T) { cut(t, fresh, seen) })
}

// statuses mean the same everywhere. What a CRM says in words comes on top, in Harness.Refusals.
func statuses() []Refusal {
	return []Refusal{
		{Status: http.StatusBadRequest, Want: fault.Permanent},
		{Status: http.StatusUnauthorized, Want: fault.Blocked},
		{Status: http.StatusForbidden, Want: fault.Blocked},
		{Status: http.StatusRequestTimeout, Want: fault.Retryable},
		{Status: http.StatusTooManyRequests, Want: fault.Throttled},
		{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7"}}, Want: fault.Throttled, Wait: 7 * time.Second},
		{Status: http.StatusInternalServerError, Want: fault.Retryable},
		{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>", Want: fault.Retryable},
		{Status: http.StatusServiceUnavailable, Want: fault.Retryable},
		{Status: http.StatusGatewayTimeout, Want: fault.Retryable},
	}
}

// refused meets each request of a delivery with each refusal, and looks at the fault and at what the CRM holds once the
// trouble is over.
func refused[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	var refusals []Refusal
	synctest.Test(t, func(t *testing.T) { refusals = append(statuses(), fresh(t).Refusals...) })
	for name, situation := range situations[R]() {
		for _, r := range refusals {
			t.Run(fmt.Sprintf("%s, %d %s%s", name, r.Status, r.Name, r.Header.Get("Retry-After")), func(t *testing.T) {
				each(t, func(t *testing.T, n int) bool {
					w := newWorld(t, fresh(t))
					d, before, persons := situation(w)
					return w.survives(&trouble{how: refuse, at: n, status: r.Status, header: r.Header, body: r.Body}, r, d, before, persons)
				})
			})
		}
	}
}

// unreached lets the client refuse the host of each request of a delivery: that is the tenant's configuration.
func unreached[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	for name, situation := range situations[R]() {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, n int) bool {
				w := newWorld(t, fresh(t))
				d, before, persons := situation(w)
				return w.survives(&trouble{how: forbidden, at: n}, Refusal{Want: fault.Blocked, Code: hosts.CodeRefused}, d, before, persons)
			})
		})
	}
}

// cutOff leaves each request of a delivery without an answer, with and without its effect, or gives it one that is not the CRM's.
func cutOff[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	ways := map[string]spoiling{
		"never answered, without effect": hang, "never answered, after its effect": hangAfter,
		"an answer from something in between": unreadable,
	}
	for name, situation := range situations[R]() {
		for way, how := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				each(t, func(t *testing.T, n int) bool {
					w := newWorld(t, fresh(t))
					d, before, persons := situation(w)
					return w.survives(&trouble{how: how, at: n}, Refusal{Want: fault.Retryable}, d, before, persons)
				})
			})
		}
	}
}

// toldNothing gives each request of a delivery a success that says nothing of what was asked, and has no effect. It is taken neither for
// an effect nor for an empty list.
func toldNothing[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	for name, situation := range situations[R]() {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, n int) bool {
				w := newWorld(t, fresh(t))
				d, before, persons := situation(w)
				w.wire.spoil(&trouble{how: refuse, at: n, status: http.StatusOK, body: "{}"})
				err := w.deliver(&process{}, d)[0]
				met := w.wire.count() >= n
				w.goesOn(err, d, before, persons)
				return met
			})
		})
	}
}

// survives delivers d in trouble, which is to become the fault that r wants, and then without. It reports whether the trouble
// was met.
func (w *world[R]) survives(in *trouble, r Refusal, d delivery.Delivery, before []delivery.Delivery, persons int) (met bool) {
	w.t.Helper()
	w.wire.spoil(in)
	err := w.deliver(&process{}, d)[0]
	if met = w.wire.count() >= in.at; met {
		w.sorted(in.at, err, r)
	}
	w.goesOn(err, d, before, persons)
	return met
}

// goesOn ends the trouble in which d was delivered with err. It fails the test unless d stays dead, or the CRM then holds it once, beside what was there before.
func (w *world[R]) goesOn(err error, d delivery.Delivery, before []delivery.Delivery, persons int) {
	w.t.Helper()
	w.wire.spoil(nil)
	if err != nil && fault.Of(err).Kind == fault.Permanent {
		w.staysDead(d, err)
		return
	}
	w.finish(d)
	w.holds(persons, append(before, d)...)
}

// sorted fails the test unless err is what a refusal of request n is to become.
func (w *world[R]) sorted(n int, err error, r Refusal) {
	w.t.Helper()
	if err == nil {
		w.t.Errorf("request %d was refused and the delivery is done", n)
		return
	}
	f := fault.Of(err)
	if f.Kind != r.Want || r.Code != "" && f.Code != r.Code || r.Wait != 0 && f.Wait != r.Wait || f.Code == fault.CodeUnsorted {
		w.t.Errorf("request %d: %s %s, waits %s; want %s %s, waits %s (%v)", n, f.Kind, f.Code, f.Wait, r.Want, r.Code, r.Wait, err)
	}
}

// staysDead fails the test unless a copy of what was given up is given up again without a request.
func (w *world[R]) staysDead(d delivery.Delivery, err error) {
	w.t.Helper()
	again := w.deliver(&process{}, d)[0]
	if f := fault.Of(again); again == nil || f.Kind != fault.Permanent || f.Code != fault.Of(err).Code {
		w.t.Errorf("a copy of what was given up (%v): %v", err, again)
	}
	if n := w.wire.count(); n != 0 {
		w.t.Errorf("%d requests for a copy of what was given up", n)
	}
}
