package hubspot

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// Waits that HubSpot's limits ask for; see https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines.
const (
	burstWait  = 10 * time.Second // the window of the burst limit
	searchWait = time.Second      // the window of the search limit
	dailyWait  = time.Hour        // the day ends at midnight in the portal's time zone, which is not known: look every hour
	lockWait   = 2 * time.Second  // what HubSpot asks for after 423
	moveWait   = time.Minute      // after a 477 that does not say
)

// Codes that callers ask about.
const (
	codeSilent   = "hubspot_silent_failure"
	codeNotFound = "hubspot_not_found"
	codeConflict = "hubspot_conflict"
	codeBurst    = "hubspot_burst_limit"
	codeScopes   = "hubspot_missing_scopes"
	codeErased   = "hubspot_person_erased"
	codeRule     = "hubspot_validation_rule"
	codeInvalid  = "hubspot_invalid_data"

	codeUndecodable = "hubspot_reply_undecodable"

	codePropertyMissing  = "hubspot_property_missing"
	codePropertyReadOnly = "hubspot_property_read_only"
	codePropertyType     = "hubspot_property_type"
)

// propertyMissing is HubSpot's code for a property that the portal does not have.
const propertyMissing = "PROPERTY_DOESNT_EXIST"

// ResponseError is a refusal by HubSpot. Its message is left out: it may repeat property values.
type ResponseError struct {
	Status        int
	Category      string   // HubSpot's word, e.g. VALIDATION_ERROR
	Detail        string   // HubSpot's code of the first detail or the policy, e.g. PROPERTY_DOESNT_EXIST
	Properties    []string // the names of those that a rule of the portal refuses, never values
	CorrelationID string   // what HubSpot's support asks for
	ofOwner       bool     // it is about whose the record is to be
	erased        bool     // the portal may hold the person no more
	existing      string   // the id of the record that has the value, when HubSpot names it
}

