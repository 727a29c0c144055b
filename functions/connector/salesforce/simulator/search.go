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

// soql is the form of the queries that are simulated: by the values of one field.
var soql = regexp.MustCompile(`(?i)^SELECT (\w+(?:, \w+)*) FROM (\w+) WHERE (\w+) IN \(('\w+'(?:, '\w+')*)\)( AND State != 'Complete')?$`)

// query returns GET query.
func (s *Simulator) query(q string) reply {
	if answer, known := s.setup(q); known {
		return answer
	}
	if match := linked.FindStringSubmatch(q); match != nil {
		return s.links(match)
	}
	match := soql.FindStringSubmatch(q)
	if match == nil {
		return refuse(http.StatusBadRequest, "MALFORMED_QUERY", "the simulator knows no such query")
	}
	t := s.table(match[2])
	if t == nil || len(t.fields) == 0 {
		return refuse(http.StatusBadRequest, "INVALID_TYPE", "sObject type '"+match[2]+"' is not supported.")
	}
	names := append([]string{match[3]}, strings.Split(match[1], ", ")...)
	if fault := t.readable(names); fault != nil {
		return fault.reply()
	}
	values := strings.Split(strings.ToLower(strings.ReplaceAll(match[4], "'", "")), ", ")
	if t.fields[names[0]].Kind == "Lookup" {
		values = strings.Split(strings.ReplaceAll(match[4], "'", ""), ", ")
		for i, id := range values {
			values[i] = strings.ToLower(canonical(id))
		}
	}
	var found []*record
	if t.fields[names[0]].Key { // an external id is indexed
		for _, value := range values {
			found = append(found, t.found(names[0], value)...)
		}
	} else {
		found = t.Select(0, func(r *record) bool {
			text, _ := r.Values[names[0]].(string)
			return slices.Contains(values, strings.ToLower(text)) && (match[5] == "" || r.Values["State"] != stateComplete)
		})
	}
	records := make([]shown, len(found))
	for i, r := range found {
		records[i] = s.show(t, r, names[1:])
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"totalSize": len(records), "done": true, "records": records}}
}
