package simulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
)

const (
	data = "/services/data/v66.0"
	key  = "abababababababababababababababababababababababababababababababab"
)

// call makes one request in a session.
func call(t *testing.T, s *simulator.Simulator, method, path, body string) (status int, answer string, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://acme.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.NewSession())
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	reply, err := (&http.Client{Transport: simulatortest.Transport(s)}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(read), reply.Header
}

func TestWhatIsRefused(t *testing.T) {
	lead := data + "/sobjects/Lead/Msg_Sender_Key__c/" + key
	row := func(fields string) string { return `{"allOrNone":false,"records":[` + fields + `]}` }
	cases := map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"another API":                            {"GET", "/services/apexrest/x", ``, 404, `NOT_FOUND`},
		"an old version":                         {"GET", "/services/data/v21.0/limits", ``, 404, `NOT_FOUND`},
		"an unknown object":                      {"PATCH", data + "/sobjects/Goat/X__c/1", `{}`, 404, `NOT_FOUND`},
		"a field that is no external id":         {"PATCH", data + "/sobjects/Lead/Company/1", `{}`, 404, `external ID field`},
		"nobody has the key":                     {"GET", lead, ``, 404, `"errorCode":"NOT_FOUND"`},
		"nobody has the id":                      {"GET", data + "/sobjects/Lead/00Q000000000001EAA", ``, 404, `NOT_FOUND`},
		"no object":                              {"PATCH", lead, `[]`, 400, `JSON_PARSER_ERROR`},
		"an unknown field":                       {"PATCH", lead, `{"Goat__c":"1"}`, 400, `INVALID_FIELD`},
		"the key in the body":                    {"PATCH", lead, `{"Msg_Sender_Key__c":"1"}`, 400, `should not be specified`},
		"a field that is Salesforce's":           {"PATCH", lead, `{"IsConverted":true}`, 400, `INVALID_FIELD_FOR_INSERT_UPDATE`},
		"a lead without a company":               {"PATCH", lead, `{"LastName":"Ruiz"}`, 400, `Required fields are missing: [Company]`},
		"too long a name":                        {"PATCH", lead, `{"LastName":"` + strings.Repeat("x", 81) + `","Company":"X"}`, 400, `(max length=80)","errorCode":"STRING_TOO_LONG","fields":["LastName"]`},
		"a name of 41 emoji":                     {"PATCH", lead, `{"LastName":"` + strings.Repeat("🙂", 41) + `","Company":"X"}`, 400, `STRING_TOO_LONG`},
		"an address that is none":                {"PATCH", lead, `{"LastName":"x","Company":"X","Email":"ana"}`, 400, `INVALID_EMAIL_ADDRESS`},
		"a day that is none":                     {"POST", data + "/sobjects/Task", `{"ActivityDate":"2026-13-01"}`, 400, `JSON_PARSER_ERROR`},
		"a number in place of a text":            {"POST", data + "/sobjects/Task", `{"Subject":1}`, 400, `JSON_PARSER_ERROR`},
		"a person who is no person":              {"POST", data + "/sobjects/Task", `{"WhoId":"987654321"}`, 400, `MALFORMED_ID`},
		"a person of another kind":               {"POST", data + "/sobjects/Task", `{"WhoId":"00T000000000001EAA"}`, 400, `FIELD_INTEGRITY_EXCEPTION`},
		"a person who is not there":              {"POST", data + "/sobjects/Task", `{"WhoId":"003000000000001AAA"}`, 400, `INVALID_CROSS_REFERENCE_KEY`},
		"an unknown parameter":                   {"GET", lead + "?goat=1", ``, 400, `goat`},
		"a graph without an id":                  {"POST", data + "/composite/graph", `{"graphs":[{"compositeRequest":[]}]}`, 400, `graphId`},
		"a graph whose id has a period":          {"POST", data + "/composite/graph", `{"graphs":[{"graphId":"a.b","compositeRequest":[{}]}]}`, 400, `graphId`},
		"a graph whose id has 40 characters":     {"POST", data + "/composite/graph", `{"graphs":[{"graphId":"` + strings.Repeat("a", 40) + `","compositeRequest":[{}]}]}`, 400, `graphId`},
		"a graph twice":                          {"POST", data + "/composite/graph", `{"graphs":[{"graphId":"a","compositeRequest":[{}]},{"graphId":"a","compositeRequest":[{}]}]}`, 400, `graphId`},
		"a graph with what nobody documents":     {"POST", data + "/composite/graph", `{"graphs":[],"allOrNone":true}`, 400, `JSON_PARSER_ERROR`},
		"no graphs":                              {"POST", data + "/composite/graph", `{"graphs":[]}`, 400, `LIMIT_EXCEEDED`},
		"too many subrequests":                   {"POST", data + "/composite", `{"allOrNone":false,"compositeRequest":[` + strings.Repeat(`{},`, 25) + `{}]}`, 400, `LIMIT_EXCEEDED`},
		"a composite that writes":                {"POST", data + "/composite", `{"allOrNone":false,"compositeRequest":[{"method":"PATCH","url":"x","referenceId":"a","body":{}}]}`, 404, `NOT_FOUND`},
		"a collection without rows":              {"PATCH", data + "/composite/sobjects", row(``), 400, `LIMIT_EXCEEDED`},
		"a row that does not say what it is of":  {"PATCH", data + "/composite/sobjects", row(`{"Id":"1"}`), 400, `attributes`},
		"records without fields":                 {"POST", data + "/composite/sobjects/Lead", `{"ids":["00Q000000000001EAA"]}`, 400, `fields`},
		"a search with words":                    {"POST", data + "/parameterizedSearch", `{"q":"ana","in":"PHONE","sobjects":[{"name":"Lead","fields":["Id"]}]}`, 400, `MALFORMED_SEARCH`},
		"a search for a field that is not there": {"POST", data + "/parameterizedSearch", `{"q":"5551234567","in":"PHONE","sobjects":[{"name":"Lead","fields":["Goat"]}]}`, 400, `INVALID_FIELD`},
		"a query nobody needs":                   {"GET", data + "/query?q=SELECT+Id+FROM+Lead", ``, 400, `MALFORMED_QUERY`},
		"a fault that is none":                   {"POST", "/_simulator/faults", `{"statuses":1}`, 400, `not a fault`},
		"records of nothing":                     {"GET", "/_simulator/records?object=Goat", ``, 400, `object is one of`},
		"another path for tests":                 {"GET", "/_simulator/goats", ``, 404, `knows no`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, answer, _ := call(t, simulator.New(simulator.Options{}), c.method, c.path, c.body)
			if status != c.status || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s, want %d %s", status, answer, c.status, c.says)
			}
			var problems []struct{ ErrorCode, Message string }
			if err := json.Unmarshal([]byte(answer), &problems); err != nil || len(problems) != 1 || problems[0].ErrorCode == "" {
				t.Errorf("not in Salesforce's shape: %s", answer)
			}
		})
	}
}

