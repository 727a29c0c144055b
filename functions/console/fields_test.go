package console_test

import (
	"slices"
	"strings"
	"testing"

	"signalbox/shared/hosts"
)

// What the demo file has as fields.
const (
	hubspotFields    = `"fields": { "version": 1, "lead": [{ "to": "hs_lead_label", "value": "WARM" }] }`
	salesforceFields = `"fields": { "version": 1, "lead": [{ "to": "Status", "value": "Open - Not Contacted" }] }`
)

// TestAMappingIsChecked has each mistake refused with its path and a reason, and nothing of the file's own words.
func TestAMappingIsChecked(t *testing.T) {
	t.Parallel()
	const hubspot, salesforce = "tenant.crms[0].settings.fields", "tenant.crms[1].settings.fields"
	tests := map[string]struct {
		fields string
		want   []string // path below the CRM's fields, and how the reason begins
	}{
		"every kind of entry": {`{"version": 1,
			"person": [{"to": "channel_label", "from": "event.channel", "choices": {"sms": "Text"}, "otherwise": "Other"}, {"to": "vip", "value": true, "write": "always"}],
			"activity": [{"to": "audit", "from": "metadata.rawVendor", "maxLength": 2000, "when": {"path": "event.direction", "equals": "inbound"}},
				{"to": "spoken", "from": "event.timestamp", "as": "date"}, {"to": "first_file", "from": "event.message.attachments.0.name"}],
			"conversation": [{"to": "number", "from": "line.address", "when": {"path": "line.id", "in": ["a", "b"]}}]}`, nil},
		"another version of the notation": {`{"version": 2}`, []string{"version is not 1: the version of this notation"}},
		"an object that nobody knows": {`{"version": 1, "deal": []}`, []string{
			"deal is not a name known here, which are activity, conversation, lead, person, version",
		}},
		"an unknown member of an entry": {`{"version": 1, "person": [{"to": "a", "form": "event.channel"}]}`, []string{
			"person[0].form is not a name known here, which are as, choices, from, maxLength, otherwise, to, value, when, write",
		}},
		"a path that leads nowhere": {`{"version": 1, "person": [{"to": "a", "from": "event.mesage.text"}]}`, []string{
			"person[0].from is no path: known are accountId, actor, attribution",
		}},
		"a path that ends too early": {`{"version": 1, "person": [{"to": "a", "from": "event.message.order"}]}`, []string{
			"person[0].from ends too early: below event.message.order are catalog, currency",
		}},
		"a key of a file is no path": {`{"version": 1, "activity": [{"to": "a", "from": "event.message.attachments.0.access.key"}]}`, []string{
			"activity[0].from is no path: known are contentType, name, sha256, size, url at event.message.attachments.0",
		}},
		"a path of a condition that leads nowhere": {`{"version": 1, "person": [{"to": "a", "value": 1, "when": {"path": "person.hunter2", "exists": true}}]}`, []string{
			"person[0].when.path is no path: known are email, key, name, phone, region at person",
		}},
		"a condition without a question": {`{"version": 1, "person": [{"to": "a", "value": 1, "when": {"path": "person.name"}}]}`, []string{
			"person[0].when.equals is to be the only one of equals, in and exists",
		}},
		"one field twice": {`{"version": 1, "person": [{"to": "same", "value": 1}, {"to": "same", "value": 2}]}`, []string{
			"person[1].to is the field of person[0], too",
		}},
		"neither a path nor a value": {`{"version": 1, "person": [{"to": "a"}]}`, []string{"person[0].from is missing"}},
		"a path and a value":         {`{"version": 1, "person": [{"to": "a", "from": "person.name", "value": 1}]}`, []string{"person[0].value is beside from"}},
		"a choice without choices":   {`{"version": 1, "person": [{"to": "a", "from": "event.channel", "as": "choice"}]}`, []string{"person[0].choices is missing"}},
		"choices of a number":        {`{"version": 1, "person": [{"to": "a", "from": "event.channel", "as": "number", "choices": {"a": "b"}}]}`, []string{"person[0].as is not choice"}},
		"a time as a number":         {`{"version": 1, "person": [{"to": "a", "from": "event.timestamp", "as": "number"}]}`, []string{"person[0].as is number, which the datetime at this path never is"}},
		"a constant of another type": {`{"version": 1, "person": [{"to": "a", "value": "soon", "as": "date"}]}`, []string{"person[0].value is not what date needs"}},
		"a conversation written once": {`{"version": 1, "conversation": [{"to": "a", "value": 1, "write": "create"}]}`, []string{
			"conversation[0].write is create",
		}},
		"a way to write that nobody knows": {`{"version": 1, "person": [{"to": "a", "value": 1, "write": "never"}]}`, []string{
			"person[0].write is not create (with the record, and never again) or always",
		}},
		"a constant that is a list": {`{"version": 1, "person": [{"to": "a", "value": []}]}`, []string{"person[0].value is a list, not a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at, old := range map[string]string{hubspot: hubspotFields, salesforce: salesforceFields} {
				var got []string
				for _, p := range plan(t, hosts.Any, demoFile(t, old, `"fields": `+tt.fields)) {
					got = append(got, p.Path+" "+p.Reason)
				}
				fits := slices.EqualFunc(got, tt.want, func(got, want string) bool { return strings.HasPrefix(got, at+"."+want) })
				if !fits {
					t.Errorf("%q, want %s. %q", got, at, tt.want)
				}
				if told := strings.Join(got, " "); strings.Contains(told, "hunter2") {
					t.Errorf("the file's own words are told: %s", told)
				}
			}
		})
	}
}

