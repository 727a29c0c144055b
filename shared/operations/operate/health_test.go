package operate_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/operations/operate"

	"github.com/google/go-cmp/cmp"
)

const (
	quietHealth = `{"crm":"toy","from":"2026-11-28T00:00:00Z","until":"2026-11-28T00:10:00Z","queues":[],"versions":[],"bindings":[]}`
	openHealth  = `{"crm":"toy","from":"2026-11-28T00:00:00Z","until":"2026-11-28T00:10:00Z",
"queues":[{"name":"deliveries","waiting":3,"inFlight":2,"delayed":0},{"name":"receipts","waiting":0,"inFlight":0}],"versions":[{"function":"st-toy-deliver","version":"7","processes":4}],
"bindings":[{"tenant":"demo","crm":"toy","calls":{"count":12,"p50Seconds":0.1,"p95Seconds":0.456},"rows":{"ok":99,"throttled":1},"errors":{"throttled":0.01,"permanent":0.001},"lag":{"count":99,"p95Seconds":2},
"budget":{"limit":1000,"used":300,"byUs":200,"ends":"2026-11-29T00:00:00Z","runsOut":"2026-11-28T05:00:00Z","state":"low"}}]}`
	batchHealth = `{"crm":"toy","from":"2026-11-28T00:00:00Z","until":"2026-11-28T00:10:00Z","queues":[],"versions":[],
"bindings":[{"tenant":"acme","crm":"logs","calls":{"count":0},"lag":{"count":0},"gate":{"closed":true,"tier":"batch","since":"2026-11-28T00:01:02Z","probe":"2026-11-28T01:00:00Z","parked":121},"history":{"closed":true,"tier":"bulk","parked":4000,"delivered":500,"job":{"state":"InProgress","rows":8000,"processed":2000,"failed":3}}}]}`
	closedHealth = `{"crm":"toy","from":"2026-11-28T00:00:00Z","until":"2026-11-28T00:10:00Z","queues":[],"versions":[],
"bindings":[{"tenant":"acme","crm":"second","calls":{"count":0},"lag":{"count":0},"gate":{"closed":true,"code":"toy_unauthorized","advice":"Make a new key.","since":"2026-11-27T22:01:02Z","parked":121}},
{"tenant":"demo","crm":"toy","calls":{"count":1,"p95Seconds":1},"lag":{"count":1,"p95Seconds":1}}]}`
)

