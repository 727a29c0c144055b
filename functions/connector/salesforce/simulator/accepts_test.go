package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
)

// TestWhatSalesforceTakesInOtherForms: what clients write differently from the connector is the same to Salesforce.
func TestWhatSalesforceTakesInOtherForms(t *testing.T) {
	const lead = data + "/sobjects/Lead/00Q000000000001EAA"
	cases := map[string]struct{ method, path, body, says string }{
		"an id of 15 characters":                  {"GET", data + "/sobjects/Lead/00Q000000000001?fields=LastName", ``, `"LastName":"Ruiz"`},
		"an id of 18 in small letters":            {"GET", data + "/sobjects/Lead/00q000000000001eaa?fields=LastName", ``, `"Id":"00Q000000000001EAA"`},
		"ids of both kinds to read":               {"POST", data + "/composite/sobjects/Lead", `{"ids":["00Q000000000001","00q000000000001eaa"],"fields":["Id"]}`, `[{"attributes"`},
		"an id of nothing to read":                {"POST", data + "/composite/sobjects/Lead", `{"ids":["goat","003000000000001AAA","00Q000000009999EAA"],"fields":["Id"]}`, `[null,null,null]`},
		"an id of 15 characters in a row":         {"PATCH", data + "/composite/sobjects", `{"records":[{"attributes":{"type":"Lead"},"Id":"00Q000000000001","LastName":"X"}]}`, `"id":"00Q000000000001EAA","success":true`},
		"an id of 15 characters in a lookup":      {"POST", data + "/sobjects/Task", `{"WhoId":"00Q000000000001"}`, `"success":true`},
		"an id of 15 characters in a query":       {"GET", data + "/query?q=SELECT+Id,+TargetId,+CreatedDate,+State+FROM+ActionCadenceTracker+WHERE+TargetId+IN+('00Q000000000001')+AND+State+!=+'Complete'", ``, `"totalSize":1`},
		"attributes after the fields":             {"PATCH", data + "/composite/sobjects", `{"records":[{"Id":"00Q000000000001EAA","LastName":"X","attributes":{"type":"Lead"}}]}`, `"success":true`},
		"names of objects and fields in any case": {"PATCH", data + "/sobjects/lead/msg_sender_key__c/" + key, `{"lastname":"X","COMPANY":"Y"}`, `"created":true`},
		"fields to read in any case":              {"GET", lead + "?fields=id,lastname", ``, `"Id":"00Q000000000001EAA","LastName":"Ruiz"}`},
		"no fields to read: all of them":          {"GET", lead, ``, `"Company":"X"`},
		"the id is there in any case":             {"GET", lead + "?fields=LastName", ``, `"LastName":"Ruiz","Id":"00Q000000000001EAA"}`},
		"a slash at the end":                      {"GET", data + "/limits/", ``, `DailyApiRequests`},
		"a name of as many emoji as fit":          {"POST", data + "/sobjects/Contact", `{"LastName":"` + strings.Repeat("🙂", 40) + `"}`, `"success":true`},
		"attributes in a record alone":            {"POST", data + "/sobjects/Lead/", `{"attributes":{"type":"Lead"},"LastName":"X","Company":"Y"}`, `"success":true`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{})
			s.Enrol(s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"}), time.Now())
			if status, answer, _ := call(t, s, c.method, c.path, c.body); status >= 300 || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s, want %s", status, answer, c.says)
			}
		})
	}
}

// TestACollectionOfManyRunsIsRefused: records of several objects are processed in chunks of one object each, ten at most.
func TestACollectionOfManyRunsIsRefused(t *testing.T) {
	s := simulator.New(simulator.Options{})
	rows := make([]string, 11)
	for n := range rows {
		rows[n] = `{"attributes":{"type":"` + []string{"Contact", "Lead"}[n%2] + `"},"Id":"` + s.Add([]string{"Contact", "Lead"}[n%2], nil) + `"}`
	}
	for n, want := range map[int]int{10: 200, 11: 400} {
		if status, answer, _ := call(t, s, "PATCH", data+"/composite/sobjects", `{"records":[`+strings.Join(rows[:n], ",")+`]}`); status != want {
			t.Errorf("%d: %d %s", n, status, answer)
		}
	}
}

