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
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
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
	Burst    int           // requests in ten seconds before 429; zero is no limit
	Searches int           // searches in a second before 429, which count as requests not; zero is no limit
}

// Simulator is one portal. It is safe for concurrent use.
type Simulator struct {
	options Options
	mu      sync.Mutex
	tables  map[string]*table
	lastID  int64
	calls   int64
	tens    simulatortest.Window // of seconds
	seconds simulatortest.Window // for searches
	faults  simulatortest.Faults
}

// New returns a portal without records.
func New(o Options) *Simulator {
	if o.Region == "" {
		o.Region = "US"
	}
	s := &Simulator{options: o}
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

// Headers as net/http keeps their names: one in another spelling is spelled anew for every reply.
const (
	headerCorrelation    = "X-Hubspot-Correlation-Id"
	headerDaily          = "X-Hubspot-Ratelimit-Daily"
	headerDailyRemaining = "X-Hubspot-Ratelimit-Daily-Remaining"
	headerInterval       = "X-Hubspot-Ratelimit-Interval-Milliseconds"
	headerMax            = "X-Hubspot-Ratelimit-Max"
	headerRemaining      = "X-Hubspot-Ratelimit-Remaining"
)

type reply = simulatortest.Reply

// ServeHTTP serves a request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.control().Serve(w, r, func(body []byte) reply { return s.answer(r, body) })
}

// answer returns the reply to a request. Requests come one after the other, as far as anybody can see.
func (s *Simulator) answer(r *http.Request, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	answer := s.admit(r)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case answer.Status != 0:
	case len(body) > 0 && kind != "application/json":
		answer = refuse(http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "The body is to be application/json")
	default:
		answer = s.route(r, body)
	}
	if answer.Header == nil {
		answer.Header = make(http.Header)
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.calls)
	answer.Header.Set(headerCorrelation, id)
	if refused, ok := answer.Body.(refusal); ok {
		refused.CorrelationID = id
		answer.Body = refused
	}
	if !searches(r) { // searches are limited apart and say nothing
		limit := cmp.Or(s.options.Burst, BurstLimit)
		answer.Header.Set(headerDaily, strconv.Itoa(dailyLimit))
		answer.Header.Set(headerDailyRemaining, strconv.FormatInt(max(0, dailyLimit-s.calls), 10))
		answer.Header.Set(headerInterval, "10000")
		answer.Header.Set(headerMax, strconv.Itoa(limit))
		answer.Header.Set(headerRemaining, strconv.Itoa(max(0, limit-s.tens.Spent)))
	}
	return answer
}

func searches(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/search") }

// admit checks the token and counts the request against the limits; a zero reply lets it pass.
func (s *Simulator) admit(r *http.Request) reply {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !bearer || token == "" || s.options.Token != "" && token != string(s.options.Token):
		return refuse(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "The access token is missing or not valid")
	case searches(r) && !s.seconds.Admits(s.options.Searches, time.Second):
		return limited("SECONDLY")
	case !searches(r) && !s.tens.Admits(s.options.Burst, 10*time.Second):
		return limited("TEN_SECONDLY_ROLLING")
	default:
		return reply{}
	}
}

// limited returns the refusal of a request beyond a limit, with the members that only such a refusal has.
func limited(policy string) reply {
	refused := problem("RATE_LIMITS", "You have reached your "+strings.ToLower(policy)+" limit.")
	refused.ErrorType, refused.PolicyName = "RATE_LIMIT", policy
	return reply{Status: http.StatusTooManyRequests, Body: refused}
}
