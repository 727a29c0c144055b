package salesforce_test

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// The golden files are what Salesforce is sent and replies, scenario by scenario.
func TestScenarios(t *testing.T) {
	contact := map[string]any{"FirstName": "Ana", "LastName": "Ruiz", "Phone": "(555) 123-4567"}
	type run func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) (calls int)
	cases := map[string]struct {
		binding func(*salesforce.Binding)
		options simulator.Options
		run     run
	}{
		"an unknown sender becomes a lead with a message and a task": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			done, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
			none(t, errs)
			leads, _ := s.Records("Lead")
			if links := crm.Links(newcomer(1), done[0]); len(leads) != 1 || links["who"] != leads[0].ID {
				t.Errorf("links %v, leads %v", links, leads)
			}
			return 3
		}},
		"a known contact costs one call": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			_, errs := connectortest.Carry(t.Context(), crm, linked(newcomer(1), s.Add("Contact", contact)))
			none(t, errs)
			return 1
		}},
		"a contact is found by e-mail and gets our key": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			s.Add("Contact", map[string]any{"LastName": "Ruiz", "Email": "ana@example.test"})
			d := newcomer(1)
			d.Person.Email = "Ana@Example.test"
			_, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			return 3
		}},
		"of two contacts with one address the newer one is taken": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			s.Add("Contact", map[string]any{"LastName": "Ruiz", "Email": "ana@example.test"})
			time.Sleep(time.Minute)
			newer := s.Add("Contact", map[string]any{"LastName": "Ruiz", "Email": "ana@example.test"})
			d := newcomer(1)
			d.Person.Email = "ana@example.test"
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if who := crm.Links(d, done[0])["who"]; who != newer {
				t.Errorf("%s is taken, not %s", who, newer)
			}
			return 4
		}},
		"of several with one phone the newest contact is taken": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			s.Add("Contact", contact)
			time.Sleep(time.Minute)
			newer := s.Add("Contact", map[string]any{"LastName": "Ana María", "MobilePhone": "555.123.4567"})
			s.Add("Lead", map[string]any{"LastName": "Ana", "Company": "X", "Phone": "+15551234567"})
			s.Add("Contact", map[string]any{"LastName": "Other", "Phone": "+445551234567"})
			done, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
			none(t, errs)
			if who := crm.Links(newcomer(1), done[0])["who"]; who != newer {
				t.Errorf("%s is taken, not %s", who, newer)
			}
			return 4
		}},
		"of several with one e-mail the one that messages went to is taken before the newer, and the rule is told": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			written := s.Add("Contact", map[string]any{"LastName": "Ruiz", "Email": "ana@example.test", "Msg_Sender_Key__c": "another"})
			time.Sleep(time.Minute)
			s.Add("Contact", map[string]any{"LastName": "Ruiz", "Email": "ana@example.test"})
			d := newcomer(1)
			d.Person.Email = "ana@example.test"
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if who := crm.Links(d, done[0])["who"]; who != written || done[0]["resolve"][connector.ResultRule] != connector.RuleWritten {
				t.Errorf("%s is taken by %q, not %s", who, done[0]["resolve"][connector.ResultRule], written)
			}
			return 3
		}},
		"the same national digits in another country are another person": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			s.Add("Contact", map[string]any{"LastName": "Other", "Phone": "+445551234567"})
			s.Add("Contact", map[string]any{"LastName": "Other", "Phone": "(555) 123-4567", "MailingCountry": "gb"})
			_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
			none(t, errs)
			count(t, s, "Lead", 1)
			return 3
		}},
		"a linked contact that was deleted is looked for once more": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			id := s.Add("Contact", contact)
			s.Delete(id)
			d := linked(newcomer(1), id)
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["who"] == id || links["who"] == "" {
				t.Errorf("links %v", links)
			}
			return 6
		}},
		"a linked lead that was converted leads to its contact": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			id := s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
			to := s.Convert(id)
			d := linked(newcomer(1), id)
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["who"] != to {
				t.Errorf("links %v, want %s", links, to)
			}
			return 6
		}},
		"a lead with our key that was converted leads to its contact": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			d := newcomer(1)
			to := s.Convert(s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X", "Msg_Sender_Key__c": d.Person.Key}))
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["who"] != to {
				t.Errorf("links %v, want %s", links, to)
			}
			return 2
		}},
		"a lead converted to a contact who is gone becomes a contact": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			d := newcomer(1)
			to := s.Convert(s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X", "Msg_Sender_Key__c": d.Person.Key}))
			s.Delete(to)
			_, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			count(t, s, "Contact", 1)
			return 13
		}},
		"the match of a duplicate rule is taken": {options: simulator.Options{Duplicates: true, IndexLag: time.Hour}, run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X", "Phone": "+15551234567"})
			to := s.Add("Contact", map[string]any{"LastName": "Ruiz", "Phone": "+15551234567"})
			d := newcomer(1)
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["who"] != to {
				t.Errorf("links %v, want %s", links, to)
			}
			return 7
		}},
		"who took over a number is made although a duplicate rule warns": {options: simulator.Options{Duplicates: true}, run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			had := s.Add("Contact", map[string]any{"LastName": "Ruiz", "Phone": "+15551234567"})
			d := newcomer(1)
			d.Person.Unmatched = true
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["who"] == had || links["who"] == "" {
				t.Errorf("links %v, and %s had the number", links, had)
			}
			return 3
		}},
		"an opt-out is written once": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			id := s.Add("Contact", contact)
			for _, d := range []delivery.Delivery{stop(1, "2026-01-18T14:23:12Z"), stop(1, "2026-01-18T14:23:12Z"), stop(2, "2026-01-17T00:00:00Z")} {
				_, errs := connectortest.Carry(t.Context(), crm, linked(d, id))
				none(t, errs)
			}
			return 7
		}},
		"an opt-out of somebody unknown creates nobody": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			_, errs := connectortest.Carry(t.Context(), crm, stop(1, "2026-01-18T14:23:12Z"))
			none(t, errs)
			count(t, s, "Lead", 0)
			return 2
		}},
		"a stop of somebody unknown": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			d := newcomer(1)
			d.Actions = append(d.Actions, stop(1, "2026-01-18T14:23:12Z").Actions...)
			_, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			leads, _ := s.Records("Lead")
			if len(leads) != 1 || leads[0].Properties["Msg_Opt_Out__c"] != "true" || leads[0].Properties["Msg_Opt_Out_Channels__c"] != "sms" {
				t.Errorf("%v", leads)
			}
			return 6
		}},
		"consent of a contact, a lead and somebody who is gone": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			gone := s.Add("Contact", contact)
			s.Delete(gone)
			lead := s.Add("Lead", map[string]any{"LastName": "X", "Company": "X"})
			of, d := stop(2, "2026-01-18T14:23:12Z"), stop(3, "2026-01-18T14:23:12Z")
			of.Person.Phone, d.Person.Phone = "", "" // searches of several go side by side, in any order
			_, errs := connectortest.Carry(t.Context(), crm, linked(stop(1, "2026-01-18T14:23:12Z"), s.Add("Contact", contact)), linked(of, lead), linked(d, gone))
			none(t, errs)
			return 7
		}},
		"an org without an external id on tasks": {
			binding: noTaskKey, options: simulator.Options{NoTaskKey: true},
			run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
				_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
				none(t, errs)
				count(t, s, "Task", 1)
				return 4
			},
		},
		"a session of an unknown sender becomes a lead with a task and a conversation": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			_, errs := connectortest.Carry(t.Context(), showing{crm, []*connector.Activity{day(1)}}, newcomer(1))
			none(t, errs)
			return 3
		}},
		"of a session that is there the text is written": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			id, a := s.Add("Contact", contact), day(2)
			a.Written, a.Parts = connector.Result{"who": id, "part1": s.Add("Task", map[string]any{"WhoId": id})}, 1
			_, errs := connectortest.Carry(t.Context(), showing{crm, []*connector.Activity{a}}, linked(message(2, delivery.LogActivity), id))
			none(t, errs)
			return 1
		}},
		"a session in an org without an external id on tasks": {
			binding: noTaskKey, options: simulator.Options{NoTaskKey: true},
			run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
				_, errs := connectortest.Carry(t.Context(), showing{crm, []*connector.Activity{day(1)}}, linked(message(1, delivery.LogActivity), s.Add("Contact", contact)))
				none(t, errs)
				return 2
			},
		},
		"three known contacts, one of them with a bad row": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			bad := message(2, delivery.LogActivity)
			s.AddRule(simulator.Rule{Object: "Msg_Event__c", Name: "No_Seconds", Message: "No seconds, please", Field: "Provider_Id__c", Refuses: func(value any) bool { return value == "SM2" }})
			_, errs := connectortest.Carry(t.Context(), crm,
				linked(message(1, delivery.LogActivity), s.Add("Contact", contact)), linked(bad, s.Add("Contact", contact)),
				linked(message(3, delivery.LogActivity), s.Add("Contact", contact)))
			if errs[0] != nil || errs[1] == nil || errs[2] != nil {
				t.Errorf("errors %v", errs)
			}
			return 2
		}},
		"one message twice in a batch": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			id := s.Add("Contact", contact)
			_, errs := connectortest.Carry(t.Context(), crm, linked(message(1, delivery.LogActivity), id), linked(message(1, delivery.LogActivity), id))
			none(t, errs)
			return 2
		}},
		"a session that has ended is replaced and the request made again": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			s.Expire()
			time.Sleep(time.Minute)
			_, errs := connectortest.Carry(t.Context(), crm, linked(newcomer(1), s.Add("Contact", contact)))
			none(t, errs)
			return 3
		}},
		"a locked row is tried again later": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			id := s.Add("Contact", contact)
			s.Lock(id, 1)
			_, errs := connectortest.Carry(t.Context(), crm, linked(newcomer(1), id))
			if f := fault.Of(errs[0]); f == nil || f.Kind != fault.Retryable || f.Code != "salesforce_locked" {
				t.Errorf("%v", errs[0])
			}
			count(t, s, "Msg_Event__c", 0)
			return 1
		}},
		"an org where our package is not deployed": {options: simulator.Options{Bare: true}, run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			_, errs := connectortest.Carry(t.Context(), crm, newcomer(1), linked(newcomer(2), s.Add("Contact", contact)))
			for _, err := range errs {
				if f := fault.Of(err); f == nil || f.Kind != fault.Blocked || f.Code != "salesforce_schema" {
					t.Errorf("%v", err)
				}
			}
			return 2
		}},
		"two leads have one key": {run: func(t *testing.T, s *simulator.Simulator, crm *salesforce.CRM) int {
			d := newcomer(1)
			for range 2 {
				s.Add("Lead", map[string]any{"LastName": "X", "Company": "X", "Msg_Sender_Key__c": d.Person.Key})
			}
			_, errs := connectortest.Carry(t.Context(), crm, d)
			if f := fault.Of(errs[0]); f == nil || f.Kind != fault.Permanent || f.Code != "salesforce_key_ambiguous" {
				t.Errorf("%v", errs[0])
			}
			return 1
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.options.Apps = apps(t)
				s := simulator.New(c.options)
				b := org()
				if c.binding != nil {
					c.binding(&b)
				}
				p := newPlace()
				w := &wire{next: simulatortest.Transport(s)}
				if !c.options.Bare {
					p = signedIn(t, b, s)
				}
				crm := p.crm(b, w, slog.New(slog.DiscardHandler))
				if c.options.Bare {
					_, _ = connectortest.Carry(t.Context(), crm, stop(0, "2026-01-18T14:23:12Z"))
					w.log.Reset()
				}
				want := c.run(t, s, crm)
				if calls := strings.Count(w.log.String(), "> "); calls != want {
					t.Errorf("%d calls, want %d", calls, want)
				}
				golden(t, w.log.Bytes())
			})
		})
	}
}

func golden(t *testing.T, got []byte) {
	t.Helper()
	name := strings.NewReplacer(",", "", "/", "", " ", "-").Replace(filepath.Base(t.Name()))
	path := filepath.Join("testdata", strings.ReplaceAll(name, "_", "-")+".golden.txt")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkKnownContact(b *testing.B) {
	s := simulator.New(simulator.Options{})
	crm := newPlace().crm(org(), simulatortest.Transport(s), slog.New(slog.DiscardHandler))
	d := linked(message(1, delivery.LogActivity), s.Add("Contact", map[string]any{"LastName": "Ruiz"}))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		d.Event.ProviderMessageID = fmt.Sprint("SM", n)
		if _, errs := connectortest.Carry(b.Context(), crm, d); errs[0] != nil {
			b.Fatal(errs[0])
		}
	}
}