func TestIDsThatAreNone(t *testing.T) {
	s := simulator.New(simulator.Options{})
	s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
	for name, id := range map[string]string{
		"small letters in 15":       "00q000000000001",
		"a wrong end":               "00Q000000000001AAA",
		"an end that no id has":     "00Q000000000001E9A",
		"capitals where digits are": "00Q000000000001EAB",
		"16 characters":             "00Q000000000001E",
	} {
		if status, answer, _ := call(t, s, "GET", data+"/sobjects/Lead/"+id, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

// TestCutJSONIsRefused cuts each request off at each byte: none of them is carried out.
func TestCutJSONIsRefused(t *testing.T) {
	cases := map[string]struct{ method, path, body string }{
		"a record":     {"POST", "/sobjects/Lead", `{"LastName":"Ruiz","Company":"X","Phone":"1"}`},
		"an upsert":    {"PATCH", "/sobjects/Lead/Msg_Sender_Key__c/" + key, `{"LastName":"Ruiz","Company":"X"}`},
		"a collection": {"PATCH", "/composite/sobjects", `{"allOrNone":false,"records":[{"attributes":{"type":"Msg_Event__c"},"Id":"a0X000000000001AAA"}]}`},
		"a graph":      {"POST", "/composite/graph", `{"graphs":[{"graphId":"g","compositeRequest":[{"method":"POST","url":"` + data + `/sobjects/Lead","referenceId":"r","body":{"LastName":"Ruiz","Company":"X"}}]}]}`},
		"a search":     {"POST", "/parameterizedSearch", `{"q":"5551234567","in":"PHONE","sobjects":[{"name":"Lead","fields":["Id"]}]}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{})
			for n := 1; n < len(c.body); n++ {
				status, answer, _ := call(t, s, c.method, data+c.path, c.body[:n])
				if status != http.StatusBadRequest || !strings.Contains(answer, "JSON_PARSER_ERROR") {
					t.Fatalf("%s: %d %s", c.body[:n], status, answer)
				}
			}
			if status, answer, _ := call(t, s, c.method, data+c.path, c.body+"}"); status != http.StatusBadRequest {
				t.Errorf("something after it: %d %s", status, answer)
			}
			for _, object := range []string{"Lead", "Msg_Event__c"} {
				if held, _ := s.Records(object); len(held) > 0 {
					t.Errorf("%v", held)
				}
			}
			if status, answer, _ := call(t, s, c.method, data+c.path, c.body); status >= 300 {
				t.Errorf("whole: %d %s", status, answer)
			}
		})
	}
}

func TestABodyThatIsNoJSONByItsType(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for contentType, want := range map[string]int{
		"application/json": 201, "application/json; charset=UTF-8": 201, "Application/JSON;charset=utf-8": 201, "": 415, "text/plain": 415,
	} {
		if status, answer := do(t, s, "POST", data+"/sobjects/Lead", "Bearer "+s.NewSession(), contentType, `{"LastName":"X","Company":"Y"}`); status != want {
			t.Errorf("%q: %d %s, want %d", contentType, status, answer, want)
		}
	}
}

func TestWhatIsCreatedHasALocation(t *testing.T) {
	s := simulator.New(simulator.Options{})
	_, _, header := call(t, s, "POST", data+"/sobjects/Lead", `{"LastName":"X","Company":"Y"}`)
	if at := header.Get("Location"); at != data+"/sobjects/Lead/00Q000000000001EAA" {
		t.Errorf("%q", at)
	}
	graph := `{"graphs":[{"graphId":"g","compositeRequest":[{"method":"POST","url":"` + data + `/sobjects/Lead","referenceId":"r","body":{"LastName":"X","Company":"Y"}}]}]}`
	if _, answer, _ := call(t, s, "POST", data+"/composite/graph", graph); !strings.Contains(answer, `"httpHeaders":{"Location":"`+data+`/sobjects/Lead/00Q000000000002EAA"}`) {
		t.Errorf("%s", answer)
	}
}

func TestADuplicateIsSavedIfTheHeaderSaysSo(t *testing.T) {
	s := simulator.New(simulator.Options{Duplicates: true})
	s.Add("Contact", map[string]any{"LastName": "Ruiz", "Phone": "+15551234567"})
	for header, want := range map[string]int{
		"": 400, "allowSave=false": 400, "allowSave=true": 201, "allowSave=true; runAsCurrentUser=true": 201, "includeRecordDetails=true": 400,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://acme.example"+data+"/sobjects/Lead",
			strings.NewReader(`{"LastName":"Ruiz","Company":"X","Phone":"+15551234567"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.NewSession())
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sforce-Duplicate-Rule-Header", header)
		reply, err := (&http.Client{Transport: simulatortest.Transport(s)}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if status := reply.StatusCode; status != want {
			t.Errorf("%q: %d, want %d", header, status, want)
		}
	}
}
