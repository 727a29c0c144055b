package chaos

import (
	"io"
	"slices"
	"testing"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"

	"github.com/google/go-cmp/cmp"
)

// at returns the n-th second of the tests' day.
func at(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC) }

// sent is a message that was sent at one second and acknowledged at another.
func sent(id, thread string, from, to int) Send {
	return Send{Message: id, Thread: thread, Attempt: 1, At: at(from), Answered: at(to), Status: 200}
}

// noted is a message that a machine wrote.
func noted(id, thread string, from, to int) Send {
	s := sent(id, thread, from, to)
	s.Machine = true
	return s
}

func TestTheCheckerSeesWhatIsWrong(t *testing.T) {
	history := []Send{sent("a1", "a", 0, 1), sent("a2", "a", 2, 3), sent("b1", "b", 2, 9), sent("b2", "b", 4, 5)}
	people := map[string]map[string]int{"x": {"contacts": 2}}
	good := Outcome{Messages: map[string][]string{"x": {"a1", "b2", "a2", "b1"}}, People: people}
	in := func(ids ...string) func(*Outcome) {
		return func(o *Outcome) { o.Messages = map[string][]string{"x": ids} }
	}
	for name, c := range map[string]struct {
		change  func(*Outcome)
		history []Send // more of it
		want    []string
	}{
		"all is well: b2 was sent before b1 was acknowledged": {func(*Outcome) {}, nil, nil},
		"a message is missing":                                {in("a1", "b1", "b2"), nil, []string{Lost + " a2"}},
		"a message is there twice":                            {in("a1", "a2", "b1", "b2", "a2"), nil, []string{Twice + " a2"}},
		"a task of a message is there twice":                  {func(o *Outcome) { o.Also = map[string][]string{"x tasks": {"a1", "a2", "a1"}} }, nil, []string{Twice + " a1"}},
		"the second came first":                               {in("a2", "a1", "b1", "b2"), nil, []string{OutOfOrder + " a2"}},
		"the first came late because it was spooled":          {func(o *Outcome) { in("a2", "a1", "b1", "b2")(o); o.Spooled = map[string]bool{"a1": true} }, nil, nil},
		"a spooled one came early":                            {func(o *Outcome) { in("a2", "a1", "b1", "b2")(o); o.Spooled = map[string]bool{"a2": true} }, nil, []string{OutOfOrder + " a2"}},
		"a spooled one is missing":                            {func(o *Outcome) { in("a2", "b1", "b2")(o); o.Spooled = map[string]bool{"a1": true} }, nil, []string{Lost + " a1"}},
		"a spooled one is there twice":                        {func(o *Outcome) { in("a2", "a1", "b1", "b2", "a1")(o); o.Spooled = map[string]bool{"a1": true} }, nil, []string{Twice + " a1"}},
		"a thread behind a spooled one is out of order":       {func(o *Outcome) { in("a3", "a2", "a1", "b1", "b2")(o); o.Spooled = map[string]bool{"a1": true} }, []Send{sent("a3", "a", 4, 5)}, []string{OutOfOrder + " a3"}},
		"a dead letter":                                       {func(o *Outcome) { o.Dead = []string{"crashed"} }, nil, []string{DeadLettered + " "}},
		"a webhook waits to be parsed again": {
			func(o *Outcome) { in("a1", "b1", "b2")(o); o.Again = []string{"slow"} }, nil, []string{Again + " a2", Again + " "},
		},
		"one waits to be parsed again, and two are missing": {
			func(o *Outcome) { in("a1", "b1")(o); o.Again = []string{"slow"} }, nil, []string{Lost + " a2", Lost + " b2", Again + " "},
		},
		"one waits to be parsed again, and one of two CRMs holds the message that the other lacks": {
			func(o *Outcome) {
				o.Messages = map[string][]string{"x": good.Messages["x"], "y": {"a1", "a2", "b1"}}
				o.Again = []string{"slow"}
			},
			nil,
			[]string{Lost + " b2", Again + " "},
		},
		"messages still wait":                                   {func(o *Outcome) { o.Left = 1 }, nil, []string{Waiting + " "}},
		"a person became two contacts":                          {func(o *Outcome) { o.People = map[string]map[string]int{"x": {"contacts": 3}} }, nil, []string{People + " "}},
		"a record of no message":                                {in("a1", "a2", "b1", "b2", "z"), nil, []string{Unknown + " z"}},
		"a note of somebody who never wrote is nowhere":         {func(*Outcome) {}, []Send{noted("c1", "c", 1, 2)}, nil},
		"a note of somebody who wrote before is missing":        {func(*Outcome) {}, []Send{noted("a3", "a", 60, 61)}, []string{Lost + " a3"}},
		"no CRM at all":                                         {func(o *Outcome) { o.Messages = nil }, nil, []string{Lost + " "}},
		"a message that nobody took":                            {func(*Outcome) {}, []Send{{Message: "a3", Thread: "a", Attempt: 1, At: at(4), Status: 503}}, []string{Unanswered + " a3"}},
		"one that was refused first and taken then is missing":  {func(*Outcome) {}, []Send{{Message: "a3", Thread: "a", Attempt: 1, At: at(4)}, sent("a3", "a", 6, 7)}, []string{Lost + " a3"}},
		"one of two CRMs holds nothing":                         {func(o *Outcome) { o.Messages = map[string][]string{"x": good.Messages["x"], "y": {"a1", "a2", "b1"}} }, nil, []string{Lost + " b2"}},
		"an attempt without an answer does not make it earlier": {in("a1", "b2", "a2", "b1"), []Send{{Message: "b2", Thread: "b", Attempt: 1, At: at(1)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			c.change(&o)
			var got []string
			for _, p := range Check(append(slices.Clip(history), c.history...), o).Problems {
				got = append(got, p.Kind+" "+p.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhichDeadLettersAreParsedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		stage string
		kind  fault.Kind
		want  bool
	}{
		"a webhook whose look-up failed":     {deadletter.StageReceive, fault.Retryable, true},
		"one that was throttled":             {deadletter.StageReceive, fault.Throttled, true},
		"one that cannot be read":            {deadletter.StageReceive, fault.Permanent, false},
		"an event that was tried for a day":  {deadletter.StageRoute, fault.Retryable, false},
		"a delivery that was tried for long": {deadletter.StageDeliver("x"), fault.Throttled, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isParsedAgain(deadletter.Record{Stage: c.stage, Kind: c.kind.String()}); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestTheCheckerCounts(t *testing.T) {
	h := NewHistory(io.Discard)
	h.Note(Send{Message: "a1", Sender: "x", Thread: "a", Attempt: 1, At: at(0)})
	h.Note(Send{Message: "a1", Thread: "a", Attempt: 2, At: at(1), Answered: at(2), Status: 200})
	h.Note(Send{Message: "a1", Thread: "a", At: at(3), Answered: at(4), Status: 200})
	h.Note(sent("a2", "a", 5, 6))
	sends, err := h.Sends()
	if err != nil {
		t.Fatal(err)
	}
	o := Outcome{Messages: map[string][]string{"x": {"a1", "a2"}, "y": {"a1", "a2"}}}
	want := Report{Messages: 2, Webhooks: 4, Duplicates: 1, Retries: 1, By: map[string]int{"x": 1, "": 1}, Pairs: 2}
	if diff := cmp.Diff(want, Check(sends, o)); diff != "" {
		t.Error(diff)
	}
}
