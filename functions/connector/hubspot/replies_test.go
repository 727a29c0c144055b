package hubspot_test

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// reply returns the delivery of message n, which answers an outreach, with more actions behind.
func reply(n int, more ...delivery.Kind) delivery.Delivery {
	d := message(n, append([]delivery.Kind{delivery.MarkReplied, delivery.CancelSequences}, more...)...)
	at := map[string]string{"at": d.Event.Timestamp.Format(time.RFC3339)}
	d.Actions[0].Value, d.Actions[1].Value = at, at
	return d
}

// answers is a portal with the workflow that package/sequences.md describes, run by hand.
type answers struct {
	*simulator.Simulator
	t   *testing.T
	crm *hubspot.CRM
	log *wire
}

func newAnswers(t *testing.T) answers {
	t.Helper()
	s := simulator.New(simulator.Options{Token: token})
	w := &wire{next: simulator.Transport(s)}
	return answers{s, t, newCRM(portal(), w, slog.New(slog.DiscardHandler)), w}
}

// carry carries deliveries out, all together, and returns how many calls it took.
func (a answers) carry(ds ...delivery.Delivery) (calls int) {
	a.t.Helper()
	a.log.log.Reset()
	_, errs := connectortest.Carry(a.t.Context(), a.crm, ds...)
	none(a.t, errs)
	return strings.Count(a.log.log.String(), "> ")
}

func (a answers) properties(id string) map[string]string {
	a.t.Helper()
	held, _ := a.Records("contacts")
	i := slices.IndexFunc(held, func(r simulator.Record) bool { return r.ID == id })
	if i < 0 {
		a.t.Fatalf("contact %s is not there", id)
	}
	return held[i].Properties
}

// says fails the test unless the contact says that it replied with the message of d, and asks for the end of sequences or not.
func (a answers) says(id string, d delivery.Delivery, stop string) {
	a.t.Helper()
	p := a.properties(id)
	if want := hubspotTime(d.Event.Timestamp); p["msg_last_reply_at"] != want || p["msg_stop_automation"] != stop {
		a.t.Errorf("replied at %q, stop %q; want %q and %q", p["msg_last_reply_at"], p["msg_stop_automation"], want, stop)
	}
}

func (a answers) enrol(id string, began time.Time) {
	a.Set("contacts", id, map[string]string{"hs_latest_sequence_enrolled_date": hubspotTime(began)})
}

func (a answers) workflow(id string) {
	if a.properties(id)["msg_stop_automation"] == "true" {
		a.Set("contacts", id, map[string]string{"msg_stop_automation": "false"})
	}
}

func TestAReplyThatComesLateChangesNothing(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", nil)
	a.carry(linked(reply(5), id))
	a.workflow(id)
	if calls := a.carry(linked(reply(4), id)); calls != 1 {
		t.Errorf("%d calls to find that out, want 1", calls)
	}
	a.says(id, reply(5), "false")
}

func TestANewerReplyEndsSequencesAgainAfterTheWorkflow(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", nil)
	a.carry(linked(reply(1), id))
	a.says(id, reply(1), "true")
	a.workflow(id)
	a.enrol(id, reply(2).Event.Timestamp)
	a.carry(linked(reply(3), id))
	a.says(id, reply(3), "true")
}

func TestASequenceThatBeganAfterTheReplyGoesOn(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", nil)
	a.enrol(id, reply(2).Event.Timestamp)
	a.carry(linked(reply(1), id))
	a.says(id, reply(1), "")
	a.carry(linked(reply(3), id))
	a.says(id, reply(3), "true")
}

func TestARepeatBeforeCompletionAsksOnlyForWhatIsMissing(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", nil)
	a.carry(linked(reply(1), id))
	if calls := a.carry(linked(reply(1), id)); calls != 1 {
		t.Errorf("%d calls of a repeat, want 1", calls)
	}
	a.Set("contacts", id, map[string]string{"msg_stop_automation": ""})
	a.carry(linked(reply(1), id))
	a.says(id, reply(1), "true")
}

