package dynamics_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/dynamics"
	"signalbox/functions/connector/dynamics/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
	"signalbox/shared/receipt"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func decoded(body string) string {
	data, _ := base64.StdEncoding.DecodeString(body)
	return string(data)
}

// wire logs what is sent and replied, without what differs from run to run.
type wire struct {
	next http.RoundTripper
	mu   sync.Mutex // wide batches go side by side
	log  bytes.Buffer
	hook func(r *http.Request) // called before a request is carried out
}

var unsteady = regexp.MustCompile(`(?i)batch(response)?_[0-9a-z-]+|W/"\d+"|W/\\"\d+\\"|invented-token-\d+|Req_id: .*\r?\n|Content-Length: \d+\r?\n`)

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.hook != nil {
		w.hook(r)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	reply, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reply.Body.Close() }()
	told, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	reply.Body = io.NopCloser(bytes.NewReader(told))
	var headers string
	for _, name := range []string{"If-Match", "If-None-Match", "Prefer", "Content-Type"} {
		if value := r.Header.Get(name); value != "" && value != "null" {
			headers += name + ": " + value + "\n"
		}
	}
	text := fmt.Sprintf("> %s %s\n%s%s\n< %d\n%s\n\n", r.Method, r.URL.RequestURI(), headers, sent, reply.StatusCode, told)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.WriteString(unsteady.ReplaceAllString(strings.ReplaceAll(text, "\r\n", "\n"), "~"))
	return reply, nil
}

func (w *wire) calls() int { return strings.Count(w.log.String(), "> ") }

// newcomer returns a delivery of message n of somebody who makes a lead.
func newcomer(n int) delivery.Delivery {
	at := time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	return delivery.Delivery{
		ID: delivery.ID(fmt.Sprintf("e%d.dynamics", n)), CRM: "dynamics",
		Event: canonical.Event{
			EventID: canonical.EventID(fmt.Sprintf("e%d", n)), TenantID: tenantID, AccountID: "account", LineID: "line", ThreadID: "t", Type: canonical.TypeMessage,
			Channel: canonical.WhatsApp, Direction: canonical.Inbound, Provider: "provider", ProviderMessageID: fmt.Sprintf("SM%d", n),
			Sender: canonical.Participant{Phone: "+15551234567"}, Message: &canonical.Message{Text: "Hello <you> & 'me'", ContentType: "text/plain"}, Timestamp: at, ReceivedAt: at,
		},
		Person:  delivery.Person{Key: strings.Repeat("9f", 32), Name: "Ana Ruiz", Phone: "+15551234567", Region: "US"},
		Actions: []delivery.Action{{Kind: delivery.EnsurePerson, Value: map[string]string{"source": "messaging"}}, {Kind: delivery.LogActivity}},
	}
}

// linked returns d of a person whom the router knows.
func linked(d delivery.Delivery, table, id string) delivery.Delivery {
	d.Person.Links = map[string]string{"who": table + "s(" + id + ")", connector.LinkNamed: "true"}
	d.Actions = []delivery.Action{{Kind: delivery.LogActivity}}
	return d
}

func none(t *testing.T, errs []error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.Of(err); err == nil || f.Kind != kind || f.Code != code {
		t.Errorf("%v, want %s %s", err, kind, code)
	}
}

// only returns the one row of a table.
func only(t *testing.T, s *simulator.Simulator, table string) simulator.Record {
	t.Helper()
	all := rows(s, table)
	if len(all) != 1 {
		t.Fatalf("%d rows of %s: %v", len(all), table, all)
	}
	return all[0]
}

// world is an environment, and a process that is signed in to it.
type world struct {
	*simulator.Simulator
	*dynamics.CRM
	wire  *wire
	again bool // an earlier try may have written what show writes
}

func (w *world) carry(t *testing.T, ds ...delivery.Delivery) []connector.Progress {
	t.Helper()
	done, errs := connectortest.Carry(t.Context(), w.CRM, ds...)
	none(t, errs)
	return done
}

// goes fails the test unless a delivery's person turned out to be this row.
func (w *world) goes(t *testing.T, d delivery.Delivery, done connector.Progress, to string) {
	t.Helper()
	if who := w.Links(d, done)["who"]; who != to {
		t.Errorf("goes to %q, want %q", who, to)
	}
}

