package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/hubspot/simulator"

	"github.com/google/go-cmp/cmp"
)

const (
	objects = "/crm/objects/2026-03"
	upsert  = objects + "/contacts/batch/upsert"
)

// call makes one request and returns status and body.
func call(ctx context.Context, t *testing.T, s http.Handler, method, path, body string) (status int, answer string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, "https://hubspot.example.test"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer token")
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	reply, err := (&http.Client{Transport: simulator.Transport(s)}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(reply.Body)
	return reply.StatusCode, string(read), err
}

func TestWhatIsRefused(t *testing.T) {
	cases := map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"an unknown path":                                   {"GET", "/crm/v1/contacts", ``, 404, ``},
		"an unknown version":                                {"GET", "/crm/objects/2025-01/contacts/1", ``, 404, ``},
		"an unknown object":                                 {"GET", objects + "/goats/1", ``, 404, ``},
		"the v4 path of objects":                            {"GET", "/crm/v4/objects/contacts/1", ``, 404, ``},
		"the v3 path to associate":                          {"PUT", "/crm/v3/objects/communications/1/associations/default/contacts/2", ``, 404, ``},
		"a missing record":                                  {"GET", objects + "/contacts/1", ``, 404, `OBJECT_NOT_FOUND`},
		"an unknown parameter":                              {"GET", objects + "/contacts/1?fields=x", ``, 400, `VALIDATION_ERROR`},
		"no JSON":                                           {"POST", upsert, `{`, 400, `Invalid input JSON`},
		"more behind the JSON":                              {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{}}]} {}`, 400, `Invalid input JSON`},
		"an unknown member":                                 {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","associations":[]}]}`, 400, `Invalid input JSON`},
		"no inputs":                                         {"POST", upsert, `{"inputs":[]}`, 400, `inputs`},
		"an id twice":                                       {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{}},{"id":"a","idProperty":"msg_sender_key","properties":{}}]}`, 400, `Duplicate IDs`},
		"a property without unique values":                  {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"firstname","properties":{}}]}`, 400, `unique`},
		"an unknown property":                               {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{"goat":"1"}}]}`, 400, `PROPERTY_DOESNT_EXIST`},
		"a calculated property":                             {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{"hs_calculated_phone_number":"1"}}]}`, 400, `READ_ONLY_VALUE`},
		"an address that is none":                           {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{"email":"ana"}}]}`, 400, `INVALID_EMAIL`},
		"a stage that is none":                              {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{"lifecyclestage":"goat"}}]}`, 400, `INVALID_OPTION`},
		"a communication of a type HubSpot lacks":           {"POST", objects + "/communications", `{"properties":{"hs_communication_channel_type":"RCS","hs_communication_logged_from":"CRM","hs_timestamp":"2026-01-18T14:23:12Z"},"associations":[]}`, 400, `INVALID_OPTION`},
		"a communication without time":                      {"POST", objects + "/communications", `{"properties":{"hs_communication_channel_type":"SMS","hs_communication_logged_from":"CRM"},"associations":[]}`, 400, `hs_timestamp`},
		"a body that is too long":                           {"POST", objects + "/communications/batch/upsert", `{"inputs":[{"id":"a","idProperty":"msg_event_key","properties":{"hs_communication_body":"` + strings.Repeat("🙂", 32769) + `"}}]}`, 400, `PROPERTY_VALUE_TOO_LONG`},
		"a lead on its own":                                 {"POST", objects + "/leads", `{"properties":{"hs_lead_name":"x"},"associations":[]}`, 400, `associated`},
		"a record made without associations":                {"POST", objects + "/communications", `{"properties":{}}`, 400, `associations are required`},
		"a number that is none":                             {"POST", upsert, `{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{"msg_messages":"1e3"}}]}`, 400, `INVALID_INTEGER`},
		"a batch of new records with an id":                 {"POST", objects + "/communications/batch/create", `{"inputs":[{"id":"a","properties":{},"associations":[]}]}`, 400, `Invalid input JSON`},
		"a batch of new records without their associations": {"POST", objects + "/communications/batch/create", `{"inputs":[{"properties":{}}]}`, 400, `associations are required`},
		"a batch of a new record with a bad value":          {"POST", objects + "/communications/batch/create", `{"inputs":[{"properties":{"goat":"1"},"associations":[]}]}`, 400, `PROPERTY_DOESNT_EXIST`},
		"a lead tied by another type":                       {"POST", objects + "/leads", `{"properties":{"hs_lead_name":"x"},"associations":[{"to":{"id":"1"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":1}]}]}`, 400, `association type`},
		"a search that leaves something out":                {"POST", objects + "/contacts/search", `{"limit":1}`, 400, `required`},
		"a search with an unknown operator":                 {"POST", objects + "/contacts/search", `{"after":"0","limit":1,"sorts":[],"properties":[],"filterGroups":[{"filters":[{"propertyName":"phone","operator":"GT","value":"1"}]}]}`, 400, `CONTAINS_TOKEN`},
		"an association to nobody":                          {"PUT", objects + "/communications/1/associations/default/contacts/2", ``, 404, `OBJECT_NOT_FOUND`},
		"a property in a group that is not there":           {"POST", "/crm/properties/2026-03/contacts", `{"name":"x","label":"x","groupName":"x","type":"string","fieldType":"text"}`, 400, `group does not exist`},
		"a group that exists":                               {"POST", "/crm/properties/2026-03/contacts/groups", `{"name":"contactinformation","label":"x"}`, 409, `OBJECT_ALREADY_EXISTS`},
		"a property that exists":                            {"POST", "/crm/properties/2026-03/contacts", `{"name":"msg_channel","label":"x","groupName":"x","type":"string","fieldType":"text"}`, 409, `OBJECT_ALREADY_EXISTS`},
		"a fault that is none":                              {"POST", "/_simulator/faults", `{"statuses":1}`, 400, ``},
		"records of nothing":                                {"GET", "/_simulator/records?object=goats", ``, 400, ``},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, answer, err := call(t.Context(), t, simulator.New(simulator.Options{}), c.method, c.path, c.body)
			if err != nil || status != c.status || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s %v, want %d %s", status, answer, err, c.status, c.says)
			}
			var body struct{ Status string }
			if err := json.Unmarshal([]byte(answer), &body); err != nil || body.Status != "error" {
				t.Errorf("not in HubSpot's shape: %s", answer)
			}
		})
	}
}

