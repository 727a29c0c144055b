package connectortest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/store"
)

// Works says what is true of a CRM that does the work that rules ask for.
type Works struct {
	Held func() HeldWork
	// Statuses are two words that the status of a person may be.
	Statuses [2]string
	Stage    string // a word that the status of a new case may be
	// SetStatus gives a person, by the CRM's id, another status, as a user of the CRM would.
	SetStatus func(person, status string)
	// Forbid are the ways in which somebody takes away what a kind of work needs, by the kind.
	Forbid map[delivery.Kind]Forbidden
	// Lacks are the kinds that a new person of this binding gets none of, each with the code of that.
	Lacks map[delivery.Kind]string
	// Unsure: nothing tells whether an automation was started whose reply was lost, and it is not started again.
	Unsure bool
}

// Forbidden is a way to take away what a kind of work needs, and the code with which it is left then.
type Forbidden struct {
	Do   func()
	Code string
}

// HeldWork is the work that a CRM holds. Its tasks are in Held.Notices.
type HeldWork struct {
	Cases    []HeldCase
	Statuses map[string]string // by the id of a person
	Started  []HeldStart
}

// HeldCase is a case, a ticket, whatever the CRM calls it.
type HeldCase struct {
	Subject, Status string
	Persons         []string // the ids of those whose it is
}

// HeldStart is an automation that was started.
type HeldStart struct {
	Name, Person string
	Inputs       map[string]string
}

// works runs the cases of CRMs that do the work that rules ask for.
func works[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	if fresh(t).Works == nil {
		t.Skip("this CRM does no work")
	}
	cases := map[string]func(*world[R]){
		"all work of a new person is done once":                  worked[R],
		"all work of a linked person is done once":               workedLinked[R],
		"work about nobody is left, and told":                    workedNobody[R],
		"a status that a rep sets stays when a copy comes":       workedEdited[R],
		"the newest event's status stands":                       workedLate[R],
		"a status that the CRM does not have costs no message":   workedWrong[R],
		"a case without its status costs no neighbour's":         workedTogether[R],
		"a limit costs no work":                                  workedLimit[R],
		"what fails for hours is left, and the message is there": workedFailing[R],
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
	for kind := range fresh(t).Works.Forbid {
		t.Run(string(kind)+" that the CRM does not let us do is left, and the rest is done", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { workedForbidden(newWorld(t, fresh(t)), kind) })
		})
	}
	for _, how := range []spoiling{reset, resetAfter, truncate} {
		t.Run("a request that got no reply", func(t *testing.T) {
			each(t, func(t *testing.T, n int) bool {
				w := newWorld(t, fresh(t))
				d := w.working(w.unknown(1, 1))
				w.wire.spoil(&trouble{how: how, at: n})
				w.deliver(&process{}, d)
				met := w.wire.count() >= n
				w.wire.spoil(nil)
				time.Sleep(lease)
				w.finish(d)
				w.holdsWork(d)
				return met
			})
		})
	}
	for _, after := range []bool{false, true} {
		t.Run("killed at every call", func(t *testing.T) {
			each(t, func(t *testing.T, n int) bool {
				w := newWorld(t, fresh(t))
				d, p := w.working(w.unknown(1, 1)), &process{kill: n, after: after}
				w.deliver(p, d)
				time.Sleep(lease)
				w.finish(d)
				w.holdsWork(d)
				return p.died()
			})
		})
	}
}

// working makes a delivery one that asks for work of each kind.
func (w *world[R]) working(d delivery.Delivery) delivery.Delivery {
	d.Actions = append(slices.Clone(d.Actions),
		delivery.Action{Kind: delivery.OpenCase, Value: map[string]string{delivery.Subject: "A case to look at", delivery.Priority: delivery.High}},
		delivery.Action{Kind: delivery.CreateTask, Value: map[string]string{
			delivery.Subject: "Call back", delivery.Text: "They wrote by messaging.", delivery.DueHours: "2", delivery.Owner: w.Users[1],
		}},
		delivery.Action{Kind: delivery.SetStatus, Value: map[string]string{delivery.To: w.Works.Statuses[0]}},
		delivery.Action{Kind: delivery.StartAutomation, Value: map[string]string{
			delivery.Name: "Welcome", delivery.Input + "channel": delivery.FieldChannel, delivery.Input + "recordId": delivery.FieldPerson, delivery.Input + "why": "messaging",
		}},
	)
	return d
}

// undone returns the codes for which work of a delivery was left, by the kind, and what the CRM said.
func (w *world[R]) undone(d delivery.Delivery) (codes map[delivery.Kind]string, why string) {
	w.t.Helper()
	key := store.Key{Partition: w.Tenant + "/event/" + string(d.Event.EventID), Sort: idempotency.DeliveryClaims + d.CRM}
	held, err := w.store.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	progress, _, err := idempotency.Achieved(held[0])
	if err != nil {
		w.t.Fatal(err)
	}
	codes = map[delivery.Kind]string{}
	for name, result := range progress {
		if code := result[connector.ResultLeft]; code != "" {
			codes[delivery.Kind(strings.TrimSuffix(name, ".again"))] = code
			why += result[connector.ResultWhy]
		}
	}
	return codes, why
}

