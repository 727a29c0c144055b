package salesforce_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
)

func TestARuleOfTheOrgIsNamedWithoutItsMessage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const says = `We don't take "messages" from him`
		w.AddRule(simulator.Rule{Object: "Lead", Name: "No_Messaging_Leads", Message: says, Field: "LeadSource", Refuses: func(any) bool { return true }})
		_, errs := connectortest.Carry(t.Context(), w.process(), newcomer(1))
		wants(t, errs[0], fault.Permanent, "salesforce_validation_rule")
		if said := errs[0].Error(); !strings.Contains(said, "LeadSource No_Messaging_Leads") || strings.Contains(said, "him") {
			t.Error(said)
		}
		count(t, w.Simulator, "Lead", 0)

		w.Spoil(simulatortest.Fault{Match: "/services/data/v66.0/tooling", Status: http.StatusForbidden, Body: []byte(`[{"errorCode":"INSUFFICIENT_ACCESS","message":"x"}]`)})
		_, errs = connectortest.Carry(t.Context(), w.process(), newcomer(2))
		wants(t, errs[0], fault.Permanent, "salesforce_validation_rule") // who may not look is told the field
		if said := errs[0].Error(); !strings.Contains(said, "LeadSource") || strings.Contains(said, "No_Messaging") {
			t.Error(said)
		}
	})
}

// TestAFieldThatTheOrgMadeShorterCostsNoMessage: what the person and the message are told by is cut, once.
func TestAFieldThatTheOrgMadeShorterCostsNoMessage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Shorten("Lead", "Company", 8)
		w.Shorten("Task", "Subject", 20)
		w.Shorten("Msg_Event__c", "Body__c", 10)
		_, errs := connectortest.Carry(t.Context(), w.process(), newcomer(1), linked(newcomer(2), w.who))
		none(t, errs)
		leads, _ := w.Records("Lead")
		tasks, _ := w.Records("Task")
		if len(leads) != 1 || leads[0].Properties["Company"] != "(from R…" || len(tasks) != 2 {
			t.Fatalf("%v %v", leads, tasks)
		}
		for _, task := range tasks {
			if task.Properties["Subject"] != "RCS in: Interested …" {
				t.Errorf("%v", task.Properties)
			}
		}
	})
}

func TestAQueryThatTakesTooLongIsAskedInHalves(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		crm := w.process()
		var updates []receipt.Update
		for n := range 8 {
			d := message(n, delivery.LogActivity)
			d.Event.Direction = "outbound"
			_, errs := connectortest.Carry(t.Context(), crm, linked(d, w.who))
			none(t, errs)
		}
		events, _ := w.Records("Msg_Event__c")
		for _, e := range events {
			updates = append(updates, receipt.Update{TenantID: tenantID, CRM: "salesforce", Key: e.Properties["Event_Key__c"], Status: receipt.Status{State: "read"}})
		}
		w.Spoil(simulatortest.Fault{Match: "/services/data/v66.0/query", Status: http.StatusBadRequest, Body: []byte(`[{"errorCode":"QUERY_TIMEOUT","message":"x"}]`), Count: 2})
		none(t, crm.WriteStatuses(t.Context(), updates))
		if events, _ = w.Records("Msg_Event__c"); len(events) != 8 {
			t.Errorf("%v", events)
		}
		for _, e := range events {
			if e.Properties["Status__c"] != "read" {
				t.Errorf("%v", e.Properties)
			}
		}
	})
}

// TestATimeThatSalesforceDoesNotKeepIsTheMessagesFault: refused by the org it would look like the tenant's.
func TestATimeThatSalesforceDoesNotKeepIsTheMessagesFault(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, year := range []int{1699, 4001, 12026} {
			d := linked(message(1, delivery.LogActivity), w.who)
			d.Event.Timestamp = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			_, errs := connectortest.Carry(t.Context(), w.process(), d)
			wants(t, errs[0], fault.Permanent, "salesforce_time_unkept")
		}
	})
}

// TestAFieldThatIsHiddenCostsNoMessage: what a record says enough without is left out and told, once it is found; what is needed waits for an admin.
func TestAFieldThatIsHiddenCostsNoMessage(t *testing.T) {
	for name, c := range map[string]struct {
		hide    map[string][]string // by object
		protect bool                // they are shown, and not to be written
		change  func(*salesforce.Binding)
		session bool
		without string
		blocked bool
		tasks   int
	}{
		"what describes a person":            {hide: map[string][]string{"Lead": {"Description"}}, without: "Description", tasks: 1},
		"what may only be read of a person":  {hide: map[string][]string{"Lead": {"Description"}}, protect: true, without: "Description", tasks: 1},
		"several of a person":                {hide: map[string][]string{"Lead": {"LeadSource", "Description"}}, without: "Description,LeadSource", tasks: 1},
		"some of each record":                {hide: map[string][]string{"Lead": {"LeadSource"}, "Task": {"Description", "ActivityDate"}}, without: "ActivityDate,Description,LeadSource", tasks: 1},
		"the comments of a task":             {hide: map[string][]string{"Task": {"Description"}}, without: "Description", tasks: 1},
		"those of a task without a key":      {hide: map[string][]string{"Task": {"Description"}}, change: func(b *salesforce.Binding) { b.Capabilities.TaskUpsert = false }, tasks: 1},
		"the day of a session's task":        {hide: map[string][]string{"Task": {"ActivityDate"}}, session: true, without: "ActivityDate", tasks: 1},
		"the lines of a session":             {hide: map[string][]string{"Task": {"Description"}}, session: true, blocked: true},
		"the key of a person":                {hide: map[string][]string{"Lead": {"Msg_Sender_Key__c"}}, blocked: true},
		"a name":                             {hide: map[string][]string{"Lead": {"FirstName"}}, blocked: true},
		"what is needed, and what is not":    {hide: map[string][]string{"Lead": {"Description", "Msg_Source__c"}}, blocked: true},
		"whose a message is":                 {hide: map[string][]string{"Msg_Event__c": {"Lead__c"}}, blocked: true},
		"what may only be read of a message": {hide: map[string][]string{"Msg_Event__c": {"Body__c"}}, protect: true, blocked: true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if c.change != nil {
					c.change(&w.binding)
				}
				for object, fields := range c.hide {
					for _, field := range fields {
						if c.protect {
							w.Protect(object, field)
						} else {
							w.Hide(object, field)
						}
					}
				}
				var said bytes.Buffer
				crm := w.crm(w.binding, simulatortest.Transport(w.Simulator), slog.New(slog.NewTextHandler(&said, nil)))
				carried := showing{crm, []*connector.Activity{nil}}
				if c.session {
					carried.activities[0] = day(1)
				}
				progress, errs := connectortest.Carry(t.Context(), carried, newcomer(1))
				if c.blocked {
					wants(t, errs[0], fault.Blocked, "salesforce_schema")
					for _, fields := range c.hide {
						if !slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(errs[0].Error(), f) }) {
							t.Errorf("%v does not name any of %v", errs[0], fields)
						}
					}
					count(t, w.Simulator, "Lead", 0)
					return
				}
				none(t, errs)
				count(t, w.Simulator, "Lead", 1)
				count(t, w.Simulator, "Task", c.tasks)
				without := strings.Split(progress[0]["record"]["without"], ",")
				slices.Sort(without)
				if got := strings.Join(without, ","); got != c.without {
					t.Errorf("the progress says that %q are left out, want %q", got, c.without)
				}
				if !strings.Contains(said.String(), "fields that the integration user may not write were left out") {
					t.Errorf("nobody is told:\n%s", &said)
				}
			})
		})
	}
}
