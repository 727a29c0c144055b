package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Limits of composite requests.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-graph-limits.
const (
	maxGraphs     = 75
	maxNodes      = 500
	maxFailed     = 14 // graphs after these are not begun
	maxSubqueries = 25
	maxRows       = 200
	maxRetrieved  = 2000
)

// node is one request inside a composite one.
type node struct {
	Method      string          `json:"method"`
	URL         string          `json:"url"`
	ReferenceID string          `json:"referenceId"`
	Body        json.RawMessage `json:"body"`
}

type nodeReply struct {
	Body        any               `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
	Status      int               `json:"httpStatusCode"`
	ReferenceID string            `json:"referenceId"`
}

func halted(ref string) nodeReply {
	return nodeReply{[]problem{{
		Message:   "The transaction was rolled back since another operation in the same transaction failed.",
		ErrorCode: "PROCESSING_HALTED",
	}}, map[string]string{}, http.StatusBadRequest, ref}
}

// strict reads a request: all of it, and nothing that is not documented.
func strict(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the request")
	}
	return nil
}

var (
	reference = regexp.MustCompile(`@\{([A-Za-z0-9_]+)\.id\}`)
	graphID   = regexp.MustCompile(`^[A-Za-z0-9][^.]{0,38}$`) // see https://developer.salesforce.com/docs/platform/api-rest/guide/using-composite-graphs
	refName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`)
)

type graphReply struct {
	GraphID    string `json:"graphId"`
	Successful bool   `json:"isSuccessful"`
	Response   struct {
		Composite []nodeReply `json:"compositeResponse"`
	} `json:"graphResponse"`
}

// graphs answers POST composite/graph: each graph comes through as a whole or not at all.
func (s *Simulator) graphs(prefix string, body []byte) reply {
	var in struct {
		Graphs []struct {
			ID    string `json:"graphId"`
			Nodes []node `json:"compositeRequest"`
		} `json:"graphs"`
	}
	if err := strict(body, &in); err != nil {
		return parser("Invalid graph request")
	}
	nodes, ids := 0, map[string]bool{}
	for _, g := range in.Graphs {
		if nodes += len(g.Nodes); !graphID.MatchString(g.ID) || ids[g.ID] || len(g.Nodes) == 0 {
			return parser("graphId must be there, unique, and as the guide says")
		}
		ids[g.ID] = true
	}
	if len(in.Graphs) == 0 || len(in.Graphs) > maxGraphs || nodes > maxNodes {
		return refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "too many graphs or nodes")
	}
	answers, failed := make([]graphReply, 0, len(in.Graphs)), 0
	for _, g := range in.Graphs {
		answer := graphReply{GraphID: g.ID, Successful: failed <= maxFailed}
		if answer.Successful {
			answer.Successful = s.graph(prefix, g.Nodes, &answer)
		} else {
			for _, n := range g.Nodes {
				answer.Response.Composite = append(answer.Response.Composite, halted(n.ReferenceID))
			}
		}
		if !answer.Successful {
			failed++
		}
		answers = append(answers, answer)
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"graphs": answers}}
}

// graph carries the nodes of one graph out, or none, and says which.
func (s *Simulator) graph(prefix string, nodes []node, answer *graphReply) bool {
	mark, made := len(s.undo), map[string]string{}
	for i, n := range nodes {
		one := s.node(prefix, n, made)
		if one.Status < http.StatusMultipleChoices {
			answer.Response.Composite = append(answer.Response.Composite, one)
			continue
		}
		s.rollBack(mark)
		answer.Response.Composite = nil
		for k, other := range nodes {
			if k == i {
				answer.Response.Composite = append(answer.Response.Composite, one)
				continue
			}
			answer.Response.Composite = append(answer.Response.Composite, halted(other.ReferenceID))
		}
		return false
	}
	return true
}

func (s *Simulator) node(prefix string, n node, made map[string]string) nodeReply {
	unknown := ""
	replace := func(text string) string {
		return reference.ReplaceAllStringFunc(text, func(found string) string {
			id, ok := made[reference.FindStringSubmatch(found)[1]]
			if !ok {
				unknown = found
			}
			return id
		})
	}
	path, body := replace(n.URL), []byte(replace(string(n.Body)))
	u, err := url.Parse(path)
	var answer reply
	switch {
	case unknown != "" || err != nil || !refName.MatchString(n.ReferenceID):
		answer = refuse(http.StatusBadRequest, "PROCESSING_HALTED", "Invalid reference or address")
	case !strings.HasPrefix(u.EscapedPath(), prefix+"sobjects/"):
		answer = undocumented(n.Method)
	default:
		answer = s.sobjects(n.Method, strings.TrimPrefix(u.EscapedPath(), prefix+"sobjects/"), u.Query(), body)
	}
	if done, ok := answer.Body.(saved); ok {
		made[n.ReferenceID] = done.ID
	}
	headers := map[string]string{}
	if at := answer.Header.Get("Location"); at != "" {
		headers["Location"] = at
	}
	return nodeReply{answer.Body, headers, answer.Status, n.ReferenceID}
}

