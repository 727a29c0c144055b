package chaos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noteSent is a message that is shown among others: what it is found by, and the second in which it was written by its own word.
func noteSent(note string, said int) Send {
	s := wrote("m"+note, "p", said+10)
	s.Note, s.Said = note, at(said)
	return s
}

func TestTheCheckerSeesWhatIsWrongWithADay(t *testing.T) {
	history := []Send{noteSent("1-0", 0), noteSent("1-1", 2), noteSent("1-2", 2), noteSent("1-3", 4)}
	refused := noteSent("1-4", 5)
	refused.Status = 503
	for name, c := range map[string]struct {
		more  []Send
		shown [][]string
		want  []string
	}{
		"all are there, of two at once either first": {nil, [][]string{{"1-0", "1-2", "1-1", "1-3"}}, nil},
		"one is missing":                     {nil, [][]string{{"1-0", "1-1", "1-3"}}, []string{Lost + " m1-2"}},
		"one is there twice":                 {nil, [][]string{{"1-0", "1-1", "1-2", "1-2", "1-3"}}, []string{Twice + " m1-2"}},
		"a late one stands at the end":       {nil, [][]string{{"1-0", "1-1", "1-3", "1-2"}}, []string{OutOfOrder + " m1-2"}},
		"there are two activities of a day":  {nil, [][]string{{"1-0", "1-1"}, {"1-2", "1-3"}}, []string{Twice + " p"}},
		"one that nobody sent":               {nil, [][]string{{"1-0", "1-1", "1-2", "1-3", "9-9"}}, []string{Unknown + " 9-9"}},
		"one that was never taken is absent": {[]Send{refused}, [][]string{{"1-0", "1-1", "1-2", "1-3"}}, []string{Unanswered + " m1-4"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Outcome{Messages: map[string][]string{"x": nil}, Days: map[string][][]string{"x": c.shown}}
			var got []string
			for _, p := range Check(append(history[:4:4], c.more...), o).Problems {
				got = append(got, p.Kind+" "+p.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNotesAreFoundInAText(t *testing.T) {
	text := "<p>12:00 Ada: " + words(268, 1) + "</p><p>12:01 Ada: " + words(268, 12) + "</p>"
	if diff := cmp.Diff([]string{noteOf(268, 1), noteOf(268, 12)}, notesOf(text)); diff != "" {
		t.Error(diff)
	}
}