func TestAnUpsertCreatesOnceAndUpdatesAfterwards(t *testing.T) {
	s := simulator.New(simulator.Options{})
	path, body := data+"/sobjects/Lead/Msg_Sender_Key__c/"+key, `{"LastName":"Ruiz","Company":"X"}`
	for n, want := range []int{http.StatusCreated, http.StatusOK} {
		status, answer, header := call(t, s, "PATCH", path, body)
		if status != want || !strings.Contains(answer, fmt.Sprintf(`"created":%v`, n == 0)) || !strings.Contains(answer, `"id":"00Q000000000001EAA"`) {
			t.Errorf("%d %s", status, answer)
		}
		if usage := header.Get("Sforce-Limit-Info"); usage != fmt.Sprintf("api-usage=%d/1000000; api-bursts=1/750", n+1) {
			t.Errorf("usage %q", usage)
		}
	}
	if _, answer, _ := call(t, s, "GET", path+"?fields=Id,LastName", ""); answer != `{"attributes":{"type":"Lead","url":"/services/data/v66.0/sobjects/Lead/00Q000000000001EAA"},"Id":"00Q000000000001EAA","LastName":"Ruiz"}` {
		t.Errorf("%s", answer)
	}
	s.Add("Lead", map[string]any{"Msg_Sender_Key__c": strings.ToUpper(key)})
	if status, answer, _ := call(t, s, "PATCH", path, body); status != http.StatusMultipleChoices || strings.Count(answer, "/sobjects/Lead/00Q") != 2 {
		t.Errorf("%d %s", status, answer)
	}
}

