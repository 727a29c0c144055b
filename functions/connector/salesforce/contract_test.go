package salesforce_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/mapping"
	"signalbox/shared/receipt"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

const tenantID = "demo"

//go:embed testdata/key.pem
var key string

// apps are what the simulator checks assertions with.
func apps(t testing.TB) []simulator.App {
	t.Helper()
	block, _ := pem.Decode([]byte(key))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("not an RSA key")
	}
	app := simulator.App{ClientID: org().ClientID, Username: org().Username, PublicKey: &private.PublicKey}
	second := app
	second.Username = "another@acme.example"
	return []simulator.App{app, second}
}

// bound returns one binding, whatever is asked.
type bound salesforce.Binding

func (b bound) Binding(context.Context, string, string) (salesforce.Binding, error) {
	return salesforce.Binding(b), nil
}

// org is a binding to the simulator with every capability.
func org() salesforce.Binding {
	return salesforce.Binding{
		BaseURL: "https://acme.my.salesforce.example", ClientID: "client", Username: "signalbox@acme.example", Key: secret.Value(key),
		Package:      salesforce.Package,
		Capabilities: salesforce.Capabilities{Leads: true, Tasks: true, TaskUpsert: true},
	}
}

// place is what processes share.
type place struct {
	store *memstore.Store
	box   *keyring.Box
}

func newPlace() place { return place{memstore.New(), keyring.NewBox(memkeys.New(), rand.Reader)} }

func (p place) crm(b salesforce.Binding, transport http.RoundTripper, logger *slog.Logger) *salesforce.CRM {
	return salesforce.New(salesforce.Options{
		Bindings: bound(b), Client: &http.Client{Transport: transport}, Store: p.store, Sealer: p.box,
		Logger: logger, Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	})
}

