package hubspot_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// wire writes down what passes, bodies indented, without what is the same in every request.
type wire struct {
	next http.RoundTripper
	log  bytes.Buffer
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	fmt.Fprintf(&w.log, "> %s %s\n", r.Method, r.URL.RequestURI())
	if r.Body != nil {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		w.body(sent)
	}
	reply, err := w.next.RoundTrip(r)
	if err != nil {
		fmt.Fprintf(&w.log, "< %v\n\n", err)
		return nil, err
	}
	received, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	reply.Body = io.NopCloser(bytes.NewReader(received))
	fmt.Fprintf(&w.log, "< %s\n", reply.Status)
	w.body(received)
	w.log.WriteString("\n")
	return reply, nil
}

func (w *wire) body(b []byte) {
	if len(b) == 0 {
		return
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		indented.Reset()
		indented.Write(b)
	}
	w.log.Write(indented.Bytes())
	w.log.WriteString("\n")
}

func message(n int, kinds ...delivery.Kind) delivery.Delivery {
	d := delivery.Delivery{
		ID: delivery.ID(fmt.Sprintf("event-%d.hubspot", n)), CRM: "hubspot",
		Event: canonical.Event{
			EventID: canonical.EventID(fmt.Sprintf("event-%d", n)), SchemaVersion: 2, TenantID: tenantID, AccountID: "demo-twilio", Provider: "twilio",
			ProviderMessageID: fmt.Sprintf("SM%d", n), Type: canonical.TypeMessage, Channel: canonical.RCS, Direction: canonical.Inbound,
			Message:   &canonical.Message{Text: "Interested in pricing for product X", Summary: "Interested in pricing for product X"},
			Timestamp: time.Date(2026, 1, 18, 14, 23, n, 0, time.UTC),
		},
		Person: delivery.Person{Key: strings.Repeat("ab", 31) + fmt.Sprintf("%02d", n), Name: "Ana Ruiz", Phone: "+15551234567", Region: "US"},
	}
	for _, k := range kinds {
		d.Actions = append(d.Actions, delivery.Action{Kind: k})
	}
	return d
}

func newcomer(n int) delivery.Delivery {
	d := message(n, delivery.EnsurePerson, delivery.LogActivity)
	d.Actions[0].Value = map[string]string{"source": "messaging", "channel": "rcs", "description": "Interested in pricing for product X"}
	return d
}

func stop(n int, at string) delivery.Delivery {
	d := message(n, delivery.SetConsent)
	d.Actions[0].Value = map[string]string{"channel": "sms", "state": "opted_out", "at": at}
	return d
}

func linked(d delivery.Delivery, contact string) delivery.Delivery {
	d.Person.Links = map[string]string{"contact": contact, "named": "true"}
	return d
}