// scenario is what runs in an environment, and returns how many calls it is to cost.
type scenario struct {
	options simulator.Options
	run     func(t *testing.T, w *world) (calls int)
}

// The golden files are what Dataverse is sent and replies, scenario by scenario.
func TestScenarios(t *testing.T) {
	contact := ana()
	lead := map[string]any{"lastname": "Ruiz", "subject": "x", "mobilephone": "555.123.4567"}
	cases := map[string]scenario{
		"an unknown sender becomes a lead with a message": {run: func(t *testing.T, w *world) int {
			d := newcomer(1)
			w.goes(t, d, w.carry(t, d)[0], "leads("+only(t, w.Simulator, "lead").ID+")")
			return 3
		}},
		"a known contact costs one call": {run: func(t *testing.T, w *world) int {
			id := w.Add("contact", contact)
			w.carry(t, linked(newcomer(1), "contact", id))
			if got := persons(only(t, w.Simulator, "msg_message")); len(got) != 1 || got[0] != id {
				t.Errorf("%v", got)
			}
			return 1
		}},
		"a contact is found by e-mail and gets our key": {run: func(t *testing.T, w *world) int {
			id := w.Add("contact", map[string]any{"lastname": "Ruiz", "emailaddress1": "ana.o'hara+x@example.test"})
			d := newcomer(1)
			d.Person.Email = "Ana.O'Hara+x@Example.test"
			w.goes(t, d, w.carry(t, d)[0], "contacts("+id+")")
			if key := only(t, w.Simulator, "contact").Properties["msg_senderkey"]; key != d.Person.Key {
				t.Error(key)
			}
			return 3
		}},
		"of several with one phone the newest contact is taken, however the number is typed": {run: func(t *testing.T, w *world) int {
			w.Add("contact", contact)
			time.Sleep(time.Minute)
			newer := w.Add("contact", map[string]any{"lastname": "Ana María", "telephone3": "555.123.4567"})
			w.Add("lead", lead)
			w.Add("contact", map[string]any{"lastname": "Other", "telephone1": "+445551234567"})
			w.Add("contact", map[string]any{"lastname": "Other", "telephone1": "(555) 123-4567", "address1_country": "gb"})
			d := newcomer(1)
			done := w.carry(t, d)[0]
			w.goes(t, d, done, "contacts("+newer+")")
			if rule := done["resolve"][connector.ResultRule]; rule != connector.RuleNewest {
				t.Error(rule)
			}
			return 4
		}},
		"a linked lead that was qualified leads to its contact": {run: func(t *testing.T, w *world) int {
			id := w.Add("lead", lead)
			to := w.Qualify(id)
			d := linked(newcomer(1), "lead", id)
			w.goes(t, d, w.carry(t, d)[0], "contacts("+to+")")
			if got := persons(only(t, w.Simulator, "msg_message")); len(got) != 1 || got[0] != to {
				t.Errorf("%v", got)
			}
			return 5
		}},
		"a contact that was merged leads to the one that stands for it": {run: func(t *testing.T, w *world) int {
			id, to := w.Add("contact", contact), w.Add("contact", map[string]any{"lastname": "Ruiz"})
			w.Merge("contact", to, id)
			d := linked(newcomer(1), "contact", id)
			w.goes(t, d, w.carry(t, d)[0], "contacts("+to+")")
			return 5
		}},
		"a linked contact that was deleted is looked for once more": {run: func(t *testing.T, w *world) int {
			id := w.Add("contact", contact)
			w.Delete("contact", id)
			d := linked(newcomer(1), "contact", id)
			d.Actions = newcomer(1).Actions
			w.goes(t, d, w.carry(t, d)[0], "leads("+only(t, w.Simulator, "lead").ID+")")
			return 4
		}},
		"an opt-out is on whom it is about and on who else has the number": {run: func(t *testing.T, w *world) int {
			id, other := w.Add("contact", contact), w.Add("lead", lead)
			d := linked(newcomer(1), "contact", id)
			d.Actions = []delivery.Action{{Kind: delivery.SetConsent, Value: map[string]string{"channel": "sms", "state": "opted_out", "at": "2026-01-18T14:23:12Z"}}}
			w.carry(t, d)
			w.carry(t, d) // as after a crash before the claim was completed
			for _, r := range append(rows(w.Simulator, "contact"), rows(w.Simulator, "lead")...) {
				if p := r.Properties; p["msg_optout"] != "true" || p["msg_optoutchannels"] != "sms" || p["msg_consent"] != "sms=opted_out@2026-01-18T14:23:12.000Z" {
					t.Errorf("%s of %s and %s: %v", r.ID, id, other, p)
				}
			}
			return 5
		}},
		"a reply is shown once, and one that comes late changes nothing": {run: func(t *testing.T, w *world) int {
			d := linked(newcomer(1), "contact", w.Add("contact", contact))
			for _, at := range []string{"2026-01-18T14:23:12Z", "2026-01-18T14:20:00Z"} {
				d.Actions = []delivery.Action{{Kind: delivery.MarkReplied, Value: map[string]string{"at": at}}, {Kind: delivery.CancelSequences, Value: map[string]string{"at": at}}}
				w.carry(t, d)
			}
			if p := only(t, w.Simulator, "contact").Properties; p["msg_lastreplyat"] != "2026-01-18T14:23:12Z" || p["msg_stopautomation"] != "true" {
				t.Errorf("%v", p)
			}
			return 3
		}},
		"an owner who has left is done without, and a notice to nobody": {
			options: simulator.Options{Inactive: user1},
			run: func(t *testing.T, w *world) int {
				d := newcomer(1)
				d.Actions[0].Value = map[string]string{delivery.Owner: user1, delivery.Tell: "true"}
				w.carry(t, d)
				if owner := ownerOf(only(t, w.Simulator, "lead")); owner != "" || len(rows(w.Simulator, "task")) > 0 {
					t.Errorf("owner %q, tasks %v", owner, rows(w.Simulator, "task"))
				}
				return 5
			},
		},
		"whose owner has left, who stands in is told of":      waitsForOneWhoLeft(user2, user2, "", 3),
		"and if they have left, too, the task is of nobody's": waitsForOneWhoLeft(user1, "", "true", 4),
		"a new lead's owner is told by a task": {run: func(t *testing.T, w *world) int {
			d := newcomer(1)
			d.Actions[0].Value = map[string]string{delivery.Owner: user1, delivery.Tell: "true"}
			w.carry(t, d)
			w.carry(t, d) // once more from the beginning: the task is there
			if task := only(t, w.Simulator, "task"); ownerOf(task) != user1 || len(persons(task)) != 1 {
				t.Errorf("%v", task)
			}
			return 7
		}},
		"three known contacts, one of them with a bad row": {run: func(t *testing.T, w *world) int {
			var ds []delivery.Delivery
			for n := range 3 {
				ds = append(ds, linked(newcomer(n), "contact", w.Add("contact", contact)))
			}
			ds[1].Event.Channel = canonical.Channel(strings.Repeat("x", 65))
			_, errs := connectortest.Carry(t.Context(), w.CRM, ds...)
			wants(t, errs[1], fault.Permanent, "dynamics_value_too_long")
			if errs[0] != nil || errs[2] != nil || len(rows(w.Simulator, "msg_message")) != 2 {
				t.Errorf("%v, %d messages", errs, len(rows(w.Simulator, "msg_message")))
			}
			return 1
		}},
		"an environment where our solution is not installed": {options: simulator.Options{Bare: true}, run: func(t *testing.T, w *world) int {
			_, errs := connectortest.Carry(t.Context(), w.CRM, newcomer(1))
			f := fault.Of(errs[0])
			if f == nil || f.Kind != fault.Blocked {
				t.Errorf("%v", errs)
			}
			return w.wire.calls()
		}},
		"an environment whose keys are still being indexed": {options: simulator.Options{KeysPending: true}, run: func(t *testing.T, w *world) int {
			_, errs := connectortest.Carry(t.Context(), w.CRM, newcomer(1))
			wants(t, errs[0], fault.Blocked, "dynamics_key_pending")
			return 2
		}},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.options)
				calls := c.run(t, w)
				if got := w.wire.calls(); got != calls {
					t.Errorf("%d calls, want %d", got, calls)
				}
				golden(t, sentence, w.wire.log.String())
			})
		})
	}
}

