package connectortest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/telemetry"
)

// ledger is a CRM in memory: people by key and activities by external id, both upserted by PUT.
type ledger struct {
	mu         sync.Mutex
	people     []*person
	activities map[string]*note
	notices    map[string]connectortest.Notice
	standings  map[string]connectortest.Standing
}

type person struct {
	ID      string                 `json:"id"`
	Key     string                 `json:"key"`
	Owner   string                 `json:"owner,omitempty"`
	Made    time.Time              `json:"made"`
	Phone   string                 `json:"phone"`
	Country string                 `json:"country,omitempty"`
	Consent map[string]string      `json:"consent,omitempty"`
	Replied time.Time              `json:"replied,omitzero"`
	Began   time.Time              `json:"began,omitzero"` // the sequence they are in
	Ended   bool                   `json:"ended,omitempty"`
	Name    string                 `json:"name,omitempty"`
	Address string                 `json:"address,omitempty"`
	First   string                 `json:"first,omitempty"`
	Ad      *canonical.Attribution `json:"ad,omitempty"`
}

// naming is the ledger's own call, too: a name replaces what is none.
type naming struct {
	Name string   `json:"name"`
	None []string `json:"none"`
}

// consenting is the ledger's own call, too: of a person, and all who have the number.
type consenting struct {
	Phone   string            `json:"phone"`
	Consent map[string]string `json:"consent"`
}

// replied is the ledger's own call: the newest reply stands, and a sequence that began after it goes on.
func (p *person) replied(r connector.Reply) {
	if r.At.Before(p.Replied) {
		return
	}
	if p.Ended = p.Ended || !p.Began.After(r.At); r.Mark {
		p.Replied = r.At
	}
}

type note struct {
	Person string                 `json:"person"`
	At     time.Time              `json:"at"`
	Text   string                 `json:"text"`
	Ad     *canonical.Attribution `json:"ad,omitempty"`

	Session string `json:"-"` // it shows a part of it
	Owner   string `json:"-"`
}

// shown is the ledger's own call, too: of what is there the text changes.
type shown struct {
	Person   string                  `json:"person"`
	Key      string                  `json:"key"` // of the conversation
	Parts    map[string]string       `json:"parts"`
	Standing *connectortest.Standing `json:"standing"`
}

func (l *ledger) show(s shown, session string) {
	for key, text := range s.Parts {
		if l.activities[key] == nil {
			l.activities[key] = &note{Session: session}
		}
		l.activities[key].Person, l.activities[key].Text = s.Person, text
	}
	if s.Standing != nil {
		s.Standing.Person = s.Person
		l.standings[s.Key] = *s.Standing
	}
}

func ad(a *canonical.Attribution) canonical.Attribution {
	if a == nil {
		return canonical.Attribution{}
	}
	return *a
}

func (l *ledger) find(match func(*person) bool) *person {
	if i := slices.IndexFunc(l.people, match); i >= 0 {
		return l.people[i]
	}
	return nil
}

func (l *ledger) add(p person) *person {
	p.ID, p.Made = strconv.Itoa(len(l.people)+1), time.Now()
	l.people = append(l.people, &p)
	return &p
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var held *person
	switch r.Method + " " + kind {
	case "GET people":
		held = l.find(func(p *person) bool {
			return connector.SameNumber(r.URL.Query().Get("phone"), connector.RegionOf(r.URL.Query().Get("region"), p.Country), p.Phone)
		})
	case "PUT people":
		held = l.find(func(p *person) bool { return p.Key == id })
		if held == nil {
			held = l.add(person{Key: id})
		}
		mine, owner, made := held.ID, held.Owner, held.Made
		_ = json.NewDecoder(r.Body).Decode(held)
		if held.ID, held.Made = mine, made; owner != "" {
			held.Owner = owner
		}
	case "PATCH people":
		if held = l.find(func(p *person) bool { return p.ID == id }); held != nil {
			_ = json.NewDecoder(r.Body).Decode(held)
		}
	case "POST names":
		var n naming
		_ = json.NewDecoder(r.Body).Decode(&n)
		if held = l.find(func(p *person) bool { return p.ID == id }); held != nil && slices.Contains(n.None, held.Name) {
			held.Name = n.Name
		}
	case "PUT consents":
		var c consenting
		_ = json.NewDecoder(r.Body).Decode(&c)
		held = l.find(func(p *person) bool { return p.ID == id })
		for _, p := range l.people {
			if p == held || connector.SameNumber(c.Phone, "US", p.Phone) {
				p.Consent = c.Consent
			}
		}
	case "PUT numbers":
		var moved map[string]string
		_ = json.NewDecoder(r.Body).Decode(&moved)
		if held = l.find(func(p *person) bool { return p.ID == id }); held != nil && connector.SameNumber(moved["from"], "US", held.Phone) {
			held.Phone = moved["to"]
		}
	case "POST replies":
		var reply connector.Reply
		_ = json.NewDecoder(r.Body).Decode(&reply)
		if held = l.find(func(p *person) bool { return p.ID == id }); held != nil {
			held.replied(reply)
		}
	case "GET owner":
		held = l.find(func(p *person) bool { return p.ID == id })
	case "PUT notices":
		var n connectortest.Notice
		_ = json.NewDecoder(r.Body).Decode(&n)
		l.notices[id], held = n, &person{ID: id}
	case "PUT activities":
		var n note
		_ = json.NewDecoder(r.Body).Decode(&n)
		if held = l.find(func(p *person) bool { return p.ID == n.Person }); held != nil {
			l.activities[id] = &n
		}
	case "PUT sessions":
		var s shown
		_ = json.NewDecoder(r.Body).Decode(&s)
		if held = l.find(func(p *person) bool { return p.ID == s.Person }); held != nil {
			l.show(s, id)
		}
	case "PUT standings":
		var s connectortest.Standing
		_ = json.NewDecoder(r.Body).Decode(&s)
		held = &person{ID: id}
		if was, there := l.standings[id]; there {
			s.Person = was.Person
			l.standings[id] = s
		}
	}
	if held == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(held)
}

