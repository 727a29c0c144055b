package salesforce_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

const (
	queryPath  = "/services/data/v66.0/query"
	removePath = "/services/data/v66.0/actions/standard/removeTargetFromSalesCadence"
)

// rows returns what the action says of its inputs: a code, or "" for one that it took.
func rows(codes ...string) []byte {
	var all []string
	for _, code := range codes {
		row := `{"actionName":"removeTargetFromSalesCadence","errors":null,"isSuccess":true,"outputValues":null}`
		if code != "" {
			row = `{"actionName":"removeTargetFromSalesCadence","errors":[{"statusCode":"` + code + `","message":"x","fields":[]}],"isSuccess":false,"outputValues":null}`
		}
		all = append(all, row)
	}
	return []byte("[" + strings.Join(all, ",") + "]")
}

func TestCadencesThatAreRefused(t *testing.T) {
	perform(t, map[string]scene{
		"one may not be removed and another has ended by itself": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			goesOn, ends := s.Enrol(id, replyTime.Add(ago)), s.Enrol(id, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: rows("INSUFFICIENT_ACCESS_OR_READONLY", "INVALID_API_INPUT")})
			s.before = func(r *http.Request) {
				if r.URL.Path == removePath {
					s.Complete(ends)
				}
			}
			s.play(t, replying(1, id, replyTime))
			s.runs(t, goesOn)
			s.told(t, 1)
			return 6
		}},
		"a removal of which nothing is said is made again": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.Enrol(id, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 200, Body: rows("")})
			_, errs := connectortest.Carry(t.Context(), s.CRM, replying(1, id, replyTime))
			wants(t, errs[0], fault.Retryable, "salesforce_row_unanswered")
			s.play(t, replying(1, id, replyTime))
			s.runs(t)
			return 9
		}},
		"sales engagement is not licensed": {options: simulator.Options{NoCadences: true}, run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			s.told(t, 1)
			return 4
		}},
		"the action is not there": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			goesOn := s.Enrol(id, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 404, Body: []byte(`[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`)})
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			s.runs(t, goesOn)
			s.told(t, 1)
			return 5
		}},
		"the integration user may not remove anybody": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			goesOn := s.Enrol(id, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 403, Body: []byte(`[{"errorCode":"INSUFFICIENT_ACCESS","message":"x"}]`)})
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			s.runs(t, goesOn)
			s.told(t, 1)
			return 5
		}},
		"the integration user may not remove one of two": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.Enrol(id, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: rows("", "INSUFFICIENT_ACCESS_OR_READONLY")})
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			s.told(t, 1)
			return 5
		}},
		"a cadence that ended by itself meanwhile is no error": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			ends := s.Enrol(id, replyTime.Add(ago))
			s.Enrol(id, replyTime.Add(ago))
			s.before = func(r *http.Request) {
				if r.URL.Path == removePath {
					s.Complete(ends)
				}
			}
			s.play(t, replying(1, id, replyTime))
			s.runs(t)
			s.told(t, 0)
			return 6
		}},
		"a cadence that cannot be removed fails the delivery": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			goesOn := s.Enrol(id, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: rows("INVALID_API_INPUT")})
			_, errs := connectortest.Carry(t.Context(), s.CRM, replying(1, id, replyTime))
			wants(t, errs[0], fault.Permanent, "salesforce_refused")
			s.shows(t, id, replyTime, true)
			s.runs(t, goesOn)
			return 6
		}},
		"a cadence that is locked is removed by the next try": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			tracker := s.Enrol(id, replyTime.Add(ago))
			s.Lock(tracker, 1)
			_, errs := connectortest.Carry(t.Context(), s.CRM, replying(1, id, replyTime))
			wants(t, errs[0], fault.Retryable, "salesforce_locked")
			s.runs(t, tracker)
			s.play(t, replying(1, id, replyTime))
			s.shows(t, id, replyTime, true)
			s.runs(t)
			return 9
		}},
		"a cadence that is about to change is removed by the next try": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Add("ActionCadenceTracker", map[string]any{"TargetId": id, "State": "Processing"})
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: rows("INVALID_API_INPUT")})
			_, errs := connectortest.Carry(t.Context(), s.CRM, replying(1, id, replyTime))
			wants(t, errs[0], fault.Retryable, "salesforce_cadence_changing")
			s.play(t, replying(1, id, replyTime))
			s.runs(t)
			return 10
		}},
		"a cadence in error is removed if it can be and keeps nothing up": {run: func(t *testing.T, s *stage) int {
			id, earlier := s.Add("Contact", contact()), time.Now().Add(-time.Hour)
			s.Add("ActionCadenceTracker", map[string]any{"TargetId": id, "State": "Error"})
			s.play(t, replying(1, id, earlier)) // it is in a cadence that began later, but hears nothing of it
			s.shows(t, id, earlier, true)
			s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: rows("INVALID_API_INPUT")})
			s.play(t, replying(2, id, replyTime))
			s.shows(t, id, replyTime, true)
			return 10
		}},
		"one bad cadence keeps no other": {run: func(t *testing.T, s *stage) int {
			a, b := s.Add("Contact", contact()), s.Add("Contact", contact())
			goesOn := s.Enrol(a, replyTime.Add(ago))
			s.Enrol(b, replyTime.Add(ago))
			for range 2 { // all of them together, then the first alone
				s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: []byte(`[{"errorCode":"MALFORMED_ID","message":"x"}]`)})
			}
			_, errs := connectortest.Carry(t.Context(), s.CRM, answering(1, a, replyTime, delivery.CancelSequences), answering(2, b, replyTime, delivery.CancelSequences))
			wants(t, errs[0], fault.Permanent, "salesforce_record_gone")
			none(t, errs[1:])
			s.runs(t, goesOn)
			return 8
		}},
		"cadences that cannot be looked for again": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Enrol(id, replyTime.Add(ago))
			s.before = func(r *http.Request) {
				if r.URL.Path == removePath {
					s.Spoil(simulatortest.Fault{Match: removePath, Status: 400, Body: rows("INVALID_API_INPUT")})
					s.Spoil(simulatortest.Fault{Match: queryPath, Status: 503})
				}
			}
			_, errs := connectortest.Carry(t.Context(), s.CRM, replying(1, id, replyTime))
			wants(t, errs[0], fault.Retryable, "salesforce_unavailable")
			return 6
		}},
		"a first part of the cadences is not taken for all": {run: func(t *testing.T, s *stage) int {
			a, b := s.Add("Contact", contact()), s.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
			s.Enrol(a, replyTime.Add(ago))
			s.Enrol(b, replyTime.Add(ago))
			s.Spoil(simulatortest.Fault{Match: queryPath, Status: 200, Body: []byte(`{"totalSize":2,"done":false,"records":[]}`)})
			s.play(t, replying(1, a, replyTime), replying(2, b, replyTime))
			s.runs(t)
			return 8
		}},
		"what is no answer to a query is not taken for one": {run: func(t *testing.T, s *stage) int {
			id := s.Add("Contact", contact())
			s.Spoil(simulatortest.Fault{Match: queryPath, Status: 200, Body: []byte(`{}`)})
			_, errs := connectortest.Carry(t.Context(), s.CRM, replying(1, id, replyTime))
			wants(t, errs[0], fault.Retryable, "salesforce_reply_undecodable")
			s.shows(t, id, time.Time{}, false)
			return 3
		}},
	})
}