func TestWhatIsHeldBeyondReadingCountsAsNothing(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", map[string]string{"msg_last_reply_at": "tomorrow", "hs_latest_sequence_enrolled_date": "never"})
	a.carry(linked(reply(1), id))
	a.says(id, reply(1), "true")
}

func TestSequencesEndBeforeTheActivityIsLogged(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", nil)
	if calls := a.carry(linked(reply(1, delivery.LogActivity), id)); calls != 4 {
		t.Errorf("%d calls, want 4", calls)
	}
	log := a.log.log.String()
	if strings.Index(log, "contacts/batch/update") > strings.Index(log, "communications/batch/upsert") {
		t.Error("the activity is logged first")
	}
}

func TestAStopThatIsAlsoAReplyDoesBoth(t *testing.T) {
	a := newAnswers(t)
	id := a.Add("contacts", nil)
	d := stop(1, "2026-01-18T14:23:01Z")
	d.Actions = append(d.Actions, reply(1, delivery.LogActivity).Actions...)
	a.carry(linked(d, id))
	a.says(id, d, "true")
	if p := a.properties(id); p["msg_opt_out"] != "true" {
		t.Errorf("%v", p)
	}
}

func TestAReplyFollowsWhoeverIsStillThere(t *testing.T) {
	cases := map[string]struct {
		more     []delivery.Kind
		known    bool // another contact has our key
		contacts int
	}{
		"nobody, and nobody is made":                {nil, false, 0},
		"nobody, who is made to log the activity":   {[]delivery.Kind{delivery.LogActivity}, false, 1},
		"somebody made since":                       {nil, true, 1},
		"somebody made since, who gets an activity": {[]delivery.Kind{delivery.LogActivity}, true, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAnswers(t)
			gone := a.Add("contacts", nil)
			a.Archive("contacts", gone)
			d := linked(reply(1, c.more...), gone)
			if c.known {
				a.Add("contacts", map[string]string{"msg_sender_key": d.Person.Key})
			}
			done, errs := connectortest.Carry(t.Context(), a.crm, d)
			none(t, errs)
			held, _ := a.Records("contacts")
			if len(held) != c.contacts {
				t.Fatalf("%d contacts, want %d", len(held), c.contacts)
			}
			for _, r := range held {
				a.says(r.ID, d, "true")
				if links := a.crm.Links(d, done[0]); links["contact"] != r.ID {
					t.Errorf("links %v, want %s", links, r.ID)
				}
			}
			if logged, _ := a.Records("communications"); len(logged) != len(c.more) {
				t.Errorf("%d activities, want %d", len(logged), len(c.more))
			}
		})
	}
}

func TestTheContactThatTheDeliveryMakesIsTheOneWhoReplied(t *testing.T) {
	a := newAnswers(t)
	d := newcomer(1)
	d.Actions = append(d.Actions[:1:1], reply(1, delivery.LogActivity).Actions...)
	a.carry(d)
	held, _ := a.Records("contacts")
	if len(held) != 1 {
		t.Fatalf("%d contacts, want 1", len(held))
	}
	a.says(held[0].ID, d, "true")
}