// The golden files are what HubSpot is sent and replies, scenario by scenario.
func TestScenarios(t *testing.T) {
	contact := map[string]string{"firstname": "Ana", "phone": "(555) 123-4567"}
	cases := map[string]struct {
		binding func(*hubspot.Binding)
		run     func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) (calls int)
	}{
		"an unknown sender becomes a contact, a lead and a communication": {nil, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM) int {
			done, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
			none(t, errs)
			if links := crm.Links(newcomer(1), done[0]); links["contact"] != "1001" {
				t.Errorf("links %v", links)
			}
			return 6
		}},
		"a known contact costs two calls": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			_, errs := connectortest.Carry(t.Context(), crm, linked(newcomer(1), s.Add("contacts", contact)))
			none(t, errs)
			return 2
		}},
		"a contact is found by e-mail and gets our key": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			s.Add("contacts", map[string]string{"email": "ana@example.test"})
			d := newcomer(1)
			d.Person.Email = "Ana@Example.test"
			_, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			return 7
		}},
		"of two contacts with one phone the newer one is taken": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			s.Add("contacts", contact)
			time.Sleep(time.Minute)
			s.Add("contacts", map[string]string{"firstname": "Ana María", "mobilephone": "555.123.4567", "msg_sender_key": "foreign"})
			s.Add("contacts", map[string]string{"firstname": "Other", "phone": "+445551234567"})
			_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
			none(t, errs)
			return 4
		}},
		"of several contacts with one phone the one with an owner is taken before the newer, and the rule is told": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			owned := s.Add("contacts", map[string]string{"firstname": "Ana", "mobilephone": "555.123.4567", "hubspot_owner_id": "77"})
			time.Sleep(time.Minute)
			s.Add("contacts", contact)
			s.Add("contacts", contact)
			done, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
			none(t, errs)
			if links := crm.Links(newcomer(1), done[0]); links["contact"] != owned || done[0]["resolve"][connector.ResultRule] != connector.RuleOwned {
				t.Errorf("%s is taken by %q, not %s", links["contact"], done[0]["resolve"][connector.ResultRule], owned)
			}
			return 5
		}},
		"a linked contact that was archived is looked for once more": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			id := s.Add("contacts", contact)
			s.Archive("contacts", id)
			d := linked(newcomer(1), id)
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["contact"] == id || links["contact"] == "" {
				t.Errorf("links %v", links)
			}
			return 10
		}},
		"a lead that is there is found by its key": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			d := newcomer(1)
			key := canonical.MessageKey(tenantID, "twilio", "demo-twilio", "SM1")
			s.Add("leads", map[string]string{"hs_lead_name": "Ana", "msg_event_key": key})
			_, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			return 7
		}},
		"a contact in the way is taken": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			d := newcomer(1)
			d.Person.Phone, d.Person.Email = "", "ana@example.test"
			done := []connector.Progress{{"resolve": {}}} // found nobody, and then a user of the portal made the contact
			s.Add("contacts", map[string]string{"email": "ana@example.test"})
			none(t, connectortest.Resume(t.Context(), crm, []delivery.Delivery{d}, done, make([]error, 1)))
			return 5
		}},
		"an opt-out is written once": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			id := s.Add("contacts", contact)
			for _, d := range []delivery.Delivery{stop(1, "2026-01-18T14:23:12Z"), stop(1, "2026-01-18T14:23:12Z"), stop(2, "2026-01-17T00:00:00Z")} {
				_, errs := connectortest.Carry(t.Context(), crm, linked(d, id))
				none(t, errs)
			}
			return 7
		}},
		"an opt-out of somebody unknown creates nobody": {nil, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM) int {
			_, errs := connectortest.Carry(t.Context(), crm, stop(1, "2026-01-18T14:23:12Z"))
			none(t, errs)
			return 2
		}},
		"a known contact who replies costs four calls": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			_, errs := connectortest.Carry(t.Context(), crm, linked(reply(1, delivery.LogActivity), s.Add("contacts", contact)))
			none(t, errs)
			return 4
		}},
		"a reply is told once, and an older one not at all": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			id := s.Add("contacts", contact)
			for _, d := range []delivery.Delivery{reply(2), reply(2), reply(1)} {
				_, errs := connectortest.Carry(t.Context(), crm, linked(d, id))
				none(t, errs)
			}
			return 4
		}},
		"a portal without unique keys on communications": {
			func(b *hubspot.Binding) { b.Capabilities = hubspot.Capabilities{} },
			func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM) int {
				_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
				none(t, errs)
				return 4
			},
		},
		"three known contacts, one of them with a bad row": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			bad := message(2, delivery.LogActivity)
			bad.Event.Timestamp = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) // beyond what RFC 3339 can write
			_, errs := connectortest.Carry(t.Context(), crm,
				linked(message(1, delivery.LogActivity), s.Add("contacts", contact)), linked(bad, s.Add("contacts", contact)),
				linked(message(3, delivery.LogActivity), s.Add("contacts", contact)))
			if errs[0] != nil || errs[1] == nil || errs[2] != nil {
				t.Errorf("errors %v", errs)
			}
			return 5
		}},
		"one message twice in a batch": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM) int {
			id := s.Add("contacts", contact)
			_, errs := connectortest.Carry(t.Context(), crm, linked(message(1, delivery.LogActivity), id), linked(message(1, delivery.LogActivity), id))
			none(t, errs)
			return 3
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{Token: token})
				w := &wire{next: simulator.Transport(s)}
				b := portal()
				if c.binding != nil {
					c.binding(&b)
				}
				want := c.run(t, s, newCRM(b, w, slog.New(slog.DiscardHandler)))
				if calls := strings.Count(w.log.String(), "> "); calls != want {
					t.Errorf("%d calls, want %d", calls, want)
				}
				golden(t, w.log.Bytes())
			})
		})
	}
}

func none(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
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
	s := simulator.New(simulator.Options{Token: token})
	crm := newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler))
	d := linked(message(1, delivery.LogActivity), s.Add("contacts", nil))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		d.Event.ProviderMessageID = fmt.Sprint("SM", n)
		if _, errs := connectortest.Carry(b.Context(), crm, d); errs[0] != nil {
			b.Fatal(errs[0])
		}
	}
}
