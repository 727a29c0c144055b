package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/connect"
)

// TestConnectAsksTheFunctionOfEachKind: until each CRM is done, and fails where something is missing or refused.
func TestConnectAsksTheFunctionOfEachKind(t *testing.T) {
	report := func(crm, after string, states ...connect.State) connect.Report {
		r := connect.Report{Tenant: "acme", CRM: crm, Kind: "kind", Version: 3, After: after}
		for _, state := range states {
			r.Add("a thing", state, "what it means", "what mends it")
		}
		return r
	}
	of := func(reports ...connect.Report) connect.Result { return connect.Result{Reports: reports} }
	for sentence, c := range map[string]struct {
		variables string
		answers   map[string][]connect.Result // by kind
		asked     []string
		printed   string
		problem   string
	}{
		"all is there": {
			"TENANT=acme",
			map[string][]connect.Result{"one": {of(report("a", "", connect.OK))}, "two": {of(report("b", "", connect.Degraded, connect.Installed))}},
			[]string{`one {"action":"connect","tenant":"acme"}`, `two {"action":"connect","tenant":"acme"}`},
			"b: 1 installed, 1 degraded", "",
		},
		"something is missing": {
			"TENANT=acme CRM=a",
			map[string][]connect.Result{"one": {of(report("a", "", connect.OK, connect.Missing))}, "two": {of()}},
			[]string{`one {"action":"connect","tenant":"acme","crm":"a"}`, `two {"action":"connect","tenant":"acme","crm":"a"}`},
			"  missing    a thing  what it means\n             what mends it\n", "something is missing or refused",
		},
		"it is only looked at": {
			"TENANT=acme ACTION=check",
			map[string][]connect.Result{"one": {of(report("a", "", connect.Refused))}},
			[]string{`one {"action":"check","tenant":"acme"}`, "two"},
			"refused", "something is missing or refused",
		},
		"it is not done at once": {
			"TENANT=acme",
			map[string][]connect.Result{"one": {of(report("a", "x1", connect.Missing)), of(report("a", "x2", connect.Missing)), of(report("a", "", connect.Installed))}},
			[]string{
				`one {"action":"connect","tenant":"acme"}`, `one {"action":"connect","tenant":"acme","crm":"a","after":"x1"}`, `one {"action":"connect","tenant":"acme","crm":"a","after":"x2"}`, "two",
			},
			"a: 1 installed", "",
		},
		"as JSON":                       {"TENANT=acme JSON=1", map[string][]connect.Result{"one": {of(report("a", "", connect.OK))}}, []string{`one {"action":"connect","tenant":"acme"}`, "two"}, `"state": "ok"`, ""},
		"nothing is bound":              {"TENANT=acme", map[string][]connect.Result{"one": {of()}, "two": {of()}}, []string{`one {"action":"connect","tenant":"acme"}`, `two {"action":"connect","tenant":"acme"}`}, "", "has no CRM of a kind"},
		"the tenant is not known":       {"TENANT=acme", map[string][]connect.Result{"one": {connect.Refuse("tenant acme is not known")}}, []string{`one {"action":"connect","tenant":"acme"}`}, "", "one-drain: tenant acme is not known"},
		"a stack of a release before":   {"TENANT=acme", nil, []string{"one", "two"}, "", "deploy this release first"},
		"no tenant":                     {"", nil, nil, "", "TENANT is not set"},
		"a file in place of a tenant":   {"TENANT=acme.yaml", nil, nil, "", "not its file"},
		"an action that is none":        {"TENANT=acme ACTION=apply", nil, nil, "", "ACTION is connect or check"},
		"a function that says nonsense": {"TENANT=acme", map[string][]connect.Result{"one": {of(report("a", "x1")), of()}}, []string{`one {"action":"connect","tenant":"acme"}`, `one {"action":"connect","tenant":"acme","crm":"a","after":"x1"}`}, "", "does not answer as it should"},
	} {
		t.Run(sentence, func(t *testing.T) {
			variables := map[string]string{}
			for v := range strings.FieldsSeq(c.variables) {
				name, value, _ := strings.Cut(v, "=")
				variables[name] = value
			}
			var asked []string
			var out bytes.Buffer
			err := Connect(t.Context(), &out, func(name string) string { return variables[name] }, []string{"one", "two"}, func(_ context.Context, function string, event []byte) ([]byte, error) {
				kind := strings.TrimSuffix(function, "-drain")
				if c.answers[kind] == nil {
					asked = append(asked, kind)
					return nil, fmt.Errorf("%w %s", ErrNoFunction, function)
				}
				asked = append(asked, kind+" "+string(event))
				answer := c.answers[kind][0]
				c.answers[kind] = c.answers[kind][1:]
				return json.Marshal(answer)
			})
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked %q", asked)
			}
			if !strings.Contains(out.String(), c.printed) {
				t.Errorf("printed %q, want %q", out.String(), c.printed)
			}
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("%v, want %q", err, c.problem)
			}
			if _, usage := errors.AsType[*UsageError](err); usage != (c.asked == nil) {
				t.Errorf("%v", err)
			}
		})
	}
}
