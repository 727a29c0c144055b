package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/shared/consent"
	"signalbox/shared/operations/operate"

	"github.com/google/go-cmp/cmp"
)

const someone = "+12025550123"

// asked is what a function was asked for.
type asked struct {
	Action  string          `json:"action"`
	Consent consent.Request `json:"consent"`
}

// answering returns an Invoke that replies to each request, and where the requests go.
func answering(t *testing.T, answer func(asked) string) (operate.Invoke, *[]asked) {
	t.Helper()
	var all []asked
	return func(_ context.Context, function string, event []byte) ([]byte, error) {
		var a asked
		if err := json.Unmarshal(event, &a); err != nil || function != "apply-tenant" {
			t.Errorf("%s was invoked: %v", function, err)
		}
		all = append(all, a)
		return []byte(answer(a)), nil
	}, &all
}

// variables returns what looks variables up.
func variables(pairs ...string) func(string) string {
	set := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return set[name] }
}

// outcomes returns what becomes of rows: those without an address are refused, opt-ins are history.
func outcomes(a asked) string {
	result := consent.Result{}
	for _, r := range a.Consent.Rows {
		switch {
		case r.Address == "":
			result.Rows = append(result.Rows, consent.RowResult{Number: r.Number, Outcome: consent.Refused, Reason: "address is not E.164"})
		case r.State == consent.OptedIn:
			result.Rows = append(result.Rows, consent.RowResult{Number: r.Number, Outcome: consent.History})
		default:
			result.Rows = append(result.Rows, consent.RowResult{Number: r.Number, Outcome: consent.Taken})
		}
	}
	data, _ := json.Marshal(map[string]any{"consent": result})
	return string(data)
}

func TestAFileIsImported(t *testing.T) {
	t.Parallel()
	const file = "\ufeffAddress,state,at,proof\r\n" + someone + ",opted_out,,\r\n,opted_out,,\n\"" + someone + "\",opted_in,2026-01-31,\"form 12,\npage 3\"\n" + someone + ",opted_out\n"
	for name, c := range map[string]struct {
		file   string
		set    []string
		action string // that was asked for, "" for nothing
		out    string
		failed []string
	}{
		"a plan":              {file, nil, consent.Plan, "line 3 is refused: address is not E.164\nplan: 2 taken, 1 history, 1 refused\n", []string{"some rows were refused"}},
		"a plan by its name":  {"address,state\n" + someone + ",opted_out\n", []string{"ACTION", "plan"}, consent.Plan, "plan: 1 taken, 0 history, 0 refused\n", nil},
		"applied":             {file, []string{"ACTION", "apply", "BY", "ada", "REASON", "INC-7"}, consent.Enter, "line 3 is refused: address is not E.164\nenter: 2 taken, 1 history, 1 refused\n", []string{"some rows were refused"}},
		"nobody applies":      {file, []string{"ACTION", "apply", "REASON", "INC-7"}, "", "", []string{"BY is not set"}},
		"for no reason":       {file, []string{"ACTION", "apply", "BY", "ada"}, "", "", []string{"REASON is not set"}},
		"another action":      {file, []string{"ACTION", "aply"}, "", "", []string{"ACTION is plan or apply"}},
		"no tenant":           {file, []string{"TENANT", ""}, "", "", []string{"TENANT is to be"}},
		"a tenant's file":     {file, []string{"TENANT", "acme.json"}, "", "", []string{"TENANT is to be"}},
		"a column of no name": {"address,status\nx,y\n", nil, "", "", []string{"column 2 is none of"}},
		"no state":            {"address,channel\nx,y\n", nil, "", "", []string{"address and state are needed"}},
		"nothing":             {"", nil, "", "", []string{"the first line is to name the columns"}},
		"broken quotes":       {"address,state\n" + someone + ",opted_out\n\"" + someone + "\"x,opted_out\n", nil, "", "", []string{"line 3 is not CSV", "nothing was imported"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.csv")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			invoke, all := answering(t, outcomes)
			var out strings.Builder
			err := operate.ConsentImport(t.Context(), &out, variables(append([]string{"TENANT", "acme", "FILE", path}, c.set...)...), invoke)
			checkError(t, err, c.failed)
			if out.String() != c.out {
				t.Errorf("printed %q", out.String())
			}
			if (c.action == "") != (len(*all) == 0) || len(*all) > 0 && (*all)[0].Action != c.action {
				t.Errorf("asked %+v", *all)
			}
			if strings.Contains(out.String()+fmt.Sprint(err), someone[1:]) {
				t.Error("an address was printed")
			}
		})
	}
}

