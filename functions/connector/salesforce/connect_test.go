package salesforce_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/connect"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
	"signalbox/shared/mapping"
)

// visit connects, or only checks.
func visit(t *testing.T, crm *salesforce.CRM, install bool, after string) connectortest.Report {
	t.Helper()
	return connectortest.Visit(t, crm, connector.BindingKey{Tenant: tenantID, CRM: "sf"}, install, after, "PRIVATE KEY", "00D000000000001!")
}

// TestConnectMakesABareOrgWork: the package is deployed, a person assigns the permission set, and then all is there and nothing is written.
func TestConnectMakesABareOrgWork(t *testing.T) {
	for name, change := range map[string]func(*salesforce.Binding, *simulator.Options){
		"with a key of tasks": func(*salesforce.Binding, *simulator.Options) {},
		"without one, which the org refuses": func(b *salesforce.Binding, o *simulator.Options) {
			b.Capabilities.TaskUpsert, o.NoTaskKey = false, true
		},
		"a deployment that takes half a minute": func(_ *salesforce.Binding, o *simulator.Options) { o.DeployTime = 30 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, options := org(), simulator.Options{Bare: true, Apps: apps(t)}
				change(&b, &options)
				s := simulator.New(options)
				w := &connectortest.Requests{RoundTripper: simulatortest.Transport(s), Reads: []string{"/oauth2/token"}}
				crm := newPlace().crm(b, w, slog.New(slog.DiscardHandler))
				if report := visit(t, crm, false, ""); !report.Lacks() || len(w.Writes) > 0 || report.After != "" {
					t.Errorf("looked at, writes %v:\n%s", w.Writes, report)
				}
				report := visit(t, crm, true, "")
				if options.DeployTime > 0 {
					if report.Of("deployment").State != connect.Missing || report.After == "" {
						t.Errorf("it is not done:\n%s", report)
					}
					report = visit(t, crm, true, report.After)
				}
				if len(w.Writes) != 1 || report.Of("deployment").State != connect.Installed || report.Of("permission set Signalbox").State != connect.Missing || report.After != "" {
					t.Errorf("deployed, writes %v:\n%s", w.Writes, report)
				}
				s.Assign("Signalbox")
				w.Writes, w.All = nil, 0
				again := visit(t, crm, true, "")
				if again.Lacks() || again.Installed() || len(w.Writes) > 0 || w.All != 10 {
					t.Errorf("once more: %d requests, of them writes %v\n%s", w.All, w.Writes, again)
				}
				_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
				none(t, errs)
			})
		})
	}
}

