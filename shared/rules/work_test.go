package rules_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"

	"github.com/google/go-cmp/cmp"
)

// validated returns the problems of a rule with one action, a line each.
func validated(kind delivery.Kind, crm string, value map[string]string) (problems []string) {
	set := rules.Set{Rules: []rules.Rule{{ID: "one", Then: []rules.Action{{CRM: crm, Kind: kind, Value: value}}}}}
	for _, p := range set.Validate([]string{"a", "b"}, nil) {
		problems = append(problems, strings.TrimPrefix(p.Path, "rules[0].then[0].")+" "+p.Reason)
	}
	return problems
}

func TestWorkIsRefusedWithPathAndReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	many := map[string]string{"name": "Go"}
	for _, c := range "abcdefghijklmnopqrstu" {
		many["input."+string(c)] = "x"
	}
	tests := map[string]struct {
		kind  delivery.Kind
		crm   string
		value map[string]string
		want  string // the beginning of the one problem, "" for none
	}{
		"a case":                        {delivery.OpenCase, "a", map[string]string{"subject": "A complaint", "priority": "high", "status": "New"}, ""},
		"a case by a field":             {delivery.OpenCase, "*", map[string]string{"subject": "$text"}, ""},
		"a case about nothing":          {delivery.OpenCase, "*", nil, "value.subject is missing"},
		"a subject that is long":        {delivery.OpenCase, "*", map[string]string{"subject": long}, "value.subject is not 1 to 255"},
		"a subject of two lines":        {delivery.OpenCase, "*", map[string]string{"subject": "a\nb"}, "value.subject is not 1 to 255"},
		"a priority that is none":       {delivery.OpenCase, "*", map[string]string{"subject": "x", "priority": "urgent"}, "value.priority is not low, normal or high"},
		"a priority by a field":         {delivery.OpenCase, "*", map[string]string{"subject": "x", "priority": "$text"}, "value.priority is a constant here"},
		"a status of all CRMs":          {delivery.OpenCase, "*", map[string]string{"subject": "x", "status": "New"}, "value.status is a word of one CRM"},
		"a value that is not taken":     {delivery.OpenCase, "a", map[string]string{"subject": "x", "owner": "7"}, "value holds a name"},
		"a field that is none":          {delivery.CreateTask, "a", map[string]string{"subject": "$goat"}, "value.subject is none of the event's fields $text"},
		"the person's id as a subject":  {delivery.CreateTask, "a", map[string]string{"subject": "$person"}, "value.subject is none of the event's fields $text"},
		"a task":                        {delivery.CreateTask, "a", map[string]string{"subject": "x", "text": "$text", "dueHours": "24", "owner": "005"}, ""},
		"a task in half an hour":        {delivery.CreateTask, "a", map[string]string{"subject": "x", "dueHours": "0.5"}, "value.dueHours is not a whole number"},
		"a status":                      {delivery.SetStatus, "b", map[string]string{"to": "OPEN"}, ""},
		"a status that is none":         {delivery.SetStatus, "b", nil, "value.to is missing"},
		"an automation":                 {delivery.StartAutomation, "*", map[string]string{"name": "Escalate", "input.recordId": "$person", "input.why": "a rule"}, ""},
		"an automation without a name":  {delivery.StartAutomation, "*", map[string]string{"input.recordId": "$person"}, "value.name is missing"},
		"a name that leads elsewhere":   {delivery.StartAutomation, "*", map[string]string{"name": "../standard/emailSimple"}, "value.name is not 1 to 80 letters"},
		"an input that is no name":      {delivery.StartAutomation, "*", map[string]string{"name": "Go", "input.a-b": "x"}, "value holds an input whose name"},
		"an input that is no field":     {delivery.StartAutomation, "*", map[string]string{"name": "Go", "input.a": "$goat"}, "value.input.a is none of the event's fields"},
		"an input of a task":            {delivery.CreateTask, "a", map[string]string{"subject": "x", "input.a": "x"}, "value holds a name"},
		"an input that is long":         {delivery.StartAutomation, "*", map[string]string{"name": "Go", "input.a": long}, "value.input.a is not 1 to 255"},
		"more inputs than twenty":       {delivery.StartAutomation, "*", many, "value has 21 inputs"},
		"work that a receipt asks for":  {delivery.SetStatus, "c", map[string]string{"to": "OPEN"}, "crm is neither"},
		"nothing that anybody can name": {"dance", "*", nil, "kind is not ensure_person"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := validated(tt.kind, tt.crm, tt.value)
			if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want)) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestWorkComesLastAndAsTheRuleSays(t *testing.T) {
	t.Parallel()
	set := rules.Set{Rules: []rules.Rule{
		{ID: "work", Then: []rules.Action{{CRM: "a", Kind: delivery.OpenCase, Value: map[string]string{"subject": "first"}}}},
		{ID: "more", Then: []rules.Action{{CRM: "*", Kind: delivery.OpenCase, Value: map[string]string{"subject": "second"}}, {CRM: "*", Kind: delivery.LogActivity}}},
	}}
	d := rules.Ordered{}.Decide(set, 1, []string{"a", "b"}, rules.Facts{Type: canonical.TypeMessage})
	got := map[string][]delivery.Action{}
	for _, c := range d.CRMs {
		got[c.CRM] = c.Actions
	}
	want := map[string][]delivery.Action{
		"a": {{Kind: delivery.LogActivity}, {Kind: delivery.OpenCase, Value: map[string]string{"subject": "first"}}},
		"b": {{Kind: delivery.LogActivity}, {Kind: delivery.OpenCase, Value: map[string]string{"subject": "second"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(set.Work("b")); n != 1 {
		t.Errorf("%d actions of work are asked of b, want 1", n)
	}
}

// TestTheExampleOfThePageIsARule of a tenant whose CRM is called so.
func TestTheExampleOfThePageIsARule(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/work.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	example, _, _ := strings.Cut(rest, "```")
	var r rules.Rule
	if err := json.Unmarshal([]byte(example), &r); err != nil {
		t.Fatal(err)
	}
	problems := rules.Set{Rules: []rules.Rule{r}}.Validate([]string{"salesforce", "hubspot"}, []canonical.Channel{canonical.WhatsApp})
	if len(problems) > 0 || len(r.Then) != 4 {
		t.Errorf("%+v: %v", r, problems)
	}
	for _, field := range delivery.Fields() {
		if !strings.Contains(string(page), "`"+field+"`") {
			t.Errorf("the page does not name %s", field)
		}
	}
}
