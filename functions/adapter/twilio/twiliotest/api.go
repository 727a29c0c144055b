// Package twiliotest is Twilio's list of messages as a program meets it, for tests: in memory, by the shapes of its API's description and of
// its own client libraries.
package twiliotest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// API serves the messages of one account. Its zero value has none.
type API struct {
	Account, Token string
	ByDay          bool // filters look at the day alone, which is all that is promised
	PageSize       int  // at most so many a page, whatever is asked for; 0 is 1,000

	mu       sync.Mutex
	messages []Message
	fails    []int // the statuses of the next answers
	requests int
}

// Message is one that came in or was sent.
type Message struct {
	Sid, From, To, Body, Service string
	Direction                    string // "inbound", "outbound-api", "outbound-reply"
	Status                       string
	Error                        int
	Sent, Updated                time.Time
	Media                        []string // the types of its files
}

// Add adds messages.
func (a *API) Add(messages ...Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.messages = append(a.messages, messages...)
}

// Fail makes the next requests fail with these statuses, one each.
func (a *API) Fail(statuses ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fails = append(a.fails, statuses...)
}

// Requests returns how many requests there were.
func (a *API) Requests() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests++
	if len(a.fails) > 0 {
		status := a.fails[0]
		a.fails = a.fails[1:]
		problem(w, status, 20000+status)
		return
	}
	user, password, _ := r.BasicAuth()
	rest, ok := strings.CutPrefix(r.URL.Path, "/2010-04-01/Accounts/"+a.Account+"/")
	switch {
	case user != a.Account || password != a.Token:
		problem(w, http.StatusUnauthorized, 20003)
	case !ok || r.Method != http.MethodGet:
		problem(w, http.StatusNotFound, 20404)
	case rest == "Messages.json":
		a.list(w, r)
	default:
		a.media(w, strings.TrimSuffix(strings.TrimPrefix(rest, "Messages/"), "/Media.json"))
	}
}

// problem writes what the API says is wrong.
func problem(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	write(w, map[string]any{"code": code, "message": http.StatusText(status), "more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), "status": status})
}

func write(w http.ResponseWriter, what any) {
	_ = json.NewEncoder(w).Encode(what)
}

// list writes a page of messages, the newest first.
func (a *API) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	found := slices.DeleteFunc(slices.Clone(a.messages), func(m Message) bool { return !a.within(m.Sent, query) })
	slices.SortStableFunc(found, func(x, y Message) int { return y.Sent.Compare(x.Sent) })
	size, _ := strconv.Atoi(query.Get("PageSize"))
	if size <= 0 || size > 1000 {
		size = 50
	}
	if a.PageSize > 0 {
		size = min(size, a.PageSize)
	}
	number, _ := strconv.Atoi(query.Get("Page"))
	from := min(number*size, len(found))
	page := found[from:min(from+size, len(found))]
	rows := make([]map[string]any, len(page))
	for i, m := range page {
		rows[i] = a.row(m)
	}
	var next any
	if from+size < len(found) {
		query.Set("Page", strconv.Itoa(number+1))
		query.Set("PageToken", "PA"+page[len(page)-1].Sid)
		next = r.URL.Path + "?" + query.Encode()
	}
	write(w, map[string]any{
		"messages": rows, "page": number, "page_size": size, "start": from, "end": from + len(page) - 1,
		"uri": r.URL.RequestURI(), "first_page_uri": r.URL.Path + "?Page=0", "previous_page_uri": nil, "next_page_uri": next,
	})
}

// within reports whether a filter by the time of sending lets a message through: what was never sent has none.
func (a *API) within(sent time.Time, query url.Values) bool {
	read := func(name string) (time.Time, bool) {
		at, err := time.Parse(time.RFC3339, query.Get(name))
		if err != nil {
			at, err = time.Parse(time.DateOnly, query.Get(name))
		}
		if a.ByDay {
			at = at.Truncate(24 * time.Hour)
		}
		return at, err == nil
	}
	if a.ByDay {
		sent = sent.Truncate(24 * time.Hour)
	}
	from, hasFrom := read("DateSent>")
	to, hasTo := read("DateSent<")
	return !sent.IsZero() && (!hasFrom || !sent.Before(from)) && (!hasTo || !sent.After(to))
}

// row is a message as the API tells it.
func (a *API) row(m Message) map[string]any {
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.UTC().Format(time.RFC1123Z)
	}
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	var failed any
	if m.Error != 0 {
		failed = m.Error
	}
	place := "/2010-04-01/Accounts/" + a.Account + "/Messages/" + m.Sid
	return map[string]any{
		"sid": m.Sid, "account_sid": a.Account, "api_version": "2010-04-01", "from": m.From, "to": m.To, "body": m.Body,
		"direction": m.Direction, "status": m.Status, "error_code": failed, "error_message": nil, "messaging_service_sid": text(m.Service),
		"num_media": strconv.Itoa(len(m.Media)), "num_segments": "1", "price": nil, "price_unit": "USD",
		"date_created": at(m.Sent), "date_sent": at(m.Sent), "date_updated": at(m.Updated),
		"uri": place + ".json", "subresource_uris": map[string]any{"media": place + "/Media.json"},
	}
}

// media writes the files of a message.
func (a *API) media(w http.ResponseWriter, sid string) {
	i := slices.IndexFunc(a.messages, func(m Message) bool { return m.Sid == sid })
	if i < 0 {
		problem(w, http.StatusNotFound, 20404)
		return
	}
	rows := []map[string]any{}
	for n, kind := range a.messages[i].Media {
		name := "ME" + sid[2:len(sid)-1] + strconv.Itoa(n)
		rows = append(rows, map[string]any{
			"sid": name, "account_sid": a.Account, "parent_sid": sid, "content_type": kind,
			"uri": "/2010-04-01/Accounts/" + a.Account + "/Messages/" + sid + "/Media/" + name + ".json",
		})
	}
	write(w, map[string]any{"media_list": rows, "next_page_uri": nil, "page": 0, "page_size": 50})
}
