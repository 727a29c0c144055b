package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/dynamics/simulator"
	"signalbox/functions/connector/simulatortest"
)

// Pages that hold replies, below https://learn.microsoft.com/power-apps/developer/data-platform/.
const (
	conditional = "webapi/perform-conditional-operations-using-web-api"
	upserts     = "use-upsert-insert-update-record"
	keys        = "use-alternate-key-reference-record"
	defineKeys  = "define-alternate-keys-entity"
	creating    = "webapi/create-entity-web-api"
	updating    = "webapi/update-delete-entities-using-web-api"
	binding     = "webapi/associate-disassociate-entities-using-web-api"
	filtering   = "webapi/query/filter-rows"
	duplicates  = "webapi/manage-duplicate-detection-create-update"
	batches     = "webapi/execute-batch-operations-using-web-api"
	errorCodes  = "reference/web-service-error-codes"
	composing   = "webapi/compose-http-requests-handle-errors"
	limits      = "api-limits"
	retrieving  = "webapi/retrieve-entity-using-web-api"
	bulk        = "bulk-operations"
)

// Others that do.
const (
	clientErrors = "https://learn.microsoft.com/troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors"
	entra        = "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow"
	recorded     = "recorded by others; no page holds it"
)

const (
	key   = "abababababababababababababababababababababababababababababababab"
	other = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	none  = "00000000-0000-0000-0000-000000000001"
)

// asked is a reply.
type asked struct {
	status int
	body   string
	header http.Header
}

// value returns a member of the reply's object.
func (a asked) value(t *testing.T, name string) any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(a.body), &object); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return object[name]
}