func (l *ledger) held() connectortest.Held {
	l.mu.Lock()
	defer l.mu.Unlock()
	var held connectortest.Held
	for _, p := range l.people {
		held.Persons = append(held.Persons, connectortest.Person{
			ID: p.ID, Owner: p.Owner, Key: p.Key, Phone: p.Phone, Name: p.Name, Address: p.Address, First: p.First, Ad: ad(p.Ad), Consent: p.Consent, RepliedAt: p.Replied, Ended: p.Ended,
		})
	}
	held.Notices = slices.Collect(maps.Values(l.notices))
	for id, n := range l.activities {
		if n.Session != "" {
			continue
		}
		held.Activities = append(held.Activities, connectortest.Activity{ExternalID: id, Persons: []string{n.Person}, At: n.At, Text: n.Text, Ad: ad(n.Ad)})
	}
	return held
}

func (l *ledger) sessions() *connectortest.Sessions {
	return &connectortest.Sessions{
		Calls: 1,
		Held: func() (all []connectortest.Shown) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for key, n := range l.activities {
				if n.Session != "" {
					all = append(all, connectortest.Shown{Key: key, Persons: []string{n.Person}, Text: n.Text, Rest: n.Owner})
				}
			}
			return all
		},
		Edit: func(key string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.activities[key].Owner = "ana"
		},
		Standings: func() []connectortest.Standing {
			l.mu.Lock()
			defer l.mu.Unlock()
			return slices.Collect(maps.Values(l.standings))
		},
	}
}

// toy is the connector.CRM of a ledger.
type toy struct {
	client *http.Client
	logger *slog.Logger
}

type request struct {
	method, path string
	body         any
}

// Advice implements connector.Adviser.
func (toy) Advice(string) string { return "put it right" }

func (c toy) Next(d delivery.Delivery, done connector.Progress) (connector.Step[request], bool, error) {
	id := d.Person.Links["person"]
	for _, name := range []string{"find", "make"} {
		if found := done[name]["person"]; found != "" && (id == "" || done["gone"] != nil) {
			id = found
		}
	}
	if id == "" || done["activity"]["gone"] != "" {
		if _, ok := done["find"]; !ok {
			by := strings.Replace(d.Person.Phone, "+", "%2B", 1)
			if d.Person.Unmatched {
				by = ""
			}
			return connector.Step[request]{Name: "find", Seen: true, Request: request{"GET", "people?region=" + d.Person.Region + "&phone=" + by, nil}}, true, nil
		}
		id = done["find"]["person"]
		if id == "" && !connector.MakesPerson(d) {
			return c.notice(d, done, "")
		}
		if id == "" {
			made, ok := done["make"]
			if !ok {
				return connector.Step[request]{Name: "make", Request: request{"PUT", "people/" + d.Person.Key, person{
					Phone: d.Person.Phone, Key: d.Person.Key, Owner: connector.OwnerOf(d), Name: connector.CalledBy(d), Address: connector.AddressOf(d),
					First: connector.Said(d.Event), Ad: d.Event.Attribution,
				}}}, true, nil
			}
			id = made["person"]
		}
	}
	for _, action := range d.Actions {
		name, logs := "activity", false
		next := request{"PUT", "activities/" + canonical.MessageKey(d.Event.TenantID, d.Event.Provider, d.Event.AccountID, d.Event.ProviderMessageID), note{Person: id, At: d.Event.Timestamp, Text: below(connector.Said(d.Event), connector.Below(d.Event)), Ad: d.Event.Attribution}}
		switch action.Kind {
		case delivery.LogActivity:
			logs = true
			if done["activity"]["gone"] != "" {
				name = "activity.again"
			}
		case delivery.ChangePhone:
			name, next = "number", request{"PUT", "numbers/" + id, action.Value}
		case delivery.SetConsent:
			said := consenting{d.Person.Phone, map[string]string{action.Value["channel"]: action.Value["state"]}}
			if d.Person.Unmatched {
				said.Phone = ""
			}
			name, next = "consent", request{"PUT", "consents/" + id, said}
		case delivery.MarkReplied, delivery.CancelSequences:
			reply, _ := connector.ReplyOf(d.Actions)
			name, next = "reply", request{"POST", "replies/" + id, reply}
		default:
			continue
		}
		if result, ok := done[name]; !ok || result[connector.ResultBehind] != "" {
			return connector.Step[request]{Name: name, Logs: logs, Request: next}, true, nil
		}
	}
	if _, ok := done["name"]; !ok && id != "" && done["make"] == nil && connector.CarriesName(d) && d.Person.Links["named"] == "" {
		none := []string{"", d.Person.Phone, connector.AddressOf(d)}
		return connector.Step[request]{Name: "name", Request: request{"POST", "names/" + id, naming{d.Person.Name, none}}}, true, nil
	}
	return c.notice(d, done, id)
}

