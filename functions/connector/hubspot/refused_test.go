package hubspot

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// every status, without HubSpot's body, and with the bodies that decide against the status.
func TestRefusalsAreSortedByCodeFirstAndStatusSecond(t *testing.T) {
	const (
		retryable = fault.Retryable
		throttled = fault.Throttled
		blocked   = fault.Blocked
		permanent = fault.Permanent
	)
	cases := map[string]struct {
		status int
		header http.Header
		body   string
		kind   fault.Kind
		code   string
		wait   time.Duration
	}{
		"moved for good":        {301, nil, ``, blocked, "hubspot_redirected", 0},
		"moved for now":         {307, nil, ``, blocked, "hubspot_redirected", 0},
		"bad request, no body":  {400, nil, ``, permanent, "hubspot_refused", 0},
		"bad request, a page":   {400, nil, `<html>`, permanent, "hubspot_refused", 0},
		"a value is wrong":      {400, nil, `{"category":"VALIDATION_ERROR","errors":[{"code":"INVALID_EMAIL"}]}`, permanent, "hubspot_invalid_data", 0},
		"a property is missing": {400, nil, `{"category":"VALIDATION_ERROR","errors":[{"code":"INVALID_EMAIL"},{"code":"PROPERTY_DOESNT_EXIST"}]}`, blocked, "hubspot_property_missing", 0},
		"a property is missing, told in the message": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"error\":\"PROPERTY_DOESNT_EXIST\"}]"}`,
			blocked, "hubspot_property_missing", 0,
		},
		"a customer's text is no code": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"message\":\"PROPERTY_DOESNT_EXIST\",\"error\":\"INVALID_OPTION\"}]"}`,
			permanent, "hubspot_invalid_data", 0,
		},
		"a rule of the portal": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Enter only letters\",\"error\":\"INVALID_ALPHA\",\"name\":\"firstname\"}]"}`,
			permanent, "hubspot_validation_rule", 0,
		},
		"a property that the portal requires": {
			400, nil, `{"category":"VALIDATION_ERROR","errors":[{"message":"x","code":"MISSING_REQUIRED_PROPERTY","context":{"propertyName":["close_date"]}}]}`,
			permanent, "hubspot_validation_rule", 0,
		},
		"a value that no portal takes": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]"}`,
			permanent, "hubspot_invalid_data", 0,
		},
		"a property that is read only": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"x\",\"error\":\"READ_ONLY_VALUE\",\"name\":\"createdate\"}]"}`,
			blocked, "hubspot_property_read_only", 0,
		},
		"a property of another type": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"two was not a valid long.\",\"error\":\"INVALID_LONG\",\"name\":\"rooms\"}]"}`,
			blocked, "hubspot_property_type", 0,
		},
		"a date that HubSpot's own property does not take": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"x\",\"error\":\"INVALID_DATE\",\"name\":\"hs_timestamp\"}]"}`,
			permanent, "hubspot_invalid_data", 0,
		},
		"an option that the property does not have": {
			400, nil, `{"category":"VALIDATION_ERROR","errors":[{"code":"INVALID_OPTION","context":{"propertyName":["lifecyclestage"]}}]}`, permanent, "hubspot_invalid_data", 0,
		},
		"a number that is too large": {
			400, nil, `{"category":"VALIDATION_ERROR","errors":[{"code":"INVALID_NUMBER_SIZE","context":{"propertyName":["rooms"]}}]}`, permanent, "hubspot_invalid_data", 0,
		},
		"somebody who was erased": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"email has been GDPR blacklisted\",\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]"}`,
			permanent, "hubspot_person_erased", 0,
		},
		"somebody who was erased, by the word": {400, nil, `{"category":"VALIDATION_ERROR","errors":[{"code":"GDPR_BLACKLISTED_EMAIL"}]}`, permanent, "hubspot_person_erased", 0},
		"somebody who says that they were erased": {
			400, nil, `{"category":"VALIDATION_ERROR","message":"email has been GDPR blacklisted"}`, permanent, "hubspot_invalid_data", 0,
		},
		"a unique value is taken":       {400, nil, `{"category":"VALIDATION_ERROR","errors":[{"code":"CONFLICTING_UNIQUE_VALUE"}]}`, permanent, "hubspot_conflict", 0},
		"an id twice in a batch":        {400, nil, `{"category":"VALIDATION_ERROR","message":"Duplicate IDs found in batch input"}`, permanent, "hubspot_invalid_data", 0},
		"odd members are passed over":   {400, nil, `{"category":"VALIDATION_ERROR","context":{"ids":7},"errors":"x"}`, permanent, "hubspot_invalid_data", 0},
		"token refused, no body":        {401, nil, ``, blocked, "hubspot_unauthenticated", 0},
		"token refused":                 {401, nil, `{"category":"INVALID_AUTHENTICATION"}`, blocked, "hubspot_unauthenticated", 0},
		"token expired":                 {401, nil, `{"category":"EXPIRED_AUTHENTICATION"}`, blocked, "hubspot_unauthenticated", 0},
		"payment required":              {402, nil, ``, blocked, "hubspot_forbidden", 0},
		"scopes missing":                {403, nil, `{"category":"MISSING_SCOPES","context":{"missingScopes":["x"]}}`, blocked, "hubspot_missing_scopes", 0},
		"forbidden otherwise":           {403, nil, ``, blocked, "hubspot_forbidden", 0},
		"a record is missing":           {404, nil, `{"category":"OBJECT_NOT_FOUND"}`, permanent, "hubspot_not_found", 0},
		"a path is missing":             {404, nil, `<html>`, blocked, "hubspot_path_unknown", 0},
		"method not allowed":            {405, nil, ``, blocked, "hubspot_path_unknown", 0},
		"request timed out":             {408, nil, ``, retryable, "hubspot_timeout", 0},
		"conflict":                      {409, nil, `{"category":"CONFLICT","message":"Contact already exists. Existing ID: 5501"}`, permanent, "hubspot_conflict", 0},
		"conflict, no body":             {409, nil, ``, permanent, "hubspot_conflict", 0},
		"gone":                          {410, nil, ``, blocked, "hubspot_path_unknown", 0},
		"too large":                     {413, nil, ``, permanent, "hubspot_refused", 0},
		"too long":                      {414, nil, ``, permanent, "hubspot_too_long", 0},
		"media type":                    {415, nil, ``, permanent, "hubspot_refused", 0},
		"unprocessable":                 {422, nil, ``, permanent, "hubspot_refused", 0},
		"locked":                        {423, nil, ``, retryable, "hubspot_locked", 2 * time.Second},
		"too many, nothing said":        {429, nil, ``, throttled, "hubspot_burst_limit", 10 * time.Second},
		"too many in ten seconds":       {429, nil, `{"policyName":"TEN_SECONDLY_ROLLING"}`, throttled, "hubspot_burst_limit", 10 * time.Second},
		"too many searches":             {429, nil, `{"policyName":"SECONDLY"}`, throttled, "hubspot_search_limit", time.Second},
		"too many today":                {429, nil, `{"policyName":"DAILY"}`, blocked, "hubspot_daily_limit", time.Hour},
		"too many searches, by message": {429, nil, `{"category":"RATE_LIMITS","message":"You have reached your secondly limit."}`, throttled, "hubspot_search_limit", time.Second},
		"too many today, by message":    {429, nil, `{"errorType":"RATE_LIMIT","message":"You have reached your daily limit."}`, blocked, "hubspot_daily_limit", time.Hour},
		"too many by category":          {429, nil, `{"category":"RATE_LIMITS"}`, throttled, "hubspot_burst_limit", 10 * time.Second},
		"too many, a wait is asked":     {429, http.Header{"Retry-After": {"7"}}, ``, throttled, "hubspot_burst_limit", 7 * time.Second},
		"too many, an hour is asked":    {429, http.Header{"Retry-After": {"3600"}}, ``, blocked, "hubspot_burst_limit", time.Hour},
		"too many, a date is asked":     {429, http.Header{"Retry-After": {"Sun, 18 Jan 2026 14:23:12 GMT"}}, ``, throttled, "hubspot_burst_limit", 10 * time.Second},
		"legal reasons":                 {451, nil, ``, permanent, "hubspot_refused", 0},
		"moving, nothing said":          {477, nil, ``, throttled, "hubspot_moving", time.Minute},
		"moving, minutes":               {477, http.Header{"Retry-After": {"120"}}, ``, throttled, "hubspot_moving", 2 * time.Minute},
		"moving, a day and more":        {477, http.Header{"Retry-After": {"999999"}}, ``, blocked, "hubspot_moving", 24 * time.Hour},
		"internal error":                {500, nil, ``, retryable, "hubspot_unavailable", 0},
		"internal error with category":  {500, nil, `{"category":"INTERNAL_ERROR"}`, retryable, "hubspot_unavailable", 0},
		"not implemented":               {501, nil, ``, retryable, "hubspot_unavailable", 0},
		"bad gateway":                   {502, nil, `<html>`, retryable, "hubspot_unavailable", 0},
		"unavailable":                   {503, nil, ``, retryable, "hubspot_unavailable", 0},
		"unavailable for a while":       {503, http.Header{"Retry-After": {"30"}}, ``, retryable, "hubspot_unavailable", 30 * time.Second},
		"gateway timed out":             {504, nil, ``, retryable, "hubspot_unavailable", 0},
		"origin is down":                {521, nil, ``, retryable, "hubspot_unavailable", 0},
		"origin timed out":              {522, nil, ``, retryable, "hubspot_unavailable", 0},
		"origin unreachable":            {523, nil, ``, retryable, "hubspot_unavailable", 0},
		"a time-out occurred":           {524, nil, ``, retryable, "hubspot_unavailable", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := refused(connector.Response{Status: c.status, Header: c.header, Body: []byte(c.body)})
			if got.Kind != c.kind || got.Code != c.code || got.Wait != c.wait {
				t.Errorf("%s %s, waits %s; want %s %s, waits %s", got.Kind, got.Code, got.Wait, c.kind, c.code, c.wait)
			}
		})
	}
}