// ask makes one request with a token. Headers are pairs.
func ask(t *testing.T, s *simulator.Simulator, method, path, body string, headers ...string) asked {
	t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/api/data/v9.2/" + path
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://acme.crm4.dynamics.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.NewToken())
	if body != "" {
		request.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	reply, err := (&http.Client{Transport: simulatortest.Transport(s)}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return asked{reply.StatusCode, string(read), reply.Header}
}

// populated returns an environment with a lead under key and a message under key that is regarding it.
func populated(t *testing.T) (s *simulator.Simulator, lead string) {
	t.Helper()
	s = simulator.New(simulator.Options{Inactive: none})
	lead = s.Add("lead", map[string]any{"msg_senderkey": key, "lastname": "O'Bryan", "emailaddress1": "ana@example.test", "mobilephone": "+34 911 22 33 44"})
	s.Add("msg_message", map[string]any{"msg_eventkey": key, "subject": "SMS in", "_regardingobjectid_value": lead, "msg_statusrank": 10})
	return s, lead
}

// TestReplies holds each reply by the page that shows it. LEAD in a path or body is the id of the lead.
func TestReplies(t *testing.T) {
	byKey := "leads(msg_senderkey='" + key + "')"
	message := "msg_messages(msg_eventkey='" + key + "')"
	represent := []string{"Prefer", "return=representation"}
	cases := map[string]struct {
		page               string
		method, path, body string
		headers            []string
		status             int
		says               string // in the body
		header, is         string
	}{
		"an upsert that makes a row names it by its key":           {upserts, "PATCH", "leads(msg_senderkey='" + other + "')", `{"lastname":"Ruiz"}`, nil, 204, "", "OData-EntityId", "https://acme.crm4.dynamics.example/api/data/v9.2/leads(msg_senderkey='" + other + "')"},
		"an upsert that changes a row is answered alike":           {upserts, "PATCH", byKey, `{"lastname":"Ruiz"}`, nil, 204, "", "OData-EntityId", "https://acme.crm4.dynamics.example/api/data/v9.2/" + byKey},
		"an upsert that makes a row, with data returned":           {upserts, "PATCH", "leads(msg_senderkey='" + other + "')?$select=leadid", `{"lastname":"Ruiz"}`, represent, 201, `"leadid":"`, "Preference-Applied", "return=representation"},
		"an upsert that changes a row, with data returned":         {upserts, "PATCH", byKey + "?$select=leadid", `{"lastname":"Ruiz"}`, represent, 200, `LEAD`, "", ""},
		"the context names the set and what was selected":          {upserts, "PATCH", byKey + "?$select=leadid", `{"lastname":"Ruiz"}`, represent, 200, `$metadata#leads(leadid)/$entity`, "", ""},
		"an upsert by primary key makes the row with that id":      {updating, "PATCH", "leads(" + none + ")?$select=leadid", `{"lastname":"Ruiz"}`, represent, 201, none, "", ""},
		"If-Match * makes no row":                                  {upserts, "PATCH", "leads(msg_senderkey='" + other + "')", `{"lastname":"Ruiz"}`, []string{"If-Match", "*"}, 404, `"code":"0x80060891","message":"A record with the specified key values does not exist in lead entity"`, "", ""},
		"If-Match * by id makes no row":                            {conditional, "PATCH", "leads(" + none + ")", `{"lastname":"Ruiz"}`, []string{"If-Match", "*"}, 404, `"message":"lead With Id = ` + none + ` Does Not Exist"`, "", ""},
		"If-Match * changes the row that is there":                 {conditional, "PATCH", byKey, `{"lastname":"Ruiz"}`, []string{"If-Match", "*"}, 204, "", "", ""},
		"If-None-Match * changes no row":                           {conditional, "PATCH", byKey, `{"lastname":"Ruiz"}`, []string{"If-None-Match", "*"}, 412, `"message":"A record with matching key values already exists."`, "", ""},
		"If-None-Match null is for caches":                         {composing, "PATCH", byKey, `{"lastname":"Ruiz"}`, []string{"If-None-Match", "null"}, 204, "", "", ""},
		"another version":                                          {conditional, "PATCH", byKey, `{"lastname":"Ruiz"}`, []string{"If-Match", `W/"1"`}, 412, `"code":"0x80060882","message":"The version of the existing record doesn't match the RowVersion property provided."`, "", ""},
		"another version to delete":                                {conditional, "DELETE", "leads(LEAD)", ``, []string{"If-Match", `W/"1"`}, 412, `RowVersion property`, "", ""},
		"a row that is made tells its address":                     {creating, "POST", "leads", `{"lastname":"Ruiz"}`, nil, 204, "", "OData-Version", "4.0"},
		"a row that is made, with data returned":                   {creating, "POST", "leads?$select=lastname,statecode", `{"lastname":"Ruiz"}`, represent, 201, `"statecode":0`, "OData-EntityId", ""},
		"a row read by its key":                                    {retrieving, "GET", byKey + "?$select=lastname", ``, nil, 200, `"lastname":"O'Bryan"`, "", ""},
		"a row read by the name of its primary key":                {keys, "GET", "leads(leadid=LEAD)?$select=lastname", ``, nil, 200, `O'Bryan`, "", ""},
		"nobody has the key":                                       {errorCodes, "GET", "contacts(msg_senderkey='" + key + "')", ``, nil, 404, `"code":"0x80060891"`, "", ""},
		"nobody has the id":                                        {errorCodes, "GET", "contacts(" + none + ")", ``, nil, 404, `"code":"0x80040217"`, "", ""},
		"a column that is no key":                                  {keys, "GET", "leads(lastname='Ruiz')", ``, nil, 400, `The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.lead'. Ensure that the names and number of key properties match`, "", ""},
		"a key with a plus sign":                                   {defineKeys, "PATCH", "leads(msg_senderkey='%2B34')", `{}`, nil, 400, `error`, "", ""},
		"a set that is not there":                                  {clientErrors, "GET", "Lead", ``, nil, 404, `{"error":{"code":"0x8006088a","message":"Resource not found for the segment 'Lead'."}}`, "", ""},
		"a column that is not there":                               {clientErrors, "GET", byKey + "?$select=Name", ``, nil, 400, `{"error":{"code":"0x0","message":"Could not find a property named 'Name' on type 'Microsoft.Dynamics.CRM.lead'."}}`, "", ""},
		"a column that is not there, written":                      {clientErrors, "PATCH", byKey, `{"Lastname":"Ruiz"}`, nil, 400, `Invalid property 'Lastname' was found in entity 'Microsoft.Dynamics.CRM.lead'`, "", ""},
		"a navigation property in other letters":                   {clientErrors, "PATCH", message, `{"regardingobjectid@odata.bind":"/leads(LEAD)"}`, nil, 400, `"code":"0x80048d19","message":"Error identified in Payload provided by the user for Entity :'msg_messages'`, "", ""},
		"it says what is undeclared":                               {clientErrors, "PATCH", message, `{"RegardingObjectId_lead_msg_message@odata.bind":"/leads(LEAD)"}`, nil, 400, `An undeclared property 'RegardingObjectId_lead_msg_message' which only has property annotations in the payload`, "", ""},
		"a function that is posted":                                {clientErrors, "POST", "WhoAmI", `{}`, nil, 404, `No HTTP resource was found that matches the request URI 'https://acme.crm4.dynamics.example/api/data/v9.2/WhoAmI'.`, "", ""},
		"a lookup written as a value":                              {recorded, "PATCH", message, `{"_regardingobjectid_value":"` + none + `"}`, nil, 400, `CRM do not support direct update of Entity Reference properties`, "", ""},
		"a bind to a key that nobody has":                          {errorCodes, "PATCH", message, `{"regardingobjectid_lead_msg_message@odata.bind":"leads(msg_senderkey='` + other + `')"}`, nil, 404, `does not exist in lead entity`, "", ""},
		"a bind to an id that nobody has":                          {errorCodes, "PATCH", message, `{"regardingobjectid_contact_msg_message@odata.bind":"/contacts(` + none + `)"}`, nil, 404, `0x80040217`, "", ""},
		"a bind to a row of another table":                         {binding, "PATCH", message, `{"regardingobjectid_contact_msg_message@odata.bind":"/leads(LEAD)"}`, nil, 400, `0x80048d19`, "", ""},
		"a text that is too long":                                  {batches, "PATCH", message, `{"subject":"` + strings.Repeat("x", 201) + `"}`, nil, 400, `{"error":{"code":"0x80044331","message":"A validation error occurred.  The length of the 'subject' attribute of the 'msg_message' entity exceeded the maximum allowed length of '200'."}}`, "", ""},
		"a choice that is none":                                    {errorCodes, "PATCH", byKey, `{"leadqualitycode":9}`, nil, 400, `"code":"0x8004431A","message":"A validation error occurred. The value 9 of 'leadqualitycode' on record of type 'lead' is outside the valid range. Accepted Values: 1,2,3"`, "", ""},
		"a text for a number":                                      {recorded, "PATCH", message, `{"msg_statusrank":"x"}`, nil, 400, `Cannot convert the literal 'x' to the expected type 'Edm.Int32'.`, "", ""},
		"a time without a zone":                                    {recorded, "PATCH", message, `{"msg_occurredat":"2026-01-18 14:23"}`, nil, 400, `Edm.DateTimeOffset`, "", ""},
		"a state with the status of another":                       {errorCodes, "PATCH", byKey, `{"statecode":1,"statuscode":1}`, nil, 400, `0x80048408`, "", ""},
		"a state alone gets the status that goes with it":          {updating, "PATCH", byKey + "?$select=statuscode", `{"statecode":1}`, represent, 200, `"statuscode":3`, "", ""},
		"an alternate key that another row has":                    {errorCodes, "POST", "leads", `{"msg_senderkey":"` + key + `"}`, nil, 412, `"code":"0x80060892","message":"Entity Key msg_senderkeykey violated. A record with the same value for msg_senderkey already exists. A duplicate record cannot be created. Select one or more unique values and try again."`, "", ""},
		"a primary key that another row has":                       {conditional, "POST", "leads", `{"leadid":"LEAD"}`, nil, 412, `A record with matching key values already exists.`, "", ""},
		"an address that another lead has":                         {duplicates, "POST", "leads", `{"emailaddress1":"ana@example.test"}`, []string{"MSCRM.SuppressDuplicateDetection", "false"}, 500, `{"error":{"code":"0x80040333","message":"A record was not created or updated because a duplicate of the current record already exists."}}`, "", ""},
		"nobody looks for duplicates unless asked":                 {duplicates, "POST", "leads", `{"emailaddress1":"ana@example.test"}`, nil, 204, "", "", ""},
		"an owner who has left":                                    {errorCodes, "PATCH", byKey, `{"ownerid@odata.bind":"/systemusers(` + none + `)"}`, nil, 403, `"code":"0x80040225","message":"The specified user is either disabled or is not a member of any business unit."`, "", ""},
		"a text with a quotation mark":                             {filtering, "GET", "leads?$select=leadid&$filter=lastname%20eq%20%27O%27%27Bryan%27", ``, nil, 200, `LEAD`, "", ""},
		"a text with a quotation mark that is not doubled":         {filtering, "GET", "leads?$filter=lastname%20eq%20%27O%27Bryan%27", ``, nil, 400, `There is an unterminated literal at position`, "", ""},
		"texts compare in any case":                                {filtering, "GET", "leads?$select=leadid&$filter=emailaddress1%20eq%20%27ANA@EXAMPLE.TEST%27", ``, nil, 200, `LEAD`, "", ""},
		"digits in a number, or in another, and open":              {filtering, "GET", "leads?$select=leadid&$top=5&$filter=(contains(mobilephone,%27911%2022%27)%20or%20contains(telephone1,%27911%2022%27))%20and%20statecode%20eq%200", ``, nil, 200, `LEAD`, "", ""},
		"a percent sign in a text stands for others":               {filtering, "GET", "leads?$select=leadid&$filter=contains(mobilephone,%27911%25223344%27)", ``, nil, 200, `"value":[]`, "", ""},
		"it stands for any number of them":                         {filtering, "GET", "leads?$select=leadid&$filter=contains(mobilephone,%27911%25%2533%27)", ``, nil, 200, `LEAD`, "", ""},
		"what a text begins with":                                  {filtering, "GET", "leads?$select=leadid&$filter=startswith(lastname,%27o%27%27b%27)", ``, nil, 200, `LEAD`, "", ""},
		"what it ends with":                                        {filtering, "GET", "leads?$select=leadid&$filter=endswith(lastname,%27yan%27)%20and%20not%20endswith(lastname,%27O%27)", ``, nil, 200, `LEAD`, "", ""},
		"an underscore stands for one":                             {filtering, "GET", "leads?$select=leadid&$filter=contains(lastname,%27br_an%27)", ``, nil, 200, `LEAD`, "", ""},
		"brackets stand for one of several":                        {filtering, "GET", "leads?$select=leadid&$filter=contains(lastname,%27br[a-z]an%27)", ``, nil, 200, `LEAD`, "", ""},
		"a plus sign that is not encoded is a space":               {filtering, "GET", "leads?$select=leadid&$filter=contains(mobilephone,%27+34%20911%27)", ``, nil, 200, `"value":[]`, "", ""},
		"a filter by the id of a lookup":                           {filtering, "GET", "msg_messages?$select=subject&$filter=_regardingobjectid_value%20eq%20LEAD", ``, nil, 200, `SMS in`, "", ""},
		"a filter by several keys":                                 {filtering, "GET", "leads?$select=leadid&$filter=Microsoft.Dynamics.CRM.In(PropertyName=%27msg_senderkey%27,PropertyValues=[%22" + key + "%22,%22x%22])", ``, nil, 200, `LEAD`, "", ""},
		"a filter that is none":                                    {filtering, "GET", "leads?$filter=lastname%20is%20%27x%27", ``, nil, 400, `Syntax error`, "", ""},
		"rows are not skipped":                                     {recorded, "GET", "leads?$skip=1", ``, nil, 400, `Query option 'skip' is not allowed`, "", ""},
		"a lookup with the table that it points to":                {composing, "GET", message + "?$select=_regardingobjectid_value", ``, []string{"Prefer", `odata.include-annotations="Microsoft.Dynamics.CRM.*"`}, 200, `"_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname":"lead"`, "", ""},
		"a lookup with the property that sets it":                  {composing, "GET", message + "?$select=_regardingobjectid_value", ``, []string{"Prefer", `odata.include-annotations="*"`}, 200, `associatednavigationproperty":"regardingobjectid_lead_msg_message"`, "", ""},
		"a row that a lookup points to, expanded":                  {retrieving, "GET", message + "?$select=subject&$expand=regardingobjectid_lead_msg_message($select=lastname)", ``, nil, 200, `"regardingobjectid_lead_msg_message":{"@odata.etag":`, "", ""},
		"details of an error, if asked for":                        {composing, "GET", "contacts(" + none + ")", ``, []string{"Prefer", `odata.include-annotations="Microsoft.PowerApps.CDS.ErrorDetails*,Microsoft.PowerApps.CDS.HelpLink"`}, 404, `"@Microsoft.PowerApps.CDS.HelpLink":"http://go.microsoft.com/fwlink/?LinkID=398563`, "", ""},
		"who am I":                                                 {"webapi/use-web-api-functions", "GET", "WhoAmI", ``, nil, 200, `"UserId":"` + simulator.IntegrationUser + `"`, "", ""},
		"what version is it":                                       {"webapi/reference/retrieveversion", "GET", "RetrieveVersion()", ``, nil, 200, `"Version":"9.2.`, "", ""},
		"the keys of all tables":                                   {defineKeys, "GET", "EntityDefinitions?$select=SchemaName&$expand=Keys($select=KeyAttributes)", ``, nil, 200, `"SchemaName":"Lead"`, "", ""},
		"the keys of one table, and whether they can be used":      {defineKeys, "GET", "EntityDefinitions(LogicalName='lead')/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus", ``, nil, 200, `"EntityKeyIndexStatus":"Active"`, "", ""},
		"a file that is none":                                      {recorded, "POST", "annotations", `{"documentbody":"é"}`, nil, 400, `Base-64`, "", ""},
		"several rows at once, by keys":                            {"webapi/reference/upsertmultiple", "POST", "msg_messages/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.msg_message","@odata.id":"msg_messages(msg_eventkey='` + key + `')","subject":"1"},{"@odata.type":"Microsoft.Dynamics.CRM.msg_message","@odata.id":"msg_messages(msg_eventkey='` + other + `')","subject":"2"}]}`, nil, 204, "", "", ""},
		"several rows at once without their type":                  {"webapi/reference/upsertmultiple", "POST", "msg_messages/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[{"@odata.id":"msg_messages(msg_eventkey='` + key + `')"}]}`, nil, 400, `0x80048d19`, "", ""},
		"a new row of several whose key is among the values, too":  {"https://github.com/microsoft/PowerPlatform-DataverseClient-Python/pull/127", "POST", "msg_messages/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.msg_message","@odata.id":"msg_messages(msg_eventkey='` + other + `')","msg_eventkey":"` + other + `"}]}`, nil, 400, `{"error":{"code":"0x80040216","message":"An unexpected error occurred."}}`, "", ""},
		"a row of several that is there may have its key among it": {"https://github.com/microsoft/PowerPlatform-DataverseClient-Python/pull/127", "POST", "msg_messages/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.msg_message","@odata.id":"msg_messages(msg_eventkey='` + key + `')","msg_eventkey":"` + key + `"}]}`, nil, 204, "", "", ""},
		"several rows made at once":                                {bulk, "POST", "tasks/Microsoft.Dynamics.CRM.CreateMultiple", `{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.task","subject":"1"}]}`, nil, 200, `"Ids":["`, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, lead := populated(t)
			fill := strings.NewReplacer("LEAD", lead)
			got := ask(t, s, c.method, fill.Replace(c.path), fill.Replace(c.body), c.headers...)
			if got.status != c.status || !strings.Contains(got.body, fill.Replace(c.says)) {
				t.Errorf("%d %s, want %d %s: see %s", got.status, got.body, c.status, fill.Replace(c.says), c.page)
			}
			if c.header != "" && got.header.Get(c.header) != c.is {
				t.Errorf("%s is %q, want %q: see %s", c.header, got.header.Get(c.header), c.is, c.page)
			}
		})
	}
}

