// Package simulator is a Dataverse environment in memory, over HTTP: leads, contacts, tasks, notes and the tables of our solution with
// their alternate keys, upserts with their conditions, binds, filters, $batch with change sets, UpsertMultiple, table definitions, tokens
// by client credentials and the service protection limits, as documented at
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/overview. It understands what a connector asks for and refuses
// all else in Dataverse's own shape. Tests name the page that holds a reply; README.md lists what is not simulated.
//
// The paths below /_simulator are for tests: see package simulatortest.
package simulator

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// Options are how an environment is set up. The zero value has our solution, lets in any app with any secret, whose tokens end after
// about an hour, and refuses no request for being one too many.
type Options struct {
	Apps        []App         // that get tokens; empty is any
	TokenLife   time.Duration // zero is what Entra gives by default
	Burst       int           // requests in 300 seconds before 429; zero tells of BurstLimit and enforces nothing
	Concurrent  int           // requests at once before 429; zero is any number
	Execution   time.Duration // that requests take in 300 seconds before 429; zero is no limit
	Bare        bool          // our solution is not imported
	KeysPending bool          // the indexes of alternate keys are still being built
	Indexing    time.Duration // how long that takes for one that is made
	Customizing time.Duration // how long somebody else's customization still runs
	NotMember   bool          // the app is no application user of the environment
	NoFiles     bool          // its security role has no privileges on notes
	NoCases     bool          // there is no Dynamics 365 Customer Service
	Frozen      bool          // a plug-in refuses changes of rows that are inactive
	Inactive    string        // a user who has left
}

// Simulator is one environment. It is safe for concurrent use.
type Simulator struct {
	simulatortest.Base[*table]
	about   simulatortest.About
	options Options
	version int64 // of the row that was written last
	calls   int
	running int // requests that are carried out
	sent    []time.Time
	spells  []spell
	tokens  map[string]token
	locked  time.Time // until when somebody else customizes
	minted  int
	plugIns map[string]string // by table: what a plug-in says of every row that is written
	undo    []func()
}

// New returns an environment without rows but its users.
func New(o Options) *Simulator {
	s := &Simulator{about: simulatortest.ReadAbout(about), options: o}
	s.reset()
	return s
}

type reply = simulatortest.Reply

// request is one request: a whole one, or a part of a batch.
type request struct {
	method string
	path   string // below /api/data/v9.2/, unescaped
	query  url.Values
	header http.Header
	body   []byte
	root   string            // the address of the Web API, with a slash at its end
	named  map[string]string // of a change set: Content-ID to what the request made
}

// ServeHTTP serves a request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.carry()()
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
			s.Upsert(object, values)
		},
		Remove:  s.Delete,
		Records: func(object string) (any, bool) { return s.Records(object) },
		Faults:  &s.Faults, Reset: s.Reset,
		Refuse: func(status int, message string) reply { return refuse(status, "SIMULATOR", message).reply() },
	}
}

var (
	tokenPath = regexp.MustCompile(`^/([^/]+)/oauth2/v2\.0/token$`)
	loginPath = regexp.MustCompile(`^/([^/]+)/v2\.0/\.well-known/openid-configuration$`)
	dataPath  = regexp.MustCompile(`^/api/data/v9\.[0-2]/`)
)

// answer returns the reply to a whole request.
func (s *Simulator) answer(r *http.Request, body []byte) reply {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if tenant := tokenPath.FindStringSubmatch(r.URL.Path); tenant != nil {
		return s.grant(r, tenant[1], body)
	}
	if tenant := loginPath.FindStringSubmatch(r.URL.Path); tenant != nil {
		return login(r.Host, tenant[1])
	}
	s.calls++
	answer := s.admit(r)
	if answer.Status == 0 {
		answer = s.route(r, body)
	}
	s.undo = nil
	if answer.Header == nil {
		answer.Header = make(http.Header)
	}
	answer.Header.Set("Req_id", s.requestID())
	answer.Header.Set("X-Ms-Service-Request-Id", s.requestID())
	s.tellLimits(answer.Header)
	if fault, refused := answer.Body.(*fault); refused {
		answer.Body = fault.body(r.Header)
	}
	return answer
}

func (s *Simulator) requestID() string { return fmt.Sprintf("00000000-0000-4000-9000-%012d", s.calls) }

// route finds what a whole request asks for.
func (s *Simulator) route(r *http.Request, body []byte) reply {
	prefix := dataPath.FindString(r.URL.Path)
	if prefix == "" {
		return noResource(r.URL.String()).reply()
	}
	scheme := "https"
	if r.URL.Scheme == "http" || r.URL.Scheme == "" && r.TLS == nil {
		scheme = "http"
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, codeQuery, "The query does not decode").reply()
	}
	asked := request{
		method: r.Method, path: strings.TrimPrefix(r.URL.Path, prefix), query: query, header: r.Header, body: body,
		root: scheme + "://" + r.Host + prefix,
	}
	if asked.path == "$batch" {
		return s.batch(asked)
	}
	return s.perform(asked)
}

// perform carries out one request, of its own or of a batch, as a whole or not at all.
func (s *Simulator) perform(r request) reply {
	mark := len(s.undo)
	answer := s.resource(r)
	if answer.Status >= http.StatusBadRequest {
		s.rollBack(mark)
	}
	if answer.Header == nil {
		answer.Header = make(http.Header)
	}
	answer.Header.Set("Odata-Version", "4.0")
	if answer.Body != nil {
		answer.Header.Set("Content-Type", "application/json; odata.metadata=minimal")
	}
	return answer
}

// resource finds what a request is for: a row, a table's rows, a definition, a function or an action.
func (s *Simulator) resource(r request) reply {
	name, key, rest, ok := r.address()
	switch t := s.bySet(name); {
	case !ok:
		return refuse(http.StatusBadRequest, codeQuery, "Bad Request - Error in query syntax.").reply()
	case name == "EntityDefinitions":
		return s.definitions(r, key, rest)
	case name == "RelationshipDefinitions":
		return s.relationships(r)
	case t == nil:
		return s.unbound(r, name)
	case strings.HasPrefix(rest, actionPrefix) && key == nil:
		return s.bound(r, t, strings.TrimPrefix(rest, actionPrefix))
	case rest != "":
		return noResource(r.root + r.path).reply()
	case key == nil:
		return s.set(r, t)
	default:
		return s.row(r, t, key)
	}
}

// set returns what is asked of a table as a whole.
func (s *Simulator) set(r request, t *table) reply {
	switch r.method {
	case http.MethodGet:
		return s.list(r, t)
	case http.MethodPost:
		return s.create(r, t)
	default:
		return refuse(http.StatusMethodNotAllowed, "", "The requested resource does not support http method '"+r.method+"'.").reply()
	}
}

// decode reads a body that is a JSON object.
func (r request) decode() (map[string]any, *fault) {
	if !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		return nil, refuse(http.StatusUnsupportedMediaType, "", "The request entity's media type '"+r.header.Get("Content-Type")+"' is not supported for this resource.")
	}
	decoder := json.NewDecoder(strings.NewReader(string(r.body)))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil || values == nil || decoder.More() {
		return nil, payload("", "A JSON object was expected")
	}
	return values, nil
}