// newWorld returns an environment and a process that is signed in to it.
func newWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	o.TokenLife = 365 * 24 * time.Hour
	s := simulator.New(o)
	sent := &wire{next: simulatortest.Transport(s)}
	p := newPlace()
	crm := p.crm(environment(), sent, slog.New(slog.DiscardHandler))
	crm.WriteStatuses(t.Context(), []receipt.Update{{TenantID: tenantID, CRM: "dynamics", Key: strings.Repeat("0", 64), Status: receipt.Status{State: "sent"}}})
	sent.log.Reset()
	return &world{s, crm, sent, false}
}

// golden compares a text with its file.
func golden(t *testing.T, sentence, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(sentence), "-"), "-")+".golden.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// said returns what a session shows, of one line.
func said(text string, written connector.Result) *connector.Activity {
	at := newcomer(1).Event.Timestamp
	a := &connector.Activity{Key: strings.Repeat("5e", 32), Channel: canonical.SMS, Start: at, Zone: time.UTC, Written: written, ConversationKey: strings.Repeat("c0", 32)}
	a.Lines = []connector.Line{{At: at, Inbound: true, Author: "Ana", Text: text}}
	a.Conversation = &conversation.State{Line: "+15557654321", Channel: canonical.SMS, Status: conversation.WaitingForUs, Messages: 1, Since: at}
	if written != nil {
		a.Parts = 1
	}
	return a
}