// TestWhatIsOursIsNoTarget has a mapping refused that names what the connector writes itself.
func TestWhatIsOursIsNoTarget(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, fields, want string }{
		"HubSpot's name of a contact":            {hubspotFields, `"person": [{"to": "firstname", "value": "x"}]`, "person[0].to is not the internal name of a property that is not written anyway"},
		"a property of the package":              {hubspotFields, `"activity": [{"to": "msg_status", "value": "x"}]`, "activity[0].to is not the internal name of a property"},
		"the body of a communication":            {hubspotFields, `"activity": [{"to": "hs_communication_body", "value": "x"}]`, "activity[0].to is not the internal name of a property"},
		"a lead of HubSpot's, written once":      {hubspotFields, `"lead": [{"to": "goat", "value": "x", "write": "always"}]`, "lead[0].write is not create: a lead is written once"},
		"Salesforce's name of a person":          {salesforceFields, `"person": [{"to": "lastName", "value": "x"}]`, "person[0].to is not the API name of a field that is not written anyway"},
		"a field of the package":                 {salesforceFields, `"person": [{"to": "MSG_OPT_OUT__c", "value": true}]`, "person[0].to is not the API name of a field that is not written anyway"},
		"the text of a task":                     {salesforceFields, `"activity": [{"to": "Description", "value": "x"}]`, "activity[0].to is not the API name of a field that is not written anyway"},
		"the text of our own object":             {salesforceFields, `"activity": [{"to": "Body__c", "value": "x"}]`, "activity[0].to is not the API name of a field that is not written anyway"},
		"how a conversation stands":              {salesforceFields, `"conversation": [{"to": "Status__c", "value": "x"}]`, "conversation[0].to is not the API name of a field of Msg_Conversation__c"},
		"what is written twice in other letters": {salesforceFields, `"person": [{"to": "Goat__c", "value": 1}, {"to": "goat__C", "value": 2}]`, "person[1].to is the field of person[0], too"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := plan(t, hosts.Any, demoFile(t, tt.old, `"fields": {"version": 1, `+tt.fields+`}`))
			if len(got) != 1 || !strings.Contains(got[0].Path+" "+got[0].Reason, ".settings.fields."+tt.want) {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

// TestWhatIsKeptInFullGoesIntoNoCRM: its redacted form does.
func TestWhatIsKeptInFullGoesIntoNoCRM(t *testing.T) {
	t.Parallel()
	mapped := string(demoFile(t, hubspotFields, `"fields": {"version": 1, "activity": [{"to": "audit", "from": "metadata.rawVendor"}]}`))
	for policy, refused := range map[string]bool{"redacted": false, "full": true, "none": true} {
		got := plan(t, hosts.Any, []byte(strings.Replace(mapped, `"rawVendor": "redacted"`, `"rawVendor": "`+policy+`"`, 1)))
		if (len(got) == 1 && got[0].Path == "tenant.crms[0].settings.fields.activity[0].from") != refused || !refused && len(got) > 0 {
			t.Errorf("%s: %v", policy, got)
		}
	}
}
