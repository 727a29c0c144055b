package dynamics_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/dynamics"
	"signalbox/functions/connector/dynamics/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/connect"
	"signalbox/shared/delivery"
)

// visit connects, or only checks, and returns the report, which says of everything that is missing or refused what mends it.
func visit(t *testing.T, crm *dynamics.CRM, install bool) connect.Report {
	t.Helper()
	report, err := crm.Connect(t.Context(), connector.BindingKey{Tenant: tenantID, CRM: "dynamics"}, install, "")
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(report)
	if err != nil || strings.Contains(string(encoded), string(token)) {
		t.Errorf("the report holds the secret: %v", err)
	}
	for _, f := range report.Findings {
		if (f.State == connect.Missing || f.State == connect.Refused) && (f.Means == "" || f.Mend == "") {
			t.Errorf("%s is %s: it does not say what that means, or what mends it: %+v", f.What, f.State, f)
		}
	}
	return report
}

// states returns what a report says, a line each.
func states(r connect.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(string(f.State) + " " + f.What + "\n")
	}
	return b.String()
}

// TestConnectMakesABareEnvironmentWork: the second time all is there and nothing is made.
func TestConnectMakesABareEnvironmentWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Apps: []simulator.App{app()}, Bare: true, Indexing: 3 * time.Minute})
		sent := &wire{next: simulatortest.Transport(s)}
		crm := newPlace().crm(environment(), sent, slog.New(slog.DiscardHandler))
		if report := visit(t, crm, false); !report.Lacks() || strings.Contains(sent.log.String(), "> POST /api") {
			t.Errorf("looked at:\n%s", states(report))
		}
		report := visit(t, crm, true)
		if report.After == "" || report.Refused() || !strings.Contains(states(report), "installed columns of lead") {
			t.Errorf("connected, and the indexes are being built:\n%s", states(report))
		}
		time.Sleep(5 * time.Minute)
		sent.log.Reset()
		again := visit(t, crm, true)
		if again.Lacks() || again.After != "" || strings.Contains(states(again), "installed") || strings.Contains(sent.log.String(), "> POST /api") {
			t.Errorf("once more:\n%s", states(again))
		}
		_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
		none(t, errs)
	})
}

// TestConnectWaitsForWhatElseIsCustomized, goes on with the next request, and takes what a try that was cut off has made.
func TestConnectWaitsForWhatElseIsCustomized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Apps: []simulator.App{app()}, Bare: true, Customizing: time.Minute})
		crm := newPlace().crm(environment(), simulatortest.Transport(s), slog.New(slog.DiscardHandler))
		if report := visit(t, crm, true); report.After == "" || !strings.Contains(states(report), "missing customization\n") {
			t.Errorf("while somebody else customizes:\n%s", states(report))
		}
		hidden := &wire{next: unseen{simulatortest.Transport(s)}}
		for range 2 {
			if report := visit(t, newPlace().crm(environment(), hidden, slog.New(slog.DiscardHandler)), true); report.Refused() || strings.Contains(states(report), "customization") {
				t.Errorf("after it:\n%s", states(report))
			}
		}
	})
}

// unseen hides the columns and keys that are there, as what is read of definitions does for a while after they were made.
type unseen struct{ next http.RoundTripper }

func (u unseen) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := u.next.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "EntityDefinitions") {
		told := `{"value":[]}`
		if !strings.HasSuffix(r.URL.Path, "Attributes") {
			told = `{"Keys":[]}`
		}
		_ = reply.Body.Close()
		reply.Body, reply.ContentLength = io.NopCloser(strings.NewReader(told)), int64(len(told))
	}
	return reply, err
}

// mapsTo has a tenant map entries.
func mapsTo(entries string) func(*dynamics.Binding) {
	return func(b *dynamics.Binding) { b.Settings = json.RawMessage(`{"fields":{"version":1,` + entries + `}}`) }
}