// show writes a session.
func (w *world) show(t *testing.T, d delivery.Delivery, a *connector.Activity) connector.Result {
	t.Helper()
	step, more, err := w.Next(d, nil)
	if err != nil || !more {
		t.Fatal(err, more)
	}
	step.Activity, step.Again = a, w.again
	o := w.Do(t.Context(), []connector.Step[dynamics.Request]{step})[0]
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	return o.Result
}

func TestASessionIsWrittenWithItsConversationAndWhatAUserChangedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{})
		d := linked(newcomer(1), "contact", w.Add("contact", map[string]any{"lastname": "Ruiz"}))
		written := w.show(t, d, said("one", nil))
		w.Set("msg_message", only(t, w.Simulator, "msg_message").ID, map[string]any{"subject": "Call Ana"})
		w.show(t, d, said("two", written))
		r := only(t, w.Simulator, "msg_message")
		if r.Properties["subject"] != "Call Ana" || !strings.Contains(r.Properties["msg_body"], "two") || strings.Contains(r.Properties["msg_body"], "one") {
			t.Errorf("%v", r.Properties)
		}
		w.Delete("msg_message", r.ID)
		w.show(t, d, said("three", written))
		if r := only(t, w.Simulator, "msg_message"); r.Properties["subject"] != "SMS conversation of 2026-01-18" || len(persons(r)) != 1 {
			t.Errorf("%v", r)
		}
		if c := only(t, w.Simulator, "msg_conversation"); c.Properties["msg_status"] != "waiting_for_us" || len(persons(c)) != 1 {
			t.Errorf("%v", c)
		}
		if got := w.wire.calls(); got != 4 { // the one that was deleted costs a second
			t.Errorf("%d calls", got)
		}
		golden(t, t.Name(), w.wire.log.String())
	})
}

func TestAStatusMakesNoRowAndNeverFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{})
		d := linked(newcomer(1), "contact", w.Add("contact", map[string]any{"lastname": "Ruiz"}))
		d.Event.Direction = canonical.Outbound
		w.carry(t, d)
		w.wire.log.Reset()
		told := func(key, state string) error {
			return w.WriteStatuses(t.Context(), []receipt.Update{{TenantID: tenantID, CRM: "dynamics", Key: key, Status: receipt.Status{State: state, At: d.Event.Timestamp}}})[0]
		}
		for _, state := range []string{"delivered", "sent"} {
			if err := told(connector.MessageKey(d.Event), state); err != nil {
				t.Fatal(err)
			}
		}
		if err := told(strings.Repeat("ab", 32), "sent"); err != nil {
			t.Fatal(err)
		}
		if p := only(t, w.Simulator, "msg_message").Properties; p["msg_status"] != "delivered" {
			t.Errorf("%v", p)
		}
		w.wire.hook = func(r *http.Request) { // somebody writes between the reading and the writing
			if r.Method == http.MethodPatch {
				w.Set("msg_message", only(t, w.Simulator, "msg_message").ID, map[string]any{"msg_status": "read", "msg_statusrank": 90})
			}
		}
		wants(t, told(connector.MessageKey(d.Event), "delivered"), fault.Retryable, "dynamics_changed_meanwhile")
		golden(t, t.Name(), w.wire.log.String())
	})
}