// TestAnImportThatIsRefusedInPartEndsWithOne, and asks for a hundred rows at a time, each by its line.
func TestAnImportThatIsRefusedInPartEndsWithOne(t *testing.T) {
	t.Parallel()
	file := "state,address,source\n" + strings.Repeat("opted_out,"+someone+",crm\n", 249) + "opted_out,,crm\n"
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	invoke, all := answering(t, outcomes)
	var out strings.Builder
	err := operate.ConsentImport(t.Context(), &out, variables("TENANT", "acme", "FILE", path), invoke)
	if operate.ExitStatus(err) != 1 || !strings.Contains(out.String(), "line 251 is refused") {
		t.Errorf("%v: %s", err, out.String())
	}
	if len(*all) != 3 || len((*all)[2].Consent.Rows) != 50 {
		t.Fatalf("%d requests", len(*all))
	}
	if diff := cmp.Diff(consent.Row{Number: 102, Address: someone, State: "opted_out", Source: "crm"}, (*all)[1].Consent.Rows[0]); diff != "" {
		t.Error(diff)
	}
}

func TestConsentIsShownEnteredAndExported(t *testing.T) {
	t.Parallel()
	known := func(digest, next string) string {
		return `{"consent":{"known":[{"address":"` + digest + `","marks":[{"state":"opted_out","channel":"sms","purpose":"messaging","at":"2026-01-31T10:00:00Z","eventId":"e","source":"keyword"}]}],"next":"` + next + `"}}`
	}
	for name, c := range map[string]struct {
		set    []string
		answer func(asked) string
		want   asked // its time is not compared
		out    string
		failed []string
	}{
		"shown": {[]string{"ADDRESS", someone}, func(asked) string {
			return `{"consent":{"digest":"d","holds":[{"channel":"sms","purpose":"messaging","verdict":"denied","why":"stopped"}]}}`
		}, asked{consent.Show, consent.Request{Tenant: "acme", Address: someone}}, `"verdict": "denied"`, nil},
		"entered": {[]string{"ACTION", "enter", "ADDRESS", someone, "STATE", "opted_out", "BY", "ada", "REASON", "INC-7", "AT", "2026-01-31"}, outcomes, asked{
			consent.Enter, consent.Request{Tenant: "acme", By: "ada", Reason: "INC-7", Rows: []consent.Row{
				{Number: 1, Address: someone, State: "opted_out", At: "2026-01-31", Source: "agent"},
			}},
		}, "enter: 1 taken, 0 history, 0 refused\n", nil},
		"exported": {[]string{"ACTION", "export"}, func(a asked) string {
			if a.Consent.After == "" {
				return known("d1", "d1")
			}
			return known("d2", "")
		}, asked{consent.Export, consent.Request{Tenant: "acme"}}, "address_digest,channel,line,purpose,state,at,source,event\nd1,sms,,messaging,opted_out,2026-01-31T10:00:00Z,keyword,e\nd2,sms,,messaging,opted_out,2026-01-31T10:00:00Z,keyword,e\n", nil},
		"of nobody":          {nil, nil, asked{}, "", []string{"ADDRESS is not set"}},
		"another action":     {[]string{"ACTION", "delete"}, nil, asked{}, "", []string{"ACTION is show, enter or export"}},
		"entered by nobody":  {[]string{"ACTION", "enter"}, nil, asked{}, "", []string{"BY is not set"}},
		"refused":            {[]string{"ADDRESS", "x y"}, func(asked) string { return `{"consent":{"problems":["address is not E.164"]}}` }, asked{consent.Show, consent.Request{Tenant: "acme", Address: "x y"}}, "", []string{"address is not E.164"}},
		"an earlier release": {[]string{"ADDRESS", someone}, func(asked) string { return `{"problems":[{"path":"action","reason":"is not plan or apply"}]}` }, asked{consent.Show, consent.Request{Tenant: "acme", Address: someone}}, "", []string{"is the stack of this release?", "action is not plan or apply"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invoke, all := answering(t, c.answer)
			var out strings.Builder
			err := operate.Consent(t.Context(), &out, variables(append([]string{"TENANT", "acme"}, c.set...)...), invoke)
			checkError(t, err, c.failed)
			if !strings.Contains(out.String(), c.out) || c.out == "" && out.Len() > 0 {
				t.Errorf("printed %q", out.String())
			}
			if c.answer == nil {
				if _, usage := errors.AsType[*operate.UsageError](err); !usage || len(*all) > 0 {
					t.Errorf("asked %+v", *all)
				}
				return
			}
			if diff := cmp.Diff(c.want, (*all)[0]); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(out.String()+fmt.Sprint(err), someone[1:]) {
				t.Error("an address was printed")
			}
		})
	}
}
