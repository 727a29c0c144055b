package simulator_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/connector/dynamics/simulator"
)

// ends is what each line of a batch ends with.
const ends = "\r\n"

// partOf returns a part of a batch: a request, which may have a body and a Content-ID.
func partOf(method, path, body, id string, headers ...string) string {
	lines := []string{"Content-Type: application/http", "Content-Transfer-Encoding: binary"}
	if id != "" {
		lines = append(lines, "Content-ID: "+id)
	}
	lines = append(lines, "", method+" "+path+" HTTP/1.1")
	if body != "" {
		lines = append(lines, "Content-Type: application/json; type=entry")
	}
	return strings.Join(append(append(lines, headers...), "", body), ends) + ends
}

// multipart returns parts between boundaries.
func multipart(boundary string, parts ...string) string {
	var out strings.Builder
	for _, p := range parts {
		out.WriteString("--" + boundary + ends + p)
	}
	return out.String() + "--" + boundary + "--" + ends
}

func changeSet(parts ...string) string {
	return "Content-Type: multipart/mixed; boundary=\"changeset_1\"" + ends + ends + multipart("changeset_1", parts...)
}

// sent sends a batch and returns the reply, and the statuses inside it.
func sent(t *testing.T, s *simulator.Simulator, body string, headers ...string) (asked, []string) {
	t.Helper()
	got := ask(t, s, "POST", "$batch", body, append([]string{"Content-Type", `multipart/mixed; boundary="batch_1"`}, headers...)...)
	var statuses []string
	for _, found := range regexp.MustCompile(`HTTP/1\.1 (\d+) `).FindAllStringSubmatch(got.body, -1) {
		statuses = append(statuses, found[1])
	}
	return got, statuses
}

func TestBatches(t *testing.T) {
	long := `{"subject":"` + strings.Repeat("x", 201) + `"}`
	onwards := []string{"Prefer", "odata.continue-on-error"}
	good, bad := partOf("POST", "/api/data/v9.2/tasks", `{"subject":"1"}`, ""), partOf("POST", "tasks", long, "")
	made := partOf("POST", "https://acme.crm4.dynamics.example/api/data/v9.2/contacts", `{"lastname":"Ruiz"}`, "1")
	cases := map[string]struct {
		parts    []string
		headers  []string
		status   int
		statuses []string
		says     string
		tasks    int
	}{
		"all come through":                       {[]string{good, good, partOf("GET", "/api/data/v9.2/tasks?$select=subject", "", "")}, nil, 200, []string{"204", "204", "200"}, "OData-EntityId: https://acme.crm4.dynamics.example/api/data/v9.2/tasks(", 2},
		"the first that is refused is the last":  {[]string{good, bad, good}, nil, 400, []string{"204", "400"}, `{"error":{"code":"0x80044331"`, 1},
		"each is carried out, if asked for":      {[]string{bad, good, good}, onwards, 200, []string{"400", "204", "204"}, "REQ_ID: ", 2},
		"a change set comes through":             {[]string{changeSet(made, partOf("POST", "tasks", `{"subject":"1","regardingobjectid_contact_task@odata.bind":"$1"}`, "2"))}, nil, 200, []string{"204", "204"}, "Content-ID: 2", 1},
		"a request names what another made":      {[]string{changeSet(made, partOf("PATCH", "$1", `{"firstname":"Ana"}`, "2"))}, nil, 200, []string{"204", "204"}, "Content-ID: 2", 0},
		"a change set is rolled back":            {[]string{changeSet(partOf("POST", "tasks", `{"subject":"1"}`, "1"), partOf("POST", "tasks", long, "2")), good}, onwards, 200, []string{"400", "204"}, "Content-ID: 2", 1},
		"a change set that fails ends the batch": {[]string{changeSet(partOf("POST", "tasks", long, "1")), good}, nil, 400, []string{"400"}, "changesetresponse_", 0},
		"nothing is read in a change set":        {[]string{changeSet(partOf("GET", "tasks", "", "1"))}, onwards, 200, []string{"400"}, "", 0},
		"a name that no request has":             {[]string{changeSet(partOf("POST", "tasks", `{"regardingobjectid_contact_task@odata.bind":"$9"}`, "1"))}, onwards, 200, []string{"400"}, "Content-ID Reference: '$9' does not exist in the batch context.", 0},
		"a part has headers of its own":          {[]string{partOf("PATCH", "contacts(msg_senderkey='"+key+"')", `{"lastname":"x"}`, "", "If-Match: *")}, onwards, 200, []string{"404"}, "0x80060891", 0},
		"a part tells its row, if asked for":     {[]string{partOf("PATCH", "contacts(msg_senderkey='"+key+"')?$select=contactid", `{"lastname":"x"}`, "", "Prefer: return=representation")}, nil, 200, []string{"201"}, "Preference-Applied: return=representation", 0},
		"a batch inside a batch":                 {[]string{partOf("POST", "$batch", `{}`, "")}, nil, 404, []string{"404"}, "", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{})
			got, statuses := sent(t, s, multipart("batch_1", c.parts...), c.headers...)
			tasks, _ := s.Records("task")
			if got.status != c.status || !slices.Equal(statuses, c.statuses) || !strings.Contains(got.body, c.says) || len(tasks) != c.tasks {
				t.Errorf("%d %v, %d tasks: %s\nwant %d %v, %d tasks and %s: see %s", got.status, statuses, len(tasks), got.body, c.status, c.statuses, c.tasks, c.says, batches)
			}
		})
	}
}