// notice is the last step of a plan.
func (c toy) notice(d delivery.Delivery, done connector.Progress, id string) (connector.Step[request], bool, error) {
	if n, wanted := connector.NoticeOf(d); wanted && n.Held && done["notice"] == nil && (!n.Theirs || id != "") {
		if n.Theirs && done["owner"] == nil {
			return connector.Step[request]{Name: "owner", Request: request{"GET", "owner/" + id, nil}}, true, nil
		}
		if made, _ := time.Parse(time.RFC3339Nano, done["owner"]["made"]); n.HeldBefore(made) {
			return connector.Step[request]{}, false, nil
		}
		n.Owner = cmp.Or(done["owner"]["owner"], n.Owner)
		return connector.Step[request]{Name: "notice", Request: request{"PUT", "notices/" + n.Key, connectortest.Notice{To: n.Owner, Person: id, Subject: n.Subject}}}, true, nil
	}
	if n, wanted := connector.NoticeOf(d); wanted && !n.Held && done["notice"] == nil && (!n.Person || done["make"] != nil) && (!n.Later || connector.OwnerOf(d) != "") {
		told := connectortest.Notice{To: n.Owner, Subject: n.Subject}
		if n.Person {
			told.To, told.Person = cmp.Or(connector.OwnerOf(d), n.Owner), id
		}
		if !n.Person || told.To != "" {
			return connector.Step[request]{Name: "notice", Request: request{"PUT", "notices/" + n.Key, told}}, true, nil
		}
		connector.Untold(context.Background(), c.logger, telemetry.NewMeter(io.Discard, telemetry.Identity{}), d)
	}
	return connector.Step[request]{}, false, nil
}

func (c toy) Do(ctx context.Context, steps []connector.Step[request]) []connector.Outcome {
	outcomes := make([]connector.Outcome, len(steps))
	for i, step := range steps {
		if body, ok := step.Request.body.(note); ok && step.Activity != nil {
			step.Request = showing(step.Activity, step.Stands(), body.Person)
		} else if stands := step.Stands(); ok && stands != nil {
			shows := shown{Person: body.Person, Key: stands.Key, Standing: standing(stands.State)}
			if o := c.do(ctx, connector.Step[request]{Request: request{"PUT", "sessions/none", shows}}); o.Err != nil {
				outcomes[i] = o
				continue
			}
		}
		outcomes[i] = c.do(ctx, step)
	}
	return outcomes
}

// below returns words with what is below them.
func below(words string, details []connector.Detail) string {
	for _, d := range details {
		words += "\n" + d.Label + " " + d.Text + " " + d.URL
	}
	return words
}

// showing returns the request that shows a session of somebody.
func showing(a *connector.Activity, stands *connector.Standing, person string) request {
	s := shown{Person: person, Parts: map[string]string{}}
	words := func(l connector.Line) string { return below(l.Text, l.Details) + " " + strings.Join(l.Reactions, " ") }
	for _, p := range a.Split(10000, func(l connector.Line) int { return utf8.RuneCountInString(words(l)) }) {
		text := "nothing is left"
		for i, l := range p.Lines {
			if i == 0 {
				text = ""
			}
			text += words(l) + "\n"
		}
		s.Parts[p.Key] = text
	}
	if stands != nil {
		s.Key, s.Standing = stands.Key, standing(stands.State)
	}
	return request{"PUT", "sessions/" + a.Key, s}
}

