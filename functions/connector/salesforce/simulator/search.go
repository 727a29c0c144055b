package simulator

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// search returns POST parameterizedSearch for numbers: what was typed is compared by its digits, as the phone index does, so
// that numbers of other countries are found too. See https://developer.salesforce.com/docs/platform/api-rest/guide/resources-search.
func (s *Simulator) search(body []byte) reply {
	var in struct {
		Q       string `json:"q"`
		In      string `json:"in"`
		Overall int    `json:"overallLimit"`
		Objects []struct {
			Name   string   `json:"name"`
			Fields []string `json:"fields"`
			Limit  int      `json:"limit"`
		} `json:"sobjects"`
	}
	if err := simulatortest.Decode(body, &in); err != nil {
		return parser("Invalid search")
	}
	digits := digitsOf(in.Q)
	if len(in.Q) < 2 || digits != in.Q || in.In != "PHONE" || len(in.Objects) == 0 {
		return refuse(http.StatusBadRequest, "MALFORMED_SEARCH", "the simulator searches PHONE for digits")
	}
	found := []shown{}
	for _, o := range in.Objects {
		t := s.table(o.Name)
		if t == nil {
			return refuse(http.StatusBadRequest, "INVALID_TYPE", "sObject type is not supported")
		}
		if fault := t.readable(o.Fields); fault != nil {
			return fault.reply()
		}
		near, n := t.Find(digitsIndex, digits[max(0, len(digits)-lastDigits):]), 0
		slices.SortFunc(near, func(a, b *record) int { return simulatortest.CompareIDs(a.ID, b.ID) })
		for _, r := range near {
			if time.Since(r.Created) < s.options.IndexLag || !hasDigits(r, digits) || o.Limit > 0 && n == o.Limit {
				continue
			}
			n++
			found = append(found, s.show(t, r, o.Fields))
		}
	}
	if in.Overall > 0 && len(found) > in.Overall {
		found = found[:in.Overall]
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"searchRecords": found}}
}

func hasDigits(r *record, digits string) bool {
	for name, value := range r.Values {
		if text, isText := value.(string); isText && strings.HasSuffix(name, "Phone") && strings.HasSuffix(digitsOf(text), digits) {
			return true
		}
	}
	return false
}

var taskQuery = regexp.MustCompile(`(?i)^SELECT Id FROM Task WHERE (Msg_Event_Key__c) = '([0-9a-f]{64})' LIMIT 1$`)

var eventQuery = regexp.MustCompile(`^SELECT Id, Event_Key__c FROM Msg_Event__c WHERE Event_Key__c IN \(('[0-9a-f]{64}'(?:, '[0-9a-f]{64}')*)\)$`)

// events returns the one query for messages that is simulated. An external id is indexed as it is written.
func (s *Simulator) events(keys string) reply {
	t, records := s.tables[eventObject], []shown{}
	if t.fields["Event_Key__c"].kind == "" {
		return refuse(http.StatusBadRequest, "INVALID_TYPE", "sObject type '"+eventObject+"' is not supported.")
	}
	for key := range strings.SplitSeq(strings.ReplaceAll(keys, "'", ""), ", ") {
		for _, r := range t.Find("Event_Key__c", key) {
			records = append(records, s.show(t, r, []string{"Id", "Event_Key__c"}))
		}
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"totalSize": len(records), "done": true, "records": records}}
}

// query returns the queries that are simulated: the task of a message, messages by their keys, and the running cadences of persons.
func (s *Simulator) query(q string) reply {
	if match := eventQuery.FindStringSubmatch(q); match != nil {
		return s.events(match[1])
	}
	if match := trackerQuery.FindStringSubmatch(q); match != nil {
		return s.trackers(match[1])
	}
	match := taskQuery.FindStringSubmatch(q)
	if match == nil {
		return refuse(http.StatusBadRequest, "MALFORMED_QUERY", "the simulator knows no such query")
	}
	records := []shown{}
	for _, r := range s.tables[taskObject].Rows {
		if r.Values[s.tables[taskObject].name(match[1])] == match[2] && !r.Deleted {
			records = append(records, s.show(s.tables[taskObject], r, nil))
			break
		}
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"totalSize": len(records), "done": true, "records": records}}
}
