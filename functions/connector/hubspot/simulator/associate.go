package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// HubSpot's own association types that can be named when a record is created.
const (
	communicationToContact = 81
	leadToContact          = 578
)

// defaultType answers HubSpot's association type from one kind of record to another, zero if there is none.
func defaultType(from, to string) int {
	switch [2]string{from, to} {
	case [2]string{communications, contacts}:
		return communicationToContact
	case [2]string{leads, contacts}:
		return leadToContact
	default:
		return 0
	}
}

// create answers POST {object}: a record with its associations.
func (s *Simulator) create(t *table, body []byte) reply {
	var in struct {
		Properties   map[string]string `json:"properties"`
		Associations []struct {
			To struct {
				ID string `json:"id"`
			} `json:"to"`
			Types []struct {
				Category string `json:"associationCategory"`
				ID       int    `json:"associationTypeId"`
			} `json:"types"`
		} `json:"associations"`
	}
	if answer := decode(body, &in); answer.status != 0 {
		return answer
	}
	if faults := t.check(in.Properties); len(faults) > 0 {
		return reply{status: http.StatusBadRequest, body: properties(faults)}
	}
	if name := t.required(in.Properties); name != "" {
		return reply{status: http.StatusBadRequest, body: properties([]propertyFault{{Message: "a value is required", Error: "REQUIRED", Name: name}})}
	}
	var ends []*record
	for _, a := range in.Associations {
		if len(a.Types) != 1 || a.Types[0].Category != "HUBSPOT_DEFINED" || a.Types[0].ID != defaultType(t.name, contacts) {
			return invalid("the association type is not one from " + t.name + " to contacts")
		}
		end := s.tables[contacts].records[a.To.ID]
		if end == nil {
			return missing()
		}
		ends = append(ends, end)
	}
	if t.name == leads && len(ends) == 0 {
		return invalid("a lead must be associated with a contact")
	}
	if status, refused, clashes := t.clash("", in.Properties); clashes {
		return reply{status: status, body: refused}
	}
	made := s.add(t, in.Properties)
	for _, end := range ends {
		associate(t, made, s.tables[contacts], end)
	}
	return reply{status: http.StatusCreated, body: t.show(made, nil)}
}

type endReply struct {
	ID string `json:"id"`
}

type specReply struct {
	Category string `json:"associationCategory"`
	ID       int    `json:"associationTypeId"`
}

type pairReply struct {
	From endReply  `json:"from"`
	To   endReply  `json:"to"`
	Spec specReply `json:"associationSpec"`
}

type pairsReply struct {
	Status      string      `json:"status"`
	StartedAt   string      `json:"startedAt"`
	CompletedAt string      `json:"completedAt"`
	Results     []pairReply `json:"results"`
	NumErrors   int         `json:"numErrors,omitempty"`
	Errors      []refusal   `json:"errors,omitempty"`
}

// pair ties two records together by their ids.
func (s *Simulator) pair(from, fromID, to, toID string) (pairReply, bool) {
	a, b := s.tables[from].records[fromID], s.tables[to].records[toID]
	if a == nil || b == nil {
		return pairReply{}, false
	}
	associate(s.tables[from], a, s.tables[to], b)
	return pairReply{endReply{fromID}, endReply{toID}, specReply{"HUBSPOT_DEFINED", defaultType(from, to)}}, true
}

// associateDefault answers PUT {from}/{id}/associations/default/{to}/{id}.
func (s *Simulator) associateDefault(r *http.Request, rest []string) reply {
	if r.Method != http.MethodPut || rest[2] != areaAssociations || rest[3] != "default" || defaultType(rest[0], rest[4]) == 0 {
		return undocumented(r)
	}
	made, found := s.pair(rest[0], rest[1], rest[4], rest[5])
	if !found {
		return missing()
	}
	now := stamp(time.Now())
	return ok(pairsReply{Status: "COMPLETE", StartedAt: now, CompletedAt: now, Results: []pairReply{made}})
}

// associateBatch answers POST {from}/{to}/batch/associate/default.
func (s *Simulator) associateBatch(r *http.Request, rest []string, body []byte) reply {
	if r.Method != http.MethodPost || len(rest) != 5 || rest[2] != "batch" || rest[3] != "associate" || rest[4] != "default" ||
		defaultType(rest[0], rest[1]) == 0 {
		return undocumented(r)
	}
	var in struct {
		Inputs []struct {
			From endReply `json:"from"`
			To   endReply `json:"to"`
		} `json:"inputs"`
	}
	if answer := decode(body, &in); answer.status != 0 {
		return answer
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > maxBatch {
		return invalid("between 1 and 100 inputs are allowed")
	}
	now := stamp(time.Now())
	answer := pairsReply{Status: "COMPLETE", StartedAt: now, CompletedAt: now, Results: []pairReply{}}
	for _, row := range in.Inputs {
		made, found := s.pair(rest[0], row.From.ID, rest[1], row.To.ID)
		if !found {
			answer.Errors = append(answer.Errors, problem("OBJECT_NOT_FOUND", "resource not found").about("ids", row.From.ID, row.To.ID))
			continue
		}
		answer.Results = append(answer.Results, made)
	}
	answer.NumErrors = len(answer.Errors)
	if answer.NumErrors > 0 {
		return reply{status: http.StatusMultiStatus, body: answer}
	}
	return ok(answer)
}

type paging struct {
	Next struct {
		After string `json:"after"`
	} `json:"next"`
}

// associated answers GET {object}/{id}/associations/{to}, oldest first.
func (s *Simulator) associated(r *http.Request, t *table, id, to string) reply {
	found := t.records[id]
	if found == nil {
		return missing()
	}
	if s.tables[to] == nil || defaultType(to, t.name) == 0 {
		return undocumented(r)
	}
	query := r.URL.Query()
	limit, after := 500, 0
	for name, value := range map[string]*int{"limit": &limit, "after": &after} {
		if query.Get(name) == "" {
			continue
		}
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 0 {
			return invalid(name + " is not a number")
		}
		*value = n
	}
	if limit < 1 || limit > 500 {
		return invalid("limit is between 1 and 500")
	}
	type result struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	var answer struct {
		Results []result `json:"results"`
		Paging  *paging  `json:"paging,omitempty"`
	}
	answer.Results = []result{}
	ids := found.associations[to]
	for _, held := range ids[min(after, len(ids)):min(after+limit, len(ids))] {
		answer.Results = append(answer.Results, result{held, "contact_to_" + to[:len(to)-1]})
	}
	if after+limit < len(ids) {
		answer.Paging = new(paging)
		answer.Paging.Next.After = strconv.Itoa(after + limit)
	}
	return ok(answer)
}
