package hubspot_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/connect"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
	"signalbox/shared/mapping"
)

// visit connects, or only checks.
func visit(t *testing.T, crm *hubspot.CRM, install bool) connectortest.Report {
	t.Helper()
	return connectortest.Visit(t, crm, connector.BindingKey{Tenant: tenantID, CRM: "hubspot"}, install, "", string(token))
}

// TestConnectMakesABarePortalWork: the second time all is there and nothing is written.
func TestConnectMakesABarePortalWork(t *testing.T) {
	for _, version := range []string{"", hubspot.Version202609, hubspot.VersionLegacy} {
		b := portal()
		b.Version, b.Properties.SenderKey = version, "acme_person_key"
		s := simulator.New(simulator.Options{Token: token, Bare: true})
		w := &connectortest.Requests{RoundTripper: simulator.Transport(s), Reads: []string{"/access-token-info"}}
		crm := newCRM(b, w, slog.New(slog.DiscardHandler))
		if report := visit(t, crm, false); !report.Lacks() || len(w.Writes) > 0 {
			t.Errorf("%s: looked at: %v\n%s", version, w.Writes, report)
		}
		report := visit(t, crm, true)
		if report.Lacks() || report.Of("properties of contacts").State != connect.Installed || report.Of("properties of leads").State != connect.Installed {
			t.Errorf("%s: connected:\n%s", version, report)
		}
		w.Writes, w.All = nil, 0
		again := visit(t, crm, true)
		if again.Installed() || again.Lacks() || len(w.Writes) > 0 || w.All != 9 {
			t.Errorf("%s: once more: %d requests, of them writes %v\n%s", version, w.All, w.Writes, again)
		}
		_, errs := connectortest.Carry(t.Context(), crm, newcomer(1), stop(2, "2026-01-18T14:23:12Z"))
		none(t, errs)
	}
}

