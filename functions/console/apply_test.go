package console_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"signalbox/functions/console"
	"signalbox/shared/hosts"
	"signalbox/shared/store/memstore"
)

func TestApply(t *testing.T) {
	t.Parallel()
	demo, err := os.ReadFile("../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	request := func(action, file string) string {
		return `{"action":"` + action + `","file":` + file + `}`
	}
	renamed := strings.Replace(string(demo), "Acme Demo (local use only)", "Acme", 1)
	invalid := strings.Replace(string(demo), `"US"`, `"XX"`, 1)
	renaming := `"changes":[{"path":"tenant.name","kind":"changed","before":"Acme Demo (local use only)","after":"Acme"}]`
	refused := `{"problems":[{"path":"tenant.region","reason":"is not a code of ISO 3166-1 alpha-2, such as US or GB: what national numbers are read with"}]}`
	type exchange struct{ request, answer string }
	tests := map[string][]exchange{
		"a file that is in force changes nothing": {{request("apply", string(demo)), `{"version":1,"changes":[]}`}},
		"a plan is not carried out": {
			{request("plan", renamed), `{"version":2,` + renaming + `}`}, {request("plan", string(demo)), `{"version":1,"changes":[]}`},
		},
		"an applied file is in force": {
			{request("apply", renamed), `{"version":2,` + renaming + `}`}, {request("plan", renamed), `{"version":2,"changes":[]}`},
		},
		"a file that is refused changes nothing": {
			{request("plan", invalid), refused}, {request("apply", invalid), refused}, {request("plan", string(demo)), `{"version":1,"changes":[]}`},
		},
		"a kind of CRM that nobody serves is refused": {
			{request("apply", strings.Replace(string(demo), `"kind": "hubspot"`, `"kind": "hubspt"`, 1)), `{"problems":[{"path":"tenant.crms[0].kind","reason":"is no CRM of this deployment, which has dynamics, hubspot, salesforce"}]}`},
			{request("plan", string(demo)), `{"version":1,"changes":[]}`},
		},
		"an action that nobody knows is refused": {{request("drop", string(demo)), `{"problems":[{"path":"action","reason":"is not plan or apply"}]}`}},
		"no file is refused":                     {{`{"action":"apply"}`, `{"problems":[{"path":"","reason":"the file is not one JSON value: look near byte 0"}]}`}},
	}
	for name, exchanges := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			tenants := tenants(t, hosts.Any, io.MultiWriter(&log, t.Output()))
			invoke(t, tenants, request("apply", string(demo)))
			for i, e := range exchanges {
				if got := invoke(t, tenants, e.request); got != e.answer {
					t.Errorf("exchange %d: got %s, want %s", i, got, e.answer)
				}
			}
			for _, told := range []string{"local-use-only-", "+15557654321"} {
				if strings.Contains(log.String(), told) {
					t.Errorf("the log holds %q", told)
				}
			}
		})
	}
}

func invoke(t *testing.T, tenants *console.Tenants, request string) string {
	t.Helper()
	var r console.Request
	if err := json.Unmarshal([]byte(request), &r); err != nil {
		t.Fatal(err)
	}
	answer, err := tenants.Apply(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestAFailureIsToldByItsCodeAlone(t *testing.T) {
	t.Parallel()
	demo, err := os.ReadFile("../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	s := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault { return memstore.Throttled }))
	_, err = tenantsOver(t, s, hosts.Any, io.Discard).Apply(t.Context(), console.Request{Action: console.ActionApply, File: demo})
	if err == nil || err.Error() != memstore.CodeThrottled {
		t.Errorf("got %v", err)
	}
}
