package putback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/shared/dev/putback"

	"github.com/google/go-cmp/cmp"
)

// asks answers what a choice asks for, one line a request, when the functions answer one by one as told.
func asks(t *testing.T, variables map[string]string, answers ...string) (lines []string, out string, err error) {
	t.Helper()
	choice, err := putback.New(func(name string) string { return variables[name] })
	if err != nil {
		return nil, "", err
	}
	choice.Stack = "st"
	var printed strings.Builder
	err = choice.Run(t.Context(), &printed, func(_ context.Context, function string, event []byte) ([]byte, error) {
		lines = append(lines, function+" "+string(event))
		if len(answers) == 0 {
			return nil, errors.New("asked too often")
		}
		answer := answers[0]
		answers = answers[1:]
		return []byte(answer), nil
	})
	if len(answers) > 0 {
		t.Errorf("%d answers were not asked for", len(answers))
	}
	return lines, printed.String(), err
}

func TestWhatIsAskedFor(t *testing.T) {
	const who = `"tenant":"demo","by":"ada","reason":"ticket"`
	for name, c := range map[string]struct {
		variables map[string]string
		answers   []string
		want      []string
		out       string
		failed    string
	}{
		"a filter, page after page": {
			map[string]string{"STAGE": "route", "LIMIT": "2"},
			[]string{
				`{"items":[{"id":"a","stage":"route","outcome":"redriven","generation":1}],"more":true,"next":"n1"}`,
				`{"items":[{"id":"b","stage":"route","outcome":"completed"}]}`,
			},
			[]string{
				`st-redrive {"action":"redrive",` + who + `,"filter":{"stage":"route"},"limit":2}`,
				`st-redrive {"action":"redrive",` + who + `,"filter":{"stage":"route"},"limit":2,"after":"n1"}`,
			},
			"redriven  route            a generation 1\ncompleted route            b\nredrive: 1 completed, 1 redriven\n", "",
		},
		"a webhook, by its provider": {
			map[string]string{"ACTION": "plan"},
			[]string{`{"items":[{"id":"a","stage":"receive","outcome":"parse"}],"parse":{"twilio":["a"]}}`, `{"items":[{"id":"a","stage":"receive","outcome":"ready","code":"panic"}]}`},
			[]string{
				`st-redrive {"action":"plan",` + who + `,"filter":{}}`,
				`st-twilio-reparse {"action":"plan","tenant":"demo","ids":["a"],"by":"ada","reason":"ticket"}`,
			},
			"ready     receive          a panic\nplan: 1 ready\n", "",
		},
		"ids": {
			map[string]string{"IDS": "a, b"},
			[]string{`{}`},
			[]string{`st-redrive {"action":"redrive","tenant":"demo","ids":["a","b"],"by":"ada","reason":"ticket"}`},
			"redrive: nothing\n", "",
		},
		"a replay of a thread": {
			map[string]string{"ACTION": "replay", "THREAD": "t1", "FROM": "2026-11-01", "TO": "2026-11-02T10:00:00Z"},
			[]string{`{"items":[{"id":"a","stage":"route","outcome":"failed","code":"x"}]}`},
			[]string{`st-replay {"action":"replay",` + who + `,"thread":"t1","from":"2026-11-01T00:00:00Z","to":"2026-11-02T10:00:00Z"}`},
			"failed    route            a x\nreplay: 1 failed\n", "not everything",
		},
		"what is refused": {
			nil,
			[]string{`{"problems":["reason is required"]}`},
			[]string{`st-redrive {"action":"redrive",` + who + `,"filter":{}}`},
			"", "reason is required",
		},
		"what does not get on": {
			nil,
			[]string{`{"more":true,"next":"n"}`, `{"more":true,"next":"n"}`},
			[]string{`st-redrive {"action":"redrive",` + who + `,"filter":{}}`, `st-redrive {"action":"redrive",` + who + `,"filter":{},"after":"n"}`},
			"", "does not get on",
		},
	} {
		t.Run(name, func(t *testing.T) {
			variables := map[string]string{"TENANT": "demo", "USER": "ada", "REASON": "ticket"}
			maps.Copy(variables, c.variables)
			lines, out, err := asks(t, variables, c.answers...)
			if diff := cmp.Diff(c.want, lines); diff != "" {
				t.Errorf("asked (-want +got): %s", diff)
			}
			if diff := cmp.Diff(c.out, out); diff != "" {
				t.Errorf("printed (-want +got): %s", diff)
			}
			if (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestManyIDsAreAskedForInTurns(t *testing.T) {
	var ids []string
	for n := range 150 {
		ids = append(ids, fmt.Sprint(n))
	}
	lines, _, err := asks(t, map[string]string{"IDS": strings.Join(ids, ",")}, `{}`, `{}`)
	if err != nil || len(lines) != 2 || !strings.Contains(lines[1], `"ids":["100",`) {
		t.Errorf("%v: %d requests", err, len(lines))
	}
}

func TestChoicesThatCannotBe(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"ids and a stage":         {"IDS": "a", "STAGE": "route"},
		"a replay of a stage":     {"ACTION": "replay", "STAGE": "route"},
		"a limit that is none":    {"LIMIT": "many"},
		"a day that is none":      {"FROM": "yesterday"},
		"a last day that is none": {"TO": "2026-13-01"},
	} {
		if _, _, err := asks(t, variables); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLocal(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		failed string
		body   string
		want   string
	}{
		"an answer":          {http.StatusOK, "", `{"more":true}`, ""},
		"a function's error": {http.StatusOK, "Unhandled", `{"errorMessage":"store_throttled"}`, "store_throttled"},
		"a crash":            {http.StatusOK, "Unhandled", `crash`, "see its log"},
		"no such function":   {http.StatusNotFound, "", `not found`, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/2015-03-31/functions/st-redrive/invocations" {
					t.Errorf("asked %s", r.URL.Path)
				}
				if c.failed != "" {
					w.Header().Set("X-Amz-Function-Error", c.failed)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			answer, err := putback.Local(server.URL+"/")(t.Context(), "st-redrive", []byte(`{}`))
			if c.want == "" && (err != nil || string(answer) != c.body) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%q, %v", answer, err)
			}
		})
	}
}

// TestDeployed puts a program in the place of the AWS CLI.
func TestDeployed(t *testing.T) {
	folder := t.TempDir()
	script := `#!/bin/sh
for last; do :; done
printf '%s\n' "$*" > ` + folder + `/arguments
case "$4" in
  *-broken:live) printf '{"errorMessage":"store_throttled"}' > "$last"; echo '{"StatusCode":200,"FunctionError":"Unhandled"}';;
  *-gone:live) exit 1;;
  *) cp "${10#file://}" "$last" 2>/dev/null || printf '{}' > "$last"; echo '{"StatusCode":200}';;
esac
`
	if err := os.WriteFile(filepath.Join(folder, "aws"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	answer, err := putback.Deployed()(t.Context(), "st-redrive", []byte(`{"more":true}`))
	var told struct{ More bool }
	if err != nil || json.Unmarshal(answer, &told) != nil || !told.More {
		t.Errorf("%q, %v", answer, err)
	}
	if _, err := putback.Deployed()(t.Context(), "st-broken", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "store_throttled") {
		t.Errorf("a function's error: %v", err)
	}
	if _, err := putback.Deployed()(t.Context(), "st-gone", []byte(`{}`)); err == nil {
		t.Error("the CLI failed, and nobody noticed")
	}
}