// holdsWork fails the test unless the CRM holds the message of a delivery and its work, each once, but for what this binding lacks and some
// kinds more that are left.
func (w *world[R]) holdsWork(d delivery.Delivery, left ...delivery.Kind) {
	w.t.Helper()
	codes, _ := w.undone(d)
	lacks := map[delivery.Kind]bool{}
	for kind, code := range w.Works.Lacks {
		if lacks[kind] = true; codes[kind] != code {
			w.t.Errorf("%s is left for %q, want %q", kind, codes[kind], code)
		}
	}
	for _, kind := range left {
		if lacks[kind] = true; codes[kind] == "" {
			w.t.Errorf("%s is not told to be left: %v", kind, codes)
		}
	}
	held, work := w.Held(), w.Works.Held()
	w.holdsMessage(held, d)
	person := ""
	for _, p := range held.Persons {
		if p.Phone == d.Person.Phone {
			person = p.ID
		}
	}
	w.once(codes, lacks, delivery.OpenCase, count(work.Cases, func(c HeldCase) bool {
		return c.Subject == "A case to look at" && (len(c.Persons) == 0 || slices.Equal(c.Persons, []string{person}))
	}), len(work.Cases))
	w.once(codes, lacks, delivery.CreateTask, count(held.Notices, func(n Notice) bool {
		return n.Subject == "Call back" && n.Person == person && n.To == w.Users[1]
	}), len(held.Notices))
	status := 0
	if work.Statuses[person] == w.Works.Statuses[0] {
		status = 1
	}
	w.once(codes, lacks, delivery.SetStatus, status, status)
	started := count(work.Started, func(s HeldStart) bool {
		return s.Name == "Welcome" && s.Person == person && maps.Equal(s.Inputs, map[string]string{"channel": "sms", "recordId": s.Inputs["recordId"], "why": "messaging"}) &&
			s.Inputs["recordId"] != ""
	})
	if code := codes[delivery.StartAutomation]; w.Works.Unsure && code == connector.CodeWorkUnsure && started <= 1 {
		return
	}
	w.once(codes, lacks, delivery.StartAutomation, started, len(work.Started))
}

// once fails the test unless there is one of a kind of work, as it is to be, and no other; none of what is left.
func (w *world[R]) once(codes map[delivery.Kind]string, lacks map[delivery.Kind]bool, kind delivery.Kind, found, all int) {
	w.t.Helper()
	want := 1
	if lacks[kind] {
		want = 0
	}
	if found != want || all != want || !lacks[kind] && codes[kind] != "" {
		w.t.Errorf("%s: %d of %d are as they are to be, want %d; left: %v; held: %+v, notices %+v", kind, found, all, want, codes, w.Works.Held(), w.Held().Notices)
	}
}

func count[T any](all []T, of func(T) bool) (n int) {
	for _, one := range all {
		if of(one) {
			n++
		}
	}
	return n
}

func worked[R any](w *world[R]) {
	d := w.working(w.unknown(1, 1))
	w.finish(d)
	w.holdsWork(d)
	time.Sleep(40 * 24 * time.Hour)
	if w.Works.Unsure { // what was started cannot be told from what was not once the claim is forgotten
		return
	}
	w.finish(d)
	w.holdsWork(d)
}

func workedLinked[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	d := w.working(w.known(1, 2))
	w.finish(d)
	w.holdsWork(d)
	w.finish(w.known(1, 3))
	w.wire.spoil(nil)
	w.finish(w.known(1, 4))
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("a message without work costs %d requests, the limit is %d", n, w.KnownCalls)
	}
}

func workedNobody[R any](w *world[R]) {
	d := w.working(w.held(1, 1))
	w.finish(d)
	codes, _ := w.undone(d)
	for _, kind := range []delivery.Kind{delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation} {
		if codes[kind] != connector.CodeWorkNobody {
			w.t.Errorf("%s is left for %q", kind, codes[kind])
		}
	}
	if !strings.Contains(w.out.String(), "work that a rule asks for is left undone") {
		w.t.Error("the log does not tell")
	}
}

// status returns the delivery of message m of person 1 with a status alone.
func (w *world[R]) status(m int, to string) delivery.Delivery {
	d := w.unknown(1, m)
	d.Actions = append(d.Actions, delivery.Action{Kind: delivery.SetStatus, Value: map[string]string{delivery.To: to}})
	return d
}

