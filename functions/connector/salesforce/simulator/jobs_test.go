package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
)

// TestAJobUpsertsRows follows a job through its states, with a row that leads to a record by its external id, one that leads nowhere, and one that clears a field.
func TestAJobUpsertsRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{JobTime: time.Minute})
		lead := s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X", "Msg_Sender_Key__c": "p1"})
		s.Add("Msg_Event__c", map[string]any{"Event_Key__c": "k2", "Status__c": "sent"})
		send := func(method, path, kind, body string) (int, string) {
			r := httptest.NewRequestWithContext(t.Context(), method, "/services/data/v66.0/jobs/ingest"+path, bytes.NewReader([]byte(body)))
			r.Header.Set("Authorization", "Bearer "+s.NewSession())
			r.Header.Set("Content-Type", kind)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			answer, _ := io.ReadAll(w.Body)
			return w.Code, string(answer)
		}
		_, made := send(http.MethodPost, "", "application/json", `{"object":"Msg_Event__c","externalIdFieldName":"Event_Key__c","operation":"upsert","contentType":"CSV","lineEnding":"LF"}`)
		var job struct{ ID, State string }
		if err := json.Unmarshal([]byte(made), &job); err != nil || job.State != "Open" {
			t.Fatal(made, err)
		}
		table := "Event_Key__c,Lead__r.Msg_Sender_Key__c,Status__c\nk1,p1,\"two\nlines\"\nk2,,#N/A\nk3,nobody,sent\n"
		if status, body := send(http.MethodPut, "/"+job.ID+"/batches", "text/csv", table); status != http.StatusCreated {
			t.Fatal(status, body)
		}
		if status, body := send(http.MethodPatch, "/"+job.ID, "application/json", `{"state":"UploadComplete"}`); status != http.StatusOK || !strings.Contains(body, `"UploadComplete"`) {
			t.Fatal(status, body)
		}
		if status, body := send(http.MethodPatch, "/"+job.ID, "application/json", `{"state":"UploadComplete"}`); status != http.StatusBadRequest || !strings.Contains(body, "INVALIDJOBSTATE") {
			t.Error(status, body)
		}
		time.Sleep(40 * time.Second)
		if _, body := send(http.MethodGet, "/"+job.ID, "", ""); !strings.Contains(body, `"InProgress"`) {
			t.Error(body)
		}
		time.Sleep(time.Minute)
		for path, wants := range map[string][]string{
			"":                    {`"JobComplete"`, `"numberRecordsProcessed":3`, `"numberRecordsFailed":1`},
			"/successfulResults/": {`"sf__Id","sf__Created","Event_Key__c"`, "\"true\",\"k1\",\"p1\",\"two\nlines\"", `"false","k2","","#N/A"`},
			"/failedResults":      {`"sf__Id","sf__Error","Event_Key__c"`, `"INVALID_FIELD:`, `"k3"`},
			"/unprocessedrecords": {"\"Event_Key__c\",\"Lead__r.Msg_Sender_Key__c\",\"Status__c\"\n"},
		} {
			_, body := send(http.MethodGet, "/"+job.ID+path, "", "")
			for _, want := range wants {
				if !strings.Contains(body, want) {
					t.Errorf("%s: %s lacks %s", path, body, want)
				}
			}
		}
		held, _ := s.Records("Msg_Event__c")
		if len(held) != 2 || s.JobRows() != 2 {
			t.Fatalf("%+v", held)
		}
		for _, r := range held {
			if p := r.Properties; p["Event_Key__c"] == "k1" && p["Lead__c"] != lead || p["Event_Key__c"] == "k2" && p["Status__c"] != "" {
				t.Errorf("%+v", r)
			}
		}
		if status, body := send(http.MethodDelete, "/"+job.ID, "", ""); status != http.StatusNoContent {
			t.Error(status, body)
		}
	})
}