// TestLinesOfABatch: see the page of client errors.
func TestLinesOfABatch(t *testing.T) {
	whole := multipart("batch_1", partOf("POST", "tasks", `{"subject":"1"}`, ""))
	bare := strings.ReplaceAll(whole, ends, "\n")
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"CRLF":                               {whole, "204"},
		"LF":                                 {bare, "400"},
		"LF, and one more at the body's end": {strings.Replace(bare, "}\n--", "}\n\n--", 1), "204"},
	} {
		if got, statuses := sent(t, simulator.New(simulator.Options{}), c.body); !slices.Equal(statuses, []string{c.want}) || c.want == "400" && !strings.Contains(got.body, "Stream was not readable") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestABatchIsNoLonger(t *testing.T) {
	parts := slices.Repeat([]string{partOf("GET", "WhoAmI", "", "")}, 1001)
	for n, want := range map[int]int{1000: 200, 1001: 400} {
		if got, _ := sent(t, simulator.New(simulator.Options{}), multipart("batch_1", parts[:n]...)); got.status != want {
			t.Errorf("%d requests: %d", n, got.status)
		}
	}
}

// TestSeveralRowsComeThroughOrNone: see the page of bulk operations.
func TestSeveralRowsComeThroughOrNone(t *testing.T) {
	s := simulator.New(simulator.Options{})
	row := func(n int, subject string) string {
		return fmt.Sprintf(`{"@odata.type":"Microsoft.Dynamics.CRM.msg_message","@odata.id":"msg_messages(msg_eventkey='%d')","subject":"%s"}`, n, subject)
	}
	upsert := func(rows ...string) asked {
		return ask(t, s, "POST", "msg_messages/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[`+strings.Join(rows, ",")+`]}`)
	}
	if got := upsert(row(1, "a"), row(2, strings.Repeat("x", 201))); got.status != 400 || !strings.Contains(got.body, "0x80044331") {
		t.Errorf("%+v", got)
	}
	if rows, _ := s.Records("msg_message"); len(rows) != 0 {
		t.Errorf("%d rows are left of a call that was refused: see %s", len(rows), bulk)
	}
	upsert(row(1, "a"), row(2, "b"))
	upsert(row(2, "c"), row(3, "d"))
	rows, _ := s.Records("msg_message")
	if len(rows) != 3 || rows[1].Properties["subject"] != "c" {
		t.Errorf("%+v", rows)
	}
}
