package dynamics_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/dynamics"
	"signalbox/functions/connector/dynamics/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/canonical"
	"signalbox/shared/connect"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/mapping"
	"signalbox/shared/receipt"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

const (
	tenantID = "demo"
	token    = secret.Value("invented-secret")
)

// bound returns one binding, whatever is asked.
type bound dynamics.Binding

func (b bound) Binding(context.Context, string, string) (dynamics.Binding, error) {
	return dynamics.Binding(b), nil
}

// environment is a binding to the simulator.
func environment() dynamics.Binding {
	return dynamics.Binding{
		BaseURL: "https://acme.crm4.dynamics.example", Directory: "00000000-0000-4000-a000-000000000001", ClientID: "00000000-0000-4000-a000-000000000002", Secret: token,
	}
}

func app() simulator.App {
	return simulator.App{TenantID: environment().Directory, ClientID: environment().ClientID, Secret: token}
}

// place is what processes share.
type place struct {
	store *memstore.Store
	box   *keyring.Box
}

func newPlace() place { return place{memstore.New(), keyring.NewBox(memkeys.New(), rand.Reader)} }

func (p place) crm(b dynamics.Binding, transport http.RoundTripper, logger *slog.Logger) *dynamics.CRM {
	return dynamics.New(dynamics.Options{
		Bindings: bound(b), Client: &http.Client{Transport: transport}, Store: p.store, Sealer: p.box,
		Logger: logger, Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	})
}

