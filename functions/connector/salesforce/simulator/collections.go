package simulator

import (
	"encoding/json"
	"net/http"
	"strings"

	"signalbox/functions/connector/simulatortest"
)

// Limits of collections.
const (
	maxRows      = 200
	maxChunks    = 10
	maxRetrieved = 2000
)

// row returns one row of a collection.
type row struct {
	ID      string       `json:"id,omitempty"`
	Success bool         `json:"success"`
	Errors  []rowProblem `json:"errors"`
}

func failedRow(f *fault) row {
	fields := f.fields
	if fields == nil {
		fields = []string{}
	}
	return row{Errors: []rowProblem{{f.code, f.message, fields}}}
}

// collections returns what is below composite/sobjects: PATCH (update by id) and POST {T} (read). The reply is a 200 with the errors
// in the rows.
func (s *Simulator) collections(method, path string, body []byte) reply {
	if t := s.table(strings.TrimPrefix(path, "/")); method == http.MethodPost && t != nil {
		return s.retrieve(t, body)
	}
	var in struct {
		AllOrNone bool              `json:"allOrNone"`
		Records   []json.RawMessage `json:"records"`
	}
	switch err := simulatortest.Decode(body, &in); {
	case method != http.MethodPatch || path != "":
		return undocumented(method)
	case err != nil || in.AllOrNone:
		return parser("Invalid collection")
	case len(in.Records) == 0 || len(in.Records) > maxRows:
		return refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "record limit reached: between 1 and 200 are allowed")
	}
	items, refused := s.items(in.Records)
	if refused.Status != 0 {
		return refused
	}
	rows := make([]row, len(items))
	for i, one := range items {
		rows[i] = s.updateRow(one.of, one.values)
	}
	return reply{Status: http.StatusOK, Body: rows}
}

// item is one record of a collection; of is nil for an object that nobody knows.
type item struct {
	of     *table
	values map[string]any
}

// items reads the records of a collection, unless it returns a refusal. Those that follow each other and are of one object are a
// chunk, and a request has ten at most.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-update.
func (s *Simulator) items(records []json.RawMessage) ([]item, reply) {
	items, chunks, last := make([]item, len(records)), 0, ""
	for i, raw := range records {
		var kind struct {
			Attributes struct{ Type string }
		}
		if err := json.Unmarshal(raw, &kind); err != nil || kind.Attributes.Type == "" {
			return nil, parser("the attributes of a record say its type")
		}
		if !strings.EqualFold(kind.Attributes.Type, last) {
			chunks, last = chunks+1, kind.Attributes.Type
		}
		if items[i].of = s.table(last); items[i].of == nil {
			continue
		}
		var err error
		if items[i].values, err = items[i].of.decode(raw); err != nil {
			return nil, parser(err.Error())
		}
	}
	if chunks > maxChunks {
		return nil, refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Cannot have more than 10 chunks in a single operation")
	}
	return items, reply{}
}

func (s *Simulator) updateRow(t *table, values map[string]any) row {
	if t == nil {
		return failedRow(bad("INVALID_TYPE", "sObject type is not supported"))
	}
	id, _ := values["Id"].(string)
	delete(values, "Id")
	held := t.get(id)
	switch {
	case objectOf(id) != t.object:
		return failedRow(bad("MALFORMED_ID", t.object+" ID: id value of incorrect type: "+id, "Id"))
	case held == nil:
		return failedRow(bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
	case held.Deleted:
		return failedRow(bad("ENTITY_IS_DELETED", "entity is deleted"))
	}
	if _, fault := s.write(t, held, values); fault != nil {
		return failedRow(fault)
	}
	return row{ID: held.ID, Success: true, Errors: []rowProblem{}}
}

// retrieve returns records in the order of their ids, null for those that are not there or no ids. See
// https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-retrieve-post.
func (s *Simulator) retrieve(t *table, body []byte) reply {
	var in struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	if err := simulatortest.Decode(body, &in); err != nil || len(in.IDs) == 0 || len(in.IDs) > maxRetrieved || len(in.Fields) == 0 {
		return parser("ids and fields are required")
	}
	if fault := t.readable(in.Fields); fault != nil {
		return fault.reply()
	}
	found := make([]any, len(in.IDs))
	for i, id := range in.IDs {
		if r := t.get(id); r != nil && !r.Deleted {
			found[i] = s.show(t, r, in.Fields)
		}
	}
	return reply{Status: http.StatusOK, Body: found}
}
