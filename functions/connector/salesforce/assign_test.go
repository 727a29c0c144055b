package salesforce_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
)

// assigning is an org with an active rule for leads, and the wire to it.
type assigning struct {
	*simulator.Simulator
	before func() // the next call that writes
	calls  []string
}

func (a *assigning) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	if strings.HasPrefix(r.URL.Path, "/services/data") {
		does := "writes"
		if bytes.Contains(sent, []byte(`"POST","url":"/services/data/v66.0/sobjects/Lead"`)) {
			does = "creates a lead"
		}
		a.calls = append(a.calls, does+": "+r.Header.Get("Sforce-Auto-Assign"))
	}
	if a.before != nil && strings.HasSuffix(r.URL.Path, "composite/graph") {
		a.before()
		a.before = nil
	}
	return simulatortest.Transport(a.Simulator).RoundTrip(r)
}

func inAssigningOrg(t *testing.T, assign bool, f func(t *testing.T, a *assigning, crm *salesforce.CRM)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &assigning{Simulator: simulator.New(simulator.Options{Apps: apps(t), LeadQueue: "00G000000000001AAA"})}
		b := org()
		b.Capabilities.AssignLeads = assign
		f(t, a, newPlace().crm(b, a, slog.New(slog.DiscardHandler)))
	})
}

// owner fails the test unless the org has one lead, of this owner.
func (a *assigning) owner(t *testing.T, want string) (lead string) {
	t.Helper()
	leads, _ := a.Records("Lead")
	if len(leads) != 1 || leads[0].Properties["OwnerId"] != want {
		t.Fatalf("%v, want one lead of %s", leads, want)
	}
	return leads[0].ID
}

func TestOnlyTheCallThatCreatesALeadUsesTheAssignmentRules(t *testing.T) {
	for name, c := range map[string]struct {
		assign bool
		owner  string
		header string
	}{
		"the settings ask for it": {true, "00G000000000001AAA", "TRUE"},
		"they do not":             {false, "005000000000001AAA", "FALSE"},
	} {
		t.Run(name, func(t *testing.T) {
			inAssigningOrg(t, c.assign, func(t *testing.T, a *assigning, crm *salesforce.CRM) {
				_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
				none(t, errs)
				lead := a.owner(t, c.owner)
				a.Give(lead, "005000000000007AAA") // a manager gives the lead to somebody
				again := newcomer(2)
				again.Person.Key = newcomer(1).Person.Key
				_, errs = connectortest.Carry(t.Context(), crm, again, linked(stop(3, "2026-01-18T14:23:12Z"), lead),
					answering(4, lead, replyTime, delivery.MarkReplied, delivery.CancelSequences), newcomerAt(5, "+15557654321"))
				none(t, errs)
				for _, call := range a.calls {
					want := "FALSE"
					if strings.HasPrefix(call, "creates") {
						want = c.header
					}
					if !strings.HasSuffix(call, ": "+want) {
						t.Errorf("%s, want %s", call, want)
					}
				}
				leads, _ := a.Records("Lead")
				if len(leads) != 2 || leads[0].Properties["OwnerId"] != "005000000000007AAA" || leads[1].Properties["OwnerId"] != c.owner {
					t.Errorf("%v", leads)
				}
			})
		})
	}
}

func TestALeadThatAnotherMadeMeanwhileIsNotReassignedOrRenamed(t *testing.T) {
	inAssigningOrg(t, true, func(t *testing.T, a *assigning, crm *salesforce.CRM) {
		d := newcomer(1)
		a.before = func() {
			id := a.Add("Lead", map[string]any{"LastName": "Ruiz de la Prada", "Company": "X", "Msg_Sender_Key__c": d.Person.Key})
			a.Give(id, "005000000000007AAA")
		}
		_, errs := connectortest.Carry(t.Context(), crm, d)
		none(t, errs)
		a.owner(t, "005000000000007AAA")
		if leads, _ := a.Records("Lead"); leads[0].Properties["LastName"] != "Ruiz de la Prada" {
			t.Errorf("%v", leads[0].Properties)
		}
		count(t, a.Simulator, "Msg_Event__c", 1)
	})
}

