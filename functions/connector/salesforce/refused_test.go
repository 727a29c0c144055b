package salesforce

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// every status without Salesforce's body, and the bodies that decide against the status.
func TestRefusalsAreSortedByCodeFirstAndStatusSecond(t *testing.T) {
	const (
		retryable = fault.Retryable
		throttled = fault.Throttled
		blocked   = fault.Blocked
		permanent = fault.Permanent
	)
	body := func(code string) string { return `[{"errorCode":"` + code + `","message":"x"}]` }
	row := func(code string) string {
		return `[{"statusCode":"` + code + `","message":"x","fields":["Phone"]}]`
	}
	cases := map[string]struct {
		status int
		body   string
		usage  usage
		asked  time.Duration
		kind   fault.Kind
		code   string
		wait   time.Duration
	}{
		"two records have the key":          {300, `["/services/data/v66.0/sobjects/Lead/00Q000000000001EAA"]`, usage{}, 0, permanent, "salesforce_key_ambiguous", 0},
		"moved for good":                    {301, ``, usage{}, 0, blocked, "salesforce_redirected", 0},
		"moved for now":                     {307, ``, usage{}, 0, blocked, "salesforce_redirected", 0},
		"another success":                   {202, `{}`, usage{}, 0, retryable, "salesforce_unexpected_status", 0},
		"bad request, no body":              {400, ``, usage{}, 0, permanent, "salesforce_refused", 0},
		"bad request, a page":               {400, `<html>`, usage{}, 0, permanent, "salesforce_refused", 0},
		"a word nobody knows":               {400, body("SOMETHING_NEW"), usage{}, 0, permanent, "salesforce_refused", 0},
		"a word nobody knows, 500":          {500, body("SOMETHING_NEW"), usage{}, 0, retryable, "salesforce_unavailable", 0},
		"a word that is no word":            {400, `[{"errorCode":"<b>Ana</b>","message":"x"}]`, usage{}, 0, permanent, "salesforce_refused", 0},
		"the session has ended":             {401, body("INVALID_SESSION_ID"), usage{}, 0, blocked, "salesforce_unauthenticated", 0},
		"the session has ended, 500":        {500, body("INVALID_SESSION_ID"), usage{}, 0, blocked, "salesforce_unauthenticated", 0},
		"unauthenticated, no body":          {401, ``, usage{}, 0, blocked, "salesforce_unauthenticated", 0},
		"a bad header":                      {401, body("INVALID_AUTH_HEADER"), usage{}, 0, blocked, "salesforce_auth_header", 0},
		"forbidden, no body":                {403, ``, usage{}, 0, blocked, "salesforce_forbidden", 0},
		"the API is off":                    {403, body("API_DISABLED_FOR_ORG"), usage{}, 0, blocked, "salesforce_forbidden", 0},
		"off for now":                       {403, body("API_CURRENTLY_DISABLED"), usage{}, 0, blocked, "salesforce_forbidden", 0},
		"no access":                         {403, body("INSUFFICIENT_ACCESS_OR_READONLY"), usage{}, 0, blocked, "salesforce_forbidden", 0},
		"no access to what is referred to":  {400, row("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"), usage{}, 0, blocked, "salesforce_forbidden", 0},
		"the org is full":                   {400, body("STORAGE_LIMIT_EXCEEDED"), usage{}, 0, blocked, "salesforce_forbidden", 0},
		"the day's requests are gone":       {403, body("REQUEST_LIMIT_EXCEEDED"), usage{used: 15000, most: 15000}, 0, blocked, "salesforce_daily_limit", time.Hour},
		"too many at once":                  {403, body("REQUEST_LIMIT_EXCEEDED"), usage{used: 54, most: 15000}, 0, throttled, "salesforce_request_limit", 30 * time.Second},
		"too many, nothing told":            {403, body("REQUEST_LIMIT_EXCEEDED"), usage{}, 0, throttled, "salesforce_request_limit", 30 * time.Second},
		"a wait is asked for":               {429, ``, usage{}, 7 * time.Second, throttled, "salesforce_request_limit", 7 * time.Second},
		"a long wait is asked for":          {429, ``, usage{}, time.Hour, blocked, "salesforce_request_limit", time.Hour},
		"no such record":                    {404, body("NOT_FOUND"), usage{}, 0, permanent, "salesforce_not_found", 0},
		"no such external id":               {404, `[{"errorCode":"NOT_FOUND","message":"Provided external ID field does not exist or is not accessible: X"}]`, usage{}, 0, blocked, "salesforce_schema", 0},
		"no such path":                      {404, `<html>`, usage{}, 0, blocked, "salesforce_path_unknown", 0},
		"no such field":                     {400, body("INVALID_FIELD"), usage{}, 0, blocked, "salesforce_schema", 0},
		"a field that cannot be written":    {400, row("INVALID_FIELD_FOR_INSERT_UPDATE"), usage{}, 0, blocked, "salesforce_schema", 0},
		"no such object":                    {400, body("INVALID_TYPE"), usage{}, 0, blocked, "salesforce_schema", 0},
		"a bad query":                       {400, body("MALFORMED_QUERY"), usage{}, 0, blocked, "salesforce_schema", 0},
		"a body that cannot be read":        {400, body("JSON_PARSER_ERROR"), usage{}, 0, blocked, "salesforce_schema", 0},
		"a field is empty":                  {400, body("REQUIRED_FIELD_MISSING"), usage{}, 0, permanent, "salesforce_invalid_data", 0},
		"too long a value":                  {400, row("STRING_TOO_LONG"), usage{}, 0, permanent, "salesforce_invalid_data", 0},
		"a bad address":                     {400, row("INVALID_EMAIL_ADDRESS"), usage{}, 0, permanent, "salesforce_invalid_data", 0},
		"a value that is not in the list":   {400, row("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"), usage{}, 0, permanent, "salesforce_invalid_data", 0},
		"a validation rule":                 {400, row("FIELD_CUSTOM_VALIDATION_EXCEPTION"), usage{}, 0, permanent, "salesforce_validation_rule", 0},
		"a unique value is taken":           {400, row("DUPLICATE_VALUE"), usage{}, 0, permanent, "salesforce_duplicate_value", 0},
		"a duplicate rule":                  {400, body("DUPLICATES_DETECTED"), usage{}, 0, permanent, "salesforce_duplicates_detected", 0},
		"a converted lead":                  {400, body("CANNOT_UPDATE_CONVERTED_LEAD"), usage{}, 0, permanent, "salesforce_record_gone", 0},
		"a deleted record":                  {404, body("ENTITY_IS_DELETED"), usage{}, 0, permanent, "salesforce_record_gone", 0},
		"a reference to nothing":            {400, row("INVALID_CROSS_REFERENCE_KEY"), usage{}, 0, permanent, "salesforce_record_gone", 0},
		"an id that is none":                {400, row("MALFORMED_ID"), usage{}, 0, permanent, "salesforce_record_gone", 0},
		"a lock":                            {400, row("UNABLE_TO_LOCK_ROW"), usage{}, 0, retryable, "salesforce_locked", 2 * time.Second},
		"the org's code":                    {400, body("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"), usage{}, 0, permanent, "salesforce_org_code", 0},
		"a lock inside the org's code":      {400, `[{"errorCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"Trigger: execution of BeforeUpdate caused by: UNABLE_TO_LOCK_ROW"}]`, usage{}, 0, retryable, "salesforce_locked", 2 * time.Second},
		"the org's code asks too much":      {400, `[{"errorCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"Too many SOQL queries: 101"}]`, usage{}, 0, retryable, "salesforce_locked", 2 * time.Second},
		"rolled back with others":           {400, body("PROCESSING_HALTED"), usage{}, 0, retryable, "salesforce_halted", 0},
		"rolled back, and why":              {400, `[{"errorCode":"PROCESSING_HALTED"},{"errorCode":"STRING_TOO_LONG"}]`, usage{}, 0, permanent, "salesforce_invalid_data", 0},
		"a query takes too long":            {400, body("QUERY_TIMEOUT"), usage{}, 0, retryable, "salesforce_query_timeout", 0},
		"a request takes too long":          {400, body("REQUEST_RUNNING_TOO_LONG"), usage{}, 0, retryable, "salesforce_unavailable", 0},
		"a record waits for an approval":    {400, row("ENTITY_IS_LOCKED"), usage{}, 0, permanent, "salesforce_record_locked", 0},
		"an owner who has left":             {400, row("INACTIVE_OWNER_OR_USER"), usage{}, 0, permanent, "salesforce_owner_inactive", 0},
		"an owner who may not read":         {400, row("TRANSFER_REQUIRES_READ"), usage{}, 0, permanent, "salesforce_owner_inactive", 0},
		"an owner of another kind":          {400, row("OP_WITH_INVALID_USER_TYPE_EXCEPTION"), usage{}, 0, permanent, "salesforce_owner_inactive", 0},
		"a bad search":                      {400, body("MALFORMED_SEARCH"), usage{}, 0, blocked, "salesforce_schema", 0},
		"a feature that is off":             {403, body("FUNCTIONALITY_NOT_ENABLED"), usage{}, 0, blocked, "salesforce_forbidden", 0},
		"a flow":                            {400, body("CANNOT_EXECUTE_FLOW_TRIGGER"), usage{}, 0, permanent, "salesforce_flow", 0},
		"a lock inside a flow":              {400, `[{"errorCode":"CANNOT_EXECUTE_FLOW_TRIGGER","message":"the flow tried to update records: UNABLE_TO_LOCK_ROW: unable"}]`, usage{}, 0, retryable, "salesforce_locked", 2 * time.Second},
		"an Apex class":                     {400, body("APEX_ERROR"), usage{}, 0, permanent, "salesforce_trigger", 0},
		"a trigger":                         {400, `[{"errorCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"LeadGuard: execution of BeforeInsert\n\ncaused by: System.NullPointerException"}]`, usage{}, 0, permanent, "salesforce_trigger", 0},
		"the request timed out":             {408, ``, usage{}, 0, retryable, "salesforce_timeout", 0},
		"a conflict":                        {409, ``, usage{}, 0, retryable, "salesforce_changed_meanwhile", 0},
		"a precondition":                    {412, ``, usage{}, 0, retryable, "salesforce_changed_meanwhile", 0},
		"a precondition is missing":         {428, ``, usage{}, 0, retryable, "salesforce_changed_meanwhile", 0},
		"method not allowed":                {405, ``, usage{}, 0, blocked, "salesforce_path_unknown", 0},
		"a version that was retired":        {410, body("UNSUPPORTED_API_VERSION"), usage{}, 0, blocked, "salesforce_path_unknown", 0},
		"the edge has no way to the org":    {420, ``, usage{}, 0, retryable, "salesforce_unavailable", 0},
		"too large":                         {413, ``, usage{}, 0, permanent, "salesforce_refused", 0},
		"too long an address":               {414, ``, usage{}, 0, permanent, "salesforce_too_long", 0},
		"too long headers":                  {431, ``, usage{}, 0, permanent, "salesforce_too_long", 0},
		"a defect":                          {500, body("UNKNOWN_EXCEPTION"), usage{}, 0, retryable, "salesforce_unavailable", 0},
		"a gateway":                         {502, `<html>`, usage{}, 0, retryable, "salesforce_unavailable", 0},
		"down":                              {503, body("SERVER_UNAVAILABLE"), usage{}, 0, retryable, "salesforce_unavailable", 0},
		"too slow a gateway":                {504, ``, usage{}, 0, retryable, "salesforce_unavailable", 0},
		"one error alone":                   {400, `{"errorCode":"UNABLE_TO_LOCK_ROW"}`, usage{}, 0, retryable, "salesforce_locked", 2 * time.Second},
		"an oauth error is no error's code": {400, `{"error":"invalid_grant"}`, usage{}, 0, permanent, "salesforce_refused", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Retry-After": {strconv.Itoa(int(c.asked.Seconds()))}}
			f := connector.Waiting(sorted(c.status, topLevel([]byte(c.body)), c.usage), h)
			if f.Kind != c.kind || f.Code != c.code || f.Wait != c.wait {
				t.Errorf("%s %s, waits %s; want %s %s, waits %s", f.Kind, f.Code, f.Wait, c.kind, c.code, c.wait)
			}
		})
	}
}

