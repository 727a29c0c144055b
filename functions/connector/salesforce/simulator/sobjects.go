package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func encode(value any) ([]byte, error) { return json.Marshal(value) }

// sobjects answers what is below sobjects/: {T}, {T}/{id} and {T}/{key}/{value}.
func (s *Simulator) sobjects(method, path string, query url.Values, body []byte) reply {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "" {
			return missing()
		}
		parts[i] = plain
	}
	t, known := s.tables[parts[0]]
	if !known || len(t.fields) == 0 {
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
	case len(parts) == 2:
		return s.byID(t, method, parts[1], query, body)
	case len(parts) == 3:
		return s.byKey(t, method, parts[1], parts[2], query, body)
	default:
		return undocumented(method)
	}
}

// saved answers a write that came through.
type saved struct {
	ID      string   `json:"id"`
	Success bool     `json:"success"`
	Errors  []string `json:"errors"`
	Created *bool    `json:"created,omitempty"`
}

func (s *Simulator) create(t *table, body []byte) reply {
	values, err := decodeRecord(body, false)
	if err != nil {
		return parser(err.Error())
	}
	made, fault := s.write(t, nil, values)
	if fault != nil {
		return fault.reply()
	}
	return reply{Status: http.StatusCreated, Body: saved{ID: made.id, Success: true, Errors: []string{}}}
}

func (s *Simulator) byID(t *table, method, id string, query url.Values, body []byte) reply {
	r := t.get(id)
	switch {
	case r == nil:
		return missing()
	case r.deleted && method == http.MethodGet:
		return missing()
	case r.deleted:
		return refuse(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
	}
	switch method {
	case http.MethodGet:
		return s.read(t, r, query)
	case http.MethodDelete:
		s.remove(t, r.id)
		return reply{Status: http.StatusNoContent}
	case http.MethodPatch:
		values, err := decodeRecord(body, false)
		if err != nil {
			return parser(err.Error())
		}
		if _, fault := s.write(t, r, values); fault != nil {
			return fault.reply()
		}
		return reply{Status: http.StatusNoContent}
	default:
		return undocumented(method)
	}
}

func (s *Simulator) read(t *table, r *record, query url.Values) reply {
	names := []string{"Id"}
	if list := query.Get("fields"); list != "" {
		names = strings.Split(list, ",")
	}
	if fault := t.readable(names); fault != nil {
		return fault.reply()
	}
	return reply{Status: http.StatusOK, Body: s.show(t, r, names)}
}

func (t *table) readable(names []string) *fault {
	for _, name := range names {
		if _, known := t.fields[name]; !known && !slices.Contains([]string{"Id", "CreatedDate", "LastModifiedDate"}, name) {
			return bad("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+t.object)
		}
	}
	return nil
}

// byKey answers GET and PATCH by an external id. See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-upsert.
func (s *Simulator) byKey(t *table, method, name, value string, query url.Values, body []byte) reply {
	if !t.fields[name].key {
		return refuse(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+name)
	}
	found := t.found(name, value)
	if len(found) > 1 {
		urls := make([]string, len(found))
		for i, r := range found {
			urls[i] = recordURL(t.object, r.id)
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
	values, err := decodeRecord(body, false)
	if err != nil {
		return parser(err.Error())
	}
	return s.upsert(t, name, value, values).reply()
}

// upserted is what became of an upsert.
type upserted struct {
	id      string
	created bool
	fault   *fault
}

func (u upserted) reply() reply {
	if u.fault != nil {
		return u.fault.reply()
	}
	status := http.StatusOK
	if u.created {
		status = http.StatusCreated
	}
	return reply{Status: status, Body: saved{u.id, true, []string{}, &u.created}}
}

func (s *Simulator) upsert(t *table, name, value string, values map[string]any) upserted {
	if _, given := values[name]; given {
		return upserted{fault: bad("INVALID_FIELD", "The "+name+" field should not be specified in the sobject data.")}
	}
	var held *record
	if found := t.found(name, value); len(found) > 0 {
		held = found[0]
	} else {
		values[name] = value
	}
	r, fault := s.write(t, held, values)
	if fault != nil {
		return upserted{fault: fault}
	}
	return upserted{id: r.id, created: held == nil}
}

// decodeRecord reads a record. In a row of a collection attributes must come first: the parser reads as it goes.
func decodeRecord(body []byte, row bool) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("Unexpected token: an object is required") //nolint:staticcheck // as Salesforce writes
	}
	values := map[string]any{}
	for n := 0; decoder.More(); n++ {
		token, err := decoder.Token()
		if err != nil {
			return nil, errors.New("Unexpected token") //nolint:staticcheck // as Salesforce writes
		}
		name, _ := token.(string)
		if row && (n == 0) != (name == "attributes") {
			return nil, errors.New("Object attributes must come before any other member") //nolint:staticcheck // as Salesforce writes
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.New("Unexpected token") //nolint:staticcheck // as Salesforce writes
		}
		values[name] = value
	}
	return values, nil
}
