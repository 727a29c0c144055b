package simulator

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a search.
const (
	maxGroups  = 5
	maxFilters = 6
	maxPage    = 200
	maxResults = 10_000
)

type searchFilter struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

type searchRequest struct {
	After      *string   `json:"after"`
	Limit      *int      `json:"limit"`
	Sorts      *[]string `json:"sorts"`
	Properties *[]string `json:"properties"`
	Groups     *[]struct {
		Filters []searchFilter `json:"filters"`
	} `json:"filterGroups"`
}

// check returns what is wrong with a search, or "", and where its page begins.
func (q searchRequest) check(t *table) (string, int) {
	if q.After == nil || q.Limit == nil || q.Sorts == nil || q.Properties == nil || q.Groups == nil {
		return "after, limit, sorts, properties and filterGroups are required", 0
	}
	unknown := func(name string) bool { return t.known[name].Name == "" }
	start, err := strconv.Atoi(cmp.Or(*q.After, "0"))
	switch {
	case err != nil || start < 0 || start+*q.Limit > maxResults || *q.Limit < 1 || *q.Limit > maxPage:
		return "after or limit is out of bounds", 0
	case len(*q.Groups) > maxGroups:
		return "at most 5 filterGroups are allowed", 0
	case slices.ContainsFunc(*q.Sorts, func(name string) bool { return unknown(strings.TrimPrefix(name, "-")) }):
		return "unknown property to sort by", 0
	}
	for _, g := range *q.Groups {
		switch {
		case len(g.Filters) == 0 || len(g.Filters) > maxFilters:
			return "between 1 and 6 filters are allowed in a group", 0
		case slices.ContainsFunc(g.Filters, func(f searchFilter) bool { return unknown(f.Property) }):
			return "unknown property to filter by", 0
		case slices.ContainsFunc(g.Filters, func(f searchFilter) bool { return f.Operator != "EQ" && f.Operator != "CONTAINS_TOKEN" }):
			return "the simulator knows EQ and CONTAINS_TOKEN only", 0
		}
	}
	return "", start
}

// search returns POST {object}/search. A record is found from IndexLag after it was made.
func (s *Simulator) search(t *table, q searchRequest) reply {
	wrong, start := q.check(t)
	if wrong != "" {
		return invalid(wrong)
	}
	found := t.Select(s.options.IndexLag, q.matches)
	slices.SortStableFunc(found, func(a, b *record) int {
		for _, sort := range *q.Sorts {
			name, descending := strings.CutPrefix(sort, "-")
			order := cmp.Compare(a.Values[name], b.Values[name])
			if descending {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	results, end := []objectReply{}, min(start+*q.Limit, len(found))
	for _, r := range found[min(start, end):end] {
		results = append(results, t.show(r, *q.Properties))
	}
	return ok(struct {
		Total   int           `json:"total"`
		Results []objectReply `json:"results"`
		Paging  paging        `json:"paging,omitempty"`
	}{len(found), results, next(end, len(found))})
}

// matches: groups are alternatives, the filters of one all hold; no group at all matches everything.
func (q searchRequest) matches(r *record) bool {
	if len(*q.Groups) == 0 {
		return true
	}
	for _, g := range *q.Groups {
		if !slices.ContainsFunc(g.Filters, func(f searchFilter) bool { return !f.holds(r.Values[f.Property]) }) {
			return true
		}
	}
	return false
}

func (f searchFilter) holds(value string) bool {
	if value == "" {
		return false
	}
	if f.Operator == "EQ" {
		return strings.EqualFold(value, f.Value)
	}
	return slices.ContainsFunc(strings.Fields(value), func(token string) bool {
		matches, _ := path.Match(strings.ToLower(f.Value), strings.ToLower(token))
		return matches
	})
}
