package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pageSize is how many rows a page has at most, unless a request prefers fewer.
// See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results.
const pageSize = 5000

// Annotations of lookups.
const (
	lookupTable    = "Microsoft.Dynamics.CRM.lookuplogicalname"
	lookupProperty = "Microsoft.Dynamics.CRM.associatednavigationproperty"
)

// question is what a request asks of rows.
type question struct {
	columns []string            // properties; nil is all
	expand  map[string][]string // navigation property to columns of the row it points to
	fits    func(*record) bool  // nil is all
	top     int                 // zero is all
	count   bool
}

func (q question) context() string {
	if q.columns == nil {
		return ""
	}
	return "(" + strings.Join(q.columns, ",") + ")"
}

// asked reads the query options of a request, of which some are allowed. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview.
func (s *Simulator) asked(r request, t *table, allowed ...string) (q question, f *fault) {
	for name := range r.query {
		if strings.HasPrefix(name, "$") && !slices.Contains(allowed, name) {
			return q, bad(codeQuery, "Query option '"+strings.TrimPrefix(name, "$")+"' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.")
		}
	}
	if list := r.query.Get("$select"); list != "" {
		if q.columns, f = t.selected(list); f != nil {
			return q, f
		}
	}
	if q.expand, f = s.expanded(t, r.query.Get("$expand")); f != nil {
		return q, f
	}
	if text := r.query.Get("$filter"); text != "" {
		if q.fits, f = t.filter(text); f != nil {
			return q, f
		}
	}
	if text := r.query.Get("$top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return q, bad(codeQuery, "Invalid value '"+text+"' for $top query option found. The $top query option requires a non-negative integer value.")
		}
		q.top = n
	}
	q.count = r.query.Get("$count") == "true"
	return q, nil
}

func (t *table) selected(list string) (columns []string, f *fault) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if _, _, known := t.column(name); !known {
			return nil, t.noProperty(name)
		}
		columns = append(columns, name)
	}
	return columns, nil
}

var expansion = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_]*)(?:\(\$select=([^()]*)\))?\s*(?:,|$)`)

// expanded reads $expand of lookups.
func (s *Simulator) expanded(t *table, text string) (map[string][]string, *fault) {
	expand := map[string][]string{}
	for text != "" {
		part := expansion.FindStringSubmatch(text)
		if part == nil {
			return nil, bad(codeQuery, "Term '"+text+"' is not valid in a $select or $expand expression.")
		}
		_, _, target, known := t.navigation(part[1])
		if !known {
			return nil, t.noProperty(part[1])
		}
		var f *fault
		if expand[part[1]] = nil; part[2] != "" {
			if expand[part[1]], f = s.Tables[target].selected(part[2]); f != nil {
				return nil, f
			}
		}
		text = text[len(part[0]):]
	}
	return expand, nil
}

// compare orders values: nothing first, numbers by size, all else as text in any case.
func compare(a, b any) int {
	if x, isNumber := a.(int); isNumber {
		if y, both := b.(int); both {
			return cmp.Compare(x, y)
		}
	}
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return strings.ToLower(fmt.Sprint(v))
	}
	return cmp.Compare(text(a), text(b))
}

// held returns the value of a property as it is shown: that of a lookup is the id.
func held(r *record, property string) any {
	switch value := r.Values[property].(type) {
	case ref:
		return value.id
	case nil:
		switch property {
		case "createdon":
			return r.Created.UTC().Format(timeFormat)
		case "modifiedon":
			return r.Modified.UTC().Format(timeFormat)
		}
		return nil
	default:
		return value
	}
}

// show returns a row as it is answered. The primary key is always there.
func (s *Simulator) show(r request, t *table, row *record, q question) map[string]any {
	columns := q.columns
	if columns == nil {
		columns = t.properties()
	}
	shown := map[string]any{"@odata.etag": etag(row), t.ID: row.ID}
	for _, name := range columns {
		shown[name] = held(row, name)
		if to, isLookup := row.Values[name].(ref); isLookup {
			t.annotate(r, shown, name, to)
		}
	}
	for property, columns := range q.expand {
		name, c, target, _ := t.navigation(property)
		shown[property] = nil
		if to, isLookup := row.Values[c.property(name)].(ref); isLookup && to.table.Name == target {
			if other := to.table.get(to.id); other != nil {
				shown[property] = s.show(request{}, to.table, other, question{columns: columns})
			}
		}
	}
	return shown
}

// annotate says of a lookup to which table it points and what sets it, if asked for.
func (t *table) annotate(r request, shown map[string]any, name string, to ref) {
	if annotates(r.header, lookupTable) {
		shown[name+"@"+lookupTable] = to.table.Name
	}
	if !annotates(r.header, lookupProperty) {
		return
	}
	column, c, _ := t.column(name)
	shown[name+"@"+lookupProperty] = column
	for property, target := range c.To {
		if target == to.table.Name {
			shown[name+"@"+lookupProperty] = property
		}
	}
}

// list returns GET of a table's rows.
func (s *Simulator) list(r request, t *table) reply {
	q, fault := s.asked(r, t, "$select", "$expand", "$filter", "$top", "$count", "$skiptoken")
	if fault != nil {
		return fault.reply()
	}
	if t.Name == annotations && s.options.NoFiles {
		return denied("prvRead" + t.Privilege).reply()
	}
	found := t.Select(0, func(row *record) bool { return q.fits == nil || q.fits(row) })
	answer := map[string]any{"@odata.context": r.root + "$metadata#" + t.Set + q.context()}
	if q.count {
		answer["@odata.count"] = len(found)
	}
	from, size := r.page()
	found = found[min(from, len(found)):]
	if q.top > 0 {
		found = found[:min(q.top, len(found))]
	}
	if len(found) > size {
		next := url.Values{"$skiptoken": {strconv.Itoa(from + size)}}
		for name, values := range r.query {
			if name != "$skiptoken" {
				next[name] = values
			}
		}
		answer["@odata.nextLink"] = r.root + t.Set + "?" + next.Encode()
		found = found[:size]
	}
	rows := make([]map[string]any, len(found))
	for i, row := range found {
		rows[i] = s.show(r, t, row, q)
	}
	answer["value"] = rows
	return reply{Status: http.StatusOK, Body: answer}
}

// page returns from which row on and how many rows a request wants.
func (r request) page() (from, size int) {
	size = pageSize
	for _, preference := range preferences(r.header) {
		if text, ok := strings.CutPrefix(preference, "odata.maxpagesize="); ok {
			if n, err := strconv.Atoi(text); err == nil && n > 0 {
				size = min(n, pageSize)
			}
		}
	}
	from, _ = strconv.Atoi(r.query.Get("$skiptoken"))
	return max(0, from), size
}
