package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asking is an outreach that says it was sent at one second, and is registered at another.
func asking(id, person string, says, n int) Send {
	return Send{Kind: OfAsking, Message: id, Thread: person, Asked: at(says), Attempt: 1, At: at(n), Answered: at(n), Status: 202}
}

// wrote is a message that a person wrote, and note one that a machine wrote for them.
func wrote(id, person string, n int) Send {
	s := sent(id, person, n, n)
	s.Kind = OfPerson
	return s
}

func note(id, person string, n int) Send {
	s := wrote(id, person, n)
	s.Machine = true
	return s
}

func TestTheCheckerSeesWhatIsWrongWithReplies(t *testing.T) {
	lost := asking("o1", "p", 0, 5)
	lost.Status, lost.Error = 0, "no answer"
	held := wrote("m1", "p", 10)
	again := wrote("m1", "p", 30)
	again.Attempt = 0
	at10, at30, none := []Shown{{"true", at(10).Format(time.RFC3339)}}, []Shown{{"true", "1772366430000"}}, []Shown{{"", ""}}
	for name, c := range map[string]struct {
		history []Send
		shown   []Shown
		want    []string
	}{
		"a reply is shown":                              {[]Send{asking("o1", "p", 0, 5), held}, at10, nil},
		"a reply is not shown":                          {[]Send{asking("o1", "p", 0, 5), held}, none, []string{Reply}},
		"a reply is shown, and automation goes on":      {[]Send{asking("o1", "p", 0, 5), held}, []Shown{{"false", at10[0].At}}, []string{Reply}},
		"a reply stops automation, and has no time":     {[]Send{asking("o1", "p", 0, 5), held}, []Shown{{"true", ""}}, []string{Reply}},
		"its time is none":                              {[]Send{asking("o1", "p", 0, 5), held}, []Shown{{"true", "yesterday"}}, []string{Reply}},
		"its time is that of no message":                {[]Send{asking("o1", "p", 0, 5), held}, []Shown{{"true", at(20).Format(time.RFC3339)}}, []string{Reply}},
		"it came to be known after the answer":          {[]Send{held, asking("o1", "p", 0, 50)}, none, []string{Reply}},
		"there is no record of who answered":            {[]Send{asking("o1", "p", 0, 5), held}, nil, []string{Reply}},
		"one of two records does not show it":           {[]Send{asking("o1", "p", 0, 5), held}, append(slices.Clone(at10), none...), []string{Reply}},
		"nobody asked":                                  {[]Send{held}, none, nil},
		"nobody asked, and a reply is shown":            {[]Send{held}, at10, []string{Reply}},
		"nobody asked, and automation is stopped":       {[]Send{held}, []Shown{{"true", ""}}, []string{Reply}},
		"a machine answered":                            {[]Send{asking("o1", "p", 0, 5), note("m1", "p", 10)}, none, nil},
		"a machine answered, and a reply is shown":      {[]Send{asking("o1", "p", 0, 5), note("m1", "p", 10)}, at10, []string{Reply}},
		"a machine answered, then they":                 {[]Send{asking("o1", "p", 0, 5), note("m1", "p", 10), wrote("m2", "p", 30)}, at30, nil},
		"the machine's answer is shown and not theirs":  {[]Send{asking("o1", "p", 0, 5), note("m1", "p", 10), wrote("m2", "p", 30)}, at10, []string{Reply}},
		"they wrote before they were asked":             {[]Send{held, asking("o1", "p", 20, 25)}, none, nil},
		"they wrote before, and a reply is shown":       {[]Send{held, asking("o1", "p", 20, 25)}, at10, []string{Reply}},
		"it was ahead, and they answered":               {[]Send{asking("o1", "p", 90, 1), held}, none, []string{Reply}},
		"it was ahead, and their answer is shown":       {[]Send{asking("o1", "p", 90, 1), held}, at10, nil},
		"it was ahead, and they wrote before":           {[]Send{held, asking("o1", "p", 90, 30)}, none, nil},
		"they wrote before one that was ahead, shown":   {[]Send{held, asking("o1", "p", 90, 30)}, at10, []string{Reply}},
		"they wrote about when they were asked":         {[]Send{held, asking("o1", "p", 9, 9)}, none, nil},
		"about when they were asked, and it is shown":   {[]Send{held, asking("o1", "p", 9, 9)}, at10, nil},
		"a copy was sent after they were asked":         {[]Send{held, again, asking("o1", "p", 20, 20)}, none, nil},
		"a copy after they were asked is shown":         {[]Send{held, again, asking("o1", "p", 20, 20)}, at30, nil},
		"the first of two is after, both were asked":    {[]Send{asking("o1", "p", 0, 0), held, asking("o2", "p", 20, 20)}, none, []string{Reply}},
		"the outreach was never taken":                  {[]Send{lost, held}, none, []string{Unanswered}},
		"the outreach was never taken, and it is known": {[]Send{lost, held}, at10, []string{Unanswered}},
		"the outreach is another person's":              {[]Send{asking("o1", "q", 0, 5), held}, at10, []string{Reply}},
		"who is asked and never writes has no record":   {[]Send{asking("o1", "p", 0, 5)}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var asks []string
			o := Outcome{Messages: map[string][]string{"x": nil}, Replies: map[string]map[string][]Shown{"x": {"p": c.shown}}}
			for _, s := range c.history {
				switch {
				case s.Kind == OfPerson && s.Attempt > 0:
					o.Messages["x"] = append(o.Messages["x"], s.Message)
				case s.Kind == OfAsking:
					asks = append(asks, s.Message)
				}
			}
			o.Asks = map[string][]string{"x": asks}
			var got []string
			for _, p := range Check(c.history, o).Problems {
				got = append(got, p.Kind)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTheCheckerLooksForOutreachOnTimelines of those who had written before: of others the CRM may hold nobody.
func TestTheCheckerLooksForOutreachOnTimelines(t *testing.T) {
	known, stranger := asking("o1", "p", 20, 20), asking("o2", "q", 20, 20)
	for name, c := range map[string]struct {
		shown []string
		want  []string
	}{
		"it is there":                          {[]string{"o1"}, nil},
		"it is not":                            {nil, []string{Lost + " o1"}},
		"it is there twice":                    {[]string{"o1", "o1"}, []string{Twice + " o1"}},
		"so is one to who had written nothing": {[]string{"o1", "o2"}, nil},
	} {
		o := Outcome{Messages: map[string][]string{"x": {"m1"}}, Asks: map[string][]string{"x": c.shown}, Replies: map[string]map[string][]Shown{"x": {"p": {{}}}}}
		var got []string
		for _, p := range Check([]Send{wrote("m1", "p", 1), known, stranger}, o).Problems {
			got = append(got, p.Kind+" "+p.Message)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTheCheckerCountsRecordsOfPeopleWhoNeverWrote(t *testing.T) {
	o := Outcome{Messages: map[string][]string{"x": {"m1"}}, People: map[string]map[string]int{"x": {"contacts": 2}}}
	got := Check([]Send{wrote("m1", "p", 1), asking("o1", "q", 0, 5)}, o).Problems
	if len(got) != 1 || got[0].Kind != People {
		t.Errorf("problems: %v", got)
	}
}

func TestSomeAreAskedAndSomeAreMachines(t *testing.T) {
	size := Size{Duration: 40 * time.Second, Threads: 200, Messages: 5}
	p := NewPlan(1, size, nil, nil, nil)
	kinds := map[string]int{}
	for person, asked := range p.Asked {
		kind := ""
		for _, a := range asked {
			switch {
			case a.Sent <= -longAgo:
				kind += "before "
			case a.Sent == a.At+ahead:
				kind += "after "
			default:
				t.Errorf("an outreach of %s at %s", a.Sent, a.At)
			}
		}
		if person >= size.Threads {
			kinds["stranger "+kind]++
			continue
		}
		machines := 0
		for _, w := range p.Threads[person] {
			if w.Machine {
				machines++
			}
		}
		kinds[kind+map[int]string{0: "", 1: "first a machine", 5: "machine"}[machines]]++
	}
	for _, kind := range []string{"", "before ", "before before ", "before after ", "after ", "before machine", "machine", "before first a machine"} {
		if kinds[kind] < 5 {
			t.Errorf("%d of %q", kinds[kind], kind)
		}
	}
	if kinds["stranger before "] != strangers || len(kinds) != 9 {
		t.Errorf("people: %v", kinds)
	}
}
