package dynamics

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// TestEveryRefusalIsSortedByCodeFirst has each refusal that Microsoft documents, with the status that it documents or that was met.
// See https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes and its page on API limits.
func TestEveryRefusalIsSortedByCodeFirst(t *testing.T) {
	t.Parallel()
	read, write, update, make, many := get("leads(1)"), patch("leads(1)", nil), held("leads(1)", "*", nil), fresh("leads(1)", nil), get("leads?$top=1")
	for sentence, c := range map[string]struct {
		of      part
		status  int
		code    string
		message string
		want    fault.Kind
		as      string
	}{
		"more than 6,000 requests in five minutes":       {write, 429, "0x80072322", "", fault.Throttled, "dynamics_request_limit"},
		"more than twenty minutes in five minutes":       {write, 429, "0x80072321", "", fault.Throttled, "dynamics_execution_limit"},
		"more than 52 requests at once":                  {write, 429, "0x80072326", "", fault.Throttled, "dynamics_concurrency_limit"},
		"a limit of another name":                        {write, 429, "0x8005F103", "", fault.Throttled, "dynamics_request_limit"},
		"a limit of another name, with a 503":            {write, 503, "0x80060308", "", fault.Throttled, "dynamics_request_limit"},
		"a limit without a name":                         {write, 429, "", "", fault.Throttled, "dynamics_request_limit"},
		"no row of a key":                                {read, 404, "0x80060891", "", fault.Permanent, codeNotFound},
		"no row of an id":                                {read, 404, "0x80040217", "", fault.Permanent, codeNotFound},
		"no row to update, without a code":               {update, 404, "", "lead With Id = 1 Does Not Exist", fault.Permanent, codeNotFound},
		"no row to read, without a code":                 {read, 404, "", "", fault.Permanent, codeNotFound},
		"no such set":                                    {many, 404, "0x8006088a", "Resource not found for the segment 'leads'.", fault.Blocked, "dynamics_path_unknown"},
		"no such set to write to":                        {write, 404, "", "Resource not found for the segment 'leads'.", fault.Blocked, codeSchema},
		"another row has the key":                        {write, 412, "0x80060892", "", fault.Permanent, codeDuplicate},
		"the row is there already":                       {make, 412, "", "A record with matching key values already exists.", fault.Permanent, codeExists},
		"the row is there already, by a code":            {make, 412, "0x80040237", "", fault.Permanent, codeExists},
		"the row is there already, with a 400":           {make, 400, "0x80040237", "", fault.Permanent, codeExists},
		"somebody else wrote to the row":                 {update, 412, "0x80060882", "", fault.Retryable, codeChanged},
		"somebody else wrote to the row, without a code": {update, 412, "", "", fault.Retryable, codeChanged},
		"a duplicate rule":                               {write, 412, "0x80040333", "", fault.Permanent, "dynamics_duplicate_rule"},
		"a duplicate rule, with a 500":                   {write, 500, "0x80040333", "", fault.Permanent, "dynamics_duplicate_rule"},
		"a value that is too long":                       {write, 400, "0x80044331", "", fault.Permanent, "dynamics_value_too_long"},
		"a choice that is none":                          {write, 400, "0x8004431A", "", fault.Permanent, "dynamics_choice_invalid"},
		"a plug-in":                                      {write, 400, "0x80040265", "Not on Sundays.", fault.Permanent, "dynamics_plugin"},
		"a plug-in, of a lock":                           {write, 400, "0x80040265", "SQL timeout expired.", fault.Retryable, "dynamics_busy"},
		"what nobody expected":                           {write, 400, "0x80040216", "", fault.Permanent, codeUnexpected},
		"a column that is missing":                       {write, 400, "0x0", "An undeclared property 'msg_x' was found", fault.Blocked, codeSchema},
		"a column that is missing, by a code":            {write, 400, "0x80048d19", "Error identified in Payload", fault.Blocked, codeSchema},
		"a column that is missing in a query":            {many, 400, "0x0", "Could not find a property named 'msg_x' on type 'Microsoft.Dynamics.CRM.lead'.", fault.Blocked, codeSchema},
		"a key that is none":                             {write, 400, "0x80060888", "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.lead'.", fault.Blocked, codeKey},
		"no token, or an old one":                        {write, 401, "", "", fault.Blocked, "dynamics_unauthenticated"},
		"a token of another environment":                 {write, 401, "0x80072560", "", fault.Blocked, "dynamics_unauthenticated"},
		"a key that is none, by another code":            {write, 404, "0x80060890", "", fault.Blocked, codeKey},
		"a row that is inactive":                         {update, 400, "0x80040230", "The object cannot be updated because it is inactive.", fault.Permanent, "dynamics_inactive"},
		"a table that is there":                          {write, 400, "0x80047010", "", fault.Permanent, codeExists},
		"a column that is there":                         {write, 400, "0x80047013", "", fault.Permanent, codeExists},
		"a key's name that is taken":                     {write, 400, "0x80060893", "", fault.Permanent, codeExists},
		"another customization runs":                     {write, 429, "0x80071151", "Cannot start another [EntityCustomization]", fault.Retryable, codeCustomized},
		"another customization runs, by its own code":    {write, 400, "0x8004F063", "", fault.Retryable, codeCustomized},
		"a privilege that is missing":                    {write, 403, "0x80040220", "", fault.Blocked, codePrivilege},
		"a privilege that is missing, by another code":   {write, 403, "0x80048306", "", fault.Blocked, codePrivilege},
		"a user who is disabled":                         {write, 403, "0x80040225", "", fault.Blocked, "dynamics_user_disabled"},
		"a user who is disabled, by another code":        {write, 403, "0x8004d24b", "", fault.Blocked, "dynamics_user_disabled"},
		"an app that is no user":                         {write, 403, "0x80072560", "", fault.Blocked, "dynamics_user_unknown"},
		"forbidden, without a code":                      {write, 403, "", "", fault.Blocked, codeForbidden},
		"what may not be deleted":                        {write, 405, "0x80040227", "", fault.Permanent, "dynamics_not_allowed"},
		"what is not Dataverse":                          {write, 405, "", "", fault.Blocked, "dynamics_path_unknown"},
		"what is too large":                              {write, 413, "", "", fault.Permanent, "dynamics_too_long"},
		"what is not made yet":                           {write, 501, "", "", fault.Blocked, "dynamics_path_unknown"},
		"a lock in the database":                         {write, 500, "0x80044151", "", fault.Retryable, "dynamics_unavailable"},
		"an outage":                                      {write, 503, "0x80044150", "", fault.Retryable, "dynamics_unavailable"},
		"an outage without a code":                       {write, 502, "", "", fault.Retryable, "dynamics_unavailable"},
		"another 500":                                    {write, 500, "0x80041111", "", fault.Retryable, "dynamics_unavailable"},
		"another 400":                                    {write, 400, "0x80041111", "", fault.Permanent, "dynamics_refused"},
	} {
		f := sorted(c.of, c.status, http.Header{"Req_id": {"4e2f-1"}}, []byte(`{"error":{"code":"`+c.code+`","message":"`+c.message+`"}}`))
		if f.Kind != c.want || f.Code != c.as {
			t.Errorf("%s: %s %s, want %s %s", sentence, f.Kind, f.Code, c.want, c.as)
		}
		if e := refused(f); e == nil || e.Status != c.status || e.ID != "4e2f-1" {
			t.Errorf("%s: %v", sentence, f)
		}
	}
}