func TestAReplayNeverWritesOverWhatAPersonChanged(t *testing.T) {
	w := newWorld(t, simulator.Options{})
	w.carry(t, newcomer(1))
	id := only(t, w.Simulator, "lead").ID
	w.Set("lead", id, map[string]any{"lastname": "Ruiz de la Prada", "description": "Call her", "mobilephone": nil})
	w.carry(t, newcomer(1)) // from the beginning, as after a crash before the first checkpoint
	if p := only(t, w.Simulator, "lead").Properties; p["lastname"] != "Ruiz de la Prada" || p["description"] != "Call her" || p["mobilephone"] != "" {
		t.Errorf("%v", p)
	}
}

func TestALeadThatAnotherMadeMeanwhileIsTakenAsItIs(t *testing.T) {
	w := newWorld(t, simulator.Options{})
	d := newcomer(1)
	made := false
	w.wire.hook = func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !made && bytes.Contains(body, []byte("If-None-Match: *")) {
			made = true
			w.Add("lead", map[string]any{"lastname": "Ana of theirs", "subject": "x", "msg_senderkey": d.Person.Key})
		}
	}
	done := w.carry(t, d)[0]
	r := only(t, w.Simulator, "lead")
	w.goes(t, d, done, "leads("+r.ID+")")
	if r.Properties["lastname"] != "Ana of theirs" || len(persons(only(t, w.Simulator, "msg_message"))) != 1 || done["record"]["made"] != "before" {
		t.Errorf("%v, %v", r.Properties, done)
	}
}

// TestRowsThatAreInactive: Dataverse lets the Web API change them, so that what belongs there is written; where an environment refuses it, that
// delivery says so, and what makes rows of its own is written all the same.
func TestRowsThatAreInactive(t *testing.T) {
	closed := func(w *world, table, id string) { w.Deactivate(table, id) }
	disqualified := func(w *world, table, id string) { w.Set(table, id, map[string]any{"statecode": 2, "statuscode": 4}) }
	said := func(d delivery.Delivery) delivery.Delivery { return d }
	optsOut := func(d delivery.Delivery) delivery.Delivery {
		d.Actions = []delivery.Action{{Kind: delivery.SetConsent, Value: map[string]string{"channel": "sms", "state": "opted_out", "at": "2026-01-18T14:23:12Z"}}}
		return d
	}
	answers := func(d delivery.Delivery) delivery.Delivery {
		d.Actions = []delivery.Action{{Kind: delivery.MarkReplied, Value: map[string]string{"at": "2026-01-18T14:23:12Z"}}}
		return d
	}
	for sentence, c := range map[string]struct {
		table  string
		become func(w *world, table, id string)
		asks   func(delivery.Delivery) delivery.Delivery
		shows  func(w *world) bool
		frozen bool // an environment that refuses changes of such rows refuses this
	}{
		"a message of a contact who was deactivated":  {"contact", closed, said, func(w *world) bool { return len(rows(w.Simulator, "msg_message")) == 1 }, false},
		"a message of a lead that was disqualified":   {"lead", disqualified, said, func(w *world) bool { return len(rows(w.Simulator, "msg_message")) == 1 }, false},
		"an opt-out of a contact who was deactivated": {"contact", closed, optsOut, func(w *world) bool { return rows(w.Simulator, "contact")[0].Properties["msg_optout"] == "true" }, true},
		"an opt-out of a lead that was disqualified":  {"lead", disqualified, optsOut, func(w *world) bool { return rows(w.Simulator, "lead")[0].Properties["msg_optout"] == "true" }, true},
		"a reply of a lead that was disqualified":     {"lead", disqualified, answers, func(w *world) bool { return rows(w.Simulator, "lead")[0].Properties["msg_lastreplyat"] != "" }, true},
	} {
		for _, frozen := range []bool{false, true} {
			w := newWorld(t, simulator.Options{Frozen: frozen})
			id := w.Add(c.table, map[string]any{"lastname": "Ruiz"})
			c.become(w, c.table, id)
			_, errs := connectortest.Carry(t.Context(), w.CRM, c.asks(linked(newcomer(1), c.table, id)))
			if refused := frozen && c.frozen; refused {
				wants(t, errs[0], fault.Permanent, "dynamics_inactive")
			} else if errs[0] != nil || !c.shows(w) {
				t.Errorf("%s, refused: %t: %v", sentence, frozen, errs[0])
			}
		}
	}
}

