package simulator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"signalbox/functions/connector/dynamics/simulator"
)

func property(t *testing.T, s *simulator.Simulator, table, id, name string) string {
	t.Helper()
	rows, _ := s.Records(table)
	for _, r := range rows {
		if r.ID == id {
			return r.Properties[name]
		}
	}
	return "no row"
}

func TestAQualifiedLead(t *testing.T) {
	s, lead := populated(t)
	contact := s.Qualify(lead)
	for name, want := range map[string]string{"statecode": "1", "statuscode": "3", "_parentcontactid_value": contact, "msg_senderkey": key} {
		if got := property(t, s, "lead", lead, name); got != want {
			t.Errorf("lead's %s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"lastname": "O'Bryan", "_originatingleadid_value": lead, "msg_senderkey": ""} {
		if got := property(t, s, "contact", contact, name); got != want {
			t.Errorf("contact's %s is %q, want %q", name, got, want)
		}
	}
	if rows, _ := s.Records("msg_message"); rows[0].Associations["lead"][0] != lead {
		t.Errorf("%+v", rows)
	}
}

func TestAMergedRow(t *testing.T) {
	s, lead := populated(t)
	into := s.Add("lead", map[string]any{"lastname": "Ruiz"})
	s.Merge("lead", into, lead)
	for name, want := range map[string]string{"statecode": "2", "merged": "true", "_masterid_value": into, "msg_senderkey": key} {
		if got := property(t, s, "lead", lead, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if rows, _ := s.Records("msg_message"); rows[0].Properties["_regardingobjectid_value"] != into {
		t.Errorf("%+v", rows)
	}
}

func TestADeletedRow(t *testing.T) {
	s, lead := populated(t)
	talk := s.Add("msg_conversation", map[string]any{"msg_conversationkey": key, "_msg_lead_value": lead})
	if got := ask(t, s, "DELETE", "leads("+lead+")", ""); got.status != 204 {
		t.Fatalf("%+v", got)
	}
	messages, _ := s.Records("msg_message")
	if kept := property(t, s, "msg_conversation", talk, "_msg_lead_value"); len(messages) != 0 || kept != "" {
		t.Errorf("%v, a conversation with %q", messages, kept)
	}
	for _, at := range []string{"leads(" + lead + ")", "leads(msg_senderkey='" + key + "')"} {
		if got := ask(t, s, "GET", at, ""); got.status != 404 {
			t.Errorf("%s: %+v", at, got)
		}
	}
}

func TestALookupPointsToOneTable(t *testing.T) {
	s, _ := populated(t)
	s.Add("contact", map[string]any{"msg_senderkey": key})
	at := "msg_messages(msg_eventkey='" + key + "')"
	body := `{"regardingobjectid_lead_msg_message@odata.bind":null,"regardingobjectid_contact_msg_message@odata.bind":"contacts(msg_senderkey='` + key + `')"}`
	if got := ask(t, s, "PATCH", at, body, "If-Match", "*"); got.status != 204 {
		t.Fatalf("%+v", got)
	}
	if rows, _ := s.Records("msg_message"); len(rows[0].Associations["contact"]) != 1 || len(rows[0].Associations["lead"]) != 0 {
		t.Errorf("%+v: see %s", rows, binding)
	}
	ask(t, s, "PATCH", at, `{"regardingobjectid_contact_msg_message":null}`)
	if rows, _ := s.Records("msg_message"); len(rows[0].Associations) != 0 {
		t.Errorf("%+v: see %s", rows, binding)
	}
}

func TestVersions(t *testing.T) {
	s, lead := populated(t)
	at := "leads(" + lead + ")?$select=lastname"
	first := ask(t, s, "GET", at, "").header.Get("ETag")
	if got := ask(t, s, "GET", at, "", "If-None-Match", first); got.status != 304 {
		t.Errorf("%+v: see %s", got, conditional)
	}
	if got := ask(t, s, "PATCH", at, `{"lastname":"Ruiz"}`, "If-Match", first); got.status != 204 {
		t.Errorf("%+v: see %s", got, conditional)
	}
	if got := ask(t, s, "PATCH", at, `{"lastname":"Li"}`, "If-Match", first); got.status != 412 {
		t.Errorf("%+v: see %s", got, conditional)
	}
	if got := ask(t, s, "GET", at, "", "If-None-Match", first); got.status != 200 || got.value(t, "lastname") != "Ruiz" {
		t.Errorf("%+v: see %s", got, conditional)
	}
}

// TestWhatNobodyWrites: a read-only column is left as it is, and so is the key by which a row is named.
func TestWhatNobodyWrites(t *testing.T) {
	s, lead := populated(t)
	ask(t, s, "PATCH", "leads(msg_senderkey='"+key+"')", `{"fullname":"x","createdon":"2001-01-01T00:00:00Z","msg_senderkey":"`+other+`"}`)
	if name, kept := property(t, s, "lead", lead, "fullname"), property(t, s, "lead", lead, "msg_senderkey"); name != "O'Bryan" || kept != key {
		t.Errorf("fullname %q, key %q: see %s", name, kept, upserts)
	}
}

func TestFiles(t *testing.T) {
	s, lead := populated(t)
	note := func(body string) asked {
		return ask(t, s, "PATCH", "annotations("+none+")", `{"filename":"sea.png","mimetype":"image/png","documentbody":"`+body+`","objectid_lead@odata.bind":"/leads(`+lead+`)"}`)
	}
	if got := note("c2Vh"); got.status != 204 {
		t.Fatalf("%+v", got)
	}
	if size := property(t, s, "annotation", none, "filesize"); size != "3" {
		t.Errorf("filesize %s", size)
	}
	if got := note(strings.Repeat("AAAA", 5<<20/3+1)); got.status != 400 || !strings.Contains(got.body, `"code":"0x80044a02"`) {
		t.Errorf("%d %.100s: see %s", got.status, got.body, errorCodes)
	}
	s.Forbid()
	if got := note("c2Vh"); got.status != 403 || !strings.Contains(got.body, "prvCreateNote") {
		t.Errorf("%+v: see %s", got, errorCodes)
	}
}

// TestAPlugIn: see the page of errors.
func TestAPlugIn(t *testing.T) {
	s, lead := populated(t)
	s.PlugIn("lead", "No leads on Fridays.")
	if got := ask(t, s, "PATCH", "leads("+lead+")", `{"lastname":"x"}`); got.status != 400 || !strings.Contains(got.body, `{"error":{"code":"0x80040265","message":"No leads on Fridays."}}`) {
		t.Errorf("%+v: see %s", got, composing)
	}
	s.PlugIn("lead", "")
	if got := ask(t, s, "PATCH", "leads("+lead+")", `{"lastname":"x"}`); got.status != 204 {
		t.Errorf("%+v", got)
	}
}

func TestPages(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for range 3 {
		s.Add("task", map[string]any{"subject": "x"})
	}
	got := ask(t, s, "GET", "tasks?$select=subject", "", "Prefer", "odata.maxpagesize=2")
	next, _ := got.value(t, "@odata.nextLink").(string)
	if rows, _ := got.value(t, "value").([]any); len(rows) != 2 || next == "" {
		t.Fatalf("%+v", got)
	}
	got = ask(t, s, "GET", strings.TrimPrefix(next, "https://acme.crm4.dynamics.example"), "", "Prefer", "odata.maxpagesize=2")
	if rows, _ := got.value(t, "value").([]any); len(rows) != 1 || got.value(t, "@odata.nextLink") != nil {
		t.Errorf("%+v", got)
	}
}

func TestWhatToolsSee(t *testing.T) {
	s, lead := populated(t)
	about := ask(t, s, "GET", "/_simulator", "")
	objects, _ := about.value(t, "objects").([]any)
	for _, object := range objects {
		if _, known := s.Records(object.(string)); !known {
			t.Errorf("no %v", object)
		}
	}
	ask(t, s, "POST", "/_simulator/records?object=lead", `{"lastname":"Li","msg_optout":"true","_ownerid_value":"`+simulator.FirstUser+`"}`)
	var rows []simulator.Record
	if err := json.Unmarshal([]byte(ask(t, s, "GET", "/_simulator/records?object=lead", "").body), &rows); err != nil || len(rows) != 2 ||
		rows[1].Properties["msg_optout"] != "true" || rows[1].Properties["_ownerid_value"] != simulator.FirstUser {
		t.Errorf("%v %+v", err, rows)
	}
	ask(t, s, "DELETE", "/_simulator/records?object=lead&id="+lead, "")
	if rows, _ := s.Records("lead"); len(rows) != 1 {
		t.Errorf("%+v", rows)
	}
	s.Deactivate("lead", rows[1].ID)
	s.Give("lead", rows[1].ID, simulator.SecondUser)
	if state, owner := property(t, s, "lead", rows[1].ID, "statecode"), property(t, s, "lead", rows[1].ID, "_ownerid_value"); state != "1" || owner != simulator.SecondUser {
		t.Errorf("state %s, owner %s", state, owner)
	}
	ask(t, s, "DELETE", "/_simulator", "")
	if rows, _ := s.Records("lead"); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}

func TestAnEnvironmentThatRefusesChangesOfInactiveRows(t *testing.T) {
	s := simulator.New(simulator.Options{Frozen: true})
	id := s.Add("contact", map[string]any{"lastname": "Ruiz"})
	s.Deactivate("contact", id)
	if got := ask(t, s, "PATCH", "contacts("+id+")", `{"lastname":"Li"}`); got.status != 400 || !strings.Contains(got.body, "0x80040230") {
		t.Errorf("%+v", got)
	}
	if got := ask(t, s, "PATCH", "contacts("+id+")", `{"statecode":0}`); got.status != 204 {
		t.Errorf("activated: %+v", got)
	}
}
