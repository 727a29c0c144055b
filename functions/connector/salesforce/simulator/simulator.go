// Package simulator is a Salesforce org in memory, over HTTP: leads, contacts, tasks and our messages with their external ids,
// upserts, composite graphs, collections, parameterised searches, sessions from signed assertions, duplicate rules, locks, lead
// conversion, cadences and the daily limit, as documented at https://developer.salesforce.com/docs/platform/api-rest/guide. It
// understands the requests that the connector makes and refuses all others in Salesforce's own shape, so that a request nobody
// documented does not pass a test.
//
// The paths below /_simulator are for tests: see package simulatortest.
package simulator

import (
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// Options are how an org is set up. The zero value is an org with our package deployed that takes any well-formed assertion.
type Options struct {
	PublicKey  *rsa.PublicKey // assertions must be signed by its private key; nil accepts any signature
	Bare       bool           // our package is not deployed
	NoTaskKey  bool           // Msg_Event_Key__c of tasks is no external id
	DailyLimit int            // requests before 403; zero is 15000, and never 403
	Duplicates bool           // a duplicate rule refuses leads with the phone number of another lead or contact
	IndexLag   time.Duration  // how long a new record stays hidden from searches
	NoCadences bool           // Sales Engagement is not licensed
	LeadQueue  string         // to whom an active assignment rule gives leads; empty is no rule
	Picklists  bool           // State and Country/Territory Picklists are on, so that addresses have codes of countries
}

// Simulator is one org. It is safe for concurrent use.
type Simulator struct {
	options  Options
	faults   simulatortest.Faults
	mu       sync.Mutex
	tables   map[string]*table
	lastID   int64
	calls    int
	sessions map[string]bool
	minted   int
	locked   map[string]int // by record id: how many more writes are refused
	undo     []func()
	assign   bool // the request at hand uses assignment rules
}

// New returns an org without records.
func New(o Options) *Simulator {
	s := &Simulator{options: o}
	s.reset()
	return s
}

// The most that is read of a request.
const maxRequest = 16 << 20

// defaultLimit is what the limits header tells where no limit is set.
const defaultLimit = 15_000

type reply = simulatortest.Reply

// ServeHTTP answers a request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		refuse(http.StatusRequestEntityTooLarge, "REQUEST_TOO_LARGE", "The request is too large").Send(w)
		return
	}
	if control := s.control(); control.Handles(r) {
		control.Answer(r, body).Send(w)
		return
	}
	s.faults.Serve(w, r, func() reply { return s.answer(r, body) })
}

func (s *Simulator) control() simulatortest.Control {
	return simulatortest.Control{
		Objects: []string{contactObject, leadObject, eventObject, taskObject, trackerObject}, Messages: eventObject, Ended: "Msg_Stop_Automation__c",
		Records: func(object string) (any, bool) { return s.Records(object) },
		Faults:  &s.faults, Reset: s.Reset,
		Refuse: func(status int, message string) reply { return refuse(status, "SIMULATOR", message) },
	}
}

// Spoil adds a fault.
func (s *Simulator) Spoil(f simulatortest.Fault) { s.faults.Add(f) }

// answer carries a request out. Requests come one after the other, as far as anybody can see.
func (s *Simulator) answer(r *http.Request, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/services/oauth2/token" {
		return s.token(r, body)
	}
	s.calls++
	s.assign = !strings.EqualFold(r.Header.Get("Sforce-Auto-Assign"), "FALSE")
	answer := s.admit(r)
	if answer.Status == 0 {
		answer = s.route(r, body)
	}
	s.undo = nil
	if answer.Header == nil {
		answer.Header = make(http.Header)
	}
	answer.Header.Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", s.calls, s.limit()))
	answer.Header.Set("X-Sfdc-Request-Id", fmt.Sprintf("request-%d", s.calls))
	return answer
}

func (s *Simulator) limit() int {
	if s.options.DailyLimit > 0 {
		return s.options.DailyLimit
	}
	return defaultLimit
}

// admit checks the session and the daily limit; a zero reply lets the request pass.
func (s *Simulator) admit(r *http.Request) reply {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return refuse(http.StatusUnauthorized, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
	}
	if !s.sessions[token] {
		return refuse(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
	}
	if s.options.DailyLimit > 0 && s.calls > s.options.DailyLimit {
		s.calls = s.options.DailyLimit
		return refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	}
	return reply{}
}

var dataPath = regexp.MustCompile(`^/services/data/v[5-9][0-9]\.0/`)

// route finds what a request asks for.
func (s *Simulator) route(r *http.Request, body []byte) reply {
	path := r.URL.EscapedPath()
	prefix := dataPath.FindString(path)
	if prefix == "" {
		return undocumented(r.Method)
	}
	path = strings.TrimPrefix(path, prefix)
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && path == "composite/graph":
		return s.graphs(prefix, body)
	case r.Method == http.MethodPost && path == "composite":
		return s.composite(prefix, body)
	case strings.HasPrefix(path, "composite/sobjects"):
		return s.collections(r.Method, strings.TrimPrefix(path, "composite/sobjects"), body)
	case r.Method == http.MethodPost && path == "parameterizedSearch":
		return s.search(body)
	case r.Method == http.MethodGet && path == "query":
		return s.query(query.Get("q"))
	case r.Method == http.MethodPost && path == "actions/standard/"+removeAction:
		return s.removeTargets(body)
	case r.Method == http.MethodGet && path == "limits":
		return reply{Status: http.StatusOK, Body: map[string]any{
			"DailyApiRequests": map[string]int{"Max": s.limit(), "Remaining": max(0, s.limit()-s.calls)},
		}}
	case strings.HasPrefix(path, "sobjects/"):
		return s.sobjects(r.Method, strings.TrimPrefix(path, "sobjects/"), query, body)
	default:
		return undocumented(r.Method)
	}
}

// problem is one error of a request, or, as errorCode, of a node of a graph.
type problem struct {
	Message   string     `json:"message"`
	ErrorCode string     `json:"errorCode"`
	Fields    []string   `json:"fields,omitempty"`
	Duplicate *duplicate `json:"duplicateResult,omitempty"`
}

// rowProblem is one error of a row of a collection: the code has another name there.
type rowProblem struct {
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
}

func refuse(status int, code, message string) reply {
	return reply{Status: status, Body: []problem{{Message: message, ErrorCode: code}}}
}

func undocumented(method string) reply {
	return refuse(http.StatusNotFound, "NOT_FOUND", "The simulator knows no "+method+" of this path")
}

func missing() reply {
	return refuse(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

func parser(message string) reply {
	return refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", message)
}
