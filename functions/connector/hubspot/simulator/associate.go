package simulator

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// defaultType returns HubSpot's own association type from one kind of record to another, zero if there is none.
func defaultType(from, to string) int {
	return map[[2]string]int{{communications, contacts}: 81, {contacts, communications}: 82, {leads, contacts}: 578, {tasks, contacts}: 204, {contacts, tasks}: 203, {tickets, contacts}: 16, {contacts, tickets}: 15, {notes, contacts}: 202, {contacts, notes}: 201}[[2]string{from, to}]
}

// newRecord is the request of POST {object}, and a row of batch/create: a record and what it is to be associated with.
type newRecord struct {
	Properties   map[string]string
	Associations *[]struct {
		To    endReply
		Types []specReply
	}
	TraceID string `json:"objectWriteTraceId"` // of a row
}

// malformed returns what is wrong with the form of a new record, "" for nothing.
func (in newRecord) malformed(t *table) string {
	if in.Properties == nil || in.Associations == nil {
		return "properties and associations are required"
	}
	for _, a := range *in.Associations {
		if len(a.Types) != 1 || a.Types[0] != (specReply{hubspotDefined, defaultType(t.name, contacts)}) {
			return "the association type is not one from " + t.name + " to contacts"
		}
	}
	if t.name == leads && len(*in.Associations) == 0 {
		return "a lead must be associated with a contact"
	}
	return ""
}

// create makes a record with its associations.
func (s *Simulator) create(t *table, in newRecord) reply {
	if wrong := in.malformed(t); wrong != "" || in.TraceID != "" {
		return invalid(cmp.Or(wrong, "objectWriteTraceId is a row's"))
	}
	for _, a := range *in.Associations {
		if s.row(s.Tables[contacts], a.To.ID, false) == nil {
			return missing()
		}
	}
	made, refused := s.save(t, nil, in.Properties)
	if refused.Status != 0 {
		return refused
	}
	for _, a := range *in.Associations {
		associate(t, made.ID, s.Tables[contacts], s.row(s.Tables[contacts], a.To.ID, false).ID)
	}
	return reply{Status: http.StatusCreated, Body: t.show(made, nil)}
}

// newRecords is the request of batch/create.
type newRecords struct{ Inputs []newRecord }

// createBatch makes records with their associations. A form or a value that is wrong is refused as a whole, what another record is in the
// way of by row.
func (s *Simulator) createBatch(t *table, in newRecords) reply {
	if answer := bounded(len(in.Inputs)); answer.Status != 0 {
		return answer
	}
	var faults []propertyFault
	for _, row := range in.Inputs {
		if wrong := row.malformed(t); wrong != "" {
			return invalid(wrong)
		}
		faults = append(faults, t.check(row.Properties)...)
	}
	if len(faults) > 0 {
		return reply{Status: http.StatusBadRequest, Body: wrongProperties(faults)}
	}
	made := mixed(each(in.Inputs, func(row newRecord) (objectReply, *refusal) {
		trace := row.TraceID
		row.TraceID = ""
		answer := s.create(t, row)
		if refused, ok := answer.Body.(refusal); ok {
			if trace != "" {
				return objectReply{}, refused.about("objectWriteTraceId", trace)
			}
			return objectReply{}, &refused
		}
		shown, _ := answer.Body.(objectReply)
		shown.TraceID = trace
		return shown, nil
	}))
	if made.Status == http.StatusOK {
		made.Status = http.StatusCreated
	}
	return made
}

const hubspotDefined = "HUBSPOT_DEFINED"

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

// relatedReply is a record that another is associated with.
type relatedReply struct {
	ID    string           `json:"toObjectId"`
	Types []map[string]any `json:"associationTypes"`
}

// pair ties two records together by their ids.
func (s *Simulator) pair(from, fromID, to, toID string) (pairReply, *refusal) {
	one, other := s.row(s.Tables[from], fromID, false), s.row(s.Tables[to], toID, false)
	if one == nil || other == nil {
		return pairReply{}, problem("OBJECT_NOT_FOUND", "resource not found").about("ids", fromID, toID)
	}
	associate(s.Tables[from], one.ID, s.Tables[to], other.ID)
	return pairReply{endReply{fromID}, endReply{toID}, specReply{hubspotDefined, defaultType(from, to)}}, nil
}

