package connectortest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/dev/race"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
	"signalbox/shared/receipt"
)

// requests are kinds of requests: what is asked of a CRM, whoever and whichever record it is about. It is safe for concurrent use.
type requests struct {
	mu  sync.Mutex
	all map[string]bool
}

func (r *requests) add(kinds []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string]bool{}
	}
	for _, kind := range kinds {
		r.all[kind] = true
	}
}

var (
	someRecord = regexp.MustCompile(`\([^)]*\)|/([0-9a-f]{64}|[0-9]+|[0-9A-Za-z]{12}[0-9A-Za-z]*[0-9]{3}[0-9A-Za-z]*|[^/]*(?:@|%[0-9A-F]{2})[^/]*)(/|$)`)
	someQuery  = regexp.MustCompile(`(?i)\bFROM (\w+)`)
	// What a request that holds several says of each: in multipart bodies, in JSON, and of the records of a collection.
	inParts = regexp.MustCompile(`(?m)^(GET|POST|PATCH|DELETE) ([^ ?]+)[^ ]* HTTP/1\.1\r\n(?:Accept: [^\r]+\r\n)?(If-[A-Za-z-]+)?`)
	inNodes = regexp.MustCompile(`"method":"([A-Z]+)","url":"([^"?]+)`)
	inRows  = regexp.MustCompile(`"attributes":\{"type":"(\w+)"`)
)

// kindsOf returns the kinds of a request, and of those that it holds: what is alike in all but the records that it is about is of one kind.
func kindsOf(r *http.Request, body []byte) []string {
	kind := r.Method + " " + someRecord.ReplaceAllString(r.URL.EscapedPath(), "/…$2")
	if from := someQuery.FindStringSubmatch(r.URL.Query().Get("q")); from != nil {
		kind += " of " + from[1]
	}
	kinds := []string{kind}
	for _, each := range []*regexp.Regexp{inParts, inNodes, inRows} {
		for _, held := range each.FindAllSubmatch(body, -1) {
			kinds = append(kinds, kind+" of "+someRecord.ReplaceAllString(string(bytes.Join(held[1:], []byte(" "))), "/…$2"))
		}
	}
	return kinds
}

// watched notes the kind of every request to the simulators of a suite.
func watched[R any](fresh func(t *testing.T) Harness[R], seen *requests) func(t *testing.T) Harness[R] {
	return func(t *testing.T) Harness[R] {
		t.Helper()
		h := fresh(t)
		simulator := h.Simulator
		h.Simulator = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			seen.add(kindsOf(r, body))
			simulator.ServeHTTP(w, r)
		})
		return h
	}
}

// cut breaks the connection at each request of each scene: before it is sent, after its effect, and in the middle of the reply. What a repeat
// then leaves is what there is after a run that nothing disturbed. No kind of request that the suite makes is left out.
func cut[R any](t *testing.T, fresh func(t *testing.T) Harness[R], seen *requests) {
	t.Helper()
	met := &requests{}
	for name, scene := range scenes(fresh(t)) {
		cutScene(t, name, fresh, scene, met)
	}
	t.Run("a long history", func(t *testing.T) { cutJobs(t, fresh, met) })
	for kind := range seen.all {
		if !met.all[kind] && !race.Enabled {
			t.Errorf("no scene has its connection cut at %s", kind)
		}
	}
}

// cutScene runs a scene that nothing disturbs, and then once for each of its requests and each way in which a connection breaks.
func cutScene[R any](t *testing.T, name string, fresh func(t *testing.T) Harness[R], scene func(*world[R]) func() []error, met *requests) {
	t.Helper()
	calls, want := 0, ""
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fresh(t))
		if act := scene(w); act != nil {
			w.wire.spoil(nil)
			w.until(act)
			calls, want = w.wire.count(), w.snapshot()
		}
	})
	if calls == 0 { // the CRM, or this binding of it, has nothing of the kind
		return
	}
	for way, how := range ways() {
		t.Run(name+", cut "+way, func(t *testing.T) {
			cuts := 0
			each(t, func(t *testing.T, n int) bool {
				if n > calls {
					return false
				}
				w := newWorld(t, fresh(t))
				act := scene(w)
				w.wire.spoil(&trouble{how: how, at: n, met: func(r *http.Request, body []byte) {
					met.add(kindsOf(r, body))
					cuts++
				}})
				w.until(act)
				if got := w.snapshot(); got != want {
					t.Errorf("there is\n%s\nwant\n%s", got, want)
				}
				return true
			})
			if cuts != calls && !race.Enabled {
				t.Errorf("%d of %d requests were cut", cuts, calls)
			}
		})
	}
}