func TestARefusalNamesWhoIsInTheWayContactsFirst(t *testing.T) {
	cases := map[string]struct {
		body  string
		ids   []string
		ofKey bool
	}{
		"a unique value": {
			`[{"errorCode":"DUPLICATE_VALUE","message":"duplicate value found: Msg_Sender_Key__c duplicates value on record with id: 00Q000000000001"}]`,
			[]string{"00Q000000000001"},
			true,
		},
		"another field's": {
			`[{"errorCode":"DUPLICATE_VALUE","message":"duplicate value found: Passport__c duplicates value on record with id: 00Q000000000001"}]`,
			[]string{"00Q000000000001"},
			false,
		},
		"a duplicate rule": {
			`[{"errorCode":"DUPLICATES_DETECTED","duplicateResult":{"matchResults":[
				{"matchRecords":[{"record":{"Id":"00Q000000000001EAA"}},{"record":{"Id":"001000000000009AAA"}}]},{"matchRecords":[{"record":{"Id":"003000000000002AAA"}}]}]}}]`,
			[]string{"003000000000002AAA", "00Q000000000001EAA"},
			false,
		},
		"a duplicate rule, as some spell it": {
			`[{"errorCode":"DUPLICATES_DETECTED","duplicateResut":{"matchResults":[{"matchRecords":[{"record":{"Id":"00Q000000000001EAA"}}]}]}}]`,
			[]string{"00Q000000000001EAA"},
			false,
		},
		"an id that would leave the path": {
			`[{"errorCode":"DUPLICATES_DETECTED","duplicateResult":{"matchResults":[{"matchRecords":[{"record":{"Id":"003/../../../x"}}]}]}}]`, nil, false,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := sorted(http.StatusBadRequest, topLevel([]byte(c.body)), usage{})
			if got := existing(f); !slices.Equal(got, c.ids) || ofOurKey(f) != c.ofKey {
				t.Errorf("%q %v, want %q %v", got, ofOurKey(f), c.ids, c.ofKey)
			}
		})
	}
}