// TestAMessageThatWasClosed: a session goes on in it, and its status is shown; where an environment refuses that, both say so.
func TestAMessageThatWasClosed(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		w := newWorld(t, simulator.Options{Frozen: frozen})
		d := linked(newcomer(1), "contact", w.Add("contact", map[string]any{"lastname": "Ruiz"}))
		written := w.show(t, d, said("one", nil))
		row := only(t, w.Simulator, "msg_message")
		w.Deactivate("msg_message", row.ID)
		step, _, err := w.Next(d, nil)
		if err != nil {
			t.Fatal(err)
		}
		step.Activity = said("two", written)
		errs := []error{w.Do(t.Context(), []connector.Step[dynamics.Request]{step})[0].Err, w.WriteStatuses(t.Context(), []receipt.Update{{
			TenantID: tenantID, CRM: "dynamics", Key: row.Properties["msg_eventkey"], Status: receipt.Status{State: "delivered", At: d.Event.Timestamp},
		}})[0]}
		for _, err := range errs {
			if frozen {
				wants(t, err, fault.Permanent, "dynamics_inactive")
			} else if err != nil {
				t.Error(err)
			}
		}
		if p := only(t, w.Simulator, "msg_message").Properties; (strings.Contains(p["msg_body"], "two") && p["msg_status"] == "delivered") == frozen || p["statecode"] != "1" {
			t.Errorf("refused: %t: %v", frozen, p)
		}
	}
}

// unreadable spoils the reading of one person: what is asked of the row is nothing that it has.
type unreadable struct {
	next http.RoundTripper
	id   string
}

func (u unreadable) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(sent, []byte("("+u.id+")?$select="), []byte("("+u.id+")?$apply="))))
	return u.next.RoundTrip(r)
}

// TestAPersonWhoCannotBeReadFailsNobodyElse: each of several opt-outs in one call stands by itself, and one for several rows is on those that can be read.
func TestAPersonWhoCannotBeReadFailsNobodyElse(t *testing.T) {
	w := newWorld(t, simulator.Options{})
	var ds []delivery.Delivery
	var ids []string
	for n := range 3 {
		ids = append(ids, w.Add("contact", map[string]any{"lastname": "Ruiz", "mobilephone": fmt.Sprintf("+1555123456%d", n)}))
		d := linked(newcomer(n), "contact", ids[n])
		d.Person.Phone = fmt.Sprintf("+1555123456%d", n)
		d.Actions = []delivery.Action{{Kind: delivery.SetConsent, Value: map[string]string{"channel": "sms", "state": "opted_out", "at": "2026-01-18T14:23:12Z"}}}
		ds = append(ds, d)
	}
	w.wire.next = unreadable{w.wire.next, ids[1]}
	_, errs := connectortest.Carry(t.Context(), w.CRM, ds...)
	wants(t, errs[1], fault.Permanent, "dynamics_refused")
	for n, out := range []string{"true", "", "true"} {
		if i := slices.IndexFunc(rows(w.Simulator, "contact"), func(r simulator.Record) bool { return r.ID == ids[n] }); rows(w.Simulator, "contact")[i].Properties["msg_optout"] != out || (errs[n] == nil) != (out != "") {
			t.Errorf("person %d: %v, %v", n, rows(w.Simulator, "contact")[i].Properties, errs[n])
		}
	}
}

// byKey tells of what is there as an index does that is met first: If-None-Match has Dataverse make the row at once.
type byKey struct{ next http.RoundTripper }

func (k byKey) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := k.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reply.Body.Close() }()
	told, err := io.ReadAll(reply.Body)
	told = bytes.ReplaceAll(told, []byte("0x80040237"), []byte("0x80060892"))
	reply.Body, reply.ContentLength = io.NopCloser(bytes.NewReader(told)), int64(len(told))
	return reply, err
}

