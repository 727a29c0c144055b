package simulator

import (
	"net/http"
	"regexp"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// States of a tracker, as far as they are simulated.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_actioncadencetracker.htm.
const (
	stateRunning  = "Running"
	stateComplete = "Complete"
)

// Enrol puts a lead or contact into a cadence that begins at an instant, as a user of the org would, and returns the id of its
// tracker. Every call is another cadence.
func (s *Simulator) Enrol(target string, began time.Time) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	r := s.add(s.Tables[trackerObject], map[string]any{"TargetId": target, "State": stateRunning})
	r.Created = began
	return r.ID
}

// Complete ends a tracker as a cadence without further steps does.
func (s *Simulator) Complete(tracker string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.complete(s.Tables[trackerObject].Rows[tracker], "NoMoreSteps", nil)
}

func (s *Simulator) complete(tracker *record, reason string, disposition any) {
	s.set(s.Tables[trackerObject], tracker, map[string]any{
		"State": stateComplete, "CompletionReason": reason, "CompletionDisposition": disposition,
	})
}

// removal is one input of removeTargetFromSalesCadence.
type removal struct {
	Tracker     string `json:"actionCadenceTrackerId"`
	Reason      string `json:"completionReasonCode"`
	Disposition string `json:"completionDisposition"`
	OwnOnly     *bool  `json:"shouldApplyUserContext"`
}

// removed is what became of an input.
type removed struct {
	Action  string       `json:"actionName"`
	Errors  []rowProblem `json:"errors"`
	Success bool         `json:"isSuccess"`
	Output  any          `json:"outputValues"`
}

const removeAction = "removeTargetFromSalesCadence"

// dispositions are what a removal can say of how a cadence ended.
var dispositions = regexp.MustCompile(`^(Success|Customer Engaged|Customer Connected|Contact Later|No Response|Not Interested|Disqualified|Bad Data|Duplicate)?$`)

// removeTargets returns POST actions/standard/removeTargetFromSalesCadence: 200 if all inputs come through, otherwise 400 with
// the same answers. See https://developer.salesforce.com/docs/atlas.en-us.api_action.meta/api_action/actions_obj_high_velocity_sales.htm.
func (s *Simulator) removeTargets(body []byte) reply {
	if s.options.NoCadences {
		return missing()
	}
	var in struct {
		Inputs []removal `json:"inputs"`
	}
	if err := simulatortest.Decode(body, &in); err != nil {
		return parser("Invalid inputs")
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > maxRows {
		return refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "between 1 and 200 inputs are allowed")
	}
	status, answers := http.StatusOK, make([]removed, len(in.Inputs))
	for i, r := range in.Inputs {
		answers[i] = removed{Action: removeAction, Success: true}
		if fault := s.removeTarget(r); fault != nil {
			status = http.StatusBadRequest
			answers[i] = removed{Action: removeAction, Errors: failedRow(fault).Errors}
		}
	}
	return reply{Status: status, Body: answers}
}

// removeTarget ends one tracker. All trackers are of other users than the one that asks.
func (s *Simulator) removeTarget(r removal) *fault {
	tracker := s.Tables[trackerObject].get(r.Tracker)
	switch {
	case r.Reason != "ManuallyRemoved" || !dispositions.MatchString(r.Disposition):
		return bad("INVALID_API_INPUT", "Specify a valid completion reason code and disposition.")
	case tracker == nil || tracker.Deleted || r.OwnOnly == nil || *r.OwnOnly:
		return bad("INVALID_API_INPUT", "Specify a valid cadence tracker.")
	case s.locked[tracker.ID] > 0:
		s.locked[tracker.ID]--
		return bad("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: "+tracker.ID)
	case tracker.Values["State"] == stateComplete:
		return bad("INVALID_API_INPUT", "The target isn't in the cadence.")
	}
	s.complete(tracker, r.Reason, r.Disposition)
	return nil
}