func TestRepliesInOneBatchMeetTheirOwnEnds(t *testing.T) {
	a := newAnswers(t)
	var ids []string
	for range 5 {
		ids = append(ids, a.Add("contacts", nil))
	}
	a.Archive("contacts", ids[1])
	a.carry(linked(reply(9), ids[2]))
	a.workflow(ids[2])
	a.enrol(ids[3], reply(9).Event.Timestamp)
	bad := linked(reply(5), ids[4])
	bad.Actions[1].Value = map[string]string{"at": "soon"}
	a.log.log.Reset()
	_, errs := connectortest.Carry(t.Context(), a.crm,
		linked(reply(1), ids[0]), linked(reply(2), ids[1]), linked(reply(3), ids[2]), linked(reply(4), ids[3]), bad,
		linked(reply(7), ids[0]), linked(reply(6), ids[0]))
	if f := fault.Of(errs[4]); f == nil || f.Kind != fault.Permanent || f.Code != "hubspot_reply_invalid" {
		t.Errorf("%v", errs[4])
	}
	errs[4] = nil
	none(t, errs)
	a.says(ids[0], reply(7), "true")
	a.says(ids[2], reply(9), "false")
	a.says(ids[3], reply(4), "")
	if p := a.properties(ids[4]); p["msg_last_reply_at"] != "" {
		t.Errorf("%v", p)
	}
	if n := strings.Count(a.log.log.String(), "contacts/batch/update"); n != 1 {
		t.Errorf("%d writes, want 1 for all", n)
	}
}

// A contact that is deleted between the two calls fails none of its neighbours.
func TestAContactThatGoesAwayBetweenTheCallsFailsNobody(t *testing.T) {
	a := newAnswers(t)
	stays, goes := a.Add("contacts", nil), a.Add("contacts", nil)
	crm := newCRM(portal(), roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/batch/update") {
			a.Archive("contacts", goes)
		}
		return a.log.RoundTrip(r)
	}), slog.New(slog.DiscardHandler))
	_, errs := connectortest.Carry(t.Context(), crm, linked(reply(1), stays), linked(reply(2), goes))
	none(t, errs)
	a.says(stays, reply(1), "true")
}

// What is refused for one contact is the end of every step about it, and of no other: none of them may pass for done because
// another, which is not, would have done its work.
func TestStepsAboutOneContactShareItsEnd(t *testing.T) {
	a := newAnswers(t)
	good, bad := a.Add("contacts", nil), a.Add("contacts", nil)
	refused := []byte(`{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"status":"error","category":"VALIDATION_ERROR","context":{"objectWriteTraceId":["` + bad + `"]}}]}`)
	a.Spoil(simulator.Fault{Match: "/crm/objects/2026-03/contacts/batch/update", Status: http.StatusMultiStatus, Body: refused})
	_, errs := connectortest.Carry(t.Context(), a.crm, linked(reply(3), bad), linked(reply(2), bad), linked(reply(1), good))
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	a.says(good, reply(1), "true")
}

func TestRepliesUseTheNamesOfTheBinding(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token, Bare: true})
	b := portal()
	b.Properties.LastReplyAt, b.Properties.StopAutomation = "acme_replied_at", "acme_stop"
	crm := newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler))
	visit(t, crm, true)
	id := s.Add("contacts", nil)
	_, errs := connectortest.Carry(t.Context(), crm, linked(reply(1), id))
	none(t, errs)
	held, _ := s.Records("contacts")
	if p := held[0].Properties; p["acme_replied_at"] != "2026-01-18T14:23:01.000Z" || p["acme_stop"] != "true" {
		t.Errorf("%v", p)
	}
}

func TestThePlanOfAReplyIsOneStep(t *testing.T) {
	for name, c := range map[string]struct {
		d    delivery.Delivery
		done connector.Progress
		want []string
	}{
		"known":                     {linked(reply(1, delivery.LogActivity), "1"), connector.Progress{}, []string{"reply", "activity"}},
		"unknown, alone":            {reply(1), connector.Progress{"resolve": {}}, nil},
		"found":                     {reply(1), connector.Progress{"resolve": {"contact": "1"}}, []string{"reply"}},
		"unknown, with an activity": {reply(1, delivery.LogActivity), connector.Progress{"resolve": {}, "contact": {"contact": "1", "named": "true"}}, []string{"reply", "activity"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAnswers(t)
			var names []string
			for {
				step, more, err := a.crm.Next(c.d, c.done)
				if err != nil {
					t.Fatal(err)
				}
				if !more {
					break
				}
				names = append(names, step.Name)
				c.done[step.Name] = connector.Result{}
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("steps %q, want %q", names, c.want)
			}
		})
	}
}
