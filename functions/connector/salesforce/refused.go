package salesforce

import (
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

// Waits that Salesforce's refusals call for; it sends no Retry-After of its own.
const (
	lockWait  = 2 * time.Second
	dailyWait = time.Hour        // the limit is of the last 24 hours: look every hour
	crowdWait = 30 * time.Second // after too many long requests at once, and up to four times as long
)

// Codes that callers ask about.
const (
	codeUnauthenticated = "salesforce_unauthenticated"
	codeNotFound        = "salesforce_not_found"
	codeGone            = "salesforce_record_gone"
	codeDuplicateValue  = "salesforce_duplicate_value"
	codeDuplicates      = "salesforce_duplicates_detected"
	codeAmbiguous       = "salesforce_key_ambiguous"
	codeLocked          = "salesforce_locked"
	codeHalted          = "salesforce_halted"
	codeSchema          = "salesforce_schema"
	codeCrowded         = "salesforce_request_limit"
	codeForbidden       = "salesforce_forbidden"
	codeOwner           = "salesforce_owner_inactive"
	codeInvalid         = "salesforce_invalid_data"
	codeRule            = "salesforce_validation_rule"
	codeFlow            = "salesforce_flow"
	codeTrigger         = "salesforce_trigger"
	codeSlowQuery       = "salesforce_query_timeout"
	codeUndecodable     = "salesforce_reply_undecodable"
)

// statusUnroutable is the status of Salesforce's edge when it does not know where an org is.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/errorcodes.
const statusUnroutable = 420

// wordField is Salesforce's word for a field that an object lacks, or that is hidden from the integration user: it does not tell which.
const wordField = "INVALID_FIELD"

// wordReadOnly is Salesforce's word for a field that the integration user may not write.
const wordReadOnly = "INVALID_FIELD_FOR_INSERT_UPDATE"

// invalidSession is Salesforce's code for a session that has ended.
const invalidSession = "INVALID_SESSION_ID"

// ResponseError is a refusal by Salesforce. Its message is left out: it may repeat field values.
type ResponseError struct {
	Status    int
	Code      string         // Salesforce's word, e.g. UNABLE_TO_LOCK_ROW
	Fields    []string       // names, never values
	By        string         // the validation rule, the flow or the trigger that refused, by the name that an admin finds it by, "" if it is not told
	RequestID string         // what Salesforce's support asks for
	existing  []string       // ids of the records that have the value, contacts first
	ofKey     bool           // it is a value of our own key
	long      map[string]int // how many characters Salesforce keeps of the fields whose values are longer
	says      string         // the message of a validation rule, to find the rule by
}

// Error returns the status, the code, the fields, who refused and the request's id.
func (e *ResponseError) Error() string {
	parts := []string{"status " + strconv.Itoa(e.Status)}
	for _, part := range append([]string{e.Code}, append(e.Fields, e.By, e.RequestID)...) {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// problem is one error as Salesforce writes it: of a request or a node of a graph with errorCode, of a row of a collection
// with statusCode. Every member may be missing.
type problem struct {
	Message    string   `json:"message"`
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Fields     []string `json:"fields"`
	Duplicates *matches `json:"duplicateResult"`
	Duplicated *matches `json:"duplicateResut"` // as some releases spell it
}

// matches is what a duplicate rule found.
type matches struct {
	Results []struct {
		Records []struct {
			Record struct {
				ID string `json:"Id"`
			} `json:"record"`
		} `json:"matchRecords"`
	} `json:"matchResults"`
}

var (
	word       = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,79}$`)
	grantWord  = regexp.MustCompile(`^[a-z][a-z_]{1,39}$`)
	fieldName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	requestID  = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	recordID   = regexp.MustCompile(`^[0-9A-Za-z]{15}([0-9A-Za-z]{3})?$`)
	ofRecordID = regexp.MustCompile(`record with id: ([0-9A-Za-z]{15,18})`)
	unlisted   = regexp.MustCompile(`^(?:No such column '([A-Za-z][A-Za-z0-9_]{0,79})' on sobject of type |Provided external ID field does not exist or is not accessible: ([A-Za-z][A-Za-z0-9_]{0,79})$)`)
)

// topLevel reads the body of a request that was refused, or of a node: a list of problems.
func topLevel(body []byte) []problem {
	var list []problem
	if json.Unmarshal(body, &list) == nil {
		return list
	}
	var single problem // some errors come alone; a body that is not JSON leaves the status to decide
	if json.Unmarshal(body, &single) == nil && single.ErrorCode != "" {
		return []problem{single}
	}
	return nil
}

// refusal is the first of the problems that says why: the others may only have been rolled back with it.
func refusal(status int, problems []problem) (*ResponseError, string) {
	e := &ResponseError{Status: status}
	why := problem{}
	for _, p := range problems {
		if p.ErrorCode == "" {
			p.ErrorCode = p.StatusCode
		}
		if why.ErrorCode == "" || why.ErrorCode == "PROCESSING_HALTED" {
			why = p
		}
		e.measure(p)
	}
	if word.MatchString(why.ErrorCode) {
		e.Code = why.ErrorCode
	}
	if match := unlisted.FindStringSubmatch(why.Message); match != nil {
		why.Fields = []string{match[1] + match[2]}
	}
	for _, name := range why.Fields {
		if fieldName.MatchString(name) && len(e.Fields) < 8 {
			e.Fields = append(e.Fields, name)
		}
	}
	e.find(why)
	e.name(why)
	return e, why.Message
}

// find keeps the ids of the records that a refusal names.
func (e *ResponseError) find(p problem) {
	for _, m := range []*matches{p.Duplicates, p.Duplicated} {
		if m == nil {
			continue
		}
		for _, result := range m.Results {
			for _, found := range result.Records {
				if recordID.MatchString(found.Record.ID) && kindOf(found.Record.ID) != "" {
					e.existing = append(e.existing, found.Record.ID)
				}
			}
		}
	}
	if match := ofRecordID.FindStringSubmatch(p.Message); match != nil {
		e.existing = append(e.existing, match[1])
	}
	e.ofKey = slices.ContainsFunc([]string{fieldPersonKey, fieldEventKey, fieldTaskKey, fieldConversationKey}, func(key string) bool {
		return strings.Contains(p.Message, key+" ")
	})
	slices.SortStableFunc(e.existing, func(a, b string) int { return strings.Compare(a[:3], b[:3]) }) // 003 is a contact's, 00Q a lead's
}

// sorted returns the fault of a refusal: by code first and status second. Usage is the daily limit as last told.
func sorted(status int, problems []problem, u usage) *fault.Error {
	e, message := refusal(status, problems)
	f := e.byCode(message, u)
	if f == nil {
		f = e.byStatus()
	}
	f.Err = e
	return f
}

// meanings are those of Salesforce's codes. See https://developer.salesforce.com/docs/platform/api-rest/guide/errorcodes.
func meanings() []connector.Meaning {
	return []connector.Meaning{
		{Words: invalidSession, Kind: fault.Blocked, Code: codeUnauthenticated},
		{Words: "INVALID_AUTH_HEADER", Kind: fault.Blocked, Code: "salesforce_auth_header"},
		{Words: "REQUEST_LIMIT_EXCEEDED", Kind: fault.Throttled, Code: codeCrowded, Wait: crowdWait},
		{Words: "UNABLE_TO_LOCK_ROW", Kind: fault.Retryable, Code: codeLocked, Wait: lockWait},
		{Words: "DUPLICATE_VALUE", Kind: fault.Permanent, Code: codeDuplicateValue},
		{Words: "DUPLICATES_DETECTED", Kind: fault.Permanent, Code: codeDuplicates},
		{Words: "CANNOT_UPDATE_CONVERTED_LEAD ENTITY_IS_DELETED INVALID_CROSS_REFERENCE_KEY MALFORMED_ID", Kind: fault.Permanent, Code: codeGone},
		{Words: inactiveOwner, Kind: fault.Permanent, Code: codeOwner},
		{Words: "NOT_FOUND", Kind: fault.Permanent, Code: codeNotFound},
		{Words: "ENTITY_IS_LOCKED", Kind: fault.Permanent, Code: "salesforce_record_locked"},
		{Words: "PROCESSING_HALTED", Kind: fault.Retryable, Code: codeHalted},
		{Words: "QUERY_TIMEOUT", Kind: fault.Retryable, Code: codeSlowQuery},
		{Words: "UNKNOWN_EXCEPTION SERVER_UNAVAILABLE REQUEST_RUNNING_TOO_LONG FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", Kind: fault.Retryable, Code: "salesforce_unavailable"},
		{Words: wordField + " " + wordReadOnly + " INVALID_TYPE", Kind: fault.Blocked, Code: codeSchema},
		{Words: "MALFORMED_QUERY JSON_PARSER_ERROR MALFORMED_SEARCH", Kind: fault.Blocked, Code: codeSchema},
		{Words: "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED FUNCTIONALITY_NOT_ENABLED STORAGE_LIMIT_EXCEEDED", Kind: fault.Blocked, Code: codeForbidden},
		{Words: "FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION", Kind: fault.Permanent, Code: codeRule},
		{Words: "REQUIRED_FIELD_MISSING STRING_TOO_LONG INVALID_EMAIL_ADDRESS", Kind: fault.Permanent, Code: codeInvalid},
		{Words: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST FIELD_INTEGRITY_EXCEPTION NUMBER_OUTSIDE_VALID_RANGE", Kind: fault.Permanent, Code: codeInvalid},
	}
}

// inactiveOwner are Salesforce's words for an owner who has left, or who cannot have such a record.
const inactiveOwner = "INACTIVE_OWNER_OR_USER TRANSFER_REQUIRES_READ OP_WITH_INVALID_USER_TYPE_EXCEPTION"

// ofOwner reports whether a refusal is about who is to have the record.
func ofOwner(err error) bool {
	refused, ok := errors.AsType[*ResponseError](err)
	return ok && (fault.Is(err, codeOwner) || slices.Contains(refused.Fields, fieldOwner))
}

// byCode returns nil when Salesforce's word decides nothing.
func (e *ResponseError) byCode(message string, u usage) *fault.Error {
	busy := strings.Contains(message, "UNABLE_TO_LOCK_ROW") || strings.Contains(message, "Too many SOQL queries")
	switch {
	case e.Code == "REQUEST_LIMIT_EXCEEDED" && u.most > 0 && u.used >= u.most: // one word for two limits: the last usage tells which
		return &fault.Error{Kind: fault.Blocked, Code: "salesforce_daily_limit", Wait: dailyWait}
	case e.Code == "NOT_FOUND" && strings.Contains(message, "external ID field"): // the same word for a field that is not there
		return fault.New(fault.Blocked, codeSchema, nil)
	case busy && ofOrgCode(e.Code):
		return &fault.Error{Kind: fault.Retryable, Code: codeLocked, Wait: lockWait}
	case ofOrgCode(e.Code):
		return fault.New(fault.Permanent, e.orgCode(message), nil)
	case strings.HasPrefix(e.Code, "INSUFFICIENT_ACCESS"):
		return fault.New(fault.Blocked, codeForbidden, nil)
	}
	return connector.MeaningOf(e.Code, meanings())
}

func (e *ResponseError) byStatus() *fault.Error {
	switch e.Status {
	case http.StatusMultipleChoices:
		return fault.New(fault.Permanent, codeAmbiguous, nil)
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return fault.New(fault.Retryable, "salesforce_changed_meanwhile", nil)
	case http.StatusRequestHeaderFieldsTooLarge:
		return fault.New(fault.Permanent, "salesforce_too_long", nil)
	case http.StatusTooManyRequests:
		return &fault.Error{Kind: fault.Throttled, Code: codeCrowded, Wait: crowdWait}
	case statusUnroutable:
		return fault.New(fault.Retryable, "salesforce_unavailable", nil)
	}
	if e.Status < 300 { // success is 200, 201 and 204, nothing else
		return fault.New(fault.Retryable, "salesforce_unexpected_status", nil)
	}
	return connector.ByStatus(Kind, e.Status)
}

// existing returns the ids of the records that a refusal names, contacts before leads.
func existing(err error) []string {
	if refusal, ok := errors.AsType[*ResponseError](err); ok {
		return refusal.existing
	}
	return nil
}

// ofOurKey reports whether another record has a value of one of our keys: another worker was faster.
func ofOurKey(err error) bool {
	refusal, ok := errors.AsType[*ResponseError](err)
	return ok && refusal.ofKey
}
