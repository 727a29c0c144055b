package simulator

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// HubSpot's own association types.
const (
	communicationToContact = 81
	contactToCommunication = 82
	leadToContact          = 578
)

// defaultType returns HubSpot's association type from one kind of record to another, zero if there is none.
func defaultType(from, to string) int {
	switch [2]string{from, to} {
	case [2]string{communications, contacts}:
		return communicationToContact
	case [2]string{contacts, communications}:
		return contactToCommunication
	case [2]string{leads, contacts}:
		return leadToContact
	default:
		return 0
	}
}

// create returns the reply to POST {object}: a record with its associations.
func (s *Simulator) create(t *table, body []byte) reply {
	var in struct {
		Properties   map[string]string   `json:"properties"`
		Associations *[]associationInput `json:"associations"`
	}
	if answer := decode(body, &in); answer.status != 0 {
		return answer
	}
	if in.Properties == nil || in.Associations == nil {
		return invalid("properties and associations are required")
	}
	faults := t.check(in.Properties)
	if name := t.required(in.Properties); name != "" {
		faults = append(faults, propertyFault{Message: "a value is required", Error: "REQUIRED", Name: name})
	}
	if len(faults) > 0 {
		return reply{status: http.StatusBadRequest, body: properties(faults)}
	}
	ends, refused := s.ends(t, *in.Associations)
	if refused.status != 0 {
		return refused
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

// associationInput is what a record to be made is to be associated with.
type associationInput struct {
	To    endReply    `json:"to"`
	Types []specReply `json:"types"`
}

// ends returns the contacts that a record to be made is to be associated with, or why that cannot be.
func (s *Simulator) ends(t *table, associations []associationInput) (ends []*record, refused reply) {
	for _, a := range associations {
		if len(a.Types) != 1 || a.Types[0] != (specReply{"HUBSPOT_DEFINED", defaultType(t.name, contacts)}) {
			return nil, invalid("the association type is not one from " + t.name + " to contacts")
		}
		end := s.tables[contacts].records[a.To.ID]
		if end == nil {
			return nil, missing()
		}
		ends = append(ends, end)
	}
	if t.name == leads && len(ends) == 0 {
		return nil, invalid("a lead must be associated with a contact")
	}
	return ends, reply{}
}

type endReply struct {
	ID string `json:"id"`
}

// specReply is an association type where it is made.
type specReply struct {
	Category string `json:"associationCategory"`
	ID       int    `json:"associationTypeId"`
}

type pairReply struct {
	From endReply  `json:"from"`
	To   endReply  `json:"to"`
	Spec specReply `json:"associationSpec"`
}

// labelReply is an association type where it is read.
type labelReply struct {
	Category string `json:"category"`
	ID       int    `json:"typeId"`
}

// relatedReply is a record that another is associated with.
type relatedReply struct {
	ID    string       `json:"toObjectId"`
	Types []labelReply `json:"associationTypes"`
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

// associateDefault returns the reply to PUT {from}/{id}/associations/default/{to}/{id}.
func (s *Simulator) associateDefault(r *http.Request, rest []string) reply {
	if r.Method != http.MethodPut || rest[2] != areaAssociations || rest[3] != "default" || defaultType(rest[0], rest[4]) == 0 {
		return undocumented(r)
	}
	made, found := s.pair(rest[0], rest[1], rest[4], rest[5])
	if !found {
		return missing()
	}
	return ok(batched([]pairReply{made}, nil))
}

// associations returns the replies to POST {from}/{to}/batch/...
func (s *Simulator) associations(r *http.Request, rest []string, body []byte) reply {
	if r.Method != http.MethodPost || len(rest) < 4 || rest[2] != "batch" || defaultType(rest[0], rest[1]) == 0 {
		return undocumented(r)
	}
	switch strings.Join(rest[3:], "/") {
	case "associate/default":
		return s.associateBatch(rest[0], rest[1], body)
	case "read":
		return s.associatedBatch(s.tables[rest[0]], rest[1], body)
	default:
		return undocumented(r)
	}
}

// associateBatch makes associations. What cannot be made is told beside the rest: a 207 is not described here.
func (s *Simulator) associateBatch(from, to string, body []byte) reply {
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
	var results []pairReply
	var errors []rowRefusal
	for _, row := range in.Inputs {
		made, found := s.pair(from, row.From.ID, to, row.To.ID)
		if !found {
			errors = append(errors, problem("OBJECT_NOT_FOUND", "resource not found").about("ids", row.From.ID, row.To.ID).row())
			continue
		}
		results = append(results, made)
	}
	return ok(batched(results, errors))
}

// maxAssociated is how many associations one page holds.
const maxAssociated = 500

type paging struct {
	Next struct {
		After string `json:"after"`
	} `json:"next"`
}

// related returns a page of the records of kind to that one is associated with, oldest first.
func related(t *table, r *record, to string, after, limit int) ([]relatedReply, *paging) {
	ids := r.associations[to]
	page := make([]relatedReply, 0, min(limit, len(ids)))
	for _, id := range ids[min(after, len(ids)):min(after+limit, len(ids))] {
		page = append(page, relatedReply{id, []labelReply{{"HUBSPOT_DEFINED", defaultType(t.name, to)}}})
	}
	if after+limit >= len(ids) {
		return page, nil
	}
	next := new(paging)
	next.Next.After = strconv.Itoa(after + limit)
	return page, next
}

// associated returns the reply to GET {object}/{id}/associations/{to}.
func (s *Simulator) associated(r *http.Request, from, id, to string) reply {
	if answer := checkParameters(r, "after", "limit"); answer.status != 0 {
		return answer
	}
	if r.Method != http.MethodGet || defaultType(from, to) == 0 {
		return undocumented(r)
	}
	found := s.tables[from].records[id]
	if found == nil {
		return missing()
	}
	query := r.URL.Query()
	after, afterErr := strconv.Atoi(cmp.Or(query.Get("after"), "0"))
	limit, limitErr := strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(maxAssociated)))
	if afterErr != nil || limitErr != nil || after < 0 || limit < 1 || limit > maxAssociated {
		return invalid("after or limit is out of bounds")
	}
	var answer struct {
		Results []relatedReply `json:"results"`
		Paging  *paging        `json:"paging,omitempty"`
	}
	answer.Results, answer.Paging = related(s.tables[from], found, to, after, limit)
	return ok(answer)
}

// associatedBatch reads associations, each from its own after on. A record without any is an error, as one that does not exist.
func (s *Simulator) associatedBatch(t *table, to string, body []byte) reply {
	var in struct {
		Inputs []struct {
			ID    string `json:"id"`
			After string `json:"after"`
		} `json:"inputs"`
	}
	if answer := decode(body, &in); answer.status != 0 {
		return answer
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > maxBatch {
		return invalid("between 1 and 100 inputs are allowed")
	}
	type result struct {
		From   endReply       `json:"from"`
		To     []relatedReply `json:"to"`
		Paging *paging        `json:"paging,omitempty"`
	}
	var results []result
	var errors []rowRefusal
	for _, row := range in.Inputs {
		after, err := strconv.Atoi(cmp.Or(row.After, "0"))
		if err != nil || after < 0 {
			return invalid("after is not one that a page gave")
		}
		found := t.records[row.ID]
		if found == nil || len(found.associations[to]) == 0 {
			refused := problem("OBJECT_NOT_FOUND", "No "+to+" is associated with "+t.name+" "+row.ID)
			errors = append(errors, refused.about("fromObjectId", row.ID).row())
			continue
		}
		page, next := related(t, found, to, after, maxAssociated)
		results = append(results, result{endReply{row.ID}, page, next})
	}
	return mixed(batched(results, errors))
}