// TestBurst: see the page of limits.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Burst: 2})
		for range 2 {
			if got := ask(t, s, "GET", "WhoAmI", ""); got.status != 200 {
				t.Fatalf("%+v", got)
			}
			time.Sleep(100 * time.Second)
		}
		got := ask(t, s, "GET", "WhoAmI", "")
		if got.status != 429 || got.header.Get("Retry-After") != "100" ||
			!strings.Contains(got.body, `{"error":{"code":"0x80072322","message":"Number of requests exceeded the limit of 2 over time window of 300 seconds."}}`) {
			t.Errorf("%+v: see %s", got, limits)
		}
		time.Sleep(100 * time.Second)
		if got := ask(t, s, "GET", "WhoAmI", ""); got.status != 200 {
			t.Errorf("after Retry-After: %+v", got)
		}
	})
}

func TestConcurrentRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Concurrent: 1})
		s.Spoil(simulatortest.Fault{Match: "/api/data/v9.2/leads", DelayMS: 1000})
		var slow sync.WaitGroup
		slow.Go(func() { ask(t, s, "GET", "leads", "") })
		synctest.Wait()
		got := ask(t, s, "GET", "WhoAmI", "")
		if got.status != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `{"error":{"code":"0x80072326","message":"Number of concurrent requests exceeded the limit of 1."}}`) {
			t.Errorf("%+v: see %s", got, limits)
		}
		slow.Wait()
		if got := ask(t, s, "GET", "WhoAmI", ""); got.status != 200 {
			t.Errorf("alone: %+v", got)
		}
	})
}

