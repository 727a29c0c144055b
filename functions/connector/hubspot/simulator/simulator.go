// Package simulator is HubSpot's CRM in memory, over HTTP: contacts, communications and leads with their unique properties,
// batch upserts, searches, associations and the properties API, as documented at
// https://developers.hubspot.com/docs/api-reference/overview. It understands the requests that the connector makes and
// refuses all others in HubSpot's own shape, so that a request nobody documented does not pass a test.
//
// The paths below /_simulator are for tests: see package simulatortest.
package simulator

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/secret"
)

// Options are how a portal is set up. The zero value is a portal with our properties installed that takes any token.
type Options struct {
	Token    secret.Value  // the only one accepted; empty accepts any
	Bare     bool          // our custom properties are not installed
	Region   string        // ISO 3166 alpha-2: what national numbers are read with; empty is US
	IndexLag time.Duration // how long a new record stays hidden from searches
	Burst    int           // requests in ten seconds before 429; zero is no limit, and tells of none
	Daily    int           // requests in a day before 429; zero tells of 650,000 and enforces nothing
	NoFiles  bool          // the scope for files was not granted
	Searches int           // searches in a second before 429, which count as requests not; zero is no limit

	Portal     int      // its id; zero is 4242
	Scopes     []string // of the token; nil is all that there are
	ServiceKey bool     // the token is no private app's, so that HubSpot does not tell its scopes
	NoLeads    bool     // nobody has a Sales Hub seat
	NoKeys     bool     // no property of communications may be unique
}

// Simulator is one portal. It is safe for concurrent use.
type Simulator struct {
	simulatortest.Base[*table]
	about     simulatortest.About
	options   Options
	lastID    int64
	calls     int64
	version   string // of the request at hand
	rules     []Rule
	blocklist map[string]bool // the addresses of those who were erased
	merged    map[string]merge
	noTickets bool
	watched   string               // the property of contacts that a workflow listens to
	enrolled  []string             // whom it enrolled
	tens      simulatortest.Window // of seconds
	day       simulatortest.Window
	seconds   simulatortest.Window // for searches
}

// New returns a portal without records.
func New(o Options) *Simulator {
	o.Region, o.Portal = cmp.Or(o.Region, "US"), cmp.Or(o.Portal, portalID)
	s := &Simulator{about: simulatortest.ReadAbout(about), options: o}
	s.reset()
	return s
}

// HubSpot's limits: requests in ten seconds and in a day of an app in an account with Professional products, searches in a
// second of an account. See https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines.
const (
	BurstLimit  = 190
	SearchLimit = 5
	dailyLimit  = 650_000
)

type reply = simulatortest.Reply

// ServeHTTP serves a request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.control().Serve(w, r, func(body []byte) reply { return s.answer(r, body) })
}

// answer returns the reply to a request. The names of headers are as net/http keeps them: one in another spelling is never found.
func (s *Simulator) answer(r *http.Request, body []byte) reply {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.calls++
	answer := s.admit(r, body)
	if answer.Status == 0 {
		answer = s.route(r, body)
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.calls)
	answer.Header = http.Header{"X-Hubspot-Correlation-Id": {id}}
	if refused, ok := answer.Body.(refusal); ok {
		refused.CorrelationID = id
		answer.Body = refused
	}
	if searches(r) { // they are limited apart and say nothing
		return answer
	}
	maps.Copy(answer.Header, http.Header{
		"X-Hubspot-Ratelimit-Daily":           {strconv.Itoa(s.daily())},
		"X-Hubspot-Ratelimit-Daily-Remaining": {strconv.Itoa(max(0, s.daily()-s.day.Spent))},
	})
	if s.options.Burst > 0 {
		maps.Copy(answer.Header, http.Header{
			"X-Hubspot-Ratelimit-Interval-Milliseconds": {"10000"},
			"X-Hubspot-Ratelimit-Max":                   {strconv.Itoa(s.options.Burst)},
			"X-Hubspot-Ratelimit-Remaining":             {strconv.Itoa(max(0, s.options.Burst-s.tens.Spent))},
		})
	}
	return answer
}

// daily returns what a day's limit is told to be.
func (s *Simulator) daily() int { return cmp.Or(s.options.Daily, dailyLimit) }

func searches(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/search") }

// admit checks the token, counts the request against the limits and checks the content type; a zero reply lets it pass.
func (s *Simulator) admit(r *http.Request, body []byte) reply {
	token, bearer := simulatortest.Bearer(r)
	switch {
	case !bearer || token == "" || s.options.Token != "" && token != string(s.options.Token):
		return refuse(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "The access token is missing or not valid")
	case !s.day.Admits(s.options.Daily, 24*time.Hour):
		return limited("DAILY")
	case searches(r) && !s.seconds.Admits(s.options.Searches, time.Second):
		return limited("SECONDLY")
	case !searches(r) && !s.tens.Admits(s.options.Burst, 10*time.Second):
		return limited("TEN_SECONDLY_ROLLING")
	case len(body) > 0 && simulatortest.MediaType(r) != bodyType(r):
		return refuse(http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "The body is to be "+bodyType(r))
	default:
		return reply{}
	}
}

// bodyType returns the type that a request's body is to have.
func bodyType(r *http.Request) string {
	if isFiles(r.URL.Path) {
		return "multipart/form-data"
	}
	return "application/json"
}

// limited returns the refusal of a request beyond a limit, with the members that only such a refusal has.
func limited(policy string) reply {
	refused := problem("RATE_LIMITS", "You have reached your "+strings.ToLower(policy)+" limit.")
	refused.ErrorType, refused.PolicyName = "RATE_LIMIT", policy
	return reply{Status: http.StatusTooManyRequests, Body: refused}
}