func TestHealth(t *testing.T) {
	for sentence, c := range map[string]struct {
		variables map[string]string
		answers   map[string]string // by path and query: status and body
		out       string
		failed    []string
	}{
		"of all kinds that the stack has": {
			nil,
			map[string]string{"/v1/connectors/toy/health": "200 " + openHealth, "/v1/connectors/other/health": "404 {}"},
			`toy, 10m0s until 00:10 UTC; deliveries 3 waiting, 2 in flight; receipts 0 waiting, 0 in flight; st-toy-deliver version 7 in 4
tenant  crm  gate  calls  p95     errors                          lag p95  parked  what to mend
demo    toy  open  12     0.46 s  permanent 0.1%, throttled 1.0%  2.00 s           requests of the day low: 300 of 1000, 200 by us, all at 05:00 UTC
`, nil,
		},
		"a closed gate is an error, and its line says what to mend": {
			map[string]string{"CRM": "toy", "MINUTES": "30"},
			map[string]string{"/v1/connectors/toy/health?minutes=30": "200 " + closedHealth},
			`toy, 10m0s until 00:10 UTC
tenant  crm     gate                               calls  p95     errors  lag p95  parked  what to mend
acme    second  closed since 2026-11-27 22:01 UTC  0                               121     toy_unauthorized: Make a new key.
demo    toy     open                               1      1.00 s          1.00 s           
`,
			[]string{"a gate is closed"},
		},
		"what waits for the hour is no outage": {
			map[string]string{"CRM": "toy"},
			map[string]string{"/v1/connectors/toy/health": "200 " + batchHealth},
			`toy, 10m0s until 00:10 UTC
tenant  crm           gate                                                                 calls  p95  errors  lag p95  parked  what to mend
acme    logs          batch, next at 01:00 UTC                                             0                            121     
acme    logs history  bulk, 500 delivered; job InProgress, 2000 of 8000 records, 3 failed                               4000    
`, nil,
		},
		"nothing was seen":           {map[string]string{"CRM": "toy"}, map[string]string{"/v1/connectors/toy/health": "200 " + quietHealth}, "toy, 10m0s until 00:10 UTC\ntenant  crm  gate  calls  p95  errors  lag p95  parked  what to mend\nnothing is told of any tenant's: a minute is told once it is over and something more has come\n", nil},
		"no such kind":               {map[string]string{"CRM": "a/b"}, map[string]string{"/v1/connectors/a%2Fb/health": "404 {}"}, "", []string{"check CRM"}},
		"who asks may not":           {map[string]string{"CRM": "toy"}, map[string]string{"/v1/connectors/toy/health": `403 {"message":"Forbidden"}`}, "", []string{"execute-api:Invoke", "AWS_PROFILE"}},
		"too many minutes":           {map[string]string{"CRM": "toy", "MINUTES": "99"}, map[string]string{"/v1/connectors/toy/health?minutes=99": `400 {"message":"minutes is a number"}`}, "", []string{"toy: 400 minutes is a number"}},
		"it cannot be told just now": {map[string]string{"CRM": "toy"}, map[string]string{"/v1/connectors/toy/health": "503 "}, "", []string{"toy: 503"}},
		"another answer":             {map[string]string{"CRM": "toy"}, map[string]string{"/v1/connectors/toy/health": "200 <html>"}, "", []string{"not as it should be"}},
		"no stack":                   {map[string]string{"STACK": ""}, nil, "", []string{"STACK is not set", "make health STACK="}},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer, asked := c.answers[r.URL.RequestURI()]
				if !asked || r.Header.Get("Authorization") != "signed" {
					t.Errorf("asked %s, signed %q", r.URL.RequestURI(), r.Header.Get("Authorization"))
				}
				status, body, _ := strings.Cut(answer, " ")
				w.WriteHeader(map[string]int{"200": 200, "400": 400, "403": 403, "404": 404, "503": 503}[status])
				_, _ = io.WriteString(w, body)
			}))
			defer server.Close()
			variables := map[string]string{"STACK": "st"}
			maps.Copy(variables, c.variables)
			open := func(context.Context, string, string) (operate.Stack, error) {
				return operate.Stack{
					Outputs: func(context.Context) (map[string]string, error) {
						return map[string]string{"GatewayUrl": server.URL + "/"}, nil
					},
					Sign: func(_ context.Context, r *http.Request) error {
						r.Header.Set("Authorization", "signed")
						return nil
					},
				}, nil
			}
			if c.variables["CRM"] == "" {
				variables["CRMS"] = "toy,other"
			}
			var out strings.Builder
			err := operate.Command(t.Context(), &out, root, "health", func(name string) string { return variables[name] }, open)
			checkError(t, err, c.failed)
			if diff := cmp.Diff(c.out, strings.TrimSuffix(out.String(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHealthOfAGatewayThatIsGone(t *testing.T) {
	stack := operate.Stack{
		Outputs: func(context.Context) (map[string]string, error) {
			return map[string]string{"GatewayUrl": "http://127.0.0.1:1"}, nil
		},
		Sign: func(context.Context, *http.Request) error { return nil },
	}
	lookup := func(string) string { return "" }
	checkError(t, operate.Health(t.Context(), io.Discard, lookup, []string{"toy"}, stack), []string{"gave no answer"})
	stack.Sign = func(context.Context, *http.Request) error { return errors.New("no credentials") }
	checkError(t, operate.Health(t.Context(), io.Discard, lookup, []string{"toy"}, stack), []string{"no credentials"})
}