func TestAPageThatIsNotFoundIsNoRowThatIsMissing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                                   codeNotFound,
		`{"error":{"code":"","message":""}}`: codeNotFound,
		"<html><body>404 Not Found</body></html>": "dynamics_path_unknown",
	} {
		if f := sorted(get("leads(1)"), http.StatusNotFound, nil, []byte(body)); f.Code != want {
			t.Errorf("%q: %s, want %s", body, f.Code, want)
		}
	}
}

func TestALimitIsWaitedForAsLongAsItSays(t *testing.T) {
	t.Parallel()
	body := []byte(`{"error":{"code":"0x80072322","message":"Number of requests exceeded the limit of 6000 over time window of 300 seconds."}}`)
	for sentence, c := range map[string]struct {
		after string
		kind  fault.Kind
		wait  time.Duration
	}{
		"seconds":           {"37", fault.Throttled, 37 * time.Second},
		"nothing is said":   {"", fault.Throttled, limitWait},
		"the day is spent":  {"7200", fault.Blocked, 2 * time.Hour},
		"something strange": {"soon", fault.Throttled, limitWait},
	} {
		f := sorted(get("leads"), http.StatusTooManyRequests, http.Header{"Retry-After": {c.after}}, body)
		if f.Kind != c.kind || f.Wait != c.wait {
			t.Errorf("%s: %s, %s", sentence, f.Kind, f.Wait)
		}
	}
}