// associateDefault returns the reply to PUT {from}/{id}/associations/default/{to}/{id}.
func (s *Simulator) associateDefault(r *http.Request, rest []string) reply {
	if r.Method != http.MethodPut || rest[2] != "associations" || rest[3] != "default" || defaultType(rest[0], rest[4]) == 0 {
		return undocumented(r)
	}
	made := each([]string{rest[1]}, func(id string) (pairReply, *refusal) { return s.pair(rest[0], id, rest[4], rest[5]) })
	if made.NumErrors > 0 {
		return missing()
	}
	return ok(made)
}

// associations returns the replies to POST {from}/{to}/batch/...
func (s *Simulator) associations(r *http.Request, rest []string, body []byte) reply {
	if r.Method != http.MethodPost || len(rest) < 4 || rest[2] != "batch" || defaultType(rest[0], rest[1]) == 0 {
		return undocumented(r)
	}
	switch strings.Join(rest[3:], "/") {
	case "associate/default":
		return decoded(body, func(in pairs) reply { return s.associateBatch(rest[0], rest[1], in) })
	case "read":
		return decoded(body, func(in pageStarts) reply { return s.associatedBatch(s.Tables[rest[0]], rest[1], in) })
	default:
		return undocumented(r)
	}
}

// pairs is the request of batch/associate/default.
type pairs struct{ Inputs []ends }

type ends struct{ From, To endReply }

// associateBatch makes associations. What cannot be made is told beside the rest: a 207 is not described here.
func (s *Simulator) associateBatch(from, to string, in pairs) reply {
	if answer := bounded(len(in.Inputs)); answer.Status != 0 {
		return answer
	}
	return ok(each(in.Inputs, func(p ends) (pairReply, *refusal) { return s.pair(from, p.From.ID, to, p.To.ID) }))
}

// maxAssociated is how many associations one page holds.
const maxAssociated = 500

// paging says where the next page begins.
type paging map[string]map[string]string

// next returns where the page after end begins, nil if it is the last.
func next(end, total int) paging {
	if end >= total {
		return nil
	}
	return paging{"next": {"after": strconv.Itoa(end)}}
}

// pageStarts is the request of associations' batch/read.
type pageStarts struct{ Inputs []pageStart }

type pageStart struct{ ID, After string }

// associatedBatch reads associations, each from its own after on. A record without any is an error, as one that does not exist.
func (s *Simulator) associatedBatch(t *table, to string, in pageStarts) reply {
	if answer := bounded(len(in.Inputs)); answer.Status != 0 {
		return answer
	}
	type result struct {
		From   endReply       `json:"from"`
		To     []relatedReply `json:"to"`
		Paging paging         `json:"paging,omitempty"`
	}
	kind := []map[string]any{{"category": hubspotDefined, "typeId": defaultType(t.name, to)}}
	sensible := true
	b := each(in.Inputs, func(row pageStart) (result, *refusal) {
		after, err := strconv.Atoi(cmp.Or(row.After, "0"))
		sensible = sensible && err == nil && after >= 0
		after = max(after, 0)
		var ids []string
		if r := s.row(t, row.ID, true); r != nil {
			ids = r.Ties[to]
		}
		if len(ids) == 0 {
			return result{}, problem("OBJECT_NOT_FOUND", "No "+to+" is associated with "+t.name+" "+row.ID).about("fromObjectId", row.ID)
		}
		one := result{endReply{row.ID}, []relatedReply{}, next(after+maxAssociated, len(ids))}
		for _, id := range ids[min(after, len(ids)):min(after+maxAssociated, len(ids))] {
			one.To = append(one.To, relatedReply{id, kind})
		}
		return one, nil
	})
	if !sensible {
		return invalid("after is not one that a page gave")
	}
	return mixed(b)
}