// signedIn returns a place that holds an access token to a simulator, as it nearly always does.
func signedIn(t testing.TB, b dynamics.Binding, s *simulator.Simulator) place {
	t.Helper()
	p := newPlace()
	crm := p.crm(b, simulatortest.Transport(s), slog.New(slog.DiscardHandler))
	for _, err := range crm.WriteStatuses(t.Context(), []receipt.Update{{TenantID: tenantID, CRM: "dynamics", Key: strings.Repeat("0", 64), Status: receipt.Status{State: "sent"}}}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestContract(t *testing.T) {
	for name, change := range map[string]func(*dynamics.Binding){
		"leads":                       func(*dynamics.Binding) {},
		"another version":             func(b *dynamics.Binding) { b.Version = "v9.1" },
		"new persons become contacts": func(b *dynamics.Binding) { b.Contacts = true },
	} {
		t.Run(name, func(t *testing.T) {
			b := environment()
			change(&b)
			connectortest.Run(t, func(t *testing.T) connectortest.Harness[dynamics.Request] { return harness(t, b) })
		})
	}
}

func TestEveryCodeHasAdvice(t *testing.T) {
	connectortest.Advised(t, (*dynamics.CRM)(nil), dynamics.Kind)
}

func TestTheCalendarHasTheDefaultVersion(t *testing.T) {
	encoded, err := os.ReadFile("versions.json")
	if err != nil {
		t.Fatal(err)
	}
	all, err := connect.ReadVersions(encoded)
	if err != nil || len(all) != 1 || all[0].Name != dynamics.Version {
		t.Errorf("%+v %v", all, err)
	}
}

// The ids of users whom the simulator knows.
const (
	us    = simulator.IntegrationUser
	user1 = "00000000-0000-4000-8000-000000000007"
	user2 = "00000000-0000-4000-8000-000000000008"
)

func harness(t *testing.T, b dynamics.Binding) connectortest.Harness[dynamics.Request] {
	t.Helper()
	s := simulator.New(simulator.Options{Apps: []simulator.App{app()}, TokenLife: 365 * 24 * time.Hour})
	p := signedIn(t, b, s)
	return connectortest.Harness[dynamics.Request]{
		New: func(client *http.Client, logger *slog.Logger) connector.CRM[dynamics.Request] {
			return p.crm(b, client.Transport, logger)
		},
		Simulator:  s,
		Name:       "dynamics",
		Tenant:     tenantID,
		Secrets:    []string{string(token), "invented-token"},
		Width:      connector.Width,
		KnownCalls: 2, // one, and another for a lead that was qualified and became no contact
		Kept:       time.Second,
		AddPerson: func(phone, name, country string) string {
			return s.Add("contact", map[string]any{"telephone1": phone, "lastname": name, "address1_country": country})
		},
		Rename: func(person, name string) {
			s.Set(tableOf(s, person), person, map[string]any{"firstname": nil, "lastname": name})
		},
		Users:    [2]string{user1, user2},
		Give:     func(person, user string) { s.Give(tableOf(s, person), person, user) },
		Replace:  replacing(s, b),
		Fields:   fields(s, b),
		Held:     func() connectortest.Held { return held(s) },
		Spoil:    func(d *delivery.Delivery) { d.Event.Channel = canonical.Channel(strings.Repeat("x", 65)) },
		Statuses: &connectortest.Statuses{Width: dynamics.ReceiptsWidth, Calls: 2, State: func(s receipt.Status) string { return state(s.State, s.Error, receipt.Words(s.Reason)) }},
		Files: &connectortest.Files{
			Calls: 1, Held: func() []connectortest.HeldFile { return heldFiles(s) }, Forbid: s.Forbid, Delete: func() { deleteAll(s, "msg_message") },
		},
		Works:    works(s, b),
		Sessions: sessions(s),
		Mapped:   mapped(s, b),
		Refusals: refusals(),
	}
}

// works describes what an environment shows of work that rules ask for. A case is of no lead.
func works(s *simulator.Simulator, b dynamics.Binding) *connectortest.Works {
	lacks := map[delivery.Kind]string{delivery.OpenCase: "dynamics_case_of_lead"}
	refuse := func(table string) connectortest.Forbidden {
		return connectortest.Forbidden{Do: func() { s.PlugIn(table, "not now") }, Code: "dynamics_plugin"}
	}
	shows := &connectortest.Works{
		Statuses: [2]string{"2", "1"}, Stage: "2", Lacks: lacks,
		SetStatus: func(person, status string) {
			code, _ := strconv.Atoi(status)
			s.Set(tableOf(s, person), person, map[string]any{"statuscode": code})
		},
		Forbid: map[delivery.Kind]connectortest.Forbidden{
			delivery.OpenCase: refuse("incident"), delivery.CreateTask: refuse("task"), delivery.StartAutomation: refuse("msg_automation"),
		},
		Held: func() (h connectortest.HeldWork) {
			h.Statuses = map[string]string{}
			for _, c := range rows(s, "incident") {
				h.Cases = append(h.Cases, connectortest.HeldCase{Subject: c.Properties["title"], Status: c.Properties["statuscode"], Persons: c.Associations["contact"]})
			}
			for _, table := range []string{"contact", "lead"} {
				for _, p := range rows(s, table) {
					h.Statuses[p.ID] = p.Properties["statuscode"]
				}
			}
			for _, a := range rows(s, "msg_automation") {
				inputs := map[string]string{}
				if json.Unmarshal([]byte(a.Properties["msg_input"]), &inputs) == nil {
					h.Started = append(h.Started, connectortest.HeldStart{Name: a.Properties["msg_name"], Person: strings.Join(persons(a), " "), Inputs: inputs})
				}
			}
			return h
		},
	}
	if b.Contacts { // who has one status while they are active
		shows.Statuses, shows.Lacks = [2]string{"1", "1"}, nil
	}
	return shows
}

// replacing returns how users of an environment take a person's row away.
func replacing(s *simulator.Simulator, b dynamics.Binding) map[string]func(person, other string) string {
	ways := map[string]func(person, other string) string{
		"deleted": func(person, _ string) string { s.Delete(tableOf(s, person), person); return "" },
		"merged": func(person, other string) string {
			if !b.Contacts {
				other = s.Add("lead", map[string]any{"lastname": "Person 08", "subject": "x"})
			}
			s.Merge(tableOf(s, person), other, person)
			return other
		},
	}
	if !b.Contacts {
		ways["qualified"] = func(person, _ string) string { return s.Qualify(person) }
		ways["qualified, and the contact is deleted"] = func(person, _ string) string { s.Delete("contact", s.Qualify(person)); return person }
		ways["qualified, and the contact is merged"] = func(person, other string) string { s.Merge("contact", other, s.Qualify(person)); return other }
		ways["qualified, and only the contact says so"] = func(person, _ string) string {
			contact := s.Qualify(person)
			s.Set("lead", person, map[string]any{"_parentcontactid_value": nil})
			return contact
		}
	}
	return ways
}

// fields are what users of an environment edit.
func fields(s *simulator.Simulator, b dynamics.Binding) map[string]connectortest.Field {
	field := func(tables, name, value string) connectortest.Field {
		each := func(visit func(table string, r simulator.Record)) {
			for table := range strings.FieldsSeq(tables) {
				for _, r := range rows(s, table) {
					visit(table, r)
				}
			}
		}
		return connectortest.Field{
			Edit: func() {
				each(func(table string, r simulator.Record) { s.Set(table, r.ID, map[string]any{name: value}) })
			},
			Kept: func() (n int) {
				each(func(_ string, r simulator.Record) {
					if r.Properties[name] == value {
						n++
					}
				})
				return n
			},
		}
	}
	const people, ours = "lead contact", "msg_message"
	all := map[string]connectortest.Field{
		"last name": field(people, "lastname", "Given Here"), "first name": field(people, "firstname", "Given"), "phone": field(people, "mobilephone", "+14155559999"),
		"e-mail": field(people, "emailaddress1", "given@example.test"), "description": field(people, "description", "Given here"), "owner": field(people, "_ownerid_value", user1),
		"subject": field(ours, "subject", "Call back"), "text": field(ours, "msg_body", "Given here"), "whose message": field(ours, "_ownerid_value", user1),
	}
	if !b.Contacts {
		all["topic"], all["company"] = field("lead", "subject", "Given"), field("lead", "companyname", "Given Inc.")
	}
	return all
}

// mapped describes how an environment shows what a tenant maps. The options of a choice are numbers.
func mapped(s *simulator.Simulator, b dynamics.Binding) *connectortest.Mapped {
	objects := mapping.Objects()
	if b.Contacts {
		objects = slices.DeleteFunc(objects, func(o mapping.Object) bool { return o == mapping.Lead })
	}
	return &connectortest.Mapped{
		Objects:      objects,
		FirstMessage: "description",
		Drops:        true,
		Name:         func(field string) string { return "own_" + field },
		Option: func(label string) string {
			return strconv.Itoa(471100000 + slices.Index([]string{"Text", "Other", "known", "unheard of"}, label))
		},
		Define: s.DefineMapped,
		Held: func(o mapping.Object) (all []map[string]string) {
			for _, table := range simulator.Shows(o) {
				for _, r := range rows(s, table) {
					all = append(all, r.Properties)
				}
			}
			return all
		},
		Edit: func(o mapping.Object, field, value string) {
			for _, table := range simulator.Shows(o) {
				for _, r := range rows(s, table) {
					s.Set(table, r.ID, map[string]any{field: value})
				}
			}
		},
	}
}

// define makes a column or a key of a table, as an administrator would.
func define(t *testing.T, s *simulator.Simulator, table, below, definition string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, environment().BaseURL+"/api/data/v9.2/EntityDefinitions(LogicalName='"+table+"')/"+below, strings.NewReader(definition))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.NewToken())
	r.Header.Set("Content-Type", "application/json")
	reply, err := simulatortest.Transport(s).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
}

