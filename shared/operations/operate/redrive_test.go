package operate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"signalbox/shared/operations/operate"

	"github.com/google/go-cmp/cmp"
)

// asks returns what a choice asks for, one line a request, when the functions answer one by one as told.
func asks(t *testing.T, variables map[string]string, answers ...string) (lines []string, out string, err error) {
	t.Helper()
	choice, err := operate.NewChoice(func(name string) string { return variables[name] })
	if err != nil {
		return nil, "", err
	}
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
				`redrive {"action":"redrive",` + who + `,"filter":{"stage":"route"},"limit":2}`,
				`redrive {"action":"redrive",` + who + `,"filter":{"stage":"route"},"limit":2,"after":"n1"}`,
			},
			"redriven   route            a generation 1\ncompleted  route            b\nredrive: 1 completed, 1 redriven\n", "",
		},
		"a webhook, by its provider": {
			map[string]string{"ACTION": "plan"},
			[]string{`{"items":[{"id":"a","stage":"receive","outcome":"parse"}],"parse":{"twilio":["a"]}}`, `{"items":[{"id":"a","stage":"receive","outcome":"ready","code":"panic"}]}`},
			[]string{
				`redrive {"action":"plan",` + who + `,"filter":{}}`,
				`twilio-reparse {"action":"plan","tenant":"demo","ids":["a"],"by":"ada","reason":"ticket"}`,
			},
			"ready      receive          a panic\nplan: 1 ready\n", "",
		},
		"ids": {
			map[string]string{"IDS": "a, b"},
			[]string{`{}`},
			[]string{`redrive {"action":"redrive","tenant":"demo","ids":["a","b"],"by":"ada","reason":"ticket"}`},
			"redrive: nothing\n", "",
		},
		"a replay of a thread": {
			map[string]string{"ACTION": "replay", "THREAD": "t1", "FROM": "2026-11-01", "TO": "2026-11-02T10:00:00Z"},
			[]string{`{"items":[{"id":"a","stage":"route","outcome":"failed","code":"x"}]}`},
			[]string{`replay {"action":"replay",` + who + `,"thread":"t1","from":"2026-11-01T00:00:00Z","to":"2026-11-02T10:00:00Z"}`},
			"failed     route            a x\nreplay: 1 failed\n", "not everything",
		},
		"a plan of what would fail is a plan": {
			map[string]string{"ACTION": "plan"},
			[]string{`{"items":[{"id":"a","stage":"route","outcome":"failed","code":"x"}]}`},
			[]string{`redrive {"action":"plan",` + who + `,"filter":{}}`},
			"would fail route            a x\nplan: 1 would fail\n", "",
		},
		"what is refused, by the names of the variables": {
			nil,
			[]string{`{"problems":["by holds what looks like a phone number","filter.from and filter.to are days","reason is text"]}`},
			[]string{`redrive {"action":"redrive",` + who + `,"filter":{}}`},
			"", "redrive: BY holds what looks like a phone number; FROM and TO are days; REASON is text",
		},
		"what does not get on": {
			nil,
			[]string{`{"more":true,"next":"n"}`, `{"more":true,"next":"n"}`},
			[]string{`redrive {"action":"redrive",` + who + `,"filter":{}}`, `redrive {"action":"redrive",` + who + `,"filter":{},"after":"n"}`},
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
	lines, _, err := asks(t, map[string]string{"TENANT": "demo", "BY": "ada", "REASON": "ticket", "IDS": strings.Join(ids, ",")}, `{}`, `{}`)
	if err != nil || len(lines) != 2 || !strings.Contains(lines[1], `"ids":["100",`) {
		t.Errorf("%v: %d requests", err, len(lines))
	}
}

func TestChoicesThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		words     string
	}{
		"ids and a stage":         {map[string]string{"IDS": "a", "STAGE": "route"}, "IDS"},
		"a replay of a stage":     {map[string]string{"ACTION": "replay", "STAGE": "route"}, "replay"},
		"a limit that is none":    {map[string]string{"LIMIT": "many"}, "LIMIT"},
		"a day that is none":      {map[string]string{"FROM": "yesterday"}, "FROM and TO"},
		"a last day that is none": {map[string]string{"TO": "2026-13-01"}, "FROM and TO"},
		"ids of two variables that were not set, which would mean everything": {map[string]string{"IDS": ","}, "IDS holds no id"},
		"an action that is none":          {map[string]string{"ACTION": "plnn", "USER": ""}, "ACTION is plan, redrive or replay"},
		"nobody's tenant":                 {map[string]string{"TENANT": ""}, "TENANT is not set: say whose"},
		"nobody who asks":                 {map[string]string{"USER": ""}, "BY is not set: say who asks, for example BY=ada"},
		"no reason":                       {map[string]string{"REASON": ""}, "REASON is not set: say why"},
		"a stage that is none":            {map[string]string{"STAGE": "rout"}, "STAGE is one of receive, route, route-receipts, unknown, deliver-<crm>, receipts-<crm>"},
		"a stage of a CRM without a name": {map[string]string{"STAGE": "deliver-"}, "STAGE is one of"},
		"a limit below one":               {map[string]string{"LIMIT": "-1"}, "LIMIT is a number from 1 to 100"},
		"a limit above what is taken":     {map[string]string{"LIMIT": "101"}, "LIMIT is a number from 1 to 100"},
		"a reason of blanks":              {map[string]string{"REASON": " "}, "REASON is not set"},
		"a name of blanks":                {map[string]string{"BY": " ", "USER": ""}, "BY is not set"},
		"a last day before the first":     {map[string]string{"FROM": "2026-11-30", "TO": "2026-11-01"}, "FROM is after TO"},
		"a replay that ends before":       {map[string]string{"ACTION": "replay", "FROM": "2026-11-30", "TO": "2026-11-01"}, "FROM is after TO"},
		"an instant that is no day":       {map[string]string{"FROM": "2026-11-01T10:00:00Z"}, "FROM and TO are days like 2026-01-31"},
		"a replay of what is nobody's":    {map[string]string{"ACTION": "replay", "TENANT": "_"}, "nothing of it can be replayed"},
		"a tenant's file":                 {map[string]string{"TENANT": "events/tenants/demo.json"}, "TENANT is the tenant's id, not its file"},
		"a kind that is none":             {map[string]string{"KIND": "permanently"}, "KIND is one of retryable, throttled, blocked, permanent, rejected, exhausted"},
	} {
		variables := map[string]string{"TENANT": "demo", "USER": "ada", "REASON": "ticket"}
		maps.Copy(variables, c.variables)
		_, _, err := asks(t, variables)
		if usage, ok := errors.AsType[*operate.UsageError](err); !ok || !strings.Contains(usage.Reason, c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPlanNeedsNeitherNameNorReason(t *testing.T) {
	for _, variables := range []map[string]string{
		{"ACTION": "plan", "TENANT": "demo", "STAGE": "deliver-hubspot", "KIND": "exhausted"},
		{"ACTION": "plan", "TENANT": "_", "STAGE": "receive", "KIND": "retryable"},
	} {
		if _, _, err := asks(t, variables, `{}`); err != nil {
			t.Errorf("%v: %v", variables, err)
		}
	}
}
