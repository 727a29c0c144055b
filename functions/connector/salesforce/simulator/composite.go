package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"signalbox/functions/connector/simulatortest"
)

// Limits of composite requests.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-graph-limits.
const (
	maxGraphs     = 75
	maxNodes      = 500
	maxFailed     = 14 // graphs after these are not begun
	maxSubqueries = 25
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

var (
	reference = regexp.MustCompile(`@\{(?:([A-Za-z0-9_]+)\.id\})?`) // of others than ids none is simulated
	graphID   = regexp.MustCompile(`^[A-Za-z0-9][^.]{0,38}$`)       // see https://developer.salesforce.com/docs/platform/api-rest/guide/using-composite-graphs
	refName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`)
)

type graphReply struct {
	GraphID    string                 `json:"graphId"`
	Successful bool                   `json:"isSuccessful"`
	Response   map[string][]nodeReply `json:"graphResponse"`
}

// graphs returns POST composite/graph: each graph comes through as a whole or not at all.
func (s *Simulator) graphs(prefix string, body []byte) reply {
	var in struct {
		Graphs []struct {
			ID    string `json:"graphId"`
			Nodes []node `json:"compositeRequest"`
		} `json:"graphs"`
	}
	if err := simulatortest.Decode(body, &in); err != nil {
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
	answers, failed := make([]graphReply, len(in.Graphs)), 0
	for i, g := range in.Graphs {
		nodes, came := s.graph(prefix, g.Nodes, failed <= maxFailed)
		answers[i] = graphReply{g.ID, came, map[string][]nodeReply{"compositeResponse": nodes}}
		if !came {
			failed++
		}
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"graphs": answers}}
}

// graph carries the nodes of one graph out, or none, and reports whether it did: none of one that is not begun any more.
func (s *Simulator) graph(prefix string, nodes []node, begin bool) ([]nodeReply, bool) {
	mark, made := len(s.undo), map[string]string{}
	done, undone := make([]nodeReply, len(nodes)), make([]nodeReply, len(nodes))
	for i, n := range nodes {
		undone[i] = halted(n.ReferenceID)
	}
	for i, n := range nodes {
		if !begin {
			break
		}
		if done[i] = s.node(prefix, n, made); done[i].Status >= http.StatusMultipleChoices {
			s.rollBack(mark)
			undone[i], begin = done[i], false
		}
	}
	if !begin {
		return undone, false
	}
	return done, true
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

// composite returns POST composite with reads.
func (s *Simulator) composite(prefix string, body []byte) reply {
	var in struct {
		AllOrNone bool   `json:"allOrNone"`
		Nodes     []node `json:"compositeRequest"`
	}
	if err := simulatortest.Decode(body, &in); err != nil || in.AllOrNone {
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