// hasStatus fails the test unless the one person has a status.
func (w *world[R]) hasStatus(status string) {
	w.t.Helper()
	persons := w.Held().Persons
	if got := w.Works.Held().Statuses[persons[0].ID]; len(persons) != 1 || got != status {
		w.t.Errorf("%d persons, the first with the status %q, want %q", len(persons), got, status)
	}
}

// lacksStatus skips a case where a new person of this binding has no status.
func (w *world[R]) lacksStatus() {
	if code := w.Works.Lacks[delivery.SetStatus]; code != "" {
		w.t.Skip("who is new here has no status: " + code)
	}
}

func workedEdited[R any](w *world[R]) {
	w.lacksStatus()
	d := w.status(1, w.Works.Statuses[0])
	w.finish(d)
	w.hasStatus(w.Works.Statuses[0])
	w.Works.SetStatus(w.Held().Persons[0].ID, w.Works.Statuses[1])
	time.Sleep(40 * 24 * time.Hour)
	w.finish(d)
	w.hasStatus(w.Works.Statuses[1])
}

func workedLate[R any](w *world[R]) {
	w.lacksStatus()
	w.finish(w.status(2, w.Works.Statuses[1]))
	w.finish(w.status(1, w.Works.Statuses[0]))
	w.hasStatus(w.Works.Statuses[1])
	w.finish(w.status(3, w.Works.Statuses[0]))
	w.hasStatus(w.Works.Statuses[0])
}

func workedWrong[R any](w *world[R]) {
	w.lacksStatus()
	d := w.status(1, "No_Such_Word")
	w.finish(d)
	w.holds(1, d)
	codes, why := w.undone(d)
	if codes[delivery.SetStatus] == "" || !strings.Contains(why, `"No_Such_Word"`) || !strings.Contains(strings.ToLower(why), "status") {
		w.t.Errorf("left: %v %q, want the field and the word", codes, why)
	}
}

func workedTogether[R any](w *world[R]) {
	w.width = w.Width
	var ds []delivery.Delivery
	for n := range 3 {
		d := w.unknown(n+1, 1)
		value := map[string]string{delivery.Subject: "A case to look at", delivery.Status: w.Works.Stage}
		if n == 1 {
			value[delivery.Status] = "No_Such_Word"
		}
		d.Actions = append(d.Actions, delivery.Action{Kind: delivery.OpenCase, Value: value})
		ds = append(ds, d)
	}
	w.finish(ds...)
	w.holds(3, ds...)
	want := 2
	if w.Works.Lacks[delivery.OpenCase] != "" {
		want = 0
	}
	if n := count(w.Works.Held().Cases, func(c HeldCase) bool { return c.Status == w.Works.Stage }); n != want {
		w.t.Errorf("%d cases, want %d", n, want)
	}
	if codes, _ := w.undone(ds[1]); codes[delivery.OpenCase] == "" {
		w.t.Error("a case of a status that there is none of is not told to be left")
	}
}

func workedLimit[R any](w *world[R]) {
	first := w.working(w.unknown(1, 1))
	for n := 1; ; n++ {
		w.wire.spoil(&trouble{how: refuse, at: n, status: http.StatusTooManyRequests, header: http.Header{"Retry-After": {"2"}}})
		w.deliver(&process{}, first)
		met := w.wire.count() >= n
		w.wire.spoil(nil)
		if !met {
			break
		}
		time.Sleep(time.Minute)
	}
	w.finish(first)
	w.holdsWork(first)
	if codes, _ := w.undone(first); codes[delivery.StartAutomation] != w.Works.Lacks[delivery.StartAutomation] {
		w.t.Errorf("an automation that a limit kept from its start is left: %v", codes)
	}
}

func workedForbidden[R any](w *world[R], kind delivery.Kind) {
	forbidden := w.Works.Forbid[kind]
	forbidden.Do()
	d := w.working(w.unknown(1, 1))
	w.finish(d)
	if w.Works.Lacks[kind] != "" {
		w.holdsWork(d)
		return
	}
	w.holdsWork(d, kind)
	if codes, _ := w.undone(d); codes[kind] != forbidden.Code {
		w.t.Errorf("%s is left for %q, want %q", kind, codes[kind], forbidden.Code)
	}
}

func workedFailing[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	d := w.known(1, 2)
	d.Actions = append(d.Actions, delivery.Action{Kind: delivery.CreateTask, Value: map[string]string{delivery.Subject: "Call back, please"}})
	w.wire.spoil(&trouble{how: refuse, status: http.StatusInternalServerError, match: func(body []byte) bool { return strings.Contains(string(body), "Call back, please") }})
	for range 30 {
		if err := w.deliver(&process{}, d)[0]; err == nil {
			break
		} else if fault.Of(err).Kind != fault.Retryable {
			w.t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
	}
	w.wire.spoil(nil)
	w.holdsMessage(w.Held(), d)
	if codes, _ := w.undone(d); codes[delivery.CreateTask] == "" {
		w.t.Error("a task that fails for hours is not told to be left")
	}
}
