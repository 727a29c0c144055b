package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// The service protection limits of a user on one web server. See https://learn.microsoft.com/power-apps/developer/data-platform/api-limits.
const (
	BurstLimit      = 6000
	ConcurrentLimit = 52
	burstWindow     = 300 * time.Second
)

// spell is how long a request took, and when it ended.
type spell struct {
	ended time.Time
	took  time.Duration
}

// carry notes that a request is carried out, until the returned function is called.
func (s *Simulator) carry() (done func()) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.running++
	began := time.Now()
	return func() {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		s.running--
		if s.options.Execution > 0 {
			s.spells = append(s.spells, spell{time.Now(), time.Since(began)})
		}
	}
}

// executed returns how long requests took within the window, and when there is less of it.
func (s *Simulator) executed(now time.Time) (total, next time.Duration) {
	for len(s.spells) > 0 && now.Sub(s.spells[0].ended) >= burstWindow {
		s.spells = s.spells[1:]
	}
	for _, one := range s.spells {
		total += one.took
	}
	if len(s.spells) > 0 {
		next = burstWindow - now.Sub(s.spells[0].ended)
	}
	return total, next
}

// admit checks the token and the limits; a zero reply lets the request pass.
func (s *Simulator) admit(r *http.Request) reply {
	bearer, ok := simulatortest.Bearer(r)
	held, known := s.tokens[bearer]
	now := time.Now()
	switch {
	case !ok || !known || !now.Before(held.ends) || held.audience != "" && held.audience != audience(r.Host):
		challenge := "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize, resource_id=https://" + audience(r.Host) + "/"
		return reply{Status: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {challenge}}}
	case s.options.NotMember:
		return refuse(http.StatusForbidden, codeNotMember, "The user is not a member of the organization.").reply()
	case s.options.Concurrent > 0 && s.running > s.options.Concurrent:
		return limited(refuse(http.StatusTooManyRequests, codeConcurrent, fmt.Sprintf("Number of concurrent requests exceeded the limit of %d.", s.options.Concurrent)), time.Second)
	}
	for len(s.sent) > 0 && now.Sub(s.sent[0]) >= burstWindow {
		s.sent = s.sent[1:]
	}
	if s.options.Burst > 0 && len(s.sent) >= s.options.Burst {
		return limited(refuse(http.StatusTooManyRequests, codeBurst, fmt.Sprintf("Number of requests exceeded the limit of %d over time window of 300 seconds.", s.options.Burst)),
			burstWindow-now.Sub(s.sent[0]))
	}
	if spent, next := s.executed(now); s.options.Execution > 0 && spent > s.options.Execution {
		return limited(refuse(http.StatusTooManyRequests, codeExecution, fmt.Sprintf("Combined execution time of incoming requests exceeded limit of %d milliseconds over time window of 300 seconds. "+
			"Decrease number of concurrent requests or reduce the duration of requests and try again later.", s.options.Execution.Milliseconds())), next)
	}
	s.sent = append(s.sent, now)
	return reply{}
}

// limited adds how long to wait, in whole seconds.
func limited(f *fault, wait time.Duration) reply {
	answer := f.reply()
	answer.Header = http.Header{"Retry-After": {strconv.Itoa(int((wait + time.Second - 1) / time.Second))}}
	return answer
}

func (s *Simulator) tellLimits(header http.Header) {
	limit := s.options.Burst
	if limit == 0 {
		limit = BurstLimit
	}
	header.Set("X-Ms-Ratelimit-Burst-Remaining-Xrm-Requests", strconv.Itoa(max(0, limit-len(s.sent))))
	header.Set("X-Ms-Ratelimit-Time-Remaining-Xrm-Requests", "1,200.00")
}

// audience returns the environment that a host belongs to: the Web API may be asked at <org>.api.<region> and at <org>.<region>.
func audience(host string) string { return strings.Replace(strings.ToLower(host), ".api.", ".", 1) }