// TestUploads: what a form has to have, and what becomes of a file that is there.
func TestUploads(t *testing.T) {
	s := simulator.New(simulator.Options{})
	upload := func(path, name, body string, fields ...string) (int, string) {
		var out bytes.Buffer
		form := multipart.NewWriter(&out)
		for i := 0; i < len(fields); i += 2 {
			_ = form.WriteField(fields[i], fields[i+1])
		}
		if name != "" {
			part, _ := form.CreateFormFile("file", name)
			_, _ = io.WriteString(part, body)
		}
		_ = form.Close()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, &out)
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("Content-Type", form.FormDataContentType())
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const at, private = "/files/2026-03/files", `{"access":"PRIVATE","duplicateValidationStrategy":"RETURN_EXISTING","duplicateValidationScope":"EXACT_FOLDER"}`
	for sentence, c := range map[string]struct {
		path, name string
		fields     []string
		status     int
		says       string
	}{
		"a file":                         {at, "sea.png", []string{"folderPath", "/x", "options", private}, 201, `"access":"PRIVATE"`},
		"by the paths of before":         {"/files/v3/files", "sea.png", []string{"folderPath", "/x", "options", private}, 201, `"path":"/x/sea.png"`},
		"no file":                        {at, "", []string{"folderPath", "/x", "options", private}, 400, "file is required"},
		"no folder":                      {at, "sea.png", []string{"options", private}, 400, "folderPath"},
		"both kinds of folder":           {at, "sea.png", []string{"folderPath", "/x", "folderId", "1", "options", private}, 400, "folderPath"},
		"no access":                      {at, "sea.png", []string{"folderPath", "/x", "options", "{}"}, 400, "access"},
		"an option that there is not":    {at, "sea.png", []string{"folderPath", "/x", "options", `{"access":"PRIVATE","goat":1}`}, 400, "access"},
		"a field that there is not":      {at, "sea.png", []string{"folderPath", "/x", "options", private, "goat", "1"}, 400, "goat"},
		"the path of objects, for files": {"/crm/objects/2026-03/files", "sea.png", nil, 415, "application/json"},
	} {
		if status, answer := upload(c.path, c.name, "sea", c.fields...); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: %d %s", sentence, status, answer)
		}
	}
	held, _ := s.Records("files")
	if len(held) != 1 {
		t.Errorf("%d files of one that was sent twice", len(held))
	}
	s.Forbid()
	if status, answer := upload(at, "sea.png", "sea", "folderPath", "/x", "options", private); status != http.StatusForbidden || !strings.Contains(answer, "MISSING_SCOPES") {
		t.Errorf("without the scope: %d %s", status, answer)
	}
}