func TestARefusalThatIsAboutAUserIsTold(t *testing.T) {
	t.Parallel()
	const user = "6fd72b2b-0000-0000-0000-000000000007"
	for message, want := range map[string]bool{
		"systemuser With Id = " + user + " Does Not Exist":                                                        true,
		"Principal user (Id=6FD72B2B-0000-0000-0000-000000000007, type=8) is missing prvReadLead privilege":       true,
		"The specified user is either disabled or is not a member of any business unit.":                          true,
		"contact With Id = 00000000-0000-0000-0000-000000000001 Does Not Exist":                                   false,
		"Principal user (Id=00000000-0000-0000-0000-000000000001, type=8) is missing prvCreateLead privilege for": false,
	} {
		f := sorted(patch("leads(1)", nil), http.StatusForbidden, nil, []byte(`{"error":{"code":"0x80040220","message":"`+message+`"}}`))
		if ofUser(f, user) != want || ofUser(f, "") {
			t.Errorf("%s: %t", message, !want)
		}
	}
}

func TestWhatEntraRefuses(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		status int
		word   string
		codes  []int
		kind   fault.Kind
		code   string
	}{
		"a wrong secret":                 {401, "invalid_client", []int{7000215}, fault.Blocked, "dynamics_secret_invalid"},
		"a secret that has ended":        {401, "invalid_client", []int{7000222}, fault.Blocked, "dynamics_secret_expired"},
		"an app that is not there":       {400, "unauthorized_client", []int{700016}, fault.Blocked, "dynamics_app_unknown"},
		"a directory that is not there":  {400, "invalid_request", []int{90002}, fault.Blocked, "dynamics_directory_unknown"},
		"another environment":            {400, "invalid_resource", []int{500011}, fault.Blocked, "dynamics_environment_unknown"},
		"the same request again":         {400, "invalid_grant", []int{50196}, fault.Throttled, "dynamics_login_limit"},
		"too many requests":              {429, "", nil, fault.Throttled, "dynamics_login_limit"},
		"what is down":                   {503, "", nil, fault.Retryable, "dynamics_login_unavailable"},
		"what is down for a moment":      {400, "temporarily_unavailable", nil, fault.Retryable, "dynamics_login_unavailable"},
		"something else":                 {400, "invalid_scope", []int{70011}, fault.Blocked, "dynamics_grant_refused"},
		"what is no JSON":                {404, "", nil, fault.Blocked, "dynamics_grant_refused"},
		"a word that is none of Entra's": {400, "Secret words", nil, fault.Blocked, "dynamics_grant_refused"},
	} {
		f := refusedGrant(c.status, c.word, c.codes)
		if f.Kind != c.kind || f.Code != c.code {
			t.Errorf("%s: %s %s, want %s %s", sentence, f.Kind, f.Code, c.kind, c.code)
		}
	}
}

