// Package simulator is a Salesforce org in memory, over HTTP: leads, contacts, tasks, our messages and conversations with
// their external ids, upserts, composite graphs, collections, parameterised searches, sessions from signed assertions, duplicate rules, locks, lead
// conversion, cadences and the daily limit, as documented at https://developer.salesforce.com/docs/platform/api-rest/guide. It
// understands the requests that the connector makes and refuses all others in Salesforce's own shape, so that a request nobody
// documented does not pass a test.
//
// The paths below /_simulator are for tests: see package simulatortest.
package simulator

import (
	_ "embed"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// Options are how an org is set up. The zero value is an org with our package deployed that takes any well-formed assertion, whose
// sessions never end, and which refuses no request for being one too many.
type Options struct {
	Apps        []App         // whose assertions get a session; empty is anybody
	SessionLife time.Duration // how long a session lasts that nobody uses; zero is for ever
	DailyLimit  int           // requests in 24 hours before 403; zero tells of UnlimitedLimit and enforces nothing
	Concurrent  int           // requests of 20 seconds or more at once before 403; zero is any number
	Bare        bool          // our package is not deployed
	NoTaskKey   bool          // Msg_Event_Key__c of tasks is no external id
	Duplicates  bool          // a duplicate rule warns of leads with the phone number of another lead or contact
	IndexLag    time.Duration // how long a new record stays hidden from searches
	NoCadences  bool          // Sales Engagement is not licensed
	LeadQueue   string        // to whom an active assignment rule gives leads; empty is no rule
	Inactive    string        // a user who has left
	NoFiles     bool          // the integration user may make no files
	Picklists   bool          // State and Country/Territory Picklists are on, so that addresses have codes of countries
	Unassigned  bool          // our permission set is not the integration user's
	NoDeploy    bool          // the integration user may not deploy metadata
	DeployTime  time.Duration // how long a deployment takes
	JobTime     time.Duration // how long a job takes once it is started
}

// Simulator is one org. It is safe for concurrent use.
type Simulator struct {
	simulatortest.Base[*table]
	about      simulatortest.About
	options    Options
	definition *definition
	lastID     int64
	requests   int
	day        day
	begun      map[*http.Request]time.Time
	sessions   map[string]time.Time // when they were used last
	minted     int
	locked     map[string]int // by record id: how many more writes are refused
	rules      []Rule
	undo       []func()
	assign     bool // the request at hand uses assignment rules
	save       bool // and saves what a duplicate rule warns of

	hidden      map[string]map[string]field // fields of packages, by object, whoever may see them
	grants      map[string]permissionSet    // by name
	assigned    map[string]bool             // which of them are the integration user's
	deployments []*deployment
	ingest      []*job
	flows       map[string][]string // the input variables of those that are active, by API name
	runs        []Run
}

// New returns an org without records.
func New(o Options) *Simulator { return newOrg(o, read(), simulatortest.ReadAbout(about)) }

// Another returns another org without records, as New does, and does not read again what orgs may have.
func (s *Simulator) Another(o Options) *Simulator { return newOrg(o, s.definition, s.about) }

func newOrg(o Options, d *definition, about simulatortest.About) *Simulator {
	s := &Simulator{about: about, options: o, definition: d, begun: map[*http.Request]time.Time{}}
	s.reset()
	return s
}

type reply = simulatortest.Reply

// ServeHTTP serves a request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.running(r)()
	s.control().Serve(w, r, func(body []byte) reply { return s.answer(r, body) })
}

//go:embed about.json
var about []byte

func (s *Simulator) control() simulatortest.Control {
	return simulatortest.Control{
		About: s.about,
		Add: func(object string, properties map[string]string) {
			values := make(map[string]any, len(properties))
			for name, value := range properties {
				values[name] = value
			}
			s.Add(object, values)
		},
		Remove:  func(_, id string) { s.Delete(id) },
		Records: s.shown,
		Faults:  &s.Faults, Reset: s.Reset,
		Refuse: func(status int, message string) reply { return refuse(status, "SIMULATOR", message) },
	}
}

// answer returns the reply to a request.
func (s *Simulator) answer(r *http.Request, body []byte) reply {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	switch {
	case r.URL.Path == "/services/oauth2/token":
		return s.token(r, body)
	case r.Method == http.MethodGet && strings.TrimSuffix(r.URL.Path, "/") == "/services/data":
		return versions()
	}
	s.requests++
	s.assign = !strings.EqualFold(r.Header.Get("Sforce-Auto-Assign"), "FALSE")
	s.save = allowSave.MatchString(r.Header.Get("Sforce-Duplicate-Rule-Header"))
	answer := s.admit(r, body)
	if answer.Status == 0 {
		answer = s.route(r, body)
	}
	s.undo = nil
	if answer.Header == nil {
		answer.Header = make(http.Header)
	}
	if answer.Status != http.StatusUnauthorized {
		answer.Header.Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d; api-bursts=1/750", s.day.used(time.Now()), s.limit()))
	}
	answer.Header.Set("X-Sfdc-Request-Id", fmt.Sprintf("request-%d", s.requests))
	return answer
}

// allowSave is the duplicate rule header of whoever saves in spite of a warning.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/headers-duplicaterules.
var allowSave = regexp.MustCompile(`(?i)(^|[;,\s])allowSave\s*=\s*true($|[;,\s])`)

var dataPath = regexp.MustCompile(`^/services/data/v[5-9][0-9]\.0/`)

// route finds what a request asks for.
func (s *Simulator) route(r *http.Request, body []byte) reply {
	path := r.URL.EscapedPath()
	prefix := dataPath.FindString(path)
	if prefix == "" {
		return undocumented(r.Method)
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, prefix), "/")
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && path == "composite/graph":
		return s.graphs(prefix, body)
	case r.Method == http.MethodPost && path == "composite":
		return s.composite(prefix, body)
	case strings.HasPrefix(path, "composite/sobjects"):
		return s.collections(r.Method, strings.TrimPrefix(path, "composite/sobjects"), body)
	case path == jobsPath || strings.HasPrefix(path, jobsPath+"/"):
		return s.jobs(r, prefix, strings.TrimPrefix(path, jobsPath), body)
	case r.Method == http.MethodPost && path == "parameterizedSearch":
		return s.search(body)
	case r.Method == http.MethodGet && path == "query":
		return s.query(query.Get("q"))
	case r.Method == http.MethodGet && path == "queryAll":
		return s.masters(query.Get("q"))
	case r.Method == http.MethodPost && path == deployPath:
		return s.deploys(r, body)
	case r.Method == http.MethodGet && strings.HasPrefix(path, deployPath+"/"):
		return s.deployed(strings.TrimPrefix(path, deployPath+"/"), query)
	case r.Method == http.MethodGet && path == "tooling/query":
		return s.tooling(query.Get("q"))
	case r.Method == http.MethodPost && path == "actions/standard/"+removeAction:
		return s.removeTargets(body)
	case r.Method == http.MethodGet && path == "actions/standard/"+removeAction && !s.options.NoCadences:
		return reply{Status: http.StatusOK, Body: map[string]any{"name": removeAction, "label": removeAction, "inputs": []any{}, "outputs": []any{}}}
	case strings.HasPrefix(path, flowActions):
		return s.flow(r.Method, strings.TrimPrefix(path, flowActions), body)
	case r.Method == http.MethodGet && path == "limits":
		return reply{Status: http.StatusOK, Body: map[string]any{
			"DailyApiRequests": map[string]int{"Max": s.limit(), "Remaining": max(0, s.limit()-s.day.used(time.Now()))},
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