func newcomerAt(n int, phone string) delivery.Delivery {
	d := newcomer(n)
	d.Person.Phone = phone
	return d
}

// TestWhoIsToldOfSomebodyWhoWaits: their owner, who may have made the record; for a queue's and the integration user's, the stand-in.
func TestWhoIsToldOfSomebodyWhoWaits(t *testing.T) {
	const rep, queue, standIn, integration = "005000000000007AAA", "00G000000000001EAA", "005000000000008AAA", "005000000000001AAA"
	for name, c := range map[string]struct{ owner, maker, told, left string }{
		"a rep's":                        {rep, integration, rep, ""},
		"of a rep who has left":          {rep, rep, standIn, rep},
		"a queue's, whose stand-in left": {queue, rep, integration, standIn},
		"of a rep who made it":           {rep, rep, rep, ""},
		"a queue's":                      {queue, rep, standIn, ""},
		"the integration user's":         {integration, integration, standIn, ""},
		"which somebody else made":       {integration, rep, standIn, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &assigning{Simulator: simulator.New(simulator.Options{Apps: apps(t), Inactive: c.left})}
				id := a.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X", "OwnerId": c.owner, "CreatedById": c.maker})
				d := newcomer(1)
				d.Person.Links = map[string]string{"who": id}
				d.Actions = []delivery.Action{{Kind: delivery.Notify, Value: map[string]string{
					"about": "waiting", "subject": "Waiting", "text": "Still.", delivery.OfWhom: delivery.Held, delivery.To: delivery.TheirOwner, delivery.Owner: standIn,
				}}}
				done, errs := connectortest.Carry(t.Context(), newPlace().crm(org(), a, slog.New(slog.DiscardHandler)), d)
				none(t, errs)
				if tasks, _ := a.Records("Task"); len(tasks) != 1 || tasks[0].Properties["OwnerId"] != c.told {
					t.Errorf("tasks %v, want one of %s", tasks, c.told)
				}
				if nobody := done[0]["notice"][connector.ResultUntold] != ""; nobody != (c.told == integration) {
					t.Errorf("%v, and %s has the task", done[0]["notice"], c.told)
				}
			})
		})
	}
}

// TestWhoIsToldOfALead: the owner whom the rule or the file chose; for a queue, the integration user and one who has left, the stand-in.
func TestWhoIsToldOfALead(t *testing.T) {
	const rep, queue, left, standIn = "005000000000007AAA", "00G000000000001EAA", "005000000000009AAA", "005000000000008AAA"
	for name, c := range map[string]struct {
		rule, file  string // whom the org's rule chooses, and the tenant's file
		owner, told string
	}{
		"by the rule":                   {rep, "", rep, rep},
		"by the file, whatever it says": {queue, rep, rep, rep},
		"a queue":                       {queue, "", queue, standIn},
		"a queue by the file":           {rep, queue, queue, standIn},
		"no rule":                       {"", "", "005000000000001AAA", standIn},
		"one who has left":              {"", left, "005000000000001AAA", standIn},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &assigning{Simulator: simulator.New(simulator.Options{Apps: apps(t), LeadQueue: c.rule, Inactive: left})}
				b := org()
				b.Capabilities.AssignLeads = true
				d := newcomer(1)
				d.Actions[0].Value = map[string]string{delivery.Tell: "owner", delivery.StandIn: standIn, delivery.Owner: c.file}
				_, errs := connectortest.Carry(t.Context(), newPlace().crm(b, a, slog.New(slog.DiscardHandler)), d)
				none(t, errs)
				lead := a.owner(t, c.owner)
				tasks, _ := a.Records("Task")
				tasks = slices.DeleteFunc(tasks, func(r simulator.Record) bool { return r.Properties["Status"] == "Completed" })
				if len(tasks) != 1 || tasks[0].Properties["OwnerId"] != c.told || tasks[0].Properties["WhoId"] != lead {
					t.Errorf("tasks %v, want one of %s", tasks, c.told)
				}
				for _, call := range a.calls {
					if strings.HasSuffix(call, "TRUE") && (!strings.HasPrefix(call, "creates") || c.file == rep) {
						t.Error(call)
					}
				}
			})
		})
	}
}