func TestATextThatIsTooLongIsCutOnce(t *testing.T) {
	t.Parallel()
	tooLong := func(column string, most int) reply {
		message := fmt.Sprintf("A validation error occurred.  The length of the '%s' attribute of the 'lead' entity exceeded the maximum allowed length of '%d'.", column, most)
		return reply{err: sorted(patch("leads(1)", nil), http.StatusBadRequest, nil, []byte(`{"error":{"code":"0x80044331","message":"`+message+`"}}`))}
	}
	row := []part{get("leads(1)"), patch("leads(1)", connector.Object{"lastname", "Ruiz de la Prada", "mobilephone", "+15551234567", "msg_channel", "whatsapp"})}
	for sentence, c := range map[string]struct {
		told reply
		want string // what is sent again
	}{
		"a text":              {tooLong("lastname", 5), `{"lastname":"Ruiz…","mobilephone":"+15551234567","msg_channel":"whatsapp"}`},
		"a number":            {tooLong("mobilephone", 5), `{"lastname":"Ruiz de la Prada","msg_channel":"whatsapp"}`},
		"a word of a list":    {tooLong("msg_channel", 5), ""},
		"what was not sent":   {tooLong("description", 5), ""},
		"something else":      {reply{err: fault.New(fault.Permanent, codeExists, nil)}, ""},
		"a race":              {reply{err: fault.New(fault.Permanent, codeDuplicate, nil)}, string(row[1].data)},
		"an unexpected thing": {reply{err: fault.New(fault.Permanent, codeUnexpected, nil)}, string(row[1].data)},
	} {
		again, ok := repeated(row, []reply{{}, c.told})
		if ok != (c.want != "") || ok && string(again[1].data) != c.want {
			t.Errorf("%s: %t, %s", sentence, ok, again[1].data)
		}
	}
}

// TestABatchIsReadAsItIsDocumented has the reply of the page on batches, cut off where a connection may end.
func TestABatchIsReadAsItIsDocumented(t *testing.T) {
	t.Parallel()
	const kind = "multipart/mixed; boundary=batchresponse_01346794-f2e2-4d45-8cc2-f97e09fe8916"
	one := func(status, rest string) string {
		return "--batchresponse_01346794-f2e2-4d45-8cc2-f97e09fe8916\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 " + status + "\r\nOData-Version: 4.0\r\n" + rest
	}
	made := one("204 No Content", "OData-EntityId: https://acme.crm4.dynamics.com/api/data/v9.2/tasks(d31ba648-c592-ed11-aad1-000d3a993550)\r\n\r\n\r\n")
	absent := one("404 Not Found", "Content-Type: application/json; odata.metadata=minimal\r\n\r\n"+`{"error":{"code":"0x80060891","message":"A record with the specified key values does not exist in lead entity"}}`+"\r\n")
	row := one("200 OK", "Content-Type: application/json; odata.metadata=minimal; odata.streaming=true\r\n\r\n{\r\n  \"contactid\": \"1\"\r\n}\r\n")
	limited := one("429 Unknown Error", "Retry-After: 12\r\nContent-Type: application/json\r\n\r\n"+`{"error":{"code":"0x80072322","message":"x"}}`+"\r\n")
	end := "--batchresponse_01346794-f2e2-4d45-8cc2-f97e09fe8916--\r\n"
	parts := []part{patch("tasks(1)", nil), get("leads(1)"), get("contacts(1)"), patch("tasks(2)", nil)}
	replies, err := decode(kind, []byte(made+absent+row+limited+end), parts)
	if err != nil || len(replies) != 4 || replies[0].err != nil || !missing(replies[1].err) || fault.Of(replies[3].err).Wait != 12*time.Second {
		t.Fatalf("%v, %+v", err, replies)
	}
	var p person
	if err := replies[2].read(&p); err != nil || p.ContactID != "1" {
		t.Errorf("%v, %+v", err, p)
	}
	whole := made + absent + row + limited + end
	for at := range whole { // whatever is cut off, no reply is taken for another's
		some, err := decode(kind, []byte(whole[:at]), parts)
		for i, r := range some {
			if (r.err == nil) != (replies[i].err == nil) && !fault.Is(r.err, "dynamics_reply_undecodable") || r.err == nil && i == 2 && r.read(&person{}) == nil && at < len(made+absent)+len(row)-3 {
				t.Fatalf("cut off at %d: %v, %+v", at, err, some)
			}
		}
	}
	for _, other := range []string{"text/html", "", "multipart/mixed"} {
		if some, err := decode(other, []byte("<html>"), parts); len(some) > 0 {
			t.Errorf("%s: %v, %v", other, some, err)
		}
	}
}