// TestAKeyThatIsTakenSaysThatTheRowIsThere: of what is made unless it is there, a duplicate of its key is no fault, and costs no repeat.
func TestAKeyThatIsTakenSaysThatTheRowIsThere(t *testing.T) {
	notice := newcomer(1)
	notice.Actions = []delivery.Action{{Kind: delivery.Notify, Value: map[string]string{"about": "leads/line", "subject": "line has had its leads", "text": "No more.", delivery.Owner: user1}}}
	for sentence, run := range map[string]func(t *testing.T, w *world) (calls int){
		"a lead, by another thread of the same person": func(t *testing.T, w *world) int {
			w.wire.hook = func(r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if bytes.Contains(body, []byte("If-None-Match: *")) {
					w.Add("lead", map[string]any{"lastname": "Ana of theirs", "subject": "x", "msg_senderkey": newcomer(1).Person.Key})
				}
			}
			if done := w.carry(t, newcomer(1))[0]; done["record"]["made"] != "before" {
				t.Errorf("%v", done)
			}
			return 3
		},
		"a part of a session, by an earlier try": func(t *testing.T, w *world) int {
			d := linked(newcomer(1), "contact", w.Add("contact", map[string]any{"lastname": "Ruiz"}))
			w.show(t, d, said("one", nil))
			w.again = true
			w.show(t, d, said("one, two", nil))
			if p := only(t, w.Simulator, "msg_message").Properties; !strings.Contains(p["msg_body"], "two") {
				t.Errorf("%v", p)
			}
			return 2
		},
		"a notice, by an earlier try": func(t *testing.T, w *world) int {
			w.carry(t, notice)
			w.carry(t, notice)
			only(t, w.Simulator, "task")
			return 2
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, simulator.Options{})
			w.wire.next = byKey{w.wire.next}
			if calls := run(t, w); w.wire.calls() != calls {
				t.Errorf("%d calls, want %d", w.wire.calls(), calls)
			}
		})
	}
}

// TestAKeyOfTheEnvironmentsOwnThatIsTakenIsTold: who has the e-mail address of somebody whose lead was disqualified is not made.
func TestAKeyOfTheEnvironmentsOwnThatIsTakenIsTold(t *testing.T) {
	w := newWorld(t, simulator.Options{})
	define(t, w.Simulator, "lead", "Keys", `{"SchemaName":"acme_emailkey","KeyAttributes":["emailaddress1"]}`)
	w.Add("lead", map[string]any{"lastname": "Ruiz", "emailaddress1": "ana@example.test", "statecode": 2, "statuscode": 4})
	d := newcomer(1)
	d.Person.Email = "ana@example.test"
	_, errs := connectortest.Carry(t.Context(), w.CRM, d)
	wants(t, errs[0], fault.Permanent, "dynamics_duplicate_key")
}

// scripted gives its replies to batches in turn, and leaves the rest to the simulator.
type scripted struct {
	next    http.RoundTripper
	replies []told
}

// told is a reply, or that there is none.
type told struct {
	status     int // 0: none
	kind, body string
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "$batch") || len(s.replies) == 0 {
		return s.next.RoundTrip(r)
	}
	one := s.replies[0]
	s.replies = s.replies[1:]
	if one.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: one.status, Header: http.Header{"Content-Type": {one.kind}}, Body: io.NopCloser(strings.NewReader(one.body))}, nil
}

// TestARepeatThatIsHeldUpIsNoVerdict: who lost a race and then meets a limit, or no reply, has not been refused.
func TestARepeatThatIsHeldUpIsNoVerdict(t *testing.T) {
	part := func(status, body string) string {
		return "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n\r\n" + body + "\r\n"
	}
	raced := told{http.StatusOK, "multipart/mixed; boundary=b", part("200 OK", `{"contactid":"1","lastname":"Ruiz"}`) +
		part("412 Precondition Failed", `{"error":{"code":"0x80060892","message":"refused"}}`) + "--b--\r\n"}
	for sentence, c := range map[string]struct {
		again told
		kind  fault.Kind
	}{
		"a limit":  {told{http.StatusTooManyRequests, "application/json", `{"error":{"code":"0x80072322","message":"refused"}}`}, fault.Throttled},
		"no reply": {told{}, fault.Retryable},
	} {
		w := newWorld(t, simulator.Options{})
		d := linked(newcomer(1), "contact", w.Add("contact", map[string]any{"lastname": "Ruiz"}))
		w.wire.next = &scripted{w.wire.next, []told{raced, c.again}}
		_, errs := connectortest.Carry(t.Context(), w.CRM, d)
		if f := fault.Of(errs[0]); f == nil || f.Kind != c.kind {
			t.Errorf("%s: %v, want %s", sentence, errs[0], c.kind)
		}
	}
}