// cutJobs breaks the connection at each request of a history that goes by jobs.
func cutJobs[R any](t *testing.T, fresh func(t *testing.T) Harness[R], met *requests) {
	t.Helper()
	for n := range jobsOf(t, fresh) {
		for way, how := range ways() {
			t.Run(fmt.Sprintf("request %d, cut %s", n+1, way), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					newWorld(t, fresh(t)).longHistory(&trouble{how: how, at: n + 1, met: func(r *http.Request, body []byte) { met.add(kindsOf(r, body)) }}, nil)
				})
			})
		}
	}
}

// ways are how a connection breaks.
func ways() map[string]spoiling {
	return map[string]spoiling{"before it is sent": reset, "after its effect": resetAfter, "in the middle of the reply": truncate}
}

// until acts until everything is done. Whatever a cut makes of a request, it is tried again.
func (w *world[R]) until(act func() []error) {
	w.t.Helper()
	var errs []error
	for range 10 {
		errs = slices.DeleteFunc(act(), func(err error) bool { return err == nil })
		for _, err := range errs {
			if f := fault.Of(err); f.Kind != fault.Retryable && f.Kind != fault.Throttled || f.Code == fault.CodeUnsorted {
				w.t.Errorf("a connection that is cut is %s %s: %v", f.Kind, f.Code, err)
			}
		}
		if len(errs) == 0 {
			return
		}
		time.Sleep(time.Minute + lease)
	}
	w.t.Errorf("it never ends: %v", errs)
}

// scenes are what makes requests of every kind. Each prepares a world and returns what is to be done then, nil if the CRM has nothing of the
// kind.
func scenes[R any](h Harness[R]) map[string]func(*world[R]) func() []error {
	all := plainScenes[R]()
	maps.Copy(all, furtherScenes[R]())
	for name, situation := range situations[R]() {
		all[name] = func(w *world[R]) func() []error {
			d, _, _ := situation(w)
			return w.delivering(d)
		}
	}
	for way := range h.Replace {
		all["a person who was "+way] = func(w *world[R]) func() []error {
			w.finish(w.unknown(1, 1))
			w.Replace[way](w.Held().Persons[0].ID, w.AddPerson(phone(9), "Person 09", ""))
			return w.delivering(w.reply(1, 2))
		}
	}
	if h.Sessions != nil {
		maps.Copy(all, sessionScenes[R]())
	}
	for _, name := range []string{"a new person whose owner is told", "a notice about nobody", "a linked person, and a notice", "a session of somebody new", "a file"} {
		for k := 1; all[name] != nil && k <= mostLost; k++ {
			all[fmt.Sprintf("%s, after a try whose reply %d was lost", name, k)] = repeated(all[name], k)
		}
	}
	return all
}

// plainScenes are those of messages that are no situations.
func plainScenes[R any]() map[string]func(*world[R]) func() []error {
	return map[string]func(*world[R]) func() []error{
		"a change of consent of several": func(w *world[R]) func() []error {
			w.finish(w.unknown(1, 1))
			w.AddPerson("(415) 555-0001", "Person 03", "United States")
			return w.delivering(says(w.known(1, 2), "opted_out"))
		},
		"a number that changed": func(w *world[R]) func() []error {
			w.finish(w.unknown(1, 1))
			return w.delivering(moves(w.known(1, 2), phone(1), phone(3)))
		},
		"a person by their address": func(w *world[R]) func() []error { return w.delivering(w.addressed(1)) },
		"what is written by hand": func(w *world[R]) func() []error {
			w.finish(w.unknown(1, 1))
			w.Enrol(w.Held().Persons[0].ID, w.unknown(1, 1).Event.Timestamp)
			return w.delivering(w.written(1, 2))
		},
		"a notice about nobody": func(w *world[R]) func() []error { return w.delivering(w.notify(1, 1)) },
		"several persons": func(w *world[R]) func() []error {
			w.width = w.Width
			w.finish(w.unknown(1, 1), w.unknown(2, 1))
			return w.delivering(w.known(1, 2), w.reply(2, 2), w.unknown(3, 1), w.unknown(4, 1))
		},
		"receipts": func(w *world[R]) func() []error {
			if w.Statuses == nil {
				return nil
			}
			first, second := w.sent(1, 1), w.sent(2, 1)
			w.finish(first, second)
			one, other := w.update(first, "delivered", ""), w.update(second, "failed", "30003")
			return func() []error { return w.write(one, other) }
		},
	}
}

