package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"

	definitions "signalbox/functions/connector/salesforce/package"
)

// deploy sends a zip; the part with the options is called as a client calls it.
func deploy(t *testing.T, s *simulator.Simulator, options string, archive []byte) (status int, answer string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for disposition, data := range map[string][]byte{`form-data; name="` + options + `"`: []byte(`{"deployOptions":{"singlePackage":true}}`), `form-data; name="file"; filename="x.zip"`: archive} {
		w, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://acme.example"+data+"/metadata/deployRequest", &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.NewSession())
	request.Header.Set("Content-Type", form.FormDataContentType())
	reply, err := (&http.Client{Transport: simulatortest.Transport(s)}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(read)
}

// TestADeploymentIsAllOrNothing: in the forms of the Metadata API Developer Guide ("json") and of jsforce ("entity_content").
func TestADeploymentIsAllOrNothing(t *testing.T) {
	whole, err := definitions.Archive(true)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options simulator.Options
		part    string
		archive []byte
		status  int
		says    string // of the answer, and of how it stands then
		then    string
		fields  bool // are there then
	}{
		"as the guide has it":      {simulator.Options{Bare: true}, "json", whole, 201, `"deployOptions":{"singlePackage":true}`, `"status":"Succeeded"`, true},
		"as jsforce has it":        {simulator.Options{Bare: true}, "entity_content", whole, 201, `"id":"0Af`, `"componentType":"PermissionSet"`, true},
		"by somebody who may not":  {simulator.Options{Bare: true, NoDeploy: true}, "json", whole, 403, `INSUFFICIENT_ACCESS`, ``, false},
		"of a key that is refused": {simulator.Options{Bare: true, NoTaskKey: true}, "json", whole, 201, `"id":"0Af`, `"fullName":"Activity.Msg_Event_Key__c"`, false},
		"of what is no zip":        {simulator.Options{Bare: true}, "json", []byte("goat"), 201, `"id":"0Af`, `"status":"Failed"`, false},
		"of what is there already": {simulator.Options{}, "json", whole, 201, `"id":"0Af`, `"changed":false,"created":false`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(c.options)
			status, answer := deploy(t, s, c.part, c.archive)
			if status != c.status || !strings.Contains(answer, c.says) {
				t.Fatalf("%d %s", status, answer)
			}
			if c.then == "" {
				return
			}
			var begun struct{ ID string }
			if err := json.Unmarshal([]byte(answer), &begun); err != nil {
				t.Fatal(err)
			}
			if status, answer, _ := call(t, s, "GET", data+"/metadata/deployRequest/"+begun.ID+"?includeDetails=true", ""); status != 200 || !strings.Contains(answer, c.then) {
				t.Errorf("%d %s", status, answer)
			}
			s.Assign("Signalbox")
			if _, answer, _ := call(t, s, "GET", data+"/sobjects/Lead/describe", ""); strings.Contains(answer, `"Msg_Sender_Key__c"`) != c.fields {
				t.Errorf("fields are there: %v", !c.fields)
			}
		})
	}
}

// TestWhatIsDescribedIsWhatIsSeen: by whoever has the permission set, and of each field whether it may be edited.
func TestWhatIsDescribedIsWhatIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		options simulator.Options
		path    string
		status  int
		says    string
	}{
		"an object":                   {simulator.Options{}, "/sobjects/Lead/describe", 200, `"name":"Msg_Sender_Key__c","label":"Msg_Sender_Key__c","type":"string","length":64,"externalId":true,"idLookup":true,"unique":true,"custom":true`},
		"an object of a hidden kind":  {simulator.Options{Unassigned: true}, "/sobjects/Msg_Event__c/describe", 404, "NOT_FOUND"},
		"an object that is not there": {simulator.Options{}, "/sobjects/Goat/describe", 404, "NOT_FOUND"},
		"the versions":                {simulator.Options{}, "", 200, `{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"}`},
		"who has a permission set":    {simulator.Options{}, "/query?q=SELECT+Id+FROM+PermissionSetAssignment+WHERE+AssigneeId+%3D+'005000000000001AAA'+AND+PermissionSet.Name+%3D+'Signalbox'", 200, `"totalSize":1`},
		"who has not":                 {simulator.Options{Unassigned: true}, "/query?q=SELECT+Id+FROM+PermissionSetAssignment+WHERE+AssigneeId+%3D+'005000000000001AAA'+AND+PermissionSet.Name+%3D+'Signalbox'", 200, `"totalSize":0`},
		"the org":                     {simulator.Options{}, "/query?q=SELECT+Id,+OrganizationType,+IsSandbox+FROM+Organization", 200, `"Id":"00D000000000001EAA"`},
		"an action that is there":     {simulator.Options{}, "/actions/standard/removeTargetFromSalesCadence", 200, `removeTargetFromSalesCadence`},
		"an action that is not":       {simulator.Options{NoCadences: true}, "/actions/standard/removeTargetFromSalesCadence", 404, "NOT_FOUND"},
		"a deployment that is none":   {simulator.Options{}, "/metadata/deployRequest/0Af000000000000009", 404, "NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			path := data + c.path
			if c.path == "" {
				path = "/services/data"
			}
			if status, answer, _ := call(t, simulator.New(c.options), "GET", path, ""); status != c.status || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}