// composite answers POST composite with reads.
func (s *Simulator) composite(prefix string, body []byte) reply {
	var in struct {
		AllOrNone bool   `json:"allOrNone"`
		Nodes     []node `json:"compositeRequest"`
	}
	if err := strict(body, &in); err != nil || in.AllOrNone {
		return parser("Invalid composite request")
	}
	if len(in.Nodes) == 0 || len(in.Nodes) > maxSubqueries {
		return refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "between 1 and 25 subrequests are allowed")
	}
	answers := make([]nodeReply, 0, len(in.Nodes))
	for _, n := range in.Nodes {
		if n.Method != http.MethodGet || len(n.Body) > 0 {
			return undocumented(n.Method)
		}
		answers = append(answers, s.node(prefix, n, map[string]string{}))
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"compositeResponse": answers}}
}

// row answers one row of a collection.
type row struct {
	ID      string       `json:"id,omitempty"`
	Success bool         `json:"success"`
	Errors  []rowProblem `json:"errors"`
	Created *bool        `json:"created,omitempty"`
}

func failedRow(f *fault) row {
	fields := f.fields
	if fields == nil {
		fields = []string{}
	}
	return row{Errors: []rowProblem{{f.code, f.message, fields}}}
}

// collections answers what is below composite/sobjects: PATCH (update by id), PATCH {T}/{key} (upsert) and POST {T} (read).
// It answers 200 with the errors in the rows.
func (s *Simulator) collections(method, path string, body []byte) reply {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if t := s.table(parts[0]); method == http.MethodPost && len(parts) == 1 && t != nil {
		return s.retrieve(t, body)
	}
	var in struct {
		AllOrNone bool              `json:"allOrNone"`
		Records   []json.RawMessage `json:"records"`
	}
	if err := strict(body, &in); err != nil || in.AllOrNone {
		return parser("Invalid collection")
	}
	if len(in.Records) == 0 || len(in.Records) > maxRows {
		return refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "record limit reached: between 1 and 200 are allowed")
	}
	key := ""
	if path != "" {
		of := s.table(parts[0])
		if of == nil || len(parts) != 2 || !of.fields[of.name(parts[1])].key {
			return undocumented(method)
		}
		key = of.name(parts[1])
	}
	if method != http.MethodPatch {
		return undocumented(method)
	}
	rows := make([]row, 0, len(in.Records))
	for _, raw := range in.Records {
		var kind struct {
			Attributes struct{ Type string }
		}
		if err := json.Unmarshal(raw, &kind); err != nil || kind.Attributes.Type == "" {
			return parser("the attributes of a record say its type")
		}
		t := s.table(kind.Attributes.Type)
		if t == nil {
			rows = append(rows, failedRow(bad("INVALID_TYPE", "sObject type is not supported")))
			continue
		}
		values, err := t.decode(raw)
		switch {
		case err != nil:
			return parser(err.Error())
		case key == "":
			rows = append(rows, s.updateRow(t, values))
		default:
			rows = append(rows, s.upsertRow(t, key, values))
		}
	}
	return reply{Status: http.StatusOK, Body: rows}
}

func (s *Simulator) upsertRow(t *table, key string, values map[string]any) row {
	value, _ := values[key].(string)
	delete(values, key)
	done := s.upsert(t, key, value, values)
	if done.fault != nil {
		failed := failedRow(done.fault)
		failed.Created = new(bool)
		return failed
	}
	return row{done.id, true, []rowProblem{}, &done.created}
}

func (s *Simulator) updateRow(t *table, values map[string]any) row {
	id, _ := values["Id"].(string)
	delete(values, "Id")
	held := t.get(id)
	switch {
	case held == nil:
		return failedRow(bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
	case held.deleted:
		return failedRow(bad("ENTITY_IS_DELETED", "entity is deleted"))
	}
	if _, fault := s.write(t, held, values); fault != nil {
		return failedRow(fault)
	}
	return row{ID: held.id, Success: true, Errors: []rowProblem{}}
}

// retrieve answers records in the order of their ids, null for those that are not there or no ids. See
// https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-retrieve-post.
func (s *Simulator) retrieve(t *table, body []byte) reply {
	var in struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	if err := strict(body, &in); err != nil || len(in.IDs) == 0 || len(in.IDs) > maxRetrieved || len(in.Fields) == 0 {
		return parser("ids and fields are required")
	}
	if fault := t.readable(in.Fields); fault != nil {
		return fault.reply()
	}
	found := make([]any, len(in.IDs))
	for i, id := range in.IDs {
		if r := t.get(id); r != nil && !r.deleted {
			found[i] = s.show(t, r, in.Fields)
		}
	}
	return reply{Status: http.StatusOK, Body: found}
}