// signedIn returns a place that holds a session, as it nearly always does.
func signedIn(t testing.TB, b salesforce.Binding, s *simulator.Simulator) place {
	t.Helper()
	p := newPlace()
	crm := p.crm(b, simulatortest.Transport(s), slog.New(slog.DiscardHandler))
	step, _, err := crm.Next(stop(0, "2026-01-18T14:23:12Z"), connector.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	if o := crm.Do(t.Context(), []connector.Step[salesforce.Request]{step})[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	return p
}

func TestContract(t *testing.T) {
	bindings := map[string]struct {
		change func(*salesforce.Binding)
		calls  int
	}{
		"leads and tasks":               {func(*salesforce.Binding) {}, 1},
		"another version":               {func(b *salesforce.Binding) { b.Version = "v62.0" }, 1},
		"new persons become contacts":   {func(b *salesforce.Binding) { b.Capabilities.Leads = false }, 1},
		"no tasks":                      {func(b *salesforce.Binding) { b.Capabilities.Tasks = false }, 1},
		"no external id on tasks":       {func(b *salesforce.Binding) { b.Capabilities.TaskUpsert = false }, 2},
		"duplicates may be saved":       {func(b *salesforce.Binding) { b.Capabilities.AllowDuplicates = true }, 1},
		"sessions from another address": {func(b *salesforce.Binding) { b.LoginURL = "https://login.salesforce.com" }, 1},
		"addresses with country codes":  {func(b *salesforce.Binding) { b.Capabilities.CountryCodes = true }, 1},
		"Sales Engagement":              {func(b *salesforce.Binding) { b.Capabilities.SalesEngagement = true }, 1},
	}
	for name, c := range bindings {
		t.Run(name, func(t *testing.T) {
			b := org()
			c.change(&b)
			first := simulator.New(simulator.Options{Apps: apps(t), Picklists: b.Capabilities.CountryCodes})
			ready := signedIn(t, b, first)
			connectortest.Run(t, func(t *testing.T) connectortest.Harness[salesforce.Request] {
				return harness(t, b, c.calls, ready, first)
			})
		})
	}
}

// copied returns a place of its own with what another one holds, and lets an org know the session in it: signing for one in
// each of thousands of cases would take longer than the cases.
func (p place) copied(t *testing.T, s *simulator.Simulator) place {
	t.Helper()
	s.NewSession()
	own := place{memstore.New(), p.box}
	for record := range p.store.All() {
		record.Version = 0
		if _, err := own.store.Write(t.Context(), store.Change{Kind: store.Put, Record: record}); err != nil {
			t.Fatal(err)
		}
	}
	return own
}

func harness(t *testing.T, b salesforce.Binding, calls int, ready place, first *simulator.Simulator) connectortest.Harness[salesforce.Request] {
	t.Helper()
	s := first.Another(simulator.Options{JobTime: 90 * time.Second, NoTaskKey: !b.Capabilities.TaskUpsert, Picklists: b.Capabilities.CountryCodes})
	p := ready.copied(t, s)
	enrol := func(person string, began time.Time) { s.Enrol(person, began) }
	if !b.Capabilities.SalesEngagement {
		enrol = nil
	}
	return connectortest.Harness[salesforce.Request]{
		New: func(client *http.Client, logger *slog.Logger) connector.CRM[salesforce.Request] {
			return p.crm(b, client.Transport, logger)
		},
		Simulator:  s,
		Name:       "salesforce",
		Tenant:     tenantID,
		Secrets:    []string{"invented-session", key[100:140]},
		Width:      connector.Width,
		Singly:     b.Capabilities.Tasks && !b.Capabilities.TaskUpsert,
		KnownCalls: calls,
		AddPerson: func(phone, name, country string) string {
			return s.Add("Contact", map[string]any{"Phone": phone, "LastName": name, "MailingCountry": country})
		},
		Rename: func(person, name string) {
			s.Set(person, map[string]any{"FirstName": "", "LastName": name})
		},
		Enrol:   enrol,
		Users:   [2]string{"005000000000007AAA", "005000000000008AAA"},
		Give:    s.Give,
		Fields:  fields(s, b),
		Replace: replacing(s, b.Capabilities.Leads),
		Held:    func() connectortest.Held { return held(t, s, b.Capabilities.Tasks) },
		Spoil:   func(d *delivery.Delivery) { d.Person.Email = "not an address" },
		Statuses: &connectortest.Statuses{Width: salesforce.ReceiptsWidth, Calls: 2, State: func(s receipt.Status) string {
			if b.Package < 4 {
				s.Reason = ""
			}
			return strings.Join(strings.Fields(s.State+" "+s.Error+" "+receipt.Words(s.Reason)), " ")
		}},
		Jobs: longHistory(b), JobRows: s.JobRows, JobsRefuse: func() { lockPersons(s, 3) }, JobsTake: s.JobsTake,
		Files:    &connectortest.Files{Calls: 1, Held: func() []connectortest.HeldFile { return heldFiles(s) }, Forbid: s.Forbid, Delete: func() { deleteAll(s, "Msg_Event__c") }},
		Works:    works(s, b),
		Sessions: sessions(s, b),
		Mapped:   mapped(s, b),
		Refusals: refusals(),
	}
}

// longHistory returns how many requests a long history takes: those of two jobs.
func longHistory(b salesforce.Binding) int {
	if b.Capabilities.Tasks && !b.Capabilities.TaskUpsert {
		return 0
	}
	return 14
}

// lockPersons has some writes refused that are about people, as when somebody else writes them at the time.
func lockPersons(s *simulator.Simulator, times int) {
	for _, object := range []string{"Lead", "Contact"} {
		held, _ := s.Records(object)
		for _, person := range held {
			s.Lock(person.ID, times)
		}
	}
}

// works describes what an org shows of work that rules ask for. A case is of no lead.
func works(s *simulator.Simulator, b salesforce.Binding) *connectortest.Works {
	s.AddFlow("Welcome", "channel", "recordId", "why")
	lacks := map[delivery.Kind]string{}
	if !b.Capabilities.Leads {
		lacks[delivery.SetStatus] = "salesforce_contact_no_status"
	}
	return &connectortest.Works{
		Statuses: [2]string{"Working - Contacted", "Closed - Not Converted"}, Stage: "Escalated", Lacks: lacks, Unsure: true,
		SetStatus: func(person, status string) { s.Set(person, map[string]any{"Status": status}) },
		Forbid: map[delivery.Kind]connectortest.Forbidden{
			delivery.OpenCase:        {Do: s.ForbidCases, Code: "salesforce_not_found"},
			delivery.StartAutomation: {Do: func() { s.RemoveFlow("Welcome") }, Code: "salesforce_not_found"},
		},
		Held: func() (h connectortest.HeldWork) {
			h.Statuses = map[string]string{}
			cases, _ := s.Records("Case")
			for _, c := range cases {
				h.Cases = append(h.Cases, connectortest.HeldCase{Subject: c.Properties["Subject"], Status: c.Properties["Status"], Persons: strings.Fields(c.Properties["ContactId"])})
			}
			leads, _ := s.Records("Lead")
			for _, l := range leads {
				h.Statuses[l.ID] = l.Properties["Status"]
			}
			for _, run := range s.Runs() {
				h.Started = append(h.Started, connectortest.HeldStart{Name: run.Flow, Person: run.Inputs["recordId"], Inputs: run.Inputs})
			}
			return h
		},
	}
}

// fields are what users of an org edit.
func fields(s *simulator.Simulator, b salesforce.Binding) map[string]connectortest.Field {
	field := func(objects, name, value string) connectortest.Field {
		each := func(visit func(r simulator.Record)) {
			for object := range strings.FieldsSeq(objects) {
				records, _ := s.Records(object)
				for _, r := range records {
					visit(r)
				}
			}
		}
		return connectortest.Field{
			Edit: func() { each(func(r simulator.Record) { s.Set(r.ID, map[string]any{name: value}) }) },
			Kept: func() (n int) {
				each(func(r simulator.Record) {
					if r.Properties[name] == value {
						n++
					}
				})
				return n
			},
		}
	}
	all := map[string]connectortest.Field{
		"last name": field("Lead Contact", "LastName", "Given Here"), "first name": field("Lead Contact", "FirstName", "Given"),
		"phone": field("Lead Contact", "Phone", "+14155559999"), "e-mail": field("Lead Contact", "Email", "given@example.test"),
		"description": field("Lead Contact", "Description", "Given here"), "owner": field("Lead Contact", "OwnerId", "005000000000007AAA"),
		"source": field("Lead Contact", "LeadSource", "Fair"),
	}
	if b.Capabilities.Leads {
		all["company"], all["status"] = field("Lead", "Company", "Given Inc."), field("Lead", "Status", "Working")
	}
	if b.Capabilities.Tasks {
		all["subject"], all["text"] = field("Task", "Subject", "Call back"), field("Task", "Description", "Given here")
		all["whose task"] = field("Task", "OwnerId", "005000000000007AAA")
	}
	return all
}

// replacing returns how users of an org take a person's record away. A lead is merged into a lead, and converted.
func replacing(s *simulator.Simulator, leads bool) map[string]func(person, other string) string {
	ways := map[string]func(person, other string) string{
		"in the recycle bin": func(person, _ string) string { s.Delete(person); return "" },
		"purged":             func(person, _ string) string { s.Purge(person); return "" },
		"merged": func(person, other string) string {
			if leads {
				other = s.Add("Lead", map[string]any{"LastName": "Person 08", "Company": "X"})
			}
			s.Merge(other, person)
			return other
		},
	}
	if leads {
		ways["converted"] = func(person, _ string) string { return s.Convert(person) }
		ways["converted, and the contact is purged"] = func(person, _ string) string { s.Purge(s.Convert(person)); return "" }
		ways["converted, and the contact is merged"] = func(person, other string) string { s.Merge(other, s.Convert(person)); return other }
	}
	return ways
}

// mapped describes how an org shows what a tenant maps.
func mapped(s *simulator.Simulator, b salesforce.Binding) *connectortest.Mapped {
	objects := []mapping.Object{mapping.Person, mapping.Activity, mapping.Conversation}
	if b.Capabilities.Leads {
		objects = append(objects, mapping.Lead)
	}
	return &connectortest.Mapped{
		Objects:      objects,
		FirstMessage: "Description",
		Name:         func(field string) string { return "Own_" + field + "__c" },
		Define:       s.DefineMapped,
		Held: func(o mapping.Object) (all []map[string]string) {
			for _, r := range s.Mapped(o) {
				all = append(all, r.Properties)
			}
			return all
		},
		Edit: func(o mapping.Object, field, value string) {
			for _, r := range s.Mapped(o) {
				s.Set(r.ID, map[string]any{field: value})
			}
		},
	}
}

func deleteAll(s *simulator.Simulator, object string) {
	all, _ := s.Records(object)
	for _, r := range all {
		s.Delete(r.ID)
	}
}

func heldFiles(s *simulator.Simulator) (all []connectortest.HeldFile) {
	files, _ := s.Records("ContentVersion")
	for _, f := range files {
		body, _ := base64.StdEncoding.DecodeString(f.Properties["VersionData"])
		all = append(all, connectortest.HeldFile{
			ID: f.ID, Name: f.Properties["PathOnClient"], Body: string(body), On: []string{f.Properties["FirstPublishLocationId"]},
		})
	}
	return all
}

// sessions describes how an org shows sessions, by tasks or, where there are none, by our own object, and how conversations stand.
func sessions(s *simulator.Simulator, b salesforce.Binding) *connectortest.Sessions {
	object, key, text, rest := "Task", "Msg_Event_Key__c", "Description", []string{"Subject", "Status", "OwnerId"}
	edit := map[string]any{"Subject": "Call Ana", "Status": "Deferred", "OwnerId": "005000000000007AAA"}
	if !b.Capabilities.Tasks {
		object, key, text, rest = "Msg_Event__c", "Event_Key__c", "Body__c", []string{"Status__c"}
		edit = map[string]any{"Status__c": "x"}
	}
	calls := 1
	if b.Capabilities.Tasks && !b.Capabilities.TaskUpsert {
		calls = 2 // it looks before it makes a task
	}
	return &connectortest.Sessions{
		Calls: calls,
		Held: func() (all []connectortest.Shown) {
			records, _ := s.Records(object)
			for _, r := range records {
				shown := connectortest.Shown{Key: r.Properties[key], Text: r.Properties[text], Persons: slices.Concat(r.Associations["Contact"], r.Associations["Lead"])}
				for _, field := range rest {
					shown.Rest += r.Properties[field] + "|"
				}
				if shown.Key != "" {
					all = append(all, shown)
				}
			}
			return all
		},
		Edit: func(of string) {
			records, _ := s.Records(object)
			for _, r := range records {
				if r.Properties[key] == of {
					s.Set(r.ID, edit)
				}
			}
		},
		Standings: func() (all []connectortest.Standing) {
			records, _ := s.Records("Msg_Conversation__c")
			for _, r := range records {
				messages, _ := strconv.Atoi(r.Properties["Messages__c"])
				all = append(all, connectortest.Standing{
					Person: strings.Join(slices.Concat(r.Associations["Contact"], r.Associations["Lead"]), " "),
					Status: conversation.Status(r.Properties["Status__c"]), Messages: messages, Receipt: r.Properties["Last_Receipt__c"],
				})
			}
			return all
		},
	}
}

// cadences returns whom an org has in cadences: whether they still run.
func cadences(s *simulator.Simulator) map[string]bool {
	running := map[string]bool{}
	trackers, _ := s.Records("ActionCadenceTracker")
	for _, tracker := range trackers {
		target := tracker.Properties["TargetId"]
		running[target] = running[target] || tracker.Properties["State"] != "Complete"
	}
	return running
}

// ad returns the advertisement that a record shows in fields of this prefix.
func ad(properties map[string]string, prefix string) canonical.Attribution {
	return canonical.Attribution{
		SourceType: properties[prefix+"Source__c"], SourceID: properties[prefix+"Id__c"], SourceURL: properties[prefix+"Url__c"],
		Headline: properties[prefix+"Headline__c"], ClickID: properties[prefix+"Click_Id__c"],
	}
}

// held returns what an org holds. A message whose task is not there once, with the same person and time, counts as having
// nobody. Somebody's sequences are over when none of their cadences runs: they have ended, or the field tells others to end
// theirs. The field must not tell anything else than the cadences.
func held(t *testing.T, s *simulator.Simulator, tasks bool) connectortest.Held {
	t.Helper()
	var h connectortest.Held
	cadences := cadences(s)
	for _, object := range []string{"Contact", "Lead"} {
		persons, _ := s.Records(object)
		for _, p := range persons {
			if p.Properties["IsConverted"] == "true" {
				continue
			}
			consent := map[string]string{}
			for channel, permission := range connector.DecodePermissions(p.Properties["Msg_Consent__c"]) {
				consent[channel] = permission.State
			}
			replied, _ := time.Parse(time.RFC3339, p.Properties["Msg_Last_Reply_At__c"])
			running, enrolled := cadences[p.ID]
			stop := p.Properties["Msg_Stop_Automation__c"] == "true"
			if !replied.IsZero() && stop == running {
				t.Errorf("%s replied: stop %t, a cadence runs %t", p.ID, stop, running)
			}
			h.Persons = append(h.Persons, connectortest.Person{
				ID: p.ID, Key: p.Properties["Msg_Sender_Key__c"], Name: strings.TrimSpace(p.Properties["FirstName"] + " " + p.Properties["LastName"]),
				Address: p.Properties["Msg_Address__c"], First: p.Properties["Msg_First_Message__c"], Ad: ad(p.Properties, "Msg_Ad_"), Phone: p.Properties["Phone"], Consent: consent,
				RepliedAt: replied, Ended: !running && (stop || enrolled), Owner: ownerOf(p),
			})
		}
	}
	all, _ := s.Records("Task")
	task := map[string][]string{}
	for _, one := range all {
		k := one.Properties["Msg_Event_Key__c"]
		if one.Properties["Status"] != "Completed" {
			h.Notices = append(h.Notices, connectortest.Notice{To: ownerOf(one), Person: one.Properties["WhoId"], Subject: one.Properties["Subject"]})
			continue
		}
		task[k] = append(task[k], one.Properties["WhoId"]+" "+one.Properties["Msg_Occurred_At__c"])
	}
	events, _ := s.Records("Msg_Event__c")
	for _, e := range events {
		at, _ := time.Parse(time.RFC3339, e.Properties["Occurred_At__c"])
		persons := append(e.Associations["Contact"], e.Associations["Lead"]...)
		k := e.Properties["Event_Key__c"]
		if tasks && (len(persons) != 1 || len(task[k]) != 1 || task[k][0] != persons[0]+" "+e.Properties["Occurred_At__c"]) {
			persons = nil
		}
		h.Activities = append(h.Activities, connectortest.Activity{
			ExternalID: k, Persons: persons, At: at, Text: e.Properties["Body__c"], Ad: ad(e.Properties, "Ad_"),
			Status: strings.Join(strings.Fields(e.Properties["Status__c"]+" "+e.Properties["Status_Error__c"]+" "+e.Properties["Status_Reason__c"]), " "),
		})
		delete(task, k)
	}
	for _, one := range all { // what is left is of sessions
		at, _ := time.Parse(time.RFC3339, one.Properties["Msg_Occurred_At__c"])
		if k := one.Properties["Msg_Event_Key__c"]; task[k] != nil {
			h.Activities = append(h.Activities, connectortest.Activity{
				ExternalID: k, Persons: append(one.Associations["Contact"], one.Associations["Lead"]...), At: at, Text: one.Properties["Description"],
			})
		}
	}
	return h
}

// ownerOf returns whose a record is, "" for whom the integration user still has.
func ownerOf(r simulator.Record) string {
	if owner := r.Properties["OwnerId"]; owner != "005000000000001AAA" {
		return owner
	}
	return ""
}

// refusals are Salesforce's own, in its words.
func refusals() []connectortest.Refusal {
	body := func(code string) string {
		return `[{"message":"Secret words","errorCode":"` + code + `","fields":[]}]`
	}
	return []connectortest.Refusal{
		{
			Name: "daily limit", Status: http.StatusForbidden, Body: body("REQUEST_LIMIT_EXCEEDED"), Header: http.Header{"Sforce-Limit-Info": {"api-usage=15000/15000"}},
			Want: fault.Blocked, Code: "salesforce_daily_limit", Wait: time.Hour,
		},
		{
			Name: "too many long requests", Status: http.StatusForbidden, Body: body("REQUEST_LIMIT_EXCEEDED"), Header: http.Header{"Sforce-Limit-Info": {"api-usage=54/15000"}},
			Want: fault.Throttled, Code: "salesforce_request_limit",
		},
		{Name: "the API is off", Status: http.StatusForbidden, Body: body("API_DISABLED_FOR_ORG"), Want: fault.Blocked, Code: "salesforce_forbidden"},
		{Name: "a field is missing", Status: http.StatusBadRequest, Body: body("INVALID_FIELD"), Want: fault.Blocked, Code: "salesforce_schema"},
		{Name: "a value is refused", Status: http.StatusBadRequest, Body: body("STRING_TOO_LONG"), Want: fault.Permanent, Code: "salesforce_invalid_data"},
		{Name: "locked", Status: http.StatusBadRequest, Body: body("UNABLE_TO_LOCK_ROW"), Want: fault.Retryable, Code: "salesforce_locked", Wait: 2 * time.Second},
		{Name: "down", Status: http.StatusServiceUnavailable, Body: body("SERVER_UNAVAILABLE"), Want: fault.Retryable, Code: "salesforce_unavailable"},
		{Name: "a bad header", Status: http.StatusUnauthorized, Body: body("INVALID_AUTH_HEADER"), Want: fault.Blocked, Code: "salesforce_session_refused"},
	}
}
