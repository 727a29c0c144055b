package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/redrive"
)

// TestABackfillIsAskedUntilItIsDone: of the channel that has the account, with its progress, and goes on after a kill.
func TestABackfillIsAskedUntilItIsDone(t *testing.T) {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	fetched := func(minutes int, done bool) redrive.Result {
		return redrive.Result{More: !done, Fetched: &redrive.Fetched{At: noon.Add(time.Duration(minutes) * time.Minute), Found: minutes, Missing: 1, Done: done}}
	}
	other, none := redrive.Refuse(redrive.NoAccount), redrive.Refuse(redrive.NoAction)
	const all = "ACCOUNT=acme FROM=2026-01-31T12:00:00Z TO=2026-01-31T13:00:00Z REASON=INC-7 BY=ada"
	for sentence, c := range map[string]struct {
		variables string
		answers   map[string][]redrive.Result // by channel
		asked     []string
		printed   int // lines
		problem   string
	}{
		"the second channel has it":     {all, map[string][]redrive.Result{"one": {none}, "two": {fetched(20, false), fetched(60, true)}, "three": {other}}, []string{"one", "two", "two"}, 2, ""},
		"its function fails":            {all, map[string][]redrive.Result{"one": {other}, "two": {}, "three": {other}}, []string{"one", "two", "three"}, 0, "acme: two-reparse: twilio_unanswered"},
		"nobody has it":                 {all, map[string][]redrive.Result{"one": {none}, "two": {other}, "three": {other}}, []string{"one", "two", "three"}, 0, "no account acme"},
		"its channel is named":          {all + " PROVIDER=three", map[string][]redrive.Result{"three": {fetched(60, true)}}, []string{"three"}, 1, ""},
		"it may not be asked":           {all, map[string][]redrive.Result{"one": {redrive.Refuse("the account's file names no apiUrl: it may not be asked")}}, []string{"one"}, 0, "names no apiUrl"},
		"it does not get on":            {all, map[string][]redrive.Result{"one": {fetched(20, false), fetched(20, false)}}, []string{"one", "one"}, 2, "does not get on"},
		"a channel that is not there":   {all, map[string][]redrive.Result{"two": {fetched(60, true)}}, []string{"one", "two"}, 1, ""},
		"no account":                    {"FROM=2026-01-31 REASON=x BY=ada", nil, nil, 0, "ACCOUNT is not set"},
		"no reason":                     {"ACCOUNT=acme FROM=2026-01-31 BY=ada", nil, nil, 0, "REASON is not set"},
		"nobody asks":                   {"ACCOUNT=acme FROM=2026-01-31 REASON=x", nil, nil, 0, "BY is not set"},
		"no beginning":                  {"ACCOUNT=acme REASON=x BY=ada", nil, nil, 0, "FROM and TO are instants"},
		"an end before the beginning":   {"ACCOUNT=acme FROM=2026-01-31 TO=2026-01-30 REASON=x BY=ada", nil, nil, 0, "FROM is not before TO"},
		"a day that is none":            {"ACCOUNT=acme FROM=31.1.2026 REASON=x BY=ada", nil, nil, 0, "FROM and TO are instants"},
		"history is asked for as that":  {all + " HISTORY=1", map[string][]redrive.Result{"one": {fetched(60, true)}}, []string{"one import"}, 1, ""},
		"a function that says nonsense": {all, map[string][]redrive.Result{"one": {{}}}, []string{"one", "two", "three"}, 0, "one-reparse does not answer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			variables := map[string]string{}
			for v := range strings.FieldsSeq(c.variables) {
				name, value, _ := strings.Cut(v, "=")
				variables[name] = value
			}
			var out strings.Builder
			var asked []string
			err := Backfill(t.Context(), &out, func(name string) string { return variables[name] }, []string{"one", "two", "three"}, func(_ context.Context, function string, event []byte) ([]byte, error) {
				var q redrive.FetchRequest
				channel := strings.TrimSuffix(function, "-reparse")
				if err := json.Unmarshal(event, &q); err != nil || q.Account != "acme" || !q.From.Equal(noon) || q.By != "ada" {
					t.Errorf("%s, %v", event, err)
				}
				name := channel
				if q.Action == redrive.Import {
					name += " import"
				}
				asked = append(asked, name)
				answers, there := c.answers[channel]
				if !there {
					return nil, fmt.Errorf("%w %s", ErrNoFunction, function)
				}
				if len(answers) == 0 {
					return nil, errors.New("twilio_unanswered")
				}
				c.answers[channel] = answers[1:]
				return json.Marshal(answers[0])
			})
			if problem := ""; err != nil || c.problem != "" {
				if err != nil {
					problem = err.Error()
				}
				if c.problem == "" || !strings.Contains(problem, c.problem) {
					t.Errorf("%v, want %q", err, c.problem)
				}
			}
			if printed := strings.Count(out.String(), "\n"); !slices.Equal(asked, c.asked) || printed != c.printed {
				t.Errorf("asked %q and printed %d lines, want %q and %d", asked, printed, c.asked, c.printed)
			}
		})
	}
}

func TestTheChannelsOfTheTemplate(t *testing.T) {
	template, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if channels, err := listOf(template, "Channels"); err != nil || !slices.Contains(channels, "edge") || len(channels) < 3 {
		t.Errorf("%q, %v", channels, err)
	}
}