func TestARefusalTellsCodesAndNoValues(t *testing.T) {
	body := `{"category":"VALIDATION_ERROR","correlationId":"0b7b-4f","message":"ana@example.test is not valid",` +
		`"errors":[{"message":"ana@example.test","code":"INVALID_EMAIL"}]}`
	if got, want := refused(connector.Response{Status: 400, Header: nil, Body: []byte(body)}).Error(), "hubspot_invalid_data: status 400 VALIDATION_ERROR INVALID_EMAIL 0b7b-4f"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	rule := `{"category":"VALIDATION_ERROR","correlationId":"0b7b-4f","message":"Property values were not valid: [` +
		`{\"message\":\"Ana is too short\",\"error\":\"MIN_LENGTH\",\"name\":\"firstname\"},{\"message\":\"Ana\",\"error\":\"MIN_LENGTH\",\"name\":\"Ana Ruiz\"}]"}`
	if got, want := refused(connector.Response{Status: 400, Header: nil, Body: []byte(rule)}).Error(), "hubspot_validation_rule: status 400 VALIDATION_ERROR MIN_LENGTH firstname 0b7b-4f"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	forged := `{"category":"ana@example.test","correlationId":"ana@example.test","policyName":"+15551234567","errors":[{"code":"ana"}]}`
	if got := refused(connector.Response{Status: 400, Header: http.Header{"X-Hubspot-Correlation-Id": {"c-1"}}, Body: []byte(forged)}).Error(); strings.ContainsAny(got, "@+") {
		t.Errorf("%q holds what HubSpot said", got)
	}
}