// furtherScenes are those of work, files and what a tenant maps.
func furtherScenes[R any]() map[string]func(*world[R]) func() []error {
	return map[string]func(*world[R]) func() []error{
		"work that rules ask for": func(w *world[R]) func() []error {
			if w.Works == nil {
				return nil
			}
			return w.delivering(w.working(w.unknown(1, 1)))
		},
		"work of several at once": func(w *world[R]) func() []error {
			if w.Works == nil {
				return nil
			}
			w.width = w.Width
			return w.delivering(w.working(w.unknown(1, 1)), w.working(w.unknown(2, 1)))
		},
		"what a tenant maps, of somebody known": func(w *world[R]) func() []error {
			if w.Mapped == nil {
				return nil
			}
			w.finish(w.unknown(1, 1))
			w.maps(map[mapping.Object][]string{mapping.Person: eachTime(every()[:2])})
			return w.delivering(w.known(1, 2))
		},
		"a file": func(w *world[R]) func() []error {
			if w.Files == nil {
				return nil
			}
			d := w.unknown(1, 1)
			w.finish(d)
			return w.delivering(w.fetch(d, 0, "sea"))
		},
		"a file of whom claims are forgotten": func(w *world[R]) func() []error {
			if w.Files == nil {
				return nil
			}
			d := w.unknown(1, 1)
			w.finish(d)
			file := w.fetch(d, 0, "sea")
			w.finish(file)
			time.Sleep(40 * 24 * time.Hour)
			w.finish(d)
			return w.delivering(file)
		},
	}
}

// mostLost bounds the replies that repeated loses, one in each scene: no delivery has more requests that a repeat follows by other ones.
const mostLost = 9

// repeated returns a scene in which reply k was lost before: what a repeat asks for first.
func repeated[R any](scene func(*world[R]) func() []error, k int) func(*world[R]) func() []error {
	return func(w *world[R]) func() []error {
		act := scene(w)
		if act == nil {
			return nil
		}
		w.wire.spoil(&trouble{how: resetAfter, at: k})
		act()
		if w.wire.count() < k {
			return nil
		}
		time.Sleep(time.Minute + lease)
		return act
	}
}

// sessionScenes are those of CRMs that show sessions.
func sessionScenes[R any]() map[string]func(*world[R]) func() []error {
	return map[string]func(*world[R]) func() []error{
		"a session of somebody new": func(w *world[R]) func() []error { return w.delivering(w.talk(w.unknown(1, 1))) },
		"a session that begins": func(w *world[R]) func() []error {
			w.meet(1)
			return w.delivering(w.says(1, 2, word(2)))
		},
		"a session that goes on": func(w *world[R]) func() []error {
			w.meet(1)
			w.finish(w.says(1, 2, word(2)))
			time.Sleep(10 * time.Minute)
			return w.delivering(w.says(1, 3, word(3)))
		},
		"a session that goes on in a part": func(w *world[R]) func() []error {
			w.meet(1)
			w.finish(w.says(1, 2, word(2)))
			time.Sleep(10 * time.Minute)
			return w.delivering(w.says(1, 3, strings.Repeat("x", 6*long)))
		},
		"a message by itself, and how its conversation stands": func(w *world[R]) func() []error {
			w.meet(1)
			d := w.says(1, 2, word(2))
			d.Session = nil
			return w.delivering(d)
		},
		"a receipt of a conversation":   toldOf[R](1),
		"receipts of two conversations": toldOf[R](2),
	}
}

