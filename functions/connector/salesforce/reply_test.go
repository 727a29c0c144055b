package salesforce_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// stage is an org and a connector to it.
type stage struct {
	*simulator.Simulator
	*salesforce.CRM
	said   *bytes.Buffer       // logs and metrics
	before func(*http.Request) // is called with every request
}

// replyTime is when the first reply comes; Salesforce keeps it without its milliseconds.
var replyTime = time.Date(2026, 1, 18, 14, 23, 12, 123e6, time.UTC)

// answering returns a delivery of a known person that says of a reply what kinds say.
func answering(n int, who string, at time.Time, kinds ...delivery.Kind) delivery.Delivery {
	d := linked(message(n, kinds...), who)
	d.Event.Timestamp = at
	for i := range d.Actions {
		if d.Actions[i].Kind != delivery.LogActivity {
			d.Actions[i].Value = map[string]string{"at": at.Format(time.RFC3339Nano)}
		}
	}
	return d
}

// replying returns a message that is a reply.
func replying(n int, who string, at time.Time) delivery.Delivery {
	return answering(n, who, at, delivery.MarkReplied, delivery.CancelSequences, delivery.LogActivity)
}

// shows fails the test unless a person shows a reply at a time, or none, and the stop.
func (s *stage) shows(t *testing.T, id string, at time.Time, stop bool) {
	t.Helper()
	want := ""
	if !at.IsZero() {
		want = at.Truncate(time.Second).Format("2006-01-02T15:04:05.000Z")
	}
	for _, object := range []string{"Contact", "Lead"} {
		held, _ := s.Records(object)
		for _, p := range held {
			if got := p.Properties["Msg_Last_Reply_At__c"]; p.ID == id && (got != want || (p.Properties["Msg_Stop_Automation__c"] == "true") != stop) {
				t.Errorf("%s: %v, want a reply at %q, stop %t", id, p.Properties, want, stop)
			}
		}
	}
}

// runs fails the test unless exactly these trackers still run.
func (s *stage) runs(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	held, _ := s.Records("ActionCadenceTracker")
	for _, tracker := range held {
		if tracker.Properties["State"] == "Running" {
			got = append(got, tracker.ID)
		} else if reason := tracker.Properties["CompletionReason"]; reason == "" {
			t.Errorf("%s ended without a reason", tracker.ID)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("cadences %q run, want %q", got, want)
	}
}

// told fails the test unless it is told so often that cadences could not be ended.
func (s *stage) told(t *testing.T, times int) {
	t.Helper()
	said := s.said.String()
	if strings.Count(said, "stay in theirs") != times || strings.Count(said, `"SequencesNotCancelled":`) != times ||
		times > 0 && !strings.Contains(said, `"tenant":"demo","crm":"salesforce"`) {
		t.Errorf("not told %d times: %s", times, said)
	}
}

// play carries deliveries and fails the test if one does not succeed.
func (s *stage) play(t *testing.T, ds ...delivery.Delivery) {
	t.Helper()
	_, errs := connectortest.Carry(t.Context(), s.CRM, ds...)
	none(t, errs)
}

// contact returns the fields of somebody.
func contact() map[string]any {
	return map[string]any{"FirstName": "Ana", "LastName": "Ruiz", "Phone": "(555) 123-4567"}
}

// ago is when what ran had begun, from the reply on.
const ago = -24 * time.Hour

// scene is what happens on a stage.
type scene struct {
	fieldsOnly bool // Sales Engagement is off
	options    simulator.Options
	run        func(t *testing.T, s *stage) (calls int)
}

// perform plays scenes. The golden files are what Salesforce is sent and answers.
func perform(t *testing.T, scenes map[string]scene) {
	t.Helper()
	for name, c := range scenes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.options.Apps = apps(t)
				s := &stage{Simulator: simulator.New(c.options), said: new(bytes.Buffer)}
				b := org()
				b.Capabilities.SalesEngagement = !c.fieldsOnly
				p := signedIn(t, b, s.Simulator)
				w := &wire{next: roundTrip(func(r *http.Request) (*http.Response, error) {
					if s.before != nil {
						s.before(r)
					}
					return simulatortest.Transport(s.Simulator).RoundTrip(r)
				})}
				s.CRM = salesforce.New(salesforce.Options{
					Bindings: bound(b), Client: &http.Client{Transport: w}, Store: p.store, Sealer: p.box,
					Logger: slog.New(slog.NewJSONHandler(s.said, nil)), Meter: telemetry.NewMeter(s.said, telemetry.Identity{}),
				})
				want := c.run(t, s)
				if calls := strings.Count(w.log.String(), "> "); calls != want {
					t.Errorf("%d calls, want %d", calls, want)
				}
				golden(t, w.log.Bytes())
			})
		})
	}
}

