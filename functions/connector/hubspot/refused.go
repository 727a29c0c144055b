package hubspot

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/fault"
)

// Waits that HubSpot's limits ask for; see https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines.
const (
	burstWait   = 10 * time.Second // the window of the burst limit
	searchWait  = time.Second      // the window of the search limit
	dailyWait   = time.Hour        // the day ends at midnight in the portal's time zone, which is not known: look every hour
	lockWait    = 2 * time.Second  // what HubSpot asks for after 423
	moveWait    = time.Minute      // after a 477 that does not say
	longestWait = 15 * time.Minute // what asks for more is the portal's trouble, not the message's
)

// Codes that callers ask about.
const (
	codeSilent   = "hubspot_silent_failure"
	codeNotFound = "hubspot_not_found"
	codeConflict = "hubspot_conflict"
)

// propertyMissing is HubSpot's code for a property that the portal does not have.
const propertyMissing = "PROPERTY_DOESNT_EXIST"

// ResponseError is a refusal by HubSpot. Its message is left out: it may repeat property values.
type ResponseError struct {
	Status        int
	Category      string // HubSpot's word, e.g. VALIDATION_ERROR
	Detail        string // HubSpot's code of the first detail or the policy, e.g. PROPERTY_DOESNT_EXIST
	CorrelationID string // what HubSpot's support asks for
	existing      string // the id of the record that is in the way, when HubSpot names it
}