// TestAFieldThatIsMissingIsNamed: of these Salesforce lists no fields, and a name is taken from nowhere but its own sentence.
func TestAFieldThatIsMissingIsNamed(t *testing.T) {
	for message, want := range map[string][]string{
		"No such column 'Description' on sobject of type Task":                                 {"Description"},
		"Provided external ID field does not exist or is not accessible: Msg_Sender_Key__c":    {"Msg_Sender_Key__c"},
		"Ana wrote: No such column 'Ana' on sobject of type Task":                              nil,
		"No such column 'Ana Ruiz' on sobject of type Task":                                    nil,
		"Provided external ID field does not exist or is not accessible: Msg_Key__c, said Ana": nil,
	} {
		if refused, _ := refusal(400, []problem{{ErrorCode: wordField, Message: message}}); !slices.Equal(refused.Fields, want) {
			t.Errorf("%q: %q, want %q", message, refused.Fields, want)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add(400, []byte(`[{"errorCode":"DUPLICATE_VALUE","message":"Msg_Sender_Key__c duplicates value on record with id: 00Q000000000001"}]`))
	f.Add(403, []byte(`{"errorCode":"REQUEST_LIMIT_EXCEEDED","fields":["Secret words","Phone"]}`))
	f.Add(300, []byte(`["x"]`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 599 {
			return
		}
		got := sorted(status, topLevel(body), usage{})
		if got.Code == "" || got.Err == nil {
			t.Errorf("%+v", got)
		}
		said := got.Error()
		if strings.ContainsAny(said, "\n<>\"@+") || len(said) > 1200 {
			t.Errorf("%q tells what was sent", said)
		}
		for _, id := range existing(got) {
			if !recordID.MatchString(id) && len(id) > 18 {
				t.Errorf("id %q", id)
			}
		}
	})
}

func FuzzGraphReply(f *testing.F) {
	f.Add([]byte(`{"graphId":"g0","isSuccessful":true,"graphResponse":{"compositeResponse":[{"body":{"id":"00Q","success":true,"errors":[]},"httpStatusCode":201,"referenceId":"person"}]}}`))
	f.Add([]byte(`{"graphId":"g0","isSuccessful":false,"graphResponse":{"compositeResponse":[{"body":[{"errorCode":"PROCESSING_HALTED"}],"httpStatusCode":400,"referenceId":"event"},{"body":{"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW"}]},"httpStatusCode":200,"referenceId":"task"}]}}`))
	sent := graph{Nodes: []node{{ReferenceID: refPerson}, {ReferenceID: refEvent}, {ReferenceID: refTask}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		var reply graphReply
		if json.Unmarshal(body, &reply) != nil {
			return
		}
		got := reply.read(sent)
		if got.err == nil && (!reply.Successful || len(got.ids) != len(sent.Nodes)) {
			t.Errorf("%s is taken for a success", body)
		}
		if _, isFault := errors.AsType[*fault.Error](got.err); got.err != nil && !isFault {
			t.Errorf("%v is not sorted", got.err)
		}
	})
}

func FuzzRefusedInRows(f *testing.F) {
	f.Add([]byte(`[{"actionName":"removeTargetFromSalesCadence","errors":[{"statusCode":"INVALID_API_INPUT","message":"x","fields":[]}],"isSuccess":false,"outputValues":null}]`))
	f.Add([]byte(`[{"actionName":"removeTargetFromSalesCadence","errors":null,"isSuccess":true}]`))
	f.Add([]byte(`[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var rows []removed
		if !refusedInRows(body, &rows) {
			if rows != nil {
				t.Errorf("%s is no list of rows, and read", body)
			}
			return
		}
		for _, r := range rows {
			if err := r.err(); r.Action == "" || r.Success != (err == nil) {
				t.Errorf("%+v: %v", r, err)
			}
		}
	})
}

func FuzzLimitInfo(f *testing.F) {
	f.Add("api-usage=54/15000")
	f.Add("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)")
	f.Add("api-usage=10018/100000; api-bursts=1/750")
	f.Fuzz(func(t *testing.T, value string) {
		if u := usageOf(http.Header{"Sforce-Limit-Info": {value}}); u.most < 0 || u.used < 0 || u.used > 0 && u.most == 0 {
			t.Errorf("%q: %+v", value, u)
		}
	})
}

func TestTheDailyLimitIsReadFromItsHeader(t *testing.T) {
	for value, want := range map[string]usage{
		"api-usage=54/15000": {used: 54, most: 15000},
		"api-usage=25/5000, per-app-api-usage=17/250(appName=sample-app)": {used: 25, most: 5000},
		"api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)": {used: 25, most: 5000},
		"api-usage=10018/100000; api-bursts=1/750":                        {used: 10018, most: 100000},
		"api-bursts=1/750;api-usage=10018/100000":                         {used: 10018, most: 100000},
		"": {}, "api-usage=x/y": {}, "api-usage=1/0": {}, "per-app-api-usage=1/2": {},
	} {
		if got := usageOf(http.Header{"Sforce-Limit-Info": {value}}); got != want {
			t.Errorf("%q: %+v, want %+v", value, got, want)
		}
	}
}

// Salesforce reads a row as it goes: attributes must come before all other members.
func TestRowsBeginWithTheirAttributes(t *testing.T) {
	for name, row := range map[string]any{"consent": consentRow("003000000000002AAA", nil), "status": row(eventObject, "a0X000000000001AAA")} {
		encoded, err := json.Marshal(row)
		if err != nil || !bytes.HasPrefix(encoded, []byte(`{"attributes":{"type":`)) {
			t.Errorf("%s: %s %v", name, encoded, err)
		}
	}
}