// toldOf returns the scene of receipts that so many conversations show.
func toldOf[R any](conversations int) func(*world[R]) func() []error {
	return func(w *world[R]) func() []error {
		if w.Sessions.Standings == nil {
			return nil
		}
		var updates []receipt.Update
		for n := range conversations {
			w.meet(n + 1)
			d := w.says(n+1, 2, word(2))
			w.finish(d)
			e := d.Event
			if err := conversation.Link(w.t.Context(), w.store, w.Tenant, e.ThreadID, w.Name, nil, w.links.of(e.ThreadID)); err != nil {
				w.t.Fatal(err)
			}
			w.stand(e, func(s *conversation.State) { s.Receipt = "delivered" })
			updates = append(updates, receipt.Update{
				TenantID: w.Tenant, CRM: w.Name, Channel: e.Channel, Status: receipt.Status{State: "delivered"},
				Conversation: &receipt.Conversation{Thread: e.ThreadID, Line: e.LineID, Channel: e.Channel},
			})
		}
		return func() []error { return w.write(updates...) }
	}
}

// delivering returns what hands those of the deliveries to a process that are not done.
func (w *world[R]) delivering(ds ...delivery.Delivery) func() []error {
	return func() []error {
		var left []delivery.Delivery
		errs := w.deliver(&process{}, ds...)
		for i, err := range errs {
			if err != nil {
				left = append(left, ds[i])
			}
		}
		if ds = left; len(ds) == 0 {
			return nil
		}
		return errs
	}
}

// snapshot returns what the CRM holds, without the ids that it gave.
func (w *world[R]) snapshot() string {
	w.t.Helper()
	held, who := w.Held(), map[string]string{}
	var shown struct {
		Held
		Sessions  []Shown
		Standings []Standing
		Files     []HeldFile
		Work      HeldWork
	}
	slices.SortStableFunc(held.Persons, func(a, b Person) int { return cmp.Or(cmp.Compare(a.Phone, b.Phone), cmp.Compare(a.Name, b.Name)) })
	for i, p := range held.Persons {
		who[p.ID] = fmt.Sprint("person ", i)
		held.Persons[i].ID = who[p.ID]
	}
	named := func(ids []string) (names []string) {
		for _, id := range ids {
			names = append(names, cmp.Or(who[id], "a record"))
		}
		return names
	}
	for i, a := range held.Activities {
		held.Activities[i].Persons = named(a.Persons)
	}
	for i, n := range held.Notices {
		held.Notices[i].Person = strings.Join(named([]string{n.Person}), "")
	}
	slices.SortFunc(held.Activities, func(a, b Activity) int { return cmp.Compare(a.ExternalID, b.ExternalID) })
	slices.SortFunc(held.Notices, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Person, b.Person))
	})
	shown.Held = held
	if w.Sessions != nil {
		shown.Sessions = w.Sessions.Held()
		slices.SortFunc(shown.Sessions, func(a, b Shown) int { return cmp.Compare(a.Key, b.Key) })
		for i, s := range shown.Sessions {
			shown.Sessions[i].Persons = named(s.Persons)
		}
		if w.Sessions.Standings != nil {
			shown.Standings = w.Sessions.Standings()
			for i, s := range shown.Standings {
				shown.Standings[i].Person = who[s.Person]
			}
			slices.SortStableFunc(shown.Standings, func(a, b Standing) int { return cmp.Compare(a.Person, b.Person) })
		}
	}
	if w.Files != nil {
		for _, f := range w.Files.Held() {
			shown.Files = append(shown.Files, HeldFile{Name: f.Name, Body: f.Body, On: named(f.On)})
		}
	}
	if w.Works != nil {
		shown.Work = w.workOf(who)
	}
	encoded, err := json.MarshalIndent(shown, "", " ")
	if err != nil {
		w.t.Fatal(err)
	}
	return string(encoded)
}

// workOf returns the work that the CRM holds, without the ids that it gave: who is who names persons. What nobody can make sure of is left out.
func (w *world[R]) workOf(who map[string]string) HeldWork {
	held := w.Works.Held()
	statuses := map[string]string{}
	for id, status := range held.Statuses {
		if who[id] != "" {
			statuses[who[id]] = status
		}
	}
	for i, c := range held.Cases {
		for k, id := range c.Persons {
			held.Cases[i].Persons[k] = cmp.Or(who[id], "a record")
		}
	}
	for i, s := range held.Started {
		held.Started[i].Person = who[s.Person]
		delete(held.Started[i].Inputs, "recordId") // the same id
	}
	slices.SortFunc(held.Cases, func(a, b HeldCase) int { return slices.Compare(a.Persons, b.Persons) })
	slices.SortFunc(held.Started, func(a, b HeldStart) int { return cmp.Compare(a.Person, b.Person) })
	if held.Statuses = statuses; w.Works.Unsure {
		held.Started = nil
	}
	return held
}