// TestWhatConnectSaysOfAPortal: each thing that a portal lacks, and that nothing is made where something is refused.
func TestWhatConnectSaysOfAPortal(t *testing.T) {
	scopes := func(without ...string) []string {
		all := []string{}
		for _, s := range []string{"crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.leads.read", "crm.objects.leads.write", "crm.schemas.contacts.write", "files"} {
			if !strings.Contains(strings.Join(without, " "), s) {
				all = append(all, s)
			}
		}
		return all
	}
	work := func(kind delivery.Kind, name, value string) func(*hubspot.Binding) {
		return func(b *hubspot.Binding) {
			b.Work = []delivery.Action{{Kind: kind, Value: map[string]string{name: value}}}
		}
	}
	for name, c := range map[string]struct {
		portal simulator.Options
		define string // a property of contacts that is there already
		rule   simulator.Rule
		admin  func(*simulator.Simulator)
		change func(*hubspot.Binding)
		what   string
		state  connect.State
		says   string // of what it means or what mends it
		writes bool
	}{
		"a bare portal":                          {portal: simulator.Options{Bare: true}, what: "properties of contacts", state: connect.Installed, says: "msg_sender_key", writes: true},
		"a token that is refused":                {portal: simulator.Options{Token: "another"}, what: "portal", state: connect.Refused, says: "hubspot_unauthenticated"},
		"a token of another portal":              {change: func(b *hubspot.Binding) { b.PortalID = 99 }, what: "portal", state: connect.Refused, says: "hubspot_other_portal"},
		"the portal that is named":               {change: func(b *hubspot.Binding) { b.PortalID = 4242 }, what: "portal", state: connect.OK, says: "4242, STANDARD, US/Eastern"},
		"a base URL that is none":                {change: func(b *hubspot.Binding) { b.BaseURL = "api.hubapi.com" }, what: "portal", state: connect.Refused, says: "https://api.hubapi.com"},
		"a path that is another API's":           {change: func(b *hubspot.Binding) { b.BaseURL += "/v1" }, what: "contacts", state: connect.Missing, says: "https://api.hubapi.com"},
		"no scope to write":                      {portal: simulator.Options{Scopes: scopes("crm.objects.contacts.write")}, what: "scope crm.objects.contacts.write", state: connect.Missing, says: "Add new scope"},
		"no scope to read":                       {portal: simulator.Options{Scopes: scopes("crm.objects.contacts.read")}, what: "contacts", state: connect.Missing, says: "hubspot_missing_scopes"},
		"no scope for files":                     {portal: simulator.Options{Scopes: scopes("files")}, what: "scope files", state: connect.Degraded, says: "stay links"},
		"no scope to install":                    {portal: simulator.Options{Bare: true, Scopes: scopes("crm.schemas.contacts.write")}, what: "properties of contacts", state: connect.Missing, says: "crm.schemas.contacts.write", writes: true},
		"a service key, whose scopes are untold": {portal: simulator.Options{ServiceKey: true}, what: "scopes", state: connect.OK, says: "does not tell"},
		"a property of another type": {
			portal: simulator.Options{Bare: true}, define: `{"name":"msg_source","label":"x","groupName":"x","type":"number","fieldType":"number"}`,
			what: "contacts.msg_source", state: connect.Refused, says: "of the type number and has to be string",
		},
		"a key that is not unique": {
			portal: simulator.Options{Bare: true}, define: `{"name":"msg_sender_key","label":"x","groupName":"x","type":"string","fieldType":"text"}`,
			what: "contacts.msg_sender_key", state: connect.Refused, says: "not unique",
		},
		"an option that is missing": {
			define: `{"name":"msg_opt_out","label":"x","groupName":"x","type":"bool","fieldType":"booleancheckbox","options":[{"value":"true"}]}`,
			what:   "contacts.msg_opt_out", state: connect.Missing, says: "false",
		},
		"what is missing waits for what is refused": {
			portal: simulator.Options{Bare: true}, define: `{"name":"msg_source","label":"x","groupName":"x","type":"number","fieldType":"number"}`,
			what: "properties of contacts", state: connect.Missing, says: "nothing is installed while something is refused",
		},
		"no seat for leads":             {portal: simulator.Options{NoLeads: true}, what: "leads", state: connect.Missing, says: `"leads": false`},
		"a file without leads":          {change: func(b *hubspot.Binding) { b.Capabilities.Leads = false }, what: "leads", state: connect.Degraded, says: `"skipped"`},
		"a lead type that is not there": {change: func(b *hubspot.Binding) { b.LeadType = "GOAT" }, what: "leads.hs_lead_type", state: connect.Refused, says: "NEW_BUSINESS, EXISTING_BUSINESS"},
		"a lead type that is":           {change: func(b *hubspot.Binding) { b.LeadType = "NEW_BUSINESS" }, what: "properties of leads", state: connect.OK},
		"no unique key of activities":   {portal: simulator.Options{Bare: true, NoKeys: true}, what: "unique key of communications", state: connect.Missing, says: `"engagementUpsert": false`, writes: true},
		"a file that does without it":   {change: func(b *hubspot.Binding) { b.Capabilities.EngagementUpsert = false }, what: "unique key of communications", state: connect.Degraded, says: "activity.once"},
		"an older package in the file":  {change: func(b *hubspot.Binding) { b.Package = 2 }, what: "package", state: connect.Degraded, says: `"package": 5`},
		"sequences":                     {what: "sequences", state: connect.Degraded, says: "sequences.md"},
		"the requests of a day":         {what: "requests a day", state: connect.OK, says: "of 650000 are used"},
		"the burst limit":               {portal: simulator.Options{Burst: 190}, what: "burst limit", state: connect.OK, says: "190 requests in 10000 ms"},
		"a version that ends":           {change: func(b *hubspot.Binding) { b.Version = hubspot.VersionLegacy }, what: "version v3", state: connect.Degraded, says: "2027-03-30"},
		"a rule for what is written":    {rule: simulator.Rule{Property: "firstname", Kind: "MAX_LENGTH"}, what: "validation rules of contacts.firstname", state: connect.Degraded, says: "MAX_LENGTH"},
		"a rule for what is not":        {rule: simulator.Rule{Property: "jobtitle", Kind: "MAX_LENGTH"}, what: "validation rules of contacts", state: connect.OK},
		"a rule that is always kept":    {rule: simulator.Rule{Property: "phone", Kind: "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE"}, what: "validation rules of contacts", state: connect.OK},
		"a mapping that fits": {change: func(b *hubspot.Binding) {
			b.Settings = []byte(`{"fields":{"version":1,"person":[{"to":"company","value":"x"}]}}`)
		}, what: "settings.fields", state: connect.OK},
		"a mapping to nothing": {change: func(b *hubspot.Binding) {
			b.Settings = []byte(`{"fields":{"version":1,"lead":[{"to":"goat","value":"x","write":"create"}]}}`)
		}, what: "settings.fields.lead[0].to of leads", state: connect.Refused, says: "is no field that the credentials can see"},
		"a mapping to what is read": {change: func(b *hubspot.Binding) {
			b.Settings = []byte(`{"fields":{"version":1,"person":[{"to":"createdate","value":"x"}]}}`)
		}, what: "settings.fields.person[0].to of contacts", state: connect.Refused, says: "cannot write"},
		"a mapping to another type": {change: func(b *hubspot.Binding) {
			b.Settings = []byte(`{"fields":{"version":1,"activity":[{"to":"when","value":"x"}]}}`)
		}, admin: func(s *simulator.Simulator) {
			s.DefineMapped(mapping.Activity, mapping.Described{Name: "when", Type: mapping.Number})
		}, what: "settings.fields.activity[0].as of communications", state: connect.Refused, says: "is text, and the field takes number"},
		"a mapping to one of ours": {change: func(b *hubspot.Binding) {
			b.Properties.AdID, b.Settings = "acme_ad", []byte(`{"fields":{"version":1,"person":[{"to":"acme_ad","value":"x"}]}}`)
		}, portal: simulator.Options{Bare: true}, writes: true, what: "settings.fields.person[0].to of contacts", state: connect.Refused, says: "the connector writes itself"},
		"a status that contacts can have": {change: work(delivery.SetStatus, "to", "CONNECTED"), what: "rules: set_status CONNECTED", state: connect.OK},
		"a status that is none":           {change: work(delivery.SetStatus, "to", "GOAT"), what: "rules: set_status GOAT", state: connect.Refused, says: "hs_lead_status takes none but NEW, OPEN"},
		"tickets":                         {change: work(delivery.OpenCase, "status", "2"), what: "rules: open_case 2", state: connect.OK},
		"tickets without the scope": {
			portal: simulator.Options{Scopes: scopes()}, change: work(delivery.OpenCase, "status", "2"), what: "rules: open_case 2", state: connect.Degraded, says: "Add new scope > tickets",
		},
		"tickets of an older package": {change: func(b *hubspot.Binding) {
			work(delivery.OpenCase, "status", "2")(b)
			b.Package = 4
		}, what: "rules: open_case 2", state: connect.Degraded, says: `"package": 5`},
		"an automation": {change: work(delivery.StartAutomation, "name", "Welcome"), what: "rules: start_automation Welcome", state: connect.OK},
		"a mapping to a key that the file calls otherwise": {change: func(b *hubspot.Binding) {
			b.Properties.SenderKey, b.Settings = "acme_key", []byte(`{"fields":{"version":1,"person":[{"to":"acme_key","value":"x"}]}}`)
		}, portal: simulator.Options{Bare: true}, writes: true, what: "settings.fields.person[0].to of contacts", state: connect.Refused, says: "the connector writes itself"},
		"a mapping to the key of messages that it calls otherwise": {change: func(b *hubspot.Binding) {
			b.Properties.EventKey, b.Settings = "acme_event", []byte(`{"fields":{"version":1,"activity":[{"to":"acme_event","value":"x"}]}}`)
		}, portal: simulator.Options{Bare: true}, writes: true, what: "settings.fields.activity[0].to of communications", state: connect.Refused, says: "the connector writes itself"},
		"a mapping that cannot be read": {change: func(b *hubspot.Binding) { b.Settings = []byte(`{"fields":{"version":2}}`) }, what: "settings.fields.version", state: connect.Refused, says: "make apply"},
	} {
		t.Run(name, func(t *testing.T) {
			b := portal()
			if c.change != nil {
				c.change(&b)
			}
			if c.portal.Token == "" {
				c.portal.Token = token
			}
			s := simulator.New(c.portal)
			if c.define != "" {
				s.Define("contacts", c.define)
			}
			c.rule.Object, c.rule.Refuses = "contacts", func(map[string]string, bool) bool { return false }
			s.AddRule(c.rule)
			if c.admin != nil {
				c.admin(s)
			}
			w := &connectortest.Requests{RoundTripper: simulator.Transport(s), Reads: []string{"/access-token-info"}}
			report := visit(t, newCRM(b, w, slog.New(slog.DiscardHandler)), true)
			got := report.Of(c.what)
			if got.State != c.state || !strings.Contains(got.Means+" "+got.Mend, c.says) {
				t.Errorf("%+v, want %s and %q; all:\n%s", got, c.state, c.says, report)
			}
			if c.writes != (len(w.Writes) > 0) {
				t.Errorf("writes %v", w.Writes)
			}
		})
	}
}

// TestNothingIsMadeWithoutAReply: what cannot be reached is told, and asked once.
func TestNothingIsMadeWithoutAReply(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"unreachable":           {io.ErrUnexpectedEOF, "hubspot_unreachable"},
		"an address of our own": {fault.New(fault.Blocked, hosts.CodeRefused, nil), "crm_host_refused"},
		"whose time is over":    {context.DeadlineExceeded, "hubspot_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &connectortest.Requests{RoundTripper: connectortest.Failing{Err: c.err}}
			report := visit(t, newCRM(portal(), w, slog.New(slog.DiscardHandler)), true)
			if got := report.Of("portal"); got.State != connect.Refused || !strings.Contains(got.Means, c.says) || w.All != 1 || len(report.Findings) != 1 {
				t.Errorf("%d requests: %+v", w.All, report)
			}
		})
	}
}
