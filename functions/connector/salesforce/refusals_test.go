package salesforce_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/connectortest"
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

// TestWhoMayNotDescribeAPersonMakesOneWithoutADescription: the first message is in our own field, too.
func TestWhoMayNotDescribeAPersonMakesOneWithoutADescription(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for n, want := range []string{"Interested in pricing for product X", ""} {
			_, errs := connectortest.Carry(t.Context(), w.process(), newcomer(n))
			none(t, errs)
			leads, _ := w.Records("Lead")
			if p := leads[n].Properties; p["Description"] != want || p["Msg_First_Message__c"] != "Interested in pricing for product X" {
				t.Errorf("%v", p)
			}
			w.Protect("Lead", "Description")
			w.Set(leads[0].ID, map[string]any{"Phone": ""})
		}
	})
}
