package dynamics

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

// Waits that refusals call for that tell of none.
const (
	limitWait = time.Minute
	busyWait  = 2 * time.Second
	indexWait = time.Minute

	customWait = 5 * time.Second
)

// Codes that callers ask about.
const (
	codeNotFound    = "dynamics_not_found"
	codeExists      = "dynamics_exists"
	codeDuplicate   = "dynamics_duplicate_key"
	codeChanged     = "dynamics_changed_meanwhile"
	codeUndecodable = "dynamics_reply_undecodable"
	codeUnexpected  = "dynamics_unexpected"
	codeSchema      = "dynamics_schema"
	codeKey         = "dynamics_key_unknown"
	codePrivilege   = "dynamics_privilege_missing"
	codeForbidden   = "dynamics_forbidden"
	codeCustomized  = "dynamics_being_customized"
)

// ResponseError is a refusal by Dataverse, or by Entra. Its message is left out: it may repeat what was sent.
type ResponseError struct {
	Status int
	Code   string // Dataverse's, e.g. 0x80060891, or Entra's word
	ID     string // what Microsoft's support asks for

	long  map[string]int // how long the values of columns may be of which one is longer
	about []string       // the ids that its message names
	user  bool           // its message says that a user is disabled
	page  bool           // it is no JSON: something in between said it
}

// Error returns the status, the code and the request's id.
func (e *ResponseError) Error() string {
	return strings.TrimSpace(strings.TrimSpace("status "+strconv.Itoa(e.Status)+" "+e.Code) + " " + e.ID)
}

var (
	hexCode   = regexp.MustCompile(`^0x[0-9a-f]{8}$`)
	grantWord = regexp.MustCompile(`^[a-z][a-z_]{1,39}$`)
	guids     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	requestID = regexp.MustCompile(`^[0-9A-Fa-f-]{1,64}$`)
)

// What is too long is cut, or left out if it is of use only as a whole. A key, and a word that stands for something, is neither.
var (
	longest = regexp.MustCompile(`length of the '([a-z0-9_]{1,100})' attribute of the '[a-z0-9_]{1,100}' entity exceeded the maximum allowed length of '([0-9]{1,7})'`)
	whole   = regexp.MustCompile(`phone|^email|^msg_(adurl|adid|adclickid|adsource|address|providerid)$`)
	word    = regexp.MustCompile(`key$|^msg_(consent|channel|direction|status)$`)
)

// meanings are those of Dataverse's codes, of any status.
// See https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes.
func meanings() []connector.Meaning {
	return []connector.Meaning{
		{Words: "0x80072322 0x8005f103 0x80060308", Kind: fault.Throttled, Code: "dynamics_request_limit", Wait: limitWait},
		{Words: "0x80072321", Kind: fault.Throttled, Code: "dynamics_execution_limit", Wait: limitWait},
		{Words: "0x80072326", Kind: fault.Throttled, Code: "dynamics_concurrency_limit", Wait: limitWait},
		{Words: "0x80060891 0x80040217", Kind: fault.Permanent, Code: codeNotFound}, // by a key; by an id
		{Words: "0x80060892", Kind: fault.Permanent, Code: codeDuplicate},
		{Words: "0x80060882", Kind: fault.Retryable, Code: codeChanged},
		{Words: "0x80040237", Kind: fault.Permanent, Code: codeExists},
		{Words: "0x80047010 0x80047013 0x80060304 0x8004432b 0x80060893", Kind: fault.Permanent, Code: codeExists}, // a table, a column, a relationship, a key
		{Words: "0x80040333", Kind: fault.Permanent, Code: "dynamics_duplicate_rule"},                              // with a 500, too
		{Words: "0x80044331", Kind: fault.Permanent, Code: "dynamics_value_too_long"},
		{Words: "0x8004431a", Kind: fault.Permanent, Code: "dynamics_choice_invalid"},
		{Words: "0x80040265", Kind: fault.Permanent, Code: "dynamics_plugin"},
		{Words: "0x80040216", Kind: fault.Permanent, Code: codeUnexpected},
		{Words: "0x80040230", Kind: fault.Permanent, Code: "dynamics_inactive"},
		{Words: "0x80060888 0x80048d19", Kind: fault.Blocked, Code: codeSchema},
		{Words: "0x80060890", Kind: fault.Blocked, Code: codeKey},
		{Words: "0x80040220 0x80048306", Kind: fault.Blocked, Code: codePrivilege},
		{Words: "0x80040225 0x8004d24b", Kind: fault.Blocked, Code: "dynamics_user_disabled"},
		{Words: "0x80072560", Kind: fault.Blocked, Code: "dynamics_user_unknown"},
		{Words: "0x80044151 0x80044150", Kind: fault.Retryable, Code: "dynamics_unavailable", Wait: busyWait},
		{Words: "0x80071151 0x8004f061 0x8004f062 0x8004f063 0x8004f064 0x8004f067", Kind: fault.Retryable, Code: codeCustomized, Wait: customWait},
		{Words: "0x80043e09 0x80044a02", Kind: fault.Permanent, Code: "dynamics_file_refused"}, // the kind of file; its size
	}
}