func standing(c conversation.State) *connectortest.Standing {
	return &connectortest.Standing{Status: c.Status, Messages: c.Messages, Receipt: c.Receipt}
}

// WriteStatuses implements connector.StatusWriter: the ledger shows none.
func (toy) WriteStatuses(_ context.Context, updates []receipt.Update) []error {
	return make([]error, len(updates))
}

// WriteConversations implements connector.ConversationWriter.
func (c toy) WriteConversations(ctx context.Context, updates []connector.ConversationUpdate) []error {
	errs := make([]error, len(updates))
	for i, u := range updates {
		errs[i] = c.do(ctx, connector.Step[request]{Request: request{"PUT", "standings/" + u.Key, standing(u.State)}}).Err
	}
	return errs
}

func (c toy) do(ctx context.Context, step connector.Step[request]) connector.Outcome {
	body, err := json.Marshal(step.Request.body)
	if err != nil {
		return connector.Outcome{Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, step.Request.method, "https://crm.test/"+step.Request.path, bytes.NewReader(body))
	if err != nil {
		return connector.Outcome{Err: err}
	}
	reply, err := c.client.Do(r)
	if err != nil {
		if sorted, ok := errors.AsType[*fault.Error](err); ok { // the client itself refused
			return connector.Outcome{Err: sorted}
		}
		return connector.Outcome{Err: fault.New(fault.Retryable, "toy_unreachable", nil)}
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(reply.Body)
	if err != nil {
		return connector.Outcome{Err: fault.New(fault.Retryable, "toy_unreachable", err)}
	}
	switch status := reply.StatusCode; {
	case status == http.StatusNotFound && step.Name == "find":
		return connector.Outcome{}
	case status == http.StatusNotFound && step.Name == "activity":
		return connector.Outcome{Result: connector.Result{"gone": "1"}}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return connector.Outcome{Err: fault.New(fault.Blocked, "toy_refused", nil)}
	case status == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(reply.Header.Get("Retry-After"))
		return connector.Outcome{Err: &fault.Error{Kind: fault.Throttled, Code: "toy_busy", Wait: time.Duration(seconds) * time.Second}}
	case status == http.StatusRequestTimeout || status >= 500:
		return connector.Outcome{Err: fault.New(fault.Retryable, "toy_unavailable", nil)}
	case status >= 400:
		return connector.Outcome{Err: fault.New(fault.Permanent, "toy_bad_row", errors.New(step.Request.method))}
	}
	var p person
	if err := json.Unmarshal(read, &p); err != nil || p.ID == "" { // it says of each thing which it is
		return connector.Outcome{Err: fault.New(fault.Retryable, "toy_reply_undecodable", nil)}
	}
	result := connector.Result{"person": p.ID, "owner": p.Owner, "made": p.Made.Format(time.RFC3339Nano)}
	if s, ok := step.Request.body.(shown); ok {
		result[connector.ResultParts] = strconv.Itoa(len(s.Parts))
	}
	return connector.Outcome{Result: result}
}

// Links implements connector.Linker.
func (toy) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	links := maps.Clone(d.Person.Links)
	if links == nil {
		links = map[string]string{}
	}
	for _, name := range []string{"find", "make"} {
		if id := done[name]["person"]; id != "" {
			links["person"] = id
		}
	}
	if done["name"] != nil || done["make"] != nil && connector.CarriesName(d) {
		links["named"] = "true"
	}
	return links
}

func TestTheSuiteAcceptsACRMThatKeepsTheContract(t *testing.T) {
	connectortest.Run(t, func(*testing.T) connectortest.Harness[request] {
		l := &ledger{activities: map[string]*note{}, notices: map[string]connectortest.Notice{}, standings: map[string]connectortest.Standing{}}
		return connectortest.Harness[request]{
			New:       func(client *http.Client, logger *slog.Logger) connector.CRM[request] { return toy{client, logger} },
			Simulator: l, Name: "toy", Tenant: "demo", Secrets: []string{"token"}, Width: 3, KnownCalls: 1, Singly: true,
			AddPerson: func(phone, name, country string) string {
				l.mu.Lock()
				defer l.mu.Unlock()
				return l.add(person{Phone: phone, Name: name, Country: country}).ID
			},
			Rename: func(id, name string) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.find(func(p *person) bool { return p.ID == id }).Name = name
			},
			Enrol: func(id string, began time.Time) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.find(func(p *person) bool { return p.ID == id }).Began = began
			},
			Users: [2]string{"ana", "bo"},
			Give: func(id, user string) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.find(func(p *person) bool { return p.ID == id }).Owner = user
			},
			Held:     l.held,
			Sessions: l.sessions(),
			Refusals: []connectortest.Refusal{{Name: "conflict", Status: http.StatusConflict, Want: fault.Permanent, Code: "toy_bad_row"}},
		}
	})
}
