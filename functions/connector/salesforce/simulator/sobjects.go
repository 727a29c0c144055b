package simulator

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signalbox/functions/connector/simulatortest"
)

// sobjects returns what is below sobjects/: {T}, {T}/{id} and {T}/{key}/{value}.
func (s *Simulator) sobjects(method, path string, query url.Values, body []byte) reply {
	parts, ok := simulatortest.Segments(path)
	if !ok {
		return missing()
	}
	t := s.table(parts[0])
	if t == nil || len(t.fields) == 0 {
		return missing()
	}
	for name := range query {
		if name != "fields" || method != http.MethodGet {
			return refuse(http.StatusBadRequest, "SIMULATOR", "unknown query parameter "+name)
		}
	}
	switch {
	case len(parts) == 1 && method == http.MethodPost:
		return s.create(t, body)
	case len(parts) == 2 && parts[1] == "describe" && method == http.MethodGet:
		return s.describe(t)
	case len(parts) == 2:
		return s.byID(t, method, parts[1], query, body)
	case len(parts) == 3:
		return s.byKey(t, method, t.name(parts[1]), parts[2], query, body)
	default:
		return undocumented(method)
	}
}

// saved returns a write that came through.
type saved struct {
	ID      string   `json:"id"`
	Success bool     `json:"success"`
	Errors  []string `json:"errors"`
	Created *bool    `json:"created,omitempty"`
}

// createdAt returns a request that made a record.
func createdAt(t *table, id string, body saved) reply {
	return reply{Status: http.StatusCreated, Header: http.Header{"Location": {recordURL(t.object, id)}}, Body: body}
}

// put makes a record of a body, or changes the one that is held, unless it returns a refusal.
func (s *Simulator) put(t *table, held *record, body []byte) (*record, reply) {
	values, err := t.decode(body)
	if err != nil {
		return nil, parser(err.Error())
	}
	made, fault := s.write(t, held, values)
	if fault != nil {
		return nil, fault.reply()
	}
	return made, reply{}
}

func (s *Simulator) create(t *table, body []byte) reply {
	made, refused := s.put(t, nil, body)
	if refused.Status != 0 {
		return refused
	}
	return createdAt(t, made.ID, saved{ID: made.ID, Success: true, Errors: []string{}})
}

func (s *Simulator) byID(t *table, method, id string, query url.Values, body []byte) reply {
	r := t.get(id)
	switch {
	case r == nil || r.Deleted && method == http.MethodGet:
		return missing()
	case r.Deleted:
		return refuse(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
	case method == http.MethodGet:
		return s.read(t, r, query)
	case method == http.MethodDelete:
		t.Delete(r)
	case method == http.MethodPatch:
		if _, refused := s.put(t, r, body); refused.Status != 0 {
			return refused
		}
	default:
		return undocumented(method)
	}
	return reply{Status: http.StatusNoContent}
}

func (s *Simulator) read(t *table, r *record, query url.Values) reply {
	names := t.names()
	if list := query.Get("fields"); list != "" {
		names = strings.Split(list, ",")
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, fieldID) }) {
			names = append(names, fieldID) // it is there in any case
		}
	}
	if fault := t.readable(names); fault != nil {
		return fault.reply()
	}
	return reply{Status: http.StatusOK, Body: s.show(t, r, names)}
}

// readable makes names those that Salesforce writes, and returns why they cannot be read.
func (t *table) readable(names []string) *fault {
	for i, name := range names {
		names[i] = t.name(strings.TrimSpace(name))
		if _, known := t.fields[names[i]]; !known && !slices.Contains([]string{fieldID, fieldCreated, fieldModified}, names[i]) {
			return bad("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+t.object)
		}
	}
	return nil
}

// byKey returns GET and PATCH by an external id. See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-upsert.
func (s *Simulator) byKey(t *table, method, name, value string, query url.Values, body []byte) reply {
	if !t.fields[name].Key {
		return refuse(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+name)
	}
	found := t.found(name, value)
	if len(found) > 1 {
		urls := make([]string, len(found))
		for i, r := range found {
			urls[i] = recordURL(t.object, r.ID)
		}
		return reply{Status: http.StatusMultipleChoices, Body: urls}
	}
	switch {
	case method == http.MethodGet && len(found) == 0:
		return missing()
	case method == http.MethodGet:
		return s.read(t, found[0], query)
	case method != http.MethodPatch:
		return undocumented(method)
	}
	values, err := t.decode(body)
	_, given := values[name]
	switch {
	case err != nil:
		return parser(err.Error())
	case given:
		return bad("INVALID_FIELD", "The "+name+" field should not be specified in the sobject data.").reply()
	}
	found, created := append(found, nil), len(found) == 0
	if created {
		values[name] = value
	}
	r, fault := s.write(t, found[0], values)
	if fault != nil {
		return fault.reply()
	}
	done := saved{r.ID, true, []string{}, &created}
	if created {
		return createdAt(t, r.ID, done)
	}
	return reply{Status: http.StatusOK, Body: done}
}

// decode reads a record of the table. Names may be written in any case, as everywhere in Salesforce, and attributes may come
// anywhere: only a nested object of several possible types needs them first.
func (t *table) decode(body []byte) (map[string]any, error) {
	var written map[string]any
	if err := json.Unmarshal(body, &written); err != nil || written == nil {
		return nil, errors.New("an object is required, whole and nothing after it")
	}
	values := make(map[string]any, len(written))
	for name, value := range written {
		values[t.name(name)] = value
	}
	delete(values, "attributes")
	return values, nil
}

// table returns the table of an object, whose name may be written in any case; nil if there is none.
func (s *Simulator) table(object string) *table {
	if t, exact := s.Tables[object]; exact {
		return t
	}
	for name, t := range s.Tables {
		if strings.EqualFold(name, object) {
			return t
		}
	}
	return nil
}

// The fields that every object has.
const (
	fieldID       = "Id"
	fieldCreated  = "CreatedDate"
	fieldModified = "LastModifiedDate"
)

// name returns a field's name as Salesforce writes it, and any other as it is.
func (t *table) name(written string) string {
	if _, exact := t.fields[written]; exact {
		return written
	}
	for _, name := range []string{fieldID, fieldCreated, fieldModified, "attributes"} {
		if strings.EqualFold(name, written) {
			return name
		}
	}
	for name := range t.fields {
		if strings.EqualFold(name, written) {
			return name
		}
	}
	return written
}

// names returns the names of all fields.
func (t *table) names() []string {
	return append([]string{fieldID}, append(slices.Sorted(maps.Keys(t.fields)), fieldCreated, fieldModified)...)
}