func TestABodyIsJSONByItsType(t *testing.T) {
	for kind, want := range map[string]int{"application/json": 200, "Application/JSON;charset=UTF-8": 200, "": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, upsert, strings.NewReader(`{"inputs":[{"id":"a","idProperty":"msg_sender_key","properties":{}}]}`))
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		if simulator.New(simulator.Options{}).ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d %s", kind, w.Code, w.Body)
		}
	}
}

func TestTheTokenIsChecked(t *testing.T) {
	s := simulator.New(simulator.Options{Token: "another"})
	status, answer, err := call(t.Context(), t, s, "GET", objects+"/contacts/1", "")
	if err != nil || status != http.StatusUnauthorized || !strings.Contains(answer, `"category":"INVALID_AUTHENTICATION"`) {
		t.Errorf("%d %s %v", status, answer, err)
	}
}

func TestUniqueValuesBelongToOneRecord(t *testing.T) {
	s := simulator.New(simulator.Options{})
	id := s.Add("contacts", map[string]string{"email": "ana@example.test", "msg_sender_key": "k1"})
	body := `{"inputs":[
		{"id":"k1","idProperty":"msg_sender_key","objectWriteTraceId":"t1","properties":{"firstname":"Ana"}},
		{"id":"k2","idProperty":"msg_sender_key","objectWriteTraceId":"t2","properties":{"email":"ANA@example.test"}},
		{"id":"k3","idProperty":"msg_sender_key","objectWriteTraceId":"t3","properties":{"lifecyclestage":"lead"}}]}`
	status, answer, err := call(t.Context(), t, s, "POST", upsert, body)
	if err != nil || status != http.StatusMultiStatus {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	var got struct {
		Results []struct {
			ID    string `json:"id"`
			New   bool   `json:"new"`
			Trace string `json:"objectWriteTraceId"`
		} `json:"results"`
		Errors []struct {
			Category string              `json:"category"`
			Message  string              `json:"message"`
			Context  map[string][]string `json:"context"`
		} `json:"errors"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 2 || got.Results[0].New || !got.Results[1].New || got.Results[0].ID != id || got.Results[1].Trace != "t3" {
		t.Errorf("%+v", got.Results)
	}
	if len(got.Errors) != 1 || got.Errors[0].Category != "CONFLICT" || got.Errors[0].Message != "Contact already exists. Existing ID: "+id ||
		got.Errors[0].Context["objectWriteTraceId"][0] != "t2" {
		t.Errorf("%+v", got.Errors)
	}
}

func TestABatchOfNewRecordsIsMadeButForWhatIsInTheWay(t *testing.T) {
	s := simulator.New(simulator.Options{})
	contact := s.Add("contacts", nil)
	row := func(trace, key, contact string) string {
		return `{"objectWriteTraceId":"` + trace + `","properties":{"msg_event_key":"` + key + `","hs_communication_channel_type":"SMS","hs_communication_logged_from":"CRM",` +
			`"hs_timestamp":"2026-01-18T14:23:12Z"},"associations":[{"to":{"id":"` + contact + `"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":81}]}]}`
	}
	body := `{"inputs":[` + row("t1", "k1", contact) + "," + row("t2", "k1", contact) + "," + row("t3", "k3", "77") + `]}`
	status, answer, err := call(t.Context(), t, s, "POST", objects+"/communications/batch/create", body)
	if err != nil || status != http.StatusMultiStatus {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	var got struct {
		Results []struct {
			Trace string `json:"objectWriteTraceId"`
		}
		Errors []struct {
			Category string
			Context  map[string][]string
		}
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 1 || got.Results[0].Trace != "t1" || len(got.Errors) != 2 || got.Errors[0].Context["objectWriteTraceId"][0] != "t2" ||
		got.Errors[0].Category != "VALIDATION_ERROR" || got.Errors[1].Category != "OBJECT_NOT_FOUND" || got.Errors[1].Context["objectWriteTraceId"][0] != "t3" {
		t.Errorf("%+v", got)
	}
	if held, _ := s.Records("communications"); len(held) != 1 || len(held[0].Associations["contacts"]) != 1 {
		t.Errorf("%+v", held)
	}
}

func TestAStageOnlyMovesForward(t *testing.T) {
	s := simulator.New(simulator.Options{})
	id := s.Add("contacts", map[string]string{"lifecyclestage": "customer"})
	if status, answer, err := call(t.Context(), t, s, "PATCH", objects+"/contacts/"+id, `{"properties":{"lifecyclestage":"lead"}}`); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	if held, _ := s.Records("contacts"); held[0].Properties["lifecyclestage"] != "customer" {
		t.Errorf("%v", held[0].Properties)
	}
}

func TestASearchLagsAndABatchReadDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{IndexLag: time.Second})
		s.Add("contacts", map[string]string{"phone": "(555) 123-4567", "msg_sender_key": "k"})
		search := `{"after":"0","limit":1,"sorts":["-lastmodifieddate"],"properties":["phone"],"filterGroups":[{"filters":[{"propertyName":"hs_searchable_calculated_phone_number","operator":"CONTAINS_TOKEN","value":"*1234567"}]}]}`
		for _, want := range []string{`"total":0`, `"total":1`} {
			if _, answer, err := call(t.Context(), t, s, "POST", objects+"/contacts/search", search); err != nil || !strings.Contains(answer, want) {
				t.Errorf("%s %v, want %s", answer, err, want)
			}
			read := `{"idProperty":"msg_sender_key","inputs":[{"id":"k"}],"properties":["phone","goat"],"propertiesWithHistory":[]}`
			status, answer, err := call(t.Context(), t, s, "POST", objects+"/contacts/batch/read", read)
			if err != nil || status != http.StatusOK || !strings.Contains(answer, "(555) 123-4567") || strings.Contains(answer, "goat") {
				t.Errorf("%d %s %v", status, answer, err)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestTheLimits(t *testing.T) {
	cases := map[string]struct {
		options simulator.Options
		method  string
		path    string
		passes  int // the status of what is within the limit
		policy  string
		span    time.Duration
		told    string // of what is left by the headers
	}{
		"of requests in ten seconds": {simulator.Options{Burst: 2}, "GET", objects + "/contacts/1", 404, "TEN_SECONDLY_ROLLING", 10 * time.Second, "0"},
		"of searches in a second":    {simulator.Options{Searches: 2}, "POST", objects + "/contacts/search", 400, "SECONDLY", time.Second, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(c.options)
				for n, want := range []int{c.passes, c.passes, 429, 429} {
					status, answer, err := call(t.Context(), t, s, c.method, c.path, "")
					if err != nil || status != want || (want == 429) != strings.Contains(answer, `"policyName":"`+c.policy+`"`) {
						t.Errorf("request %d: %d %s %v", n, status, answer, err)
					}
				}
				left := headers(t, s, c.method, c.path).Get("X-HubSpot-RateLimit-Remaining")
				if left != c.told {
					t.Errorf("%q requests are left, want %q", left, c.told)
				}
				time.Sleep(c.span)
				if status, _, err := call(t.Context(), t, s, c.method, c.path, ""); err != nil || status != c.passes {
					t.Errorf("%d %v", status, err)
				}
			})
		})
	}
}

func headers(t *testing.T, s http.Handler, method, path string) http.Header {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Header.Set("Authorization", "Bearer token")
	s.ServeHTTP(w, r)
	return w.Header()
}

func TestFaults(t *testing.T) {
	const contact = `{"inputs":[{"id":"k","idProperty":"msg_sender_key","properties":{}}]}`
	cases := map[string]struct {
		fault   string
		status  int    // of the first request, 0 for none
		answers string // to the first request
		held    int    // after it
		took    time.Duration
	}{
		"a status and a body":         {`{"match":"/crm/objects","status":503,"body":{"a":1},"headers":{"Retry-After":"5"}}`, 503, `{"a":1}`, 0, 0},
		"a body that is no JSON":      {`{"match":"","status":502,"body":"<html>"}`, 502, `<html>`, 0, 0},
		"another path":                {`{"match":"/crm/objects/2026-03/leads","status":503}`, 200, `COMPLETE`, 1, 0},
		"a delay":                     {`{"match":"/crm","delayMs":300}`, 200, `COMPLETE`, 1, 300 * time.Millisecond},
		"a delay the caller outlives": {`{"match":"/crm","delayMs":3000}`, 0, ``, 0, time.Second},
		"an effect and no answer":     {`{"match":"/crm","commitThenTimeout":true}`, 0, ``, 1, time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{})
				if status, answer, err := call(t.Context(), t, s, "POST", "/_simulator/faults", c.fault); err != nil || status != http.StatusNoContent {
					t.Fatalf("%d %s %v", status, answer, err)
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				status, answer, err := call(ctx, t, s, "POST", upsert, contact)
				if status != c.status || !strings.Contains(answer, c.answers) || (c.status == 0) != errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d %s %v", status, answer, err)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if held, _ := s.Records("contacts"); len(held) != c.held {
					t.Errorf("%d records are held, want %d", len(held), c.held)
				}
				if status, answer, err := call(t.Context(), t, s, "POST", upsert, contact); err != nil || status != http.StatusOK {
					t.Errorf("the fault outlived its count: %d %s %v", status, answer, err)
				}
			})
		})
	}
}

// Over a socket a client that gives up is noticed, too.
func TestAnEffectWithoutAnswerOverASocket(t *testing.T) {
	s := simulator.New(simulator.Options{})
	server := httptest.NewServer(s)
	defer server.Close()
	s.Spoil(simulator.Fault{CommitThenTimeout: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // not for ever, should it have no effect
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+upsert, strings.NewReader(`{"inputs":[{"id":"k","idProperty":"msg_sender_key","properties":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer token")
	request.Header.Set("Content-Type", "application/json")
	go func() {
		for held, _ := s.Records("contacts"); len(held) == 0; held, _ = s.Records("contacts") {
			if ctx.Err() != nil {
				return
			}
		}
		cancel()
	}()
	reply, err := server.Client().Do(request)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err == nil {
		_ = reply.Body.Close()
	}
}

func TestWhatIsHeldAndTheReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{})
		contact := s.Add("contacts", map[string]string{"firstname": "Ana"})
		body := `{"properties":{"hs_communication_channel_type":"SMS","hs_communication_logged_from":"CRM","hs_timestamp":"1768746192000","hs_communication_body":"Hi"},
			"associations":[{"to":{"id":"` + contact + `"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":81}]}]}`
		if status, answer, err := call(t.Context(), t, s, "POST", objects+"/communications", body); err != nil || status != http.StatusCreated {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		_, answer, err := call(t.Context(), t, s, "GET", "/_simulator/records?object=communications", "")
		if err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		if err := json.Unmarshal([]byte(answer), &got); err != nil {
			t.Fatal(err)
		}
		const now = "2000-01-01T00:00:00.000Z"
		want := []map[string]any{{
			"id": "1002", "createdAt": now, "updatedAt": now, "associations": map[string]any{"contacts": []any{contact}},
			"properties": map[string]any{
				"hs_createdate": now, "hs_communication_body": "Hi", "hs_communication_channel_type": "SMS", "hs_communication_logged_from": "CRM",
				"hs_lastmodifieddate": now, "hs_object_id": "1002", "hs_timestamp": "1768746192000",
			},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if status, _, err := call(t.Context(), t, s, "DELETE", "/_simulator", ""); err != nil || status != http.StatusNoContent {
			t.Errorf("%d %v", status, err)
		}
		if _, answer, err := call(t.Context(), t, s, "GET", "/_simulator/records?object=contacts", ""); err != nil || answer != "[]" {
			t.Errorf("%s %v", answer, err)
		}
	})
}

func TestManyAtOnceMakeOneRecord(t *testing.T) {
	s := simulator.New(simulator.Options{})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if status, _, err := call(t.Context(), t, s, "POST", upsert, `{"inputs":[{"id":"k","idProperty":"msg_sender_key","properties":{}}]}`); err != nil || status != http.StatusOK {
				t.Errorf("%d %v", status, err)
			}
			s.Records("contacts")
		})
	}
	all.Wait()
	if held, _ := s.Records("contacts"); len(held) != 1 {
		t.Errorf("%d records", len(held))
	}
}