// Error returns the status, the codes, the properties and the correlation id.
func (e *ResponseError) Error() string {
	parts := []string{"status " + strconv.Itoa(e.Status)}
	for _, part := range append([]string{e.Category, e.Detail}, append(e.Properties, e.CorrelationID)...) {
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
	Message string `json:"message"`
	Code    string `json:"code"`
	Error   string `json:"error"`
	Name    string `json:"name"` // of a property
	Context struct {
		Names []string `json:"propertyName"`
	} `json:"context"`
}

// blocklisted is what HubSpot says of the address of somebody who was erased: nobody may be made of it again.
// See https://knowledge.hubspot.com/contacts/how-do-i-perform-a-gdpr-compliant-delete-in-hubspot.
const (
	blocklisted     = "email has been GDPR blacklisted"
	wordBlocklisted = "GDPR_BLACKLISTED_EMAIL"
)

// ownChecks are the words for values that no portal takes. What else is told of a property is a rule of this portal: of what a value must
// be, or of which properties must have one. See https://developers.hubspot.com/changelog/crm-api-write-validation-enforcement.
const ownChecks = "INVALID_EMAIL INVALID_OPTION INVALID_NUMBER_SIZE INVALID_OWNER_ID CONFLICTING_UNIQUE_VALUE " + wordBlocklisted + " " + unfit

// unfit are the words for properties that take nothing of what is written to them, as one does not that a tenant maps and somebody has made anew
// with another type. What we write of our own has the types of package/.
const (
	mistyped = "INVALID_BOOLEAN INVALID_INTEGER INVALID_LONG INVALID_DOUBLE INVALID_NUMERIC INVALID_DATE INVALID_TIME INVALID_TIMESTAMP"
	readOnly = "READ_ONLY_VALUE"
	unfit    = propertyMissing + " " + readOnly + " " + mistyped
)

var (
	word        = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,63}$`)
	correlation = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	limit       = regexp.MustCompile(`^You have reached your ([a-z_]{1,32}) limit\.$`) // not every refusal names its policy
	property    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)                         // as HubSpot names them
	existingID  = regexp.MustCompile(`^Contact already exists\. Existing ID: ([0-9]{1,20})$`)
)

// refused sorts a reply that is not 2xx: by code first and status second.
func refused(reply connector.Response) *fault.Error {
	var r refusal
	_ = json.Unmarshal(reply.Body, &r) // what decodes is used; a body that is not JSON leaves the status to decide
	if r.CorrelationID == "" {
		r.CorrelationID = reply.Header.Get("X-HubSpot-Correlation-Id")
	}
	e := r.safe(reply.Status)
	f := cmp.Or(e.byCode(), e.byStatus(), connector.ByStatus(Kind, reply.Status))
	f.Err = e
	return connector.Waiting(f, reply.Header)
}

// fault sorts the refusal of a row.
func (r refusal) fault() *fault.Error {
	e := r.safe(http.StatusBadRequest)
	f := cmp.Or(e.byCode(), fault.New(fault.Permanent, "hubspot_refused", nil))
	f.Err = e
	return f
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
		e.add(d)
	}
	if match := existingID.FindStringSubmatch(r.Message); match != nil {
		e.existing = match[1]
	}
	return e
}

// add keeps what a detail tells: words of HubSpot's, and the names of properties that a rule of the portal refuses.
func (e *ResponseError) add(d detail) {
	d.Code = cmp.Or(d.Code, d.Error)
	e.erased = e.erased || d.Message == blocklisted || d.Code == wordBlocklisted
	if word.MatchString(d.Code) && (e.Detail == "" || slices.Contains(strings.Fields(unfit), d.Code) && e.Detail != propertyMissing) { // the tenant's trouble outweighs the message's
		e.Detail = d.Code
	}
	for _, name := range append([]string{d.Name}, d.Context.Names...) {
		e.ofOwner = e.ofOwner || name == ownerProperty
		named := slices.Contains(strings.Fields(unfit), d.Code) || !slices.Contains(strings.Fields(ownChecks), d.Code)
		if named && property.MatchString(name) && !slices.Contains(e.Properties, name) && len(e.Properties) < 8 {
			e.Properties = append(e.Properties, name)
		}
	}
}

// details returns what a refusal tells in detail. Details inside a message are read as the JSON they are: a search for the words would
// find them in a customer's text.
func (r refusal) details() []detail {
	_, list, ok := strings.Cut(r.Message, "Property values were not valid: ")
	var inside []detail
	if !ok || json.Unmarshal([]byte(list), &inside) != nil {
		return r.Errors
	}
	return append(slices.Clone(r.Errors), inside...)
}

// byCode returns nil when HubSpot's words decide nothing.
func (e *ResponseError) byCode() *fault.Error {
	if e.erased {
		return fault.New(fault.Permanent, codeErased, nil)
	}
	theirs := func(name string) bool { return !strings.HasPrefix(name, "hs_") }
	if slices.Contains(strings.Fields(mistyped), e.Detail) && !slices.ContainsFunc(e.Properties, theirs) { // nobody changes the type of HubSpot's own
		return fault.New(fault.Permanent, codeInvalid, nil)
	}
	f := connector.MeaningOf(e.Detail, []connector.Meaning{
		{Words: propertyMissing, Kind: fault.Blocked, Code: codePropertyMissing},
		{Words: readOnly, Kind: fault.Blocked, Code: codePropertyReadOnly},
		{Words: mistyped, Kind: fault.Blocked, Code: codePropertyType},
		{Words: "CONFLICTING_UNIQUE_VALUE", Kind: fault.Permanent, Code: codeConflict},
		{Words: "DAILY", Kind: fault.Blocked, Code: "hubspot_daily_limit", Wait: dailyWait},
		{Words: "SECONDLY", Kind: fault.Throttled, Code: "hubspot_search_limit", Wait: searchWait},
		{Words: "TEN_SECONDLY_ROLLING", Kind: fault.Throttled, Code: codeBurst, Wait: burstWait},
	})
	switch {
	case f != nil:
		return f
	case e.Category == "VALIDATION_ERROR" && len(e.Properties) > 0:
		return fault.New(fault.Permanent, codeRule, nil)
	}
	return connector.MeaningOf(e.Category, []connector.Meaning{
		{Words: "RATE_LIMIT RATE_LIMITS", Kind: fault.Throttled, Code: codeBurst, Wait: burstWait},
		{Words: "INVALID_AUTHENTICATION EXPIRED_AUTHENTICATION", Kind: fault.Blocked, Code: "hubspot_unauthenticated"},
		{Words: "MISSING_SCOPES", Kind: fault.Blocked, Code: codeScopes},
		{Words: "OBJECT_NOT_FOUND", Kind: fault.Permanent, Code: codeNotFound},
		{Words: "CONFLICT", Kind: fault.Permanent, Code: codeConflict},
		{Words: "VALIDATION_ERROR", Kind: fault.Permanent, Code: codeInvalid},
	})
}

// byStatus returns nil for a status that means to HubSpot what it means to everybody. After 477 the portal is being moved between
// data centres.
func (e *ResponseError) byStatus() *fault.Error {
	return connector.MeaningOf(strconv.Itoa(e.Status), []connector.Meaning{
		{Words: "409", Kind: fault.Permanent, Code: codeConflict},
		{Words: "423", Kind: fault.Retryable, Code: "hubspot_locked", Wait: lockWait},
		{Words: "429", Kind: fault.Throttled, Code: codeBurst, Wait: burstWait},
		{Words: "477", Kind: fault.Throttled, Code: "hubspot_moving", Wait: moveWait},
	})
}

// raced sorts the error of an upsert by a key of ours. That the key is taken means that another write of the same record, such
// as one that timed out here and went on there, was faster; it is found by the key when the upsert is repeated.
func raced(err error) error {
	if fault.Is(err, codeConflict) {
		return fault.New(fault.Retryable, "hubspot_write_raced", err)
	}
	return err
}

// ofOwner reports whether a refusal is about whose a record is to be.
func ofOwner(err error) bool {
	refusal, ok := errors.AsType[*ResponseError](err)
	return ok && refusal.ofOwner
}

// existing returns the id of the record that a conflict names, or "".
func existing(err error) string {
	if refusal, ok := errors.AsType[*ResponseError](err); ok {
		return refusal.existing
	}
	return ""
}