// Error returns the status, the codes and the correlation id.
func (e *ResponseError) Error() string {
	parts := []string{"status " + strconv.Itoa(e.Status)}
	for _, part := range []string{e.Category, e.Detail, e.CorrelationID} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// refusal is HubSpot's error body. Every member may be missing.
type refusal struct {
	Message       string   `json:"message"`
	CorrelationID string   `json:"correlationId"`
	Category      string   `json:"category"`
	PolicyName    string   `json:"policyName"`
	Errors        []detail `json:"errors"`
	Context       struct {
		TraceIDs []string `json:"objectWriteTraceId"`
		IDs      []string `json:"ids"`
	} `json:"context"`
}

// detail is one of the faults found in a body: as a member, or inside the message of a VALIDATION_ERROR.
type detail struct {
	Code  string `json:"code"`
	Error string `json:"error"`
}

var (
	word        = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,63}$`)
	correlation = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	limit       = regexp.MustCompile(`^You have reached your ([a-z_]{1,32}) limit\.$`) // not every refusal names its policy
	existingID  = regexp.MustCompile(`^Contact already exists\. Existing ID: ([0-9]{1,20})$`)
)

// refused sorts a reply that is not 2xx.
func refused(status int, header http.Header, body []byte) *fault.Error {
	var r refusal
	_ = json.Unmarshal(body, &r) // what decodes is used; a body that is not JSON leaves the status to decide
	if r.CorrelationID == "" {
		r.CorrelationID = header.Get("X-HubSpot-Correlation-Id")
	}
	return r.sort(status, retryAfter(header))
}

// sort decides by code first and status second. The wait that the reply asked for is zero if it asked for none.
func (r refusal) sort(status int, asked time.Duration) *fault.Error {
	e := r.safe(status)
	kind, code, wait := e.byCode()
	if code == "" {
		kind, code, wait = e.byStatus()
	}
	if asked > 0 && kind != fault.Permanent {
		wait = asked
	}
	if kind == fault.Throttled && wait > longestWait {
		kind = fault.Blocked
	}
	return &fault.Error{Kind: kind, Code: code, Wait: wait, Err: e}
}

// safe keeps what cannot hold a property value: words from HubSpot's closed sets and ids.
func (r refusal) safe(status int) *ResponseError {
	e := &ResponseError{Status: status}
	if word.MatchString(r.Category) {
		e.Category = r.Category
	}
	if correlation.MatchString(r.CorrelationID) {
		e.CorrelationID = r.CorrelationID
	}
	if word.MatchString(r.PolicyName) {
		e.Detail = r.PolicyName
	} else if reached := limit.FindStringSubmatch(r.Message); reached != nil {
		e.Detail = strings.ToUpper(reached[1])
	}
	for _, d := range r.details() {
		if word.MatchString(d) && (e.Detail == "" || d == propertyMissing) { // the tenant's trouble outweighs the message's
			e.Detail = d
		}
	}
	if match := existingID.FindStringSubmatch(r.Message); match != nil {
		e.existing = match[1]
	}
	return e
}

// details returns the codes of a refusal. Those inside a message are read as the JSON they are: a search for the words would
// find them in a customer's text.
func (r refusal) details() []string {
	found := r.Errors
	if _, list, ok := strings.Cut(r.Message, "Property values were not valid: "); ok {
		var inside []detail
		if json.Unmarshal([]byte(list), &inside) == nil {
			found = append(found, inside...)
		}
	}
	var codes []string
	for _, d := range found {
		if d.Code != "" {
			codes = append(codes, d.Code)
		}
		if d.Error != "" {
			codes = append(codes, d.Error)
		}
	}
	return codes
}

// byCode returns an empty code when HubSpot's words decide nothing.
func (e *ResponseError) byCode() (fault.Kind, string, time.Duration) {
	switch e.Detail {
	case propertyMissing:
		return fault.Blocked, "hubspot_property_missing", 0
	case "CONFLICTING_UNIQUE_VALUE":
		return fault.Permanent, codeConflict, 0
	case "DAILY":
		return fault.Blocked, "hubspot_daily_limit", dailyWait
	case "SECONDLY":
		return fault.Throttled, "hubspot_search_limit", searchWait
	case "TEN_SECONDLY_ROLLING":
		return fault.Throttled, "hubspot_burst_limit", burstWait
	}
	switch e.Category {
	case "RATE_LIMIT", "RATE_LIMITS":
		return fault.Throttled, "hubspot_burst_limit", burstWait
	case "INVALID_AUTHENTICATION", "EXPIRED_AUTHENTICATION":
		return fault.Blocked, "hubspot_unauthenticated", 0
	case "MISSING_SCOPES":
		return fault.Blocked, "hubspot_missing_scopes", 0
	case "OBJECT_NOT_FOUND":
		return fault.Permanent, codeNotFound, 0
	case "CONFLICT":
		return fault.Permanent, codeConflict, 0
	case "VALIDATION_ERROR":
		return fault.Permanent, "hubspot_invalid_data", 0
	}
	return 0, "", 0
}

func (e *ResponseError) byStatus() (fault.Kind, string, time.Duration) {
	switch e.Status {
	case http.StatusUnauthorized:
		return fault.Blocked, "hubspot_unauthenticated", 0
	case http.StatusForbidden:
		return fault.Blocked, "hubspot_forbidden", 0
	case http.StatusNotFound: // without HubSpot's word for a missing record the path itself is wrong
		return fault.Blocked, "hubspot_path_unknown", 0
	case http.StatusRequestTimeout:
		return fault.Retryable, "hubspot_timeout", 0
	case http.StatusConflict:
		return fault.Permanent, codeConflict, 0
	case http.StatusRequestURITooLong:
		return fault.Permanent, "hubspot_too_long", 0
	case http.StatusLocked:
		return fault.Retryable, "hubspot_locked", lockWait
	case http.StatusTooManyRequests:
		return fault.Throttled, "hubspot_burst_limit", burstWait
	case 477: // the portal is being moved between data centres
		return fault.Throttled, "hubspot_moving", moveWait
	}
	switch {
	case e.Status >= 500:
		return fault.Retryable, "hubspot_unavailable", 0
	case e.Status >= 400:
		return fault.Permanent, "hubspot_refused", 0
	default: // an API that redirects is not the one that was configured
		return fault.Blocked, "hubspot_redirected", 0
	}
}

// retryAfter returns the header's wait, at most a day; zero when there is none or it is a date.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, 24*60*60)) * time.Second
}

func is(err error, code string) bool {
	sorted, ok := errors.AsType[*fault.Error](err)
	return ok && sorted.Code == code
}

// raced sorts the error of an upsert by a key of ours. That the key is taken means that another write of the same record, such
// as one that timed out here and went on there, was faster; it is found by the key when the upsert is repeated.
func raced(err error) error {
	if is(err, codeConflict) {
		return fault.New(fault.Retryable, "hubspot_write_raced", err)
	}
	return err
}

// inTheWay returns the id of the record that a conflict names, or "".
func inTheWay(err error) string {
	if refusal, ok := errors.AsType[*ResponseError](err); ok {
		return refusal.existing
	}
	return ""
}