func state(words ...string) string {
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// rows returns the rows of a table.
func rows(s *simulator.Simulator, table string) []simulator.Record {
	all, _ := s.Records(table)
	return all
}

func deleteAll(s *simulator.Simulator, table string) {
	for _, r := range rows(s, table) {
		s.Delete(table, r.ID)
	}
}

func tableOf(s *simulator.Simulator, id string) string {
	for _, r := range rows(s, "lead") {
		if r.ID == id {
			return "lead"
		}
	}
	return "contact"
}

func heldFiles(s *simulator.Simulator) (all []connectortest.HeldFile) {
	for _, f := range rows(s, "annotation") {
		all = append(all, connectortest.HeldFile{ID: f.ID, Name: f.Properties["filename"], Body: decoded(f.Properties["documentbody"]), On: persons(f)})
	}
	return all
}

// persons returns the persons whom a row is about.
func persons(r simulator.Record) []string {
	return slices.Concat(r.Associations["contact"], r.Associations["lead"])
}

// sessions describes how an environment shows sessions, and how conversations stand.
func sessions(s *simulator.Simulator) *connectortest.Sessions {
	return &connectortest.Sessions{
		Calls: 1,
		Held: func() (all []connectortest.Shown) {
			for _, r := range rows(s, "msg_message") {
				all = append(all, connectortest.Shown{
					Key: r.Properties["msg_eventkey"], Text: r.Properties["msg_body"], Persons: persons(r), Rest: r.Properties["subject"] + "|" + r.Properties["_ownerid_value"],
				})
			}
			return all
		},
		Edit: func(key string) {
			for _, r := range rows(s, "msg_message") {
				if r.Properties["msg_eventkey"] == key {
					s.Set("msg_message", r.ID, map[string]any{"subject": "Call Ana"})
					s.Give("msg_message", r.ID, user1)
				}
			}
		},
		Standings: func() (all []connectortest.Standing) {
			for _, r := range rows(s, "msg_conversation") {
				n, _ := strconv.Atoi(r.Properties["msg_messages"])
				all = append(all, connectortest.Standing{
					Person: strings.Join(persons(r), " "), Status: conversation.Status(r.Properties["msg_status"]), Messages: n, Receipt: r.Properties["msg_lastreceipt"],
				})
			}
			return all
		},
	}
}

// ad returns the advertisement that a row shows.
func ad(p map[string]string) canonical.Attribution {
	return canonical.Attribution{
		SourceType: p["msg_adsource"], SourceID: p["msg_adid"], SourceURL: p["msg_adurl"], Headline: p["msg_adheadline"], ClickID: p["msg_adclickid"],
	}
}

// held returns what an environment holds.
func held(s *simulator.Simulator) connectortest.Held {
	var h connectortest.Held
	became := map[string]bool{} // leads that are contacts by now
	for _, r := range rows(s, "contact") {
		became[r.Properties["_originatingleadid_value"]] = true
	}
	for _, table := range []string{"contact", "lead"} {
		for _, r := range rows(s, table) {
			p := r.Properties
			if p["_masterid_value"] != "" || became[r.ID] { // another row stands for the person
				continue
			}
			consent := map[string]string{}
			for channel, permission := range connector.DecodePermissions(p["msg_consent"]) {
				consent[channel] = permission.State
			}
			replied, _ := time.Parse(time.RFC3339, p["msg_lastreplyat"])
			number := p["mobilephone"]
			if number == "" {
				number = p["telephone1"]
			}
			h.Persons = append(h.Persons, connectortest.Person{
				ID: r.ID, Key: p["msg_senderkey"], Name: strings.TrimSpace(p["firstname"] + " " + p["lastname"]), Phone: number, Address: p["msg_address"],
				First: p["msg_firstmessage"], Ad: ad(p), Consent: consent, RepliedAt: replied, Ended: p["msg_stopautomation"] == "true", Owner: ownerOf(r),
			})
		}
	}
	for _, r := range rows(s, "task") {
		h.Notices = append(h.Notices, connectortest.Notice{To: ownerOf(r), Person: strings.Join(persons(r), " "), Subject: r.Properties["subject"]})
	}
	for _, r := range rows(s, "msg_message") {
		p := r.Properties
		at, _ := time.Parse(time.RFC3339, p["msg_occurredat"])
		h.Activities = append(h.Activities, connectortest.Activity{
			ExternalID: p["msg_eventkey"], Persons: persons(r), At: at, Text: p["msg_body"], Ad: ad(p),
			Status: state(p["msg_status"], p["msg_statuserror"], p["msg_statusreason"]),
		})
	}
	return h
}

// ownerOf returns whose a row is, "" for what the application user still has.
func ownerOf(r simulator.Record) string {
	if owner := r.Properties["_ownerid_value"]; owner != us {
		return owner
	}
	return ""
}

// refusals are Dataverse's own, in its words.
func refusals() []connectortest.Refusal {
	body := func(code string) string { return `{"error":{"code":"` + code + `","message":"Secret words"}}` }
	retry := http.Header{"Retry-After": {"37"}}
	return []connectortest.Refusal{
		{Name: "too many requests", Status: 429, Header: retry, Body: body("0x80072322"), Want: fault.Throttled, Code: "dynamics_request_limit", Wait: 37 * time.Second},
		{Name: "too much time", Status: 429, Header: retry, Body: body("0x80072321"), Want: fault.Throttled, Code: "dynamics_execution_limit"},
		{Name: "too many at once", Status: 429, Header: retry, Body: body("0x80072326"), Want: fault.Throttled, Code: "dynamics_concurrency_limit"},
		{Name: "the day is spent", Status: 429, Header: http.Header{"Retry-After": {"7200"}}, Body: body("0x80072322"), Want: fault.Blocked, Code: "dynamics_request_limit", Wait: 2 * time.Hour},
		{Name: "a privilege is missing", Status: 403, Body: body("0x80040220"), Want: fault.Blocked, Code: "dynamics_privilege_missing"},
		{Name: "the user is disabled", Status: 403, Body: body("0x80040225"), Want: fault.Blocked, Code: "dynamics_user_disabled"},
		{Name: "a column is missing", Status: 400, Body: body("0x80048d19"), Want: fault.Blocked, Code: "dynamics_schema"},
		{Name: "a value is refused", Status: 400, Body: body("0x80044331"), Want: fault.Permanent, Code: "dynamics_value_too_long"},
		{Name: "a duplicate rule, with a 500", Status: 500, Body: body("0x80040333"), Want: fault.Permanent, Code: "dynamics_duplicate_rule"},
		{Name: "down", Status: 503, Body: body("0x80044150"), Want: fault.Retryable, Code: "dynamics_unavailable"},
	}
}