// TestExecutionTime: see the page of limits.
func TestExecutionTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Execution: time.Minute})
		s.Spoil(simulatortest.Fault{Match: "/api/data/v9.2/leads", DelayMS: 61_000})
		ask(t, s, "GET", "leads", "")
		got := ask(t, s, "GET", "WhoAmI", "")
		if got.status != 429 || got.header.Get("Retry-After") != "300" || !strings.Contains(got.body, `"code":"0x80072321","message":"Combined execution time of incoming requests exceeded limit of 60000 milliseconds over time window of 300 seconds.`) {
			t.Errorf("%+v: see %s", got, limits)
		}
		time.Sleep(300 * time.Second)
		if got := ask(t, s, "GET", "WhoAmI", ""); got.status != 200 {
			t.Errorf("after Retry-After: %+v", got)
		}
	})
}

// form asks for a token and returns the reply.
func form(t *testing.T, s *simulator.Simulator, tenant, fields string) asked {
	t.Helper()
	return ask(t, s, "POST", "/"+tenant+"/oauth2/v2.0/token", fields, "Content-Type", "application/x-www-form-urlencoded")
}

func TestTokens(t *testing.T) {
	good := "grant_type=client_credentials&client_id=app&client_secret=secret&scope=https%3A%2F%2Facme.crm4.dynamics.example%2F.default"
	cases := map[string]struct {
		tenant, from, to string
		status           int
		says             string
	}{
		"the app's":         {"acme", "", "", 200, `"token_type":"Bearer"`},
		"how long it lasts": {"acme", "", "", 200, `"expires_in":3599`},
		"another secret":    {"acme", "client_secret=secret", "client_secret=x", 401, `AADSTS7000215: Invalid client secret provided`},
		"its error":         {"acme", "client_secret=secret", "client_secret=x", 401, `"error":"invalid_client"`},
		"another app":       {"acme", "client_id=app", "client_id=x", 400, `AADSTS700016`},
		"another directory": {"other", "", "", 400, `AADSTS90002`},
		"no .default":       {"acme", "%2F.default", "%2Fuser_impersonation", 400, `"error":"invalid_scope"`},
		"no environment":    {"acme", "https%3A%2F%2Facme.crm4.dynamics.example", "x", 400, `AADSTS500011`},
		"another grant":     {"acme", "client_credentials", "password", 400, `"error":"unsupported_grant_type"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Apps: []simulator.App{{TenantID: "acme", ClientID: "app", Secret: "secret"}}})
			if got := form(t, s, c.tenant, strings.Replace(good, c.from, c.to, 1)); got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("%d %s, want %d %s: see %s", got.status, got.body, c.status, c.says, entra)
			}
		})
	}
}

func TestWhatATokenOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{})
		take := func(host string) string {
			token, _ := form(t, s, "acme", "grant_type=client_credentials&client_id=app&client_secret=secret&scope=https%3A%2F%2F"+host+"%2F.default").value(t, "access_token").(string)
			return "Bearer " + token
		}
		own, others := take("acme.crm4.dynamics.example"), take("other.crm4.dynamics.example")
		for name, c := range map[string]struct {
			token string
			want  int
		}{"its own environment": {own, 200}, "another environment": {others, 401}, "none": {"Bearer x", 401}} {
			if got := ask(t, s, "GET", "WhoAmI", "", "Authorization", c.token); got.status != c.want || c.want == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer authorization_uri=") {
				t.Errorf("%s: %+v", name, got)
			}
		}
		time.Sleep(time.Hour)
		if got := ask(t, s, "GET", "WhoAmI", "", "Authorization", own); got.status != 401 {
			t.Errorf("after an hour: %+v", got)
		}
	})
}

func TestHowAnEnvironmentIsSetUp(t *testing.T) {
	cases := map[string]struct {
		options      simulator.Options
		method, path string
		status       int
		says         string
	}{
		"the app is no user":          {simulator.Options{NotMember: true}, "GET", "WhoAmI", 403, `{"error":{"code":"0x80072560","message":"The user is not a member of the organization."}}`},
		"no solution":                 {simulator.Options{Bare: true}, "GET", "msg_messages", 404, `Resource not found for the segment 'msg_messages'.`},
		"no column":                   {simulator.Options{Bare: true}, "GET", "leads?$select=msg_senderkey", 400, `Could not find a property named 'msg_senderkey'`},
		"no key":                      {simulator.Options{Bare: true}, "GET", "leads(msg_senderkey='" + key + "')", 400, `The key in the request URI is not valid`},
		"a key that is not there yet": {simulator.Options{KeysPending: true}, "GET", "leads(msg_senderkey='" + key + "')", 400, `The key in the request URI is not valid`},
		"it says so":                  {simulator.Options{KeysPending: true}, "GET", "EntityDefinitions(LogicalName='lead')?$expand=Keys", 200, `"EntityKeyIndexStatus":"Pending"`},
		"no privilege on notes":       {simulator.Options{NoFiles: true}, "GET", "annotations", 403, `"code":"0x80040220"`},
		"the solution is listed":      {simulator.Options{}, "GET", "solutions?$select=version&$filter=uniquename%20eq%20%27signalbox%27", 200, `"version":"1.`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, simulator.New(c.options), c.method, c.path, ""); got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("%d %s, want %d %s", got.status, got.body, c.status, c.says)
			}
		})
	}
}
