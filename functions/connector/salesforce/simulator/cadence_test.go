package simulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
)

const remove = data + "/actions/standard/removeTargetFromSalesCadence"

func removal(tracker, more string) string {
	return `{"actionCadenceTrackerId":"` + tracker + `","completionReasonCode":"ManuallyRemoved"` + more + `}`
}

// running returns what the org says of the running cadences of a person.
func running(t *testing.T, s *simulator.Simulator, person string) (int, string) {
	t.Helper()
	query := "SELECT Id, TargetId, CreatedDate, State FROM ActionCadenceTracker WHERE TargetId IN ('" + person + "', '00Q000000000009EAA') AND State != 'Complete'"
	status, answer, _ := call(t, s, "GET", data+"/query?q="+url.QueryEscape(query), "")
	return status, answer
}

func TestCadences(t *testing.T) {
	s := simulator.New(simulator.Options{})
	person := s.Add("Contact", map[string]any{"LastName": "Ruiz"})
	began := time.Date(2026, 1, 18, 14, 23, 12, 987e6, time.UTC)
	first, second, third := s.Enrol(person, began), s.Enrol(person, began), s.Enrol(person, began)
	if _, answer := running(t, s, person); strings.Count(answer, `"State":"Running"`) != 3 || !strings.Contains(answer, `"TargetId":"`+person+`","CreatedDate":"2026-01-18T14:23:12.000+0000"`) {
		t.Errorf("%s", answer)
	}
	s.Complete(second)
	const proper = `,"completionDisposition":"Customer Engaged","shouldApplyUserContext":false`
	cases := map[string]struct {
		input string
		says  string
	}{
		"one that is complete":   {removal(second, proper), "INVALID_API_INPUT"},
		"one that is not there":  {removal("77D000000000099EAA", proper), "INVALID_API_INPUT"},
		"only the user's own":    {removal(third, `,"shouldApplyUserContext":true`), "INVALID_API_INPUT"},
		"not said whose":         {removal(third, ``), "INVALID_API_INPUT"},
		"an unknown disposition": {removal(third, `,"completionDisposition":"Bored","shouldApplyUserContext":false`), "INVALID_API_INPUT"},
		"another reason":         {strings.Replace(removal(third, proper), "ManuallyRemoved", "NoMoreSteps", 1), "INVALID_API_INPUT"},
		"what nobody documents":  {removal(third, `,"goat":1`), "JSON_PARSER_ERROR"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if status, answer, _ := call(t, s, "POST", remove, `{"inputs":[`+c.input+`]}`); status != http.StatusBadRequest || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s, want %s", status, answer, c.says)
			}
		})
	}
	s.Lock(third, 1)
	status, answer, _ := call(t, s, "POST", remove, `{"inputs":[`+removal(first, proper)+`,`+removal(third, proper)+`]}`)
	if status != http.StatusBadRequest || strings.Count(answer, `"isSuccess":true`) != 1 || !strings.Contains(answer, `"statusCode":"UNABLE_TO_LOCK_ROW"`) {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer, _ := call(t, s, "POST", remove, `{"inputs":[`+removal(third, proper)+`]}`); status != http.StatusOK || !strings.Contains(answer, `"errors":null,"isSuccess":true`) {
		t.Errorf("%d %s", status, answer)
	}
	if _, answer := running(t, s, person); !strings.Contains(answer, `"totalSize":0`) {
		t.Errorf("%s", answer)
	}
	held, _ := s.Records("ActionCadenceTracker")
	for n, want := range []string{"ManuallyRemoved Customer Engaged", "NoMoreSteps ", "ManuallyRemoved Customer Engaged"} {
		p := held[n].Properties
		if got := p["CompletionReason"] + " " + p["CompletionDisposition"]; got != want || p["State"] != "Complete" || held[n].Associations["Contact"] == nil {
			t.Errorf("%v, want %s", held[n], want)
		}
	}
}

func TestAnOrgWithoutSalesEngagement(t *testing.T) {
	s := simulator.New(simulator.Options{NoCadences: true})
	if status, answer := running(t, s, "003000000000001AAA"); status != http.StatusBadRequest || !strings.Contains(answer, "INVALID_TYPE") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer, _ := call(t, s, "POST", remove, `{"inputs":[`+removal("77D000000000001EAA", "")+`]}`); status != http.StatusNotFound || !strings.Contains(answer, "NOT_FOUND") {
		t.Errorf("%d %s", status, answer)
	}
}

func TestATrackerIsNotWritten(t *testing.T) {
	s := simulator.New(simulator.Options{})
	lead := s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
	tracker := s.Enrol(lead, time.Now())
	if status, answer, _ := call(t, s, "PATCH", data+"/sobjects/ActionCadenceTracker/"+tracker, `{"State":"Complete"}`); status != http.StatusBadRequest || !strings.Contains(answer, "INVALID_TYPE_FOR_OPERATION") {
		t.Errorf("%d %s", status, answer)
	}
	s.Convert(lead)
	if held, _ := s.Records("ActionCadenceTracker"); held[0].Properties["CompletionReason"] != "LeadConverted" {
		t.Errorf("%v", held)
	}
}

func TestTimesAreKeptToTheSecond(t *testing.T) {
	s := simulator.New(simulator.Options{})
	id := s.Add("Contact", map[string]any{"LastName": "Ruiz"})
	path := data + "/sobjects/Contact/" + id
	if status, answer, _ := call(t, s, "PATCH", path, `{"Msg_Last_Reply_At__c":"2026-01-18T15:23:12.987+0100"}`); status != http.StatusNoContent {
		t.Fatal(status, answer)
	}
	if _, answer, _ := call(t, s, "GET", path+"?fields=Msg_Last_Reply_At__c", ""); !strings.Contains(answer, `"Msg_Last_Reply_At__c":"2026-01-18T14:23:12.000+0000"`) {
		t.Errorf("%s", answer)
	}
}
