package simulator

import (
	"net/http"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// An org's limits. See
// https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm.
const (
	// UnlimitedLimit is the requests in 24 hours of an Unlimited Edition with 180 licences.
	UnlimitedLimit = 1_000_000
	// LongRequests is how many requests of longRequest or more an org carries out at once.
	LongRequests = 25
	longRequest  = 20 * time.Second
)

// day counts the requests of the last 24 hours, by the hour.
type day struct {
	hours [24]int
	last  int64
}

// used returns how many requests there were, after forgetting what is older.
func (d *day) used(now time.Time) int {
	hour := now.Unix() / int64(time.Hour/time.Second)
	if hour-d.last >= int64(len(d.hours)) {
		*d = day{last: hour}
	}
	for ; d.last < hour; d.last++ {
		d.hours[(d.last+1)%int64(len(d.hours))] = 0
	}
	total := 0
	for _, n := range d.hours {
		total += n
	}
	return total
}

func (d *day) count() { d.hours[d.last%int64(len(d.hours))]++ }

// running notes that a request is carried out, until the returned function is called.
func (s *Simulator) running(r *http.Request) (done func()) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.begun[r] = time.Now()
	return func() {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		delete(s.begun, r)
	}
}

// long returns how many requests are carried out that have lasted long.
func (s *Simulator) long() int {
	n, now := 0, time.Now()
	for _, began := range s.begun {
		if now.Sub(began) >= longRequest {
			n++
		}
	}
	return n
}

func (s *Simulator) limit() int {
	if s.options.DailyLimit > 0 {
		return s.options.DailyLimit
	}
	return UnlimitedLimit
}

// admit checks the session, the limits and the content type, in this order; a zero reply lets the request pass.
func (s *Simulator) admit(r *http.Request, body []byte) reply {
	token, bearer := simulatortest.Bearer(r)
	if !bearer {
		return refuse(http.StatusUnauthorized, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
	}
	if !s.goesOn(token) {
		return refuse(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
	}
	switch {
	case s.options.DailyLimit > 0 && s.day.used(time.Now()) >= s.options.DailyLimit:
		return refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	case s.options.Concurrent > 0 && s.long() >= s.options.Concurrent:
		return refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
	}
	s.day.used(time.Now())
	s.day.count()
	wanted := "application/json"
	if strings.HasSuffix(r.URL.Path, "/"+deployPath) {
		wanted = "multipart/form-data"
	}
	if r.Method == http.MethodPut { // the rows of a job
		wanted = "text/csv"
	}
	if len(body) > 0 && simulatortest.MediaType(r) != wanted {
		return refuse(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type: "+r.Header.Get("Content-Type"))
	}
	return reply{}
}
