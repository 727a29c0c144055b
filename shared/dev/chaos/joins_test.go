package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// named is a message that knows its sender p by one thing or both, sent at one second.
func named(id string, by Known, n int) Send {
	s := wrote(id, "p", n)
	if by == byUser {
		s.Thread, s.Person = "u", "p"
	}
	s.Proves = by == byBoth
	return s
}

func TestTheCheckerSeesWhatIsWrongWithPeopleWhoAreOne(t *testing.T) {
	one := []Send{named("m1", byPhone, 0), named("m2", byBoth, 2), named("m3", byUser, 4), named("m4", byPhone, 6)}
	two := []Send{named("m1", byPhone, 0), named("m2", byUser, 2), named("m3", byBoth, 4), named("m4", byUser, 6)}
	for name, c := range map[string]struct {
		history []Send
		whose   map[string][]string
		people  int
		held    string // the messages in the CRM; empty is in the order in which they were sent
		want    []string
	}{
		"one thing is known first, then both":       {one, map[string][]string{"m3": {"1"}, "m4": {"1"}}, 1, "", nil},
		"there is a further record":                 {one, map[string][]string{"m3": {"1"}, "m4": {"1"}}, 2, "", []string{People + " "}},
		"it is on a further record":                 {one, map[string][]string{"m3": {"2"}, "m4": {"1"}}, 1, "", []string{People + " p"}},
		"it is on two":                              {one, map[string][]string{"m3": {"1", "2"}, "m4": {"1"}}, 1, "", []string{People + " p"}},
		"each alone is known first":                 {two, map[string][]string{"m1": {"1"}, "m2": {"2"}, "m4": {"2"}}, 2, "", nil},
		"each alone, and there is a further record": {two, nil, 3, "", []string{People + " "}},
		"nothing proves it":                         {[]Send{one[0], one[2]}, map[string][]string{"m1": {"1"}, "m3": {"2"}}, 2, "", nil},
		"what knows them by one thing is in order":  {one, nil, 1, "m2 m1 m4 m3", []string{OutOfOrder + " m2"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Outcome{
				Messages: map[string][]string{"x": nil}, Whose: map[string]map[string][]string{"x": c.whose},
				People: map[string]map[string]int{"x": {"contacts": c.people}},
			}
			for _, s := range c.history {
				o.Messages["x"] = append(o.Messages["x"], s.Message)
			}
			if c.held != "" {
				o.Messages["x"] = strings.Fields(c.held)
			}
			var got []string
			for _, p := range Check(c.history, o).Problems {
				got = append(got, p.Kind+" "+p.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPeopleComeToBeKnownByTwoThings(t *testing.T) {
	for messages := 1; messages <= 12; messages++ {
		p := NewPlan(uint64(messages), Size{Duration: 40 * time.Second, Threads: 2, Messages: messages}, nil, nil, nil)
		for person, webhooks := range p.Joins {
			before := map[Known]bool{}
			for _, w := range webhooks {
				if w.By == byBoth {
					break
				}
				before[w.By] = true
			}
			want := map[Known]bool{[]Known{byPhone, byUser, byPhone}[person%3]: true}
			if person%3 == 2 {
				want[byUser] = true
			}
			if diff := cmp.Diff(want, before); diff != "" && messages > 2 {
				t.Errorf("of %d messages of person %d, those before the proof: %s", messages, person, diff)
			}
		}
	}
}