// TestWhatConnectSaysOfAnOrg: each thing that an org lacks, and that nothing is deployed where something is refused.
func TestWhatConnectSaysOfAnOrg(t *testing.T) {
	type admin = func(*simulator.Simulator)
	maps := func(fields string) func(*salesforce.Binding) {
		return func(b *salesforce.Binding) { b.Settings = []byte(`{"fields":{"version":1,` + fields + `}}`) }
	}
	work := func(kind delivery.Kind, pairs ...string) func(*salesforce.Binding) {
		return func(b *salesforce.Binding) {
			value := map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				value[pairs[i]] = pairs[i+1]
			}
			b.Work = []delivery.Action{{Kind: kind, Value: value}}
		}
	}
	own := func(o mapping.Object, f mapping.Described) admin {
		return func(s *simulator.Simulator) { s.DefineMapped(o, f) }
	}
	for name, c := range map[string]struct {
		org    simulator.Options
		admin  admin
		change func(*salesforce.Binding)
		what   string
		state  connect.State
		says   string // of what it means or what mends it
		writes bool
	}{
		"an org that has all":         {what: "fields of Lead", state: connect.OK},
		"which org it is":             {what: "org", state: connect.OK, says: "00D000000000001EAA, Developer Edition"},
		"the org that is named":       {change: func(b *salesforce.Binding) { b.OrgID = "00D000000000001" }, what: "org", state: connect.OK, says: "00D000000000001EAA"},
		"a session of another org":    {change: func(b *salesforce.Binding) { b.OrgID = "00D000000000002EAA" }, what: "org", state: connect.Refused, says: "salesforce_other_org"},
		"a user who has not approved": {change: func(b *salesforce.Binding) { b.Username = "goat@acme.example" }, what: "org", state: connect.Refused, says: "salesforce_invalid_grant"},
		"an app that is not there":    {change: func(b *salesforce.Binding) { b.ClientID = "goat" }, what: "org", state: connect.Refused, says: "Consumer Key"},
		"a base URL that is none":     {change: func(b *salesforce.Binding) { b.BaseURL = "acme" }, what: "org", state: connect.Refused, says: "My Domain"},
		"a version that is":           {what: "version", state: connect.OK, says: "v66.0, of v50.0 to v68.0"},
		"a version that is not":       {change: func(b *salesforce.Binding) { b.Version = "v99.0" }, what: "version", state: connect.Refused, says: `"apiVersion": "v66.0"`},
		"the requests of a day":       {what: "requests a day", state: connect.OK, says: "of 1000000 are left"},
		"few requests of a day": {admin: func(s *simulator.Simulator) {
			s.Spoil(simulatortest.Fault{Match: "/services/data/v66.0/limits", Status: http.StatusOK, Body: []byte(`{"DailyApiRequests":{"Max":15000,"Remaining":14}}`)})
		}, what: "requests a day", state: connect.Degraded, says: "deliveries wait once none is"},
		"no right to deploy":              {org: simulator.Options{Bare: true, NoDeploy: true}, what: "deployment", state: connect.Missing, says: "sf project deploy start --metadata-dir functions/connector/salesforce/package", writes: true},
		"no permission set":               {org: simulator.Options{Unassigned: true}, what: "permission set Signalbox", state: connect.Missing, says: "sf org assign permset --name Signalbox", writes: true},
		"a field that is hidden":          {admin: func(s *simulator.Simulator) { s.Revoke("Signalbox", "Lead.Msg_Consent__c") }, what: "fields of Lead", state: connect.Installed, writes: true},
		"a field that is only read":       {admin: func(s *simulator.Simulator) { s.Revoke("Signalbox", "read Lead.Msg_Consent__c") }, what: "Lead.Msg_Consent__c", state: connect.Missing, says: "may not edit it"},
		"a field of another type":         {org: simulator.Options{Bare: true}, admin: func(s *simulator.Simulator) { s.Define("Lead", "Msg_Source__c", "Number", 0) }, what: "Lead.Msg_Source__c", state: connect.Refused, says: "of the type double and has to be string"},
		"what waits for what is refused":  {org: simulator.Options{Bare: true}, admin: func(s *simulator.Simulator) { s.Define("Lead", "Msg_Source__c", "Number", 0) }, what: "fields of Contact", state: connect.Missing, says: "nothing is deployed while something is refused"},
		"a field that is too short":       {admin: func(s *simulator.Simulator) { s.Shorten("Lead", "Msg_Address__c", 10) }, what: "Lead.Msg_Address__c", state: connect.Degraded, says: "10 characters"},
		"a key that is none":              {org: simulator.Options{Bare: true}, admin: func(s *simulator.Simulator) { s.Define("Lead", "Msg_Sender_Key__c", "Text", 64) }, what: "Lead.Msg_Sender_Key__c", state: connect.Refused, says: "no external id"},
		"a key of tasks that is none":     {org: simulator.Options{NoTaskKey: true}, what: "Task.Msg_Event_Key__c", state: connect.Refused, says: `"taskUpsert": false`},
		"an org that takes no such key":   {org: simulator.Options{Bare: true, NoTaskKey: true}, what: "unique key of tasks", state: connect.Missing, says: `"taskUpsert": false`, writes: true},
		"a file that does without it":     {change: func(b *salesforce.Binding) { b.Capabilities.TaskUpsert = false }, what: "unique key of tasks", state: connect.Degraded, says: "looked for before it is made"},
		"an older package in the file":    {change: func(b *salesforce.Binding) { b.Package = 2 }, what: "package", state: connect.Degraded, says: `"package": 5`},
		"fields of a later package alone": {org: simulator.Options{NoDeploy: true}, change: func(b *salesforce.Binding) { b.Package = 3 }, admin: func(s *simulator.Simulator) { s.Revoke("Signalbox", "Msg_Event__c.Status_Reason__c") }, what: "later fields of Msg_Event__c", state: connect.Degraded, says: "an older package", writes: true},
		"codes of countries that are on":  {org: simulator.Options{Picklists: true}, what: "codes of countries", state: connect.Degraded, says: `"countryCodes": true`},
		"codes of countries that are off": {change: func(b *salesforce.Binding) { b.Capabilities.CountryCodes = true }, what: "codes of countries", state: connect.Missing, says: `"countryCodes": false`},
		"files that may be made":          {what: "files", state: connect.OK},
		"files that may not":              {org: simulator.Options{NoFiles: true}, what: "files", state: connect.Degraded, says: "stay links"},
		"cadences that nobody asks for":   {what: "cadences", state: connect.Degraded, says: `"salesEngagement": true`},
		"cadences":                        {change: func(b *salesforce.Binding) { b.Capabilities.SalesEngagement = true }, what: "cadences", state: connect.OK},
		"cadences that are not licensed":  {org: simulator.Options{NoCadences: true}, change: func(b *salesforce.Binding) { b.Capabilities.SalesEngagement = true }, what: "cadences", state: connect.Degraded, says: "SequencesNotCancelled"},
		"a mapping that fits":             {change: maps(`"person":[{"to":"Mood__c","value":"x"}]`), admin: own(mapping.Person, mapping.Described{Name: "Mood__c", Type: mapping.Text}), what: "settings.fields", state: connect.OK},
		"a mapping to what tasks have":    {change: maps(`"activity":[{"to":"CallType","value":"x"}]`), admin: func(s *simulator.Simulator) { s.Define("Task", "CallType", "Text", 40) }, what: "settings.fields", state: connect.OK},
		"and our own object has not, where messages are no tasks": {
			change: func(b *salesforce.Binding) {
				maps(`"activity":[{"to":"CallType","value":"x"}]`)(b)
				b.Capabilities.Tasks = false
			},
			what: "settings.fields.activity[0].to of Msg_Event__c", state: connect.Refused, says: "is no field that the credentials can see",
		},
		"a mapping of an object that is not seen": {
			org: simulator.Options{Bare: true, NoDeploy: true}, change: func(b *salesforce.Binding) {
				maps(`"activity":[{"to":"Mood__c","value":"x"}]`)(b)
				b.Capabilities.Tasks = false
			},
			what: "settings.fields", writes: true,
		},
		"what describes a person, hidden": {admin: func(s *simulator.Simulator) { s.Hide("Lead", "Description") }, what: "Lead.Description", state: connect.Degraded, says: "Set Field-Level Security"},
		"the lines of sessions, hidden":   {admin: func(s *simulator.Simulator) { s.Hide("Task", "Description") }, what: "Task.Description", state: connect.Missing, says: "deliveries that write it wait"},
		"a number that may only be read":  {admin: func(s *simulator.Simulator) { s.Protect("Contact", "Phone") }, what: "Contact.Phone", state: connect.Missing, says: "not to be edited"},
		"a mapping to what leads lack":    {change: maps(`"person":[{"to":"HomePhone","value":"x"}]`), what: "settings.fields.person[0].to of Lead", state: connect.Refused, says: "is no field that the credentials can see"},
		"a mapping to what is read":       {change: maps(`"lead":[{"to":"ConvertedContactId","value":"x"}]`), what: "settings.fields.lead[0].to of Lead", state: connect.Refused, says: "cannot write"},
		"a mapping to another type":       {change: maps(`"conversation":[{"to":"When__c","value":"x"}]`), admin: own(mapping.Conversation, mapping.Described{Name: "When__c", Type: mapping.Datetime}), what: "settings.fields.conversation[0].as of Msg_Conversation__c", state: connect.Refused, says: "takes datetime"},
		"a mapping to no option":          {change: maps(`"activity":[{"to":"Mood__c","value":"grim"}]`), admin: own(mapping.Activity, mapping.Described{Name: "Mood__c", Type: mapping.Choice, Options: []string{"gay"}}), what: "settings.fields.activity[0].choices of Task", state: connect.Refused, says: "no option of the field"},
		"a status that leads can have":    {change: work(delivery.SetStatus, "to", "Working - Contacted"), what: "rules: set_status Working - Contacted", state: connect.OK},
		"a status that is none":           {change: work(delivery.SetStatus, "to", "Goat"), what: "rules: set_status Goat", state: connect.Refused, says: "Lead.Status takes none but Open - Not Contacted"},
		"cases":                           {change: work(delivery.OpenCase, "status", "Escalated"), what: "rules: open_case Escalated", state: connect.OK},
		"cases that nobody may make":      {admin: (*simulator.Simulator).ForbidCases, change: work(delivery.OpenCase, "subject", "x"), what: "rules: open_case", state: connect.Degraded, says: "may not make a Case"},
		"a flow that is there":            {admin: func(s *simulator.Simulator) { s.AddFlow("Welcome", "recordId") }, change: work(delivery.StartAutomation, "name", "Welcome"), what: "rules: start_automation Welcome", state: connect.OK},
		"a flow that is not":              {change: work(delivery.StartAutomation, "name", "Welcome"), what: "rules: start_automation Welcome", state: connect.Degraded, says: "Autolaunched Flow"},
		"a flow without variables":        {admin: func(s *simulator.Simulator) { s.AddFlow("Welcome") }, change: work(delivery.StartAutomation, "name", "Welcome", "input.recordId", "$person", "input.channel", "$channel"), what: "rules: start_automation Welcome", state: connect.Degraded, says: "no variable channel, recordId"},
		"work that a package cannot yet":  {change: func(b *salesforce.Binding) { work(delivery.OpenCase, "subject", "x")(b); b.Package = 4 }, what: "rules: open_case", state: connect.Degraded, says: `"package": 5`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := org()
				if c.change != nil {
					c.change(&b)
				}
				c.org.Apps = apps(t)
				s := simulator.New(c.org)
				if c.admin != nil {
					c.admin(s)
				}
				w := &connectortest.Requests{RoundTripper: simulatortest.Transport(s), Reads: []string{"/oauth2/token"}}
				report := visit(t, newPlace().crm(b, w, slog.New(slog.DiscardHandler)), true, "")
				got := report.Of(c.what)
				if got.State != c.state || !strings.Contains(got.Means+" "+got.Mend, c.says) {
					t.Errorf("%+v, want %s and %q; all:\n%s", got, c.state, c.says, report)
				}
				if c.writes != (len(w.Writes) > 0) {
					t.Errorf("writes %v", w.Writes)
				}
			})
		})
	}
}

// TestNothingIsDeployedWithoutAReply: what cannot be reached is told, and asked once.
func TestNothingIsDeployedWithoutAReply(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"unreachable":           {io.ErrUnexpectedEOF, "salesforce_unreachable"},
		"an address of our own": {fault.New(fault.Blocked, hosts.CodeRefused, nil), "crm_host_refused"},
		"whose time is over":    {context.DeadlineExceeded, "salesforce_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &connectortest.Requests{RoundTripper: connectortest.Failing{Err: c.err}}
			report := visit(t, newPlace().crm(org(), w, slog.New(slog.DiscardHandler)), true, "")
			if got := report.Of("org"); got.State != connect.Refused || !strings.Contains(got.Means, c.says) || w.All != 1 || len(report.Findings) != 1 {
				t.Errorf("%d requests: %+v", w.All, report)
			}
		})
	}
}