// reset takes the stop back as a user of the org would.
func (s *stage) reset(t *testing.T, id string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://x.example/services/data/v66.0/sobjects/Contact/"+id,
		io.NopCloser(strings.NewReader(`{"Msg_Stop_Automation__c":false}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.NewSession())
	request.Header.Set("Content-Type", "application/json")
	reply, err := simulatortest.Transport(s.Simulator).RoundTrip(request)
	if err != nil || reply.StatusCode != http.StatusNoContent {
		t.Fatal(err, reply)
	}
	_ = reply.Body.Close()
}

func TestReplies(t *testing.T) {
	perform(t, map[string]scene{
		"a reply without sales engagement": {fieldsOnly: true, run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			return 3
		}},
		"a reply ends the cadences that had begun": {run: func(t *testing.T, s *stage) int {
			id, other := s.Add("Contact", contact()), s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.Enrol(id, replyTime)
			goesOn := s.Enrol(other, replyTime.Add(ago))
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			s.runs(t, goesOn)
			return 5
		}},
		"a reply of somebody in no cadence": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Complete(s.Enrol(id, replyTime.Add(ago)))
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			return 4
		}},
		"a cadence that began after the reply goes on": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			goesOn := s.Enrol(id, replyTime.Add(time.Second))
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, false)
			s.runs(t, goesOn)
			return 5
		}},
		"an older reply that comes late changes nothing": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.play(t, answering(1, id, replyTime.Add(time.Second), delivery.MarkReplied))
			goesOn := s.Enrol(id, replyTime.Add(ago))
			s.play(t, replying(2, id, replyTime))
			s.shows(t, id, replyTime.Add(time.Second), false)
			s.runs(t, goesOn)
			return 4
		}},
		"a reply that is carried out again ends cadences but writes nothing": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.play(t, replying(1, id, replyTime))
			s.reset(t, id) // as the org's automation does
			s.Enrol(id, replyTime.Add(ago))
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, false)
			s.runs(t)
			return 8
		}},
		"of two replies within a second neither is late": {fieldsOnly: true, run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.play(t, answering(1, id, replyTime.Add(800*time.Millisecond), delivery.MarkReplied))
			s.play(t, answering(2, id, replyTime, delivery.CancelSequences))
			s.shows(t, id, replyTime, true)
			return 4
		}},
		"a reply that is only marked ends nothing": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			goesOn := s.Enrol(id, replyTime.Add(ago))
			s.play(t, answering(1, id, replyTime, delivery.MarkReplied))
			s.shows(t, id, replyTime, false)
			s.runs(t, goesOn)
			return 2
		}},
		"a reply that only ends sequences": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.play(t, answering(1, id, replyTime, delivery.CancelSequences))
			s.shows(t, id, time.Time{}, true)
			s.runs(t)
			return 4
		}},
		"two replies of one person in a batch": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(30*time.Second))
			s.play(t, replying(1, id, replyTime.Add(time.Minute)), replying(2, id, replyTime))
			s.shows(t, id, replyTime.Add(time.Minute), true)
			s.runs(t)
			return 5
		}},
		"in a batch too a newer reply leaves nothing to an older one": {run: func(t *testing.T, s *stage) int {
			for n := range 2 {
				id := s.Add("Contact", contact())
				s.Enrol(id, replyTime.Add(ago))
				both := []delivery.Delivery{answering(1, id, replyTime, delivery.CancelSequences), answering(2, id, replyTime.Add(time.Minute), delivery.MarkReplied)}
				s.play(t, both[n], both[1-n])
				s.shows(t, id, replyTime.Add(time.Minute), false)
			}
			return 4
		}},
		"what we write after a reply in a batch takes nothing from it": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(30*time.Second))
			s.play(t, answering(1, id, replyTime.Add(time.Minute), delivery.CancelSequences), answering(2, id, replyTime, delivery.MarkReplied, delivery.CancelSequences))
			s.shows(t, id, replyTime, true)
			s.runs(t)
			return 4
		}},
		"what we write is ended by, although it is carried out again, without what began later": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.play(t, answering(1, id, replyTime, delivery.CancelSequences))
			s.reset(t, id) // as the org's automation does
			goesOn := s.Enrol(id, replyTime.Add(time.Minute))
			s.play(t, answering(1, id, replyTime, delivery.CancelSequences))
			s.shows(t, id, time.Time{}, false)
			s.runs(t, goesOn)
			return 6
		}},
		"a cadence that is locked keeps the field of what we write until it is removed": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Lock(s.Enrol(id, replyTime.Add(ago)), 1)
			_, errs := connectortest.Carry(t.Context(), s.CRM, answering(1, id, replyTime, delivery.CancelSequences))
			wants(t, errs[0], fault.Retryable, "salesforce_locked")
			s.shows(t, id, time.Time{}, false)
			s.play(t, answering(1, id, replyTime, delivery.CancelSequences))
			s.shows(t, id, time.Time{}, true)
			s.runs(t)
			return 7
		}},
		"two replies of one second in a batch are one": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.play(t, answering(1, id, replyTime.Add(time.Millisecond), delivery.CancelSequences), answering(2, id, replyTime, delivery.MarkReplied))
			s.shows(t, id, replyTime, true)
			s.runs(t)
			return 4
		}},
		"a reply of a lead that was converted": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
			s.Enrol(id, replyTime.Add(ago))
			to := s.Convert(id)
			s.Enrol(to, replyTime.Add(ago))
			s.play(t, answering(1, id, replyTime, delivery.MarkReplied, delivery.CancelSequences))
			s.shows(t, to, replyTime, true)
			s.runs(t)
			return 11
		}},
		"a reply of somebody unknown creates nobody": {run: func(t *testing.T, s *stage) int {
			s.play(t, answering(1, "", replyTime, delivery.MarkReplied, delivery.CancelSequences))
			count(t, s.Simulator, "Lead", 0)
			count(t, s.Simulator, "Contact", 0)
			return 2
		}},
		"replies in a batch, each with its own end": {run: mixed},
	})
}

// mixed is a batch of which every delivery ends differently.
func mixed(t *testing.T, s *stage) (calls int) {
	person := func() string { return s.Add("Contact", map[string]any{"LastName": "Ruiz"}) }
	ended, gone, late, refused, locked, senseless := person(), person(), person(), person(), person(), person()
	lead := s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
	s.play(t, answering(0, late, replyTime.Add(time.Hour), delivery.MarkReplied))
	trackers := map[string]string{}
	for _, id := range []string{ended, gone, late, refused, locked, senseless, lead} {
		trackers[id] = s.Enrol(id, replyTime.Add(-time.Hour))
	}
	s.Delete(gone)
	s.Lock(locked, 1)
	s.Lock(trackers[refused], 1)
	var ds []delivery.Delivery
	for n, id := range []string{ended, gone, late, refused, locked, senseless, lead} {
		d := answering(n+1, id, replyTime, delivery.MarkReplied, delivery.CancelSequences)
		d.Person.Phone = ""
		ds = append(ds, d)
	}
	ds[5].Actions[0].Value = map[string]string{"at": "yesterday"}
	_, errs := connectortest.Carry(t.Context(), s.CRM, ds...)
	none(t, []error{errs[0], errs[1], errs[2], errs[6]})
	wants(t, errs[3], fault.Retryable, "salesforce_locked")
	wants(t, errs[4], fault.Retryable, "salesforce_locked")
	wants(t, errs[5], fault.Permanent, "salesforce_reply_invalid")
	s.runs(t, trackers[gone], trackers[late], trackers[refused], trackers[locked], trackers[senseless])
	for _, id := range []string{ended, lead, refused} {
		s.shows(t, id, replyTime, true)
	}
	s.shows(t, late, replyTime.Add(time.Hour), false)
	s.shows(t, locked, time.Time{}, false)
	s.told(t, 0)
	return 10
}

// TestRepliesOfContactsAndLeadsInTurnAreOneCall: a collection of more than ten runs of one object each is refused as a whole.
func TestRepliesOfContactsAndLeadsInTurnAreOneCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if err := w.send(t.Context(), w.process(), 0); err != nil {
			t.Fatal(err)
		}
		var ds []delivery.Delivery
		for n := range 24 {
			who := w.Add([]string{"Contact", "Lead"}[n%2], map[string]any{"LastName": "Ruiz", "Company": "X"})
			ds = append(ds, answering(n+1, who, replyTime, delivery.MarkReplied))
		}
		wire := &wire{next: simulatortest.Transport(w.Simulator)}
		_, errs := connectortest.Carry(t.Context(), w.crm(w.binding, wire, slog.New(slog.DiscardHandler)), ds...)
		none(t, errs)
		if writes := strings.Count(wire.log.String(), "> PATCH "); writes != 1 {
			t.Errorf("%d writes", writes)
		}
	})
}