func TestAUniqueValueBelongsToOneRecord(t *testing.T) {
	s := simulator.New(simulator.Options{})
	s.Add("Lead", map[string]any{"Msg_Sender_Key__c": key})
	id := s.Add("Lead", map[string]any{})
	status, answer, _ := call(t, s, "PATCH", data+"/sobjects/Lead/"+id, `{"Msg_Sender_Key__c":"`+key+`"}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, "DUPLICATE_VALUE") || !strings.Contains(answer, "record with id: 00Q000000000001\"") {
		t.Errorf("%d %s", status, answer)
	}
}

func TestAGraphIsAllOrNothing(t *testing.T) {
	graph := func(id, company string) string {
		return `{"graphId":"` + id + `","compositeRequest":[
			{"method":"PATCH","url":"` + data + `/sobjects/Lead/Msg_Sender_Key__c/` + id + `","referenceId":"person","body":{"LastName":"Ruiz"` + company + `}},
			{"method":"PATCH","url":"` + data + `/sobjects/Task/Msg_Event_Key__c/` + id + `","referenceId":"task","body":{"Subject":"x","WhoId":"@{person.id}"}}]}`
	}
	const good = `,"Company":"X"`
	s := simulator.New(simulator.Options{})
	var graphs []string
	for n := range 20 {
		company := ""
		if n%19 == 0 { // the first and the last are good, but the last comes after too many bad ones
			company = good
		}
		graphs = append(graphs, graph(fmt.Sprintf("g%02d", n), company))
	}
	status, answer, _ := call(t, s, "POST", data+"/composite/graph", `{"graphs":[`+strings.Join(graphs, ",")+`]}`)
	if status != http.StatusOK || strings.Count(answer, `"isSuccessful":true`) != 1 || strings.Count(answer, "REQUIRED_FIELD_MISSING") != 15 {
		t.Errorf("%d %s", status, answer)
	}
	for _, object := range []string{"Lead", "Task"} {
		if held, _ := s.Records(object); len(held) != 1 {
			t.Errorf("%s: %v", object, held)
		}
	}
	if status, answer, _ = call(t, s, "POST", data+"/composite/graph", `{"graphs":[`+graph("g19", good)+`]}`); !strings.Contains(answer, `"isSuccessful":true`) {
		t.Errorf("%d %s", status, answer)
	}
	if held, _ := s.Records("Task"); len(held) != 2 || held[1].Associations["Lead"] == nil {
		t.Errorf("%v", held)
	}
}

func TestARolledBackUpdateLeavesWhatWasThere(t *testing.T) {
	s := simulator.New(simulator.Options{})
	s.Add("Lead", map[string]any{"Msg_Sender_Key__c": key, "LastName": "Ruiz", "Company": "X", "Phone": "+15551234567"})
	body := `{"graphs":[{"graphId":"g","compositeRequest":[
		{"method":"PATCH","url":"` + data + `/sobjects/Lead/Msg_Sender_Key__c/` + key + `","referenceId":"person","body":{"LastName":"Other","Phone":"1"}},
		{"method":"POST","url":"` + data + `/sobjects/Task","referenceId":"task","body":{"Goat":"x"}}]}]}`
	if _, answer, _ := call(t, s, "POST", data+"/composite/graph", body); !strings.Contains(answer, `PROCESSING_HALTED`) || !strings.Contains(answer, `INVALID_FIELD`) {
		t.Errorf("%s", answer)
	}
	if held, _ := s.Records("Lead"); held[0].Properties["LastName"] != "Ruiz" {
		t.Errorf("%v", held)
	}
	search := `{"q":"5551234567","in":"PHONE","overallLimit":5,"sobjects":[{"name":"Lead","fields":["Id"],"limit":5}]}`
	if _, answer, _ := call(t, s, "POST", data+"/parameterizedSearch", search); !strings.Contains(answer, "00Q") {
		t.Errorf("the old number is not found: %s", answer)
	}
}

func TestACollectionHasItsErrorsInItsRows(t *testing.T) {
	s := simulator.New(simulator.Options{})
	id := s.Add("Contact", map[string]any{"LastName": "Ruiz"})
	gone := s.Add("Contact", map[string]any{"LastName": "Ruiz"})
	s.Delete(gone)
	s.Lock(id, 1)
	body := `{"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"Id":"` + id + `","Msg_Consent__c":"x"},{"attributes":{"type":"Contact"},"Id":"` + gone + `"},{"attributes":{"type":"Goat"}}]}`
	status, answer, _ := call(t, s, "PATCH", data+"/composite/sobjects", body)
	for _, code := range []string{`"statusCode":"UNABLE_TO_LOCK_ROW"`, `"statusCode":"ENTITY_IS_DELETED"`, `"statusCode":"INVALID_TYPE"`} {
		if status != http.StatusOK || !strings.Contains(answer, code) {
			t.Errorf("%d %s, want %s", status, answer, code)
		}
	}
	if _, answer, _ = call(t, s, "PATCH", data+"/composite/sobjects", body); strings.Count(answer, `"success":true`) != 1 {
		t.Errorf("the lock stays: %s", answer)
	}
	retrieve := `{"ids":["` + gone + `","` + id + `"],"fields":["Id","Msg_Consent__c"]}`
	if _, answer, _ = call(t, s, "POST", data+"/composite/sobjects/Contact", retrieve); !strings.HasPrefix(answer, "[null,{") || !strings.Contains(answer, `"Msg_Consent__c":"x"`) {
		t.Errorf("%s", answer)
	}
}

func TestAConvertedLeadCannotBeWrittenTo(t *testing.T) {
	s := simulator.New(simulator.Options{})
	lead := s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
	task := s.Add("Task", map[string]any{"WhoId": lead})
	contact := s.Convert(lead)
	for path, body := range map[string]string{"POST /sobjects/Task": `{"WhoId":"` + lead + `"}`, "PATCH /sobjects/Lead/" + lead: `{"LastName":"x"}`} {
		method, rest, _ := strings.Cut(path, " ")
		if status, answer, _ := call(t, s, method, data+rest, body); status != http.StatusBadRequest || !strings.Contains(answer, "CANNOT_UPDATE_CONVERTED_LEAD") {
			t.Errorf("%d %s", status, answer)
		}
	}
	if held, _ := s.Records("Task"); held[0].ID != task || held[0].Properties["WhoId"] != contact {
		t.Errorf("%v", held)
	}
	if _, answer, _ := call(t, s, "GET", data+"/sobjects/Lead/"+lead+"?fields=IsConverted,ConvertedContactId", ""); !strings.Contains(answer, `"IsConverted":true,"ConvertedContactId":"`+contact+`"`) {
		t.Errorf("%s", answer)
	}
}

func TestADuplicateRuleNamesItsMatches(t *testing.T) {
	s := simulator.New(simulator.Options{Duplicates: true})
	contact := s.Add("Contact", map[string]any{"LastName": "Ruiz", "Phone": "+15551234567"})
	status, answer, _ := call(t, s, "POST", data+"/sobjects/Lead", `{"LastName":"Ruiz","Company":"X","Phone":"+15551234567"}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, "DUPLICATES_DETECTED") || !strings.Contains(answer, `"Id":"`+contact+`"`) {
		t.Errorf("%d %s", status, answer)
	}
}

func TestASearchComparesDigitsAndLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{IndexLag: time.Second})
		s.Add("Contact", map[string]any{"LastName": "Ruiz", "MobilePhone": "(555) 123-4567 x4"})
		s.Add("Contact", map[string]any{"LastName": "Ruiz", "Phone": "+445551234567"})
		s.Add("Contact", map[string]any{"LastName": "Ruiz", "Phone": "+16661234567"})
		search := `{"q":"5551234567","in":"PHONE","overallLimit":20,"sobjects":[{"name":"Contact","fields":["Id"],"limit":10}]}`
		for _, want := range []int{0, 2} {
			if _, answer, _ := call(t, s, "POST", data+"/parameterizedSearch", search); strings.Count(answer, "attributes") != want {
				t.Errorf("%s, want %d", answer, want)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestTheSimulatorSaysWhatItIs(t *testing.T) {
	s := simulator.New(simulator.Options{})
	s.Add("Lead", map[string]any{"LastName": "Ruiz"})
	if _, answer, _ := call(t, s, "GET", "/_simulator", ""); !strings.HasPrefix(answer, `{"objects":["Contact","Lead","Msg_Event__c","Msg_Conversation__c","Task","ActionCadenceTracker","ContentVersion","Case","FlowRun"],"messages":"Msg_Event__c","key":"Event_Key__c","status":"Status__c",`) {
		t.Errorf("%s", answer)
	}
	if status, _, _ := call(t, s, "POST", "/_simulator/records?object=Msg_Event__c", `{"Event_Key__c":"k"}`); status != 204 {
		t.Errorf("%d", status)
	}
	if messages, _ := s.Records("Msg_Event__c"); len(messages) != 1 || messages[0].Properties["Event_Key__c"] != "k" {
		t.Errorf("%v", messages)
	}
	if status, _, _ := call(t, s, "POST", "/_simulator/records?object=Nothing", `{}`); status != 400 {
		t.Errorf("%d", status)
	}
	if _, answer, _ := call(t, s, "GET", "/_simulator/records?object=Lead", ""); !strings.Contains(answer, `"properties":{"CreatedById":"005000000000001AAA","IsConverted":"false","LastName":"Ruiz","OwnerId":"005000000000001AAA"},"associations":{}`) {
		t.Errorf("%s", answer)
	}
	if status, _, _ := call(t, s, "DELETE", "/_simulator", ""); status != http.StatusNoContent {
		t.Errorf("%d", status)
	}
	if _, answer, _ := call(t, s, "GET", "/_simulator/records?object=Lead", ""); answer != "[]" {
		t.Errorf("%s", answer)
	}
}

func TestManyAtOnceMakeOneRecord(t *testing.T) {
	s := simulator.New(simulator.Options{})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if status, answer, _ := call(t, s, "PATCH", data+"/sobjects/Lead/Msg_Sender_Key__c/"+key, `{"LastName":"Ruiz","Company":"X"}`); status >= 300 {
				t.Errorf("%d %s", status, answer)
			}
			s.Records("Lead")
		})
	}
	all.Wait()
	if held, _ := s.Records("Lead"); len(held) != 1 {
		t.Errorf("%d records", len(held))
	}
}
