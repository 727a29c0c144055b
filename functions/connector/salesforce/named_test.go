package salesforce

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/jsontext"
)

// The sentences are Salesforce's as admins quote them: of flows
// https://github.com/SFDO-Community/declarative-lookup-rollup-summaries/issues/1035 and https://github.com/mattsimonis/boostr/issues/33, of
// triggers https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/apex_triggers_exceptions.htm.
func TestWhatRefusedIsNamedWhereTheNameCanBeNothingElse(t *testing.T) {
	cases := map[string]struct{ word, message, by string }{
		"a flow":                                  {wordFlow, "We can't save this record because the “Lead - Create or Edit” process failed. Give your Salesforce admin these details. This error occurred when the flow tried to update records: FIELD_CUSTOM_VALIDATION_EXCEPTION: Ana Ruiz is “known”.", "Lead - Create or Edit"},
		"a flow, in another language":             {wordFlow, `No podemos guardar este registro porque se produjo un error en el proceso "Asignación de Lead". INVALID_CROSS_REFERENCE_KEY`, "Asignación de Lead"},
		"a flow by the id of its version":         {wordFlow, "The record couldn’t be saved because it failed to trigger a flow. A flow trigger failed to execute the flow with version ID 301i0000000LyvR. Flow error messages: x", "301i0000000LyvR"},
		"what a flow says of a person":            {wordFlow, `This error occurred when the flow tried to update records: the name "Ana Ruiz" is taken`, ""},
		"what a flow says alone":                  {wordFlow, "Ana Ruiz has no account", ""},
		"a label that may be a number":            {wordFlow, "We can't save this record because the “555 0123 45” process failed.", ""},
		"a label that may be an address":          {wordFlow, "We can't save this record because the “ana@example.test” process failed.", ""},
		"a trigger":                               {wordTrigger, "LeadGuard: execution of BeforeInsert\n\ncaused by: System.NullPointerException: Attempt to de-reference a null object\n\nTrigger.LeadGuard: line 3, column 1", "LeadGuard"},
		"a trigger of a package":                  {wordTrigger, "dlrs.LeadTrigger: execution of AfterInsert", "dlrs.LeadTrigger"},
		"what looks like a trigger, further back": {wordTrigger, "x\nRuiz: execution of AfterInsert", ""},
		"what a trigger says alone":               {wordTrigger, "Ana Ruiz may not be called", ""},
		"another word":                            {"STRING_TOO_LONG", "Ana: execution of AfterInsert", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			body := `[{"errorCode":"` + c.word + `","message":` + string(jsontext.AppendString(nil, c.message)) + `}]`
			f := sorted(http.StatusBadRequest, topLevel([]byte(body)), usage{})
			refused, _ := errors.AsType[*ResponseError](f)
			if refused.By != c.by || c.by != "" && !strings.Contains(f.Error(), c.by) || strings.Contains(f.Error(), "Ana ") {
				t.Errorf("by %q, want %q: %v", refused.By, c.by, f)
			}
		})
	}
}

func TestWhatIsTooLongIsCutAndWhatIsOfNoUseThenIsLeftOut(t *testing.T) {
	const refusals = `[{"statusCode":"STRING_TOO_LONG","message":"First Name: data value too large: Ana Ruiz (max length=3)","fields":["FirstName"]},
		{"statusCode":"STRING_TOO_LONG","message":"Phone: data value too large: +15551234567 (max length=5)","fields":["Phone"]}]`
	err := sorted(http.StatusBadRequest, topLevel([]byte(refusals)), usage{})
	fitting, changed := shortened(err, connector.Object{"LastName", "Ruiz", "FirstName", "Anabel", "Phone", "+15551234567", "Count__c", 3})
	if encoded, failed := fitting.MarshalJSON(); failed != nil || !changed || string(encoded) != `{"LastName":"Ruiz","FirstName":"An…","Count__c":3}` {
		t.Errorf("%s %v %v", encoded, changed, failed)
	}
	for name, c := range map[string]struct{ refusals, member string }{
		"another refusal":            {`[{"errorCode":"REQUIRED_FIELD_MISSING","message":"(max length=3)","fields":["LastName"]}]`, "LastName"},
		"a field that was not sent":  {refusals, "LastName"},
		"what a record is known by":  {`[{"errorCode":"STRING_TOO_LONG","message":"(max length=3)","fields":["Msg_Sender_Key__c"]}]`, "Msg_Sender_Key__c"},
		"what somebody consented to": {`[{"errorCode":"STRING_TOO_LONG","message":"(max length=3)","fields":["Msg_Consent__c"]}]`, "Msg_Consent__c"},
		"a length that is not told":  {`[{"errorCode":"STRING_TOO_LONG","message":"too large","fields":["LastName"]}]`, "LastName"},
	} {
		err := sorted(http.StatusBadRequest, topLevel([]byte(c.refusals)), usage{})
		if fitting, changed := shortened(err, connector.Object{c.member, "long enough"}); changed {
			t.Errorf("%s: %v", name, fitting)
		}
	}
}

func TestTextsInQueriesEndNowhereElse(t *testing.T) {
	if got, want := escaped("a' OR Name != '\\\n"), `a\' OR Name != \'\\\n`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
