package connector_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/connector"
)

// TestAnAmendmentConcludesEveryStepOnce: each step adds its letter to what is held of its person.
func TestAnAmendmentConcludesEveryStepOnce(t *testing.T) {
	unread, refused := errors.New("unread"), errors.New("refused")
	for sentence, test := range map[string]struct {
		steps   string // person and letter, and others of whom it is, too
		held    map[string]string
		read    error
		write   []error // an error each; nil for no error of anybody
		written string
		want    string // of each step
	}{
		"nothing is read or written for no steps": {"", nil, unread, nil, "", ""},
		"steps about one person are written once": {"ax ay bz", map[string]string{"a": "", "b": ""}, nil, nil, "a=xy b=z", "ok ok ok"},
		"what is said already is not written":     {"ax by", map[string]string{"a": "x", "b": ""}, nil, nil, "b=y", "ok ok"},
		"all of a person share its outcome":       {"ax ay bz", map[string]string{"a": "x", "b": ""}, nil, []error{refused, nil}, "a=xy b=z", "refused refused ok"},
		"who is not there is the step's to judge": {"ax by", map[string]string{"a": ""}, nil, nil, "a=x", "ok absent"},
		"what is not read is not written":         {"ax by", nil, unread, nil, "", "unread unread"},
		"others are written as well":              {"axbc by", map[string]string{"a": "", "b": "", "c": "x"}, nil, nil, "a=x b=xy", "ok ok"},
		"others who are not there do not count":   {"axbc", map[string]string{"a": "", "b": ""}, nil, []error{nil, errors.New("gone")}, "a=x b=x", "ok"},
		"others who are refused do":               {"axb", map[string]string{"a": "", "b": ""}, nil, []error{nil, refused}, "a=x b=x", "refused"},
		"who is gone counts, whoever is refused":  {"axb", map[string]string{"b": ""}, nil, []error{refused}, "b=x", "absent"},
		"what a write says nothing about failed":  {"ax by", map[string]string{"a": "", "b": ""}, nil, []error{nil}, "a=x b=y", "ok write_unanswered"},
	} {
		t.Run(sentence, func(t *testing.T) {
			steps, written := strings.Fields(test.steps), []string{}
			results := make([]string, len(steps))
			connector.Amendment[string]{
				Who:  func(i int) string { return steps[i][:1] },
				Also: func(i int) []string { return strings.Split(steps[i][2:], "") },
				Gone: func(err error) bool { return err.Error() == "gone" },
				Read: func(persons []string) (map[string]*string, error) {
					if len(persons) == 0 {
						t.Error("nobody is read")
					}
					all := map[string]*string{}
					for who, said := range test.held {
						all[who] = &said
					}
					return all, test.read
				},
				Change: func(i int, held *string) (bool, error) {
					letter := steps[i][1:2]
					switch {
					case held == nil:
						return false, errors.New("absent")
					case strings.Contains(*held, letter):
						return false, nil
					}
					*held += letter
					return true, nil
				},
				Write: func(persons []string, changed []*string) []error {
					for k, who := range persons {
						written = append(written, who+"="+*changed[k])
					}
					if test.write == nil {
						return make([]error, len(persons))
					}
					return test.write
				},
				Conclude: func(i int, err error) {
					if results[i] != "" {
						t.Errorf("step %d is concluded twice", i)
					}
					if results[i] = "ok"; err != nil {
						results[i] = err.Error()
					}
				},
			}.Make(len(steps))
			slices.Sort(written)
			if got := strings.Join(written, " "); got != test.written {
				t.Errorf("written %q, want %q", got, test.written)
			}
			if got := fmt.Sprint(strings.Join(results, " ")); got != test.want {
				t.Errorf("steps %q, want %q", got, test.want)
			}
		})
	}
}