func TestManyKnownContactsCostFewCalls(t *testing.T) {
	w := newWorld(t, simulator.Options{})
	var ds []delivery.Delivery
	for n := range 100 {
		ds = append(ds, linked(newcomer(n), "contact", w.Add("contact", map[string]any{"lastname": "Ruiz"})))
	}
	w.carry(t, ds...)
	if got := w.wire.calls(); got > 5 {
		t.Errorf("%d calls for %d messages", got, len(ds))
	}
}

func TestATokenIsReplacedBeforeItEndsAndWhenItIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Apps: []simulator.App{app()}})
		crm := newPlace().crm(environment(), simulatortest.Transport(s), slog.New(slog.DiscardHandler))
		id := s.Add("contact", map[string]any{"lastname": "Ruiz"})
		minted := func(n, want int) {
			t.Helper()
			_, errs := connectortest.Carry(t.Context(), crm, linked(newcomer(n), "contact", id))
			none(t, errs)
			if got := s.Minted(); got != want {
				t.Errorf("message %d: %d tokens, want %d", n, got, want)
			}
		}
		minted(1, 1)
		minted(2, 1)
		time.Sleep(50 * time.Minute)
		minted(3, 1)
		time.Sleep(6 * time.Minute)
		minted(4, 2)
		time.Sleep(2 * time.Minute)
		s.Expire()
		minted(5, 3)
	})
}

func TestBindingsThatCannotWork(t *testing.T) {
	for code, change := range map[string]func(*dynamics.Binding){
		"dynamics_base_url_invalid":    func(b *dynamics.Binding) { b.BaseURL = "acme" },
		"dynamics_login_url_invalid":   func(b *dynamics.Binding) { b.LoginURL = "ftp://login.example" },
		"dynamics_version_unknown":     func(b *dynamics.Binding) { b.Version = "v8.2" },
		"dynamics_credentials_missing": func(b *dynamics.Binding) { b.Directory = "../x" },
	} {
		b := environment()
		change(&b)
		crm := newPlace().crm(b, simulatortest.Transport(simulator.New(simulator.Options{})), slog.New(slog.DiscardHandler))
		_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
		wants(t, errs[0], fault.Blocked, code)
	}
}

func TestAMappedChoiceIsANumber(t *testing.T) {
	w := newWorld(t, simulator.Options{})
	step, _, err := w.Next(linked(newcomer(1), "lead", w.Add("lead", map[string]any{"lastname": "Ruiz", "subject": "x"})), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, problems := mapping.Parse([]byte(`{"version":1,"lead":[
		{"to":"leadqualitycode","from":"event.channel","choices":{"whatsapp":"2"},"write":"always"},{"to":"jobtitle","value":"2","write":"always"}]}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	e := newcomer(1).Event
	step.Fields, _ = m.Evaluate(&mapping.Source{Event: &e, Zone: time.UTC}, &mapping.Source{Event: &e, Zone: time.UTC}, connector.Cut)
	if o := w.Do(t.Context(), []connector.Step[dynamics.Request]{step})[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	if p := only(t, w.Simulator, "lead").Properties; p["leadqualitycode"] != "2" || p["jobtitle"] != "2" {
		t.Errorf("%v", p)
	}
}

// ana is somebody whom an environment holds.
func ana() map[string]any {
	return map[string]any{"firstname": "Ana", "lastname": "Ruiz", "telephone1": "(555) 123-4567"}
}

// waitsForOneWhoLeft is the scenario of a person who waits for an answer and whose owner, user1, has left: who is told, and in how many calls.
func waitsForOneWhoLeft(standIn, told, untold string, calls int) scenario {
	return scenario{options: simulator.Options{Inactive: user1}, run: func(t *testing.T, w *world) int {
		id := w.Add("contact", ana())
		w.Give("contact", id, user1)
		d := linked(newcomer(1), "contact", id)
		d.Actions = []delivery.Action{{Kind: delivery.Notify, Value: map[string]string{
			"about": "waiting", "subject": "Waiting", "text": "Still.", delivery.OfWhom: delivery.Held, delivery.To: delivery.TheirOwner, delivery.Owner: standIn,
		}}}
		if done := w.carry(t, d)[0]; done["notice"][connector.ResultUntold] != untold {
			t.Errorf("%v", done["notice"])
		}
		if task := only(t, w.Simulator, "task"); ownerOf(task) != told || len(persons(task)) != 1 {
			t.Errorf("%v", task)
		}
		return calls
	}}
}