// sorted returns the fault of a refusal of a request: by code first and status second.
func sorted(p part, status int, header http.Header, body []byte) *fault.Error {
	var told struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	err := json.Unmarshal(body, &told)
	e := &ResponseError{Status: status, page: err != nil && len(body) > 0} // then the status decides
	if code := strings.ToLower(told.Error.Code); hexCode.MatchString(code) {
		e.Code = code
	}
	for _, name := range []string{"Req_id", "X-Ms-Service-Request-Id"} {
		if id := header.Get(name); requestID.MatchString(id) {
			e.ID = id
		}
	}
	e.about, e.user = guids.FindAllString(strings.ToLower(told.Error.Message), 8), strings.Contains(told.Error.Message, "specified user")
	if match := longest.FindStringSubmatch(told.Error.Message); match != nil {
		most, _ := strconv.Atoi(match[2])
		e.long = map[string]int{match[1]: most}
	}
	f := e.byCode(told.Error.Message)
	if f == nil {
		f = e.byStatus(p)
	}
	f.Err = e
	return connector.Waiting(f, header)
}

// byCode returns nil when neither code nor message decides. Messages are Microsoft's own and documented, and in English where nobody asks for
// another language.
func (e *ResponseError) byCode(message string) *fault.Error {
	says := func(words ...string) bool {
		for _, some := range words {
			if strings.Contains(strings.ToLower(message), some) {
				return true
			}
		}
		return false
	}
	switch {
	case e.Status == http.StatusUnauthorized: // whatever it says: the token is at fault
		return nil
	case e.Code == "0x80040265" && says("deadlock", "sql timeout", "generic sql error"):
		return &fault.Error{Kind: fault.Retryable, Code: "dynamics_busy", Wait: busyWait}
	case e.Status == http.StatusBadRequest && says("key in the request uri is not valid"):
		return fault.New(fault.Blocked, codeKey, nil)
	case e.Status == http.StatusBadRequest && says("cannot convert the literal", "cannot convert a value"):
		return fault.New(fault.Blocked, "dynamics_value_type", nil)
	case e.Status == http.StatusBadRequest && says("undeclared property", "invalid property", "resource not found for the segment", "could not find a property named"):
		return fault.New(fault.Blocked, codeSchema, nil)
	}
	return connector.MeaningOf(e.Code, meanings())
}

func (e *ResponseError) byStatus(p part) *fault.Error {
	switch e.Status {
	case http.StatusNotFound:
		if e.page {
			break
		}
		if p.match != "" || p.method == http.MethodGet && e.Code == "" && p.single() { // documented without a code
			return fault.New(fault.Permanent, codeNotFound, nil)
		}
		if p.method == http.MethodPatch { // which makes what is not there
			return fault.New(fault.Blocked, codeSchema, nil)
		}
	case http.StatusPreconditionFailed:
		if p.fresh {
			return fault.New(fault.Permanent, codeExists, nil)
		}
		return fault.New(fault.Retryable, codeChanged, nil)
	case http.StatusMethodNotAllowed:
		if e.Code != "" {
			return fault.New(fault.Permanent, "dynamics_not_allowed", nil)
		}
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.Permanent, "dynamics_too_long", nil)
	case http.StatusTooManyRequests:
		return &fault.Error{Kind: fault.Throttled, Code: "dynamics_request_limit", Wait: limitWait}
	case http.StatusNotImplemented:
		return fault.New(fault.Blocked, "dynamics_path_unknown", nil)
	}
	return connector.ByStatus(Kind, e.Status)
}

// missing reports whether a row is not there.
func missing(err error) bool { return fault.Is(err, codeNotFound) }

// exists reports whether a row is there that was to be made unless it is. The index of its key may say so before the precondition does.
func exists(err error) bool { return fault.Is(err, codeExists) || fault.Is(err, codeDuplicate) }

// once reports whether a request that failed is made once more: a race that it lost, which it wins as an update, and what Dataverse itself did
// not expect.
func (p part) once(err error) bool {
	return !p.fresh && fault.Is(err, codeDuplicate) || fault.Is(err, codeUnexpected)
}

// refused returns the refusal in an error, nil if there is none.
func refused(err error) *ResponseError {
	e, _ := errors.AsType[*ResponseError](err)
	return e
}

// ofUser reports whether a refusal is about a user to whom a row was given: one who has left, is not there, or may not have it.
func ofUser(err error, user string) bool {
	e := refused(err)
	return e != nil && user != "" && (e.user || slices.Contains(e.about, strings.ToLower(user)))
}