// TestWhatConnectSaysOfAnEnvironment that cannot be used, and of one where something is in the way: then nothing is made.
func TestWhatConnectSaysOfAnEnvironment(t *testing.T) {
	for sentence, c := range map[string]struct {
		options simulator.Options
		change  func(*dynamics.Binding)
		column  string // of leads, that is there already
		want    string
	}{
		"all is there":                            {want: "ok columns of lead"},
		"a secret that is none":                   {change: func(b *dynamics.Binding) { b.Secret = "guessed" }, want: "refused environment"},
		"an app that is no user":                  {options: simulator.Options{NotMember: true}, want: "refused environment"},
		"keys that are being indexed":             {options: simulator.Options{KeysPending: true}, want: "missing key msg_senderkeykey of lead"},
		"a column of another type":                {options: simulator.Options{Bare: true}, column: `{"SchemaName":"msg_optout","@odata.type":"Microsoft.Dynamics.CRM.IntegerAttributeMetadata"}`, want: "refused column msg_optout of lead"},
		"an environment that has no leads":        {change: func(b *dynamics.Binding) { b.Contacts = true }, want: "degraded leads"},
		"a mapping that fits":                     {change: mapsTo(`"person":[{"to":"jobtitle","value":"Guest","write":"create"}],"lead":[{"to":"leadqualitycode","from":"event.channel","choices":{"sms":"2"}}]`), want: "ok settings.fields"},
		"a mapping to a column that is not there": {change: mapsTo(`"activity":[{"to":"acme_goats","value":1}]`), want: "refused settings.fields.activity[0].to of msg_message"},
		"a mapping to an option that is none":     {change: mapsTo(`"lead":[{"to":"leadqualitycode","from":"event.channel","choices":{"sms":"9"}}]`), want: "refused settings.fields.lead[0].choices of lead"},
		"a mapping that is too long":              {change: mapsTo(`"person":[{"to":"jobtitle","from":"event.message.text"}]`), want: "refused settings.fields.person[0].maxLength of contact"},
		"a mapping to what is worked out":         {change: mapsTo(`"person":[{"to":"createdon","from":"event.timestamp"}]`), want: "refused settings.fields.person[0].to of lead"},
		"a status that a lead can be": {change: func(b *dynamics.Binding) {
			b.Work = []delivery.Action{{Kind: delivery.SetStatus, Value: map[string]string{"to": "2"}}}
		}, want: "ok rules: set_status 2"},
		"a status of a lead that is closed": {change: func(b *dynamics.Binding) {
			b.Work = []delivery.Action{{Kind: delivery.SetStatus, Value: map[string]string{"to": "3"}}}
		}, want: "refused rules: set_status 3"},
		"cases of leads": {change: func(b *dynamics.Binding) { b.Work = []delivery.Action{{Kind: delivery.OpenCase}} }, want: "degraded rules: open_case"},
		"cases of contacts": {change: func(b *dynamics.Binding) {
			b.Contacts, b.Work = true, []delivery.Action{{Kind: delivery.OpenCase, Value: map[string]string{"status": "4"}}}
		}, want: "ok rules: open_case 4"},
		"cases where there are none": {options: simulator.Options{NoCases: true}, change: func(b *dynamics.Binding) {
			b.Contacts, b.Work = true, []delivery.Action{{Kind: delivery.OpenCase}}
		}, want: "degraded rules: open_case"},
		"an automation": {change: func(b *dynamics.Binding) {
			b.Work = []delivery.Action{{Kind: delivery.StartAutomation, Value: map[string]string{"name": "Welcome"}}}
		}, want: "ok rules: start_automation Welcome"},
		"an address that is no environment": {change: func(b *dynamics.Binding) { b.BaseURL = "acme" }, want: "refused environment"},
	} {
		t.Run(sentence, func(t *testing.T) {
			c.options.Apps = []simulator.App{app()}
			s, b := simulator.New(c.options), environment()
			if c.change != nil {
				c.change(&b)
			}
			if c.column != "" {
				define(t, s, "lead", "Attributes", c.column)
			}
			report := visit(t, newPlace().crm(b, simulatortest.Transport(s), slog.New(slog.DiscardHandler)), true)
			if got := states(report); !strings.Contains(got, c.want+"\n") || c.column != "" && strings.Contains(got, "installed") {
				t.Errorf("%s", got)
			}
		})
	}
}