func TestTheRecordInTheWayIsReadFromHubSpotsOwnSentence(t *testing.T) {
	for message, want := range map[string]string{
		"Contact already exists. Existing ID: 5501":            "5501",
		"my name is Contact already exists. Existing ID: 5501": "",
		"Contact already exists. Existing ID: 5501 or so":      "",
	} {
		if got := existing(refused(connector.Response{Status: 409, Header: nil, Body: []byte(`{"category":"CONFLICT","message":"` + message + `"}`)})); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

func FuzzRefused(f *testing.F) {
	f.Add(400, "7", []byte(`{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"error\":\"X\"}]"}`))
	f.Add(429, "-1", []byte(`{"policyName":"DAILY"}`))
	f.Add(302, "", []byte(`[]`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		got := refused(connector.Response{Status: status, Header: http.Header{"Retry-After": {after}}, Body: body})
		if got.Code == "" || got.Kind == fault.Rejected || got.Wait < 0 || got.Wait > 24*time.Hour {
			t.Errorf("%+v", got)
		}
		for part := range strings.FieldsSeq(got.Error()) {
			if len(part) > 64+1 {
				t.Errorf("the error repeats %q", part)
			}
		}
	})
}

func FuzzBatchReply(f *testing.F) {
	f.Add([]byte(`{"results":[{"id":"1","objectWriteTraceId":"a","properties":{"x":null}}],"errors":[{"category":"CONFLICT","context":{"objectWriteTraceId":["b"]}}]}`))
	f.Add([]byte(`{"results":[],"numErrors":0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var reply writeReply
		if json.Unmarshal(body, &reply) != nil {
			return
		}
		if r := reply.only(); r.err == nil && r.object.ID == "" {
			t.Error("a row is neither done nor failed")
		}
		inputs := []input{{ID: "a"}, {ID: "b"}}
		rows := make([]row, 2)
		silent := reply.spread(inputs, []int{0, 1}, rows)
		settled := len(silent)
		for _, r := range rows {
			if r.err != nil || r.object.ID != "" {
				settled++
			}
		}
		if settled != 2 {
			t.Errorf("%d of 2 rows are accounted for", settled)
		}
	})
}
