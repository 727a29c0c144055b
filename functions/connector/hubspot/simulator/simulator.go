// Package simulator is HubSpot's CRM in memory, over HTTP: contacts, communications and leads with their unique properties,
// batch upserts, searches, associations and the properties API, as documented at
// https://developers.hubspot.com/docs/api-reference/overview. It understands the requests that the connector makes and
// refuses all others in HubSpot's own shape, so that a request nobody documented does not pass a test.
//
// The paths below /_simulator are for tests: see package simulatortest.
package simulator

import (
	"bytes"
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
	tens    window // of seconds
	seconds window // for searches
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

// The most that is read of a request.
const maxRequest = 16 << 20

// HubSpot's limits: requests in ten seconds and in a day of an app in an account with Professional products, searches in a
// second of an account. See https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines.
const (
	BurstLimit  = 190
	SearchLimit = 5
	dailyLimit  = 650_000
)

// window counts requests in a span of time.
type window struct {
	began time.Time
	spent int
}

// admits counts a request and reports whether it is within the limit; a limit of zero is none.
func (w *window) admits(limit int, span time.Duration) bool {
	if now := time.Now(); now.Sub(w.began) >= span {
		*w = window{began: now}
	}
	w.spent++
	return limit == 0 || w.spent <= limit
}

// Headers as net/http keeps their names: one in another spelling is spelled anew for every reply.
const (
	headerCorrelation    = "X-Hubspot-Correlation-Id"
	headerDaily          = "X-Hubspot-Ratelimit-Daily"
	headerDailyRemaining = "X-Hubspot-Ratelimit-Daily-Remaining"
	headerInterval       = "X-Hubspot-Ratelimit-Interval-Milliseconds"
	headerMax            = "X-Hubspot-Ratelimit-Max"
	headerRemaining      = "X-Hubspot-Ratelimit-Remaining"
)

// reply is an answer before it is sent.
type reply struct {
	status int
	header http.Header
	body   any // nil is an empty body
}

// ServeHTTP serves a request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if 0 < r.ContentLength && r.ContentLength <= maxRequest {
		body.Grow(int(r.ContentLength) + bytes.MinRead) // so that it is not copied while it grows
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
		refuse(http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "The request is too large").shared().Send(w)
		return
	}
	if control := s.control(); control.Handles(r) {
		control.Answer(r, body.Bytes()).Send(w)
		return
	}
	s.faults.Serve(w, r, func() simulatortest.Reply { return s.answer(r, body.Bytes()).shared() })
}

// answer carries a request out. Requests come one after the other, as far as anybody can see.
func (s *Simulator) answer(r *http.Request, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	answer := s.admit(r)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case answer.status != 0:
	case len(body) > 0 && kind != "application/json":
		answer = refuse(http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "The body is to be application/json")
	default:
		answer = s.route(r, body)
	}
	if answer.header == nil {
		answer.header = make(http.Header)
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.calls)
	answer.header.Set(headerCorrelation, id)
	if refused, ok := answer.body.(refusal); ok {
		refused.CorrelationID = id
		answer.body = refused
	}
	if !searches(r) { // searches are limited apart and say nothing
		limit := cmp.Or(s.options.Burst, BurstLimit)
		answer.header.Set(headerDaily, strconv.Itoa(dailyLimit))
		answer.header.Set(headerDailyRemaining, strconv.FormatInt(max(0, dailyLimit-s.calls), 10))
		answer.header.Set(headerInterval, "10000")
		answer.header.Set(headerMax, strconv.Itoa(limit))
		answer.header.Set(headerRemaining, strconv.Itoa(max(0, limit-s.tens.spent)))
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
	case searches(r) && !s.seconds.admits(s.options.Searches, time.Second):
		return limited("SECONDLY")
	case !searches(r) && !s.tens.admits(s.options.Burst, 10*time.Second):
		return limited("TEN_SECONDLY_ROLLING")
	default:
		return reply{}
	}
}

// limited returns the refusal of a request beyond a limit, with the members that only such a refusal has.
func limited(policy string) reply {
	refused := problem("RATE_LIMITS", "You have reached your "+strings.ToLower(policy)+" limit.")
	refused.ErrorType, refused.PolicyName = "RATE_LIMIT", policy
	return reply{status: http.StatusTooManyRequests, body: refused}
}
