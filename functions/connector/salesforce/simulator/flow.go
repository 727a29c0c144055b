package simulator

import (
	"net/http"
	"slices"
	"strconv"

	"signalbox/functions/connector/simulatortest"
)

// flowActions is what the paths of autolaunched flows begin with.
// See https://developer.salesforce.com/docs/atlas.en-us.api_action.meta/api_action/actions_obj_flow.htm.
const flowActions = "actions/custom/flow/"

// Run is one interview of a flow.
type Run struct {
	Flow   string
	Inputs map[string]string
}

// AddFlow makes an autolaunched flow that is active, with these input variables, as an admin of the org would.
func (s *Simulator) AddFlow(name string, inputs ...string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.flows[name] = inputs
}

// RemoveFlow deactivates a flow, as an admin of the org would.
func (s *Simulator) RemoveFlow(name string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	delete(s.flows, name)
}

// Runs returns the interviews that there were.
func (s *Simulator) Runs() []Run {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return slices.Clone(s.runs)
}

// shown returns the records of an object, or the interviews that there were, as FlowRun, which is no object of Salesforce's.
func (s *Simulator) shown(object string) (any, bool) {
	if object != "FlowRun" {
		return s.Records(object)
	}
	all := []Record{}
	for i, run := range s.Runs() {
		all = append(all, Record{ID: strconv.Itoa(i + 1), Properties: map[string]string{"Flow": run.Flow}, Associations: map[string][]string{}})
	}
	return all, true
}

// flow returns what a flow is, or runs it once for each input: 200 with a result each if all succeed, otherwise 400 with the same.
func (s *Simulator) flow(method, name string, body []byte) reply {
	inputs, there := s.flows[name]
	switch {
	case !there:
		return missing()
	case method == http.MethodGet:
		all := []any{}
		for _, input := range inputs {
			all = append(all, map[string]any{"name": input, "label": input, "type": "STRING", "required": false, "maxOccurs": 1})
		}
		return reply{Status: http.StatusOK, Body: map[string]any{"name": name, "label": name, "type": "FLOW", "inputs": all, "outputs": []any{}}}
	case method != http.MethodPost:
		return undocumented(method)
	}
	var in struct {
		Inputs []map[string]string `json:"inputs"`
	}
	if err := simulatortest.Decode(body, &in); err != nil || len(in.Inputs) == 0 {
		return parser("Invalid inputs")
	}
	status, answers := http.StatusOK, make([]removed, len(in.Inputs))
	for i, given := range in.Inputs {
		answers[i] = removed{Action: name, Success: true, Output: map[string]string{"Flow__InterviewStatus": "Finished"}}
		for input := range given {
			if !slices.Contains(inputs, input) {
				status = http.StatusBadRequest
				answers[i] = removed{Action: name, Errors: failedRow(bad("INVALID_API_INPUT", "The flow has no input variable "+input+".")).Errors}
			}
		}
		if answers[i].Success {
			s.runs = append(s.runs, Run{name, given})
		}
	}
	return reply{Status: status, Body: answers}
}

// ForbidCases takes the integration user's rights to cases away.
func (s *Simulator) ForbidCases() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Tables[caseObject].fields = map[string]field{}
}
