package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// etag returns the version of a row.
func etag(r *record) string { return fmt.Sprintf(`W/"%v"`, r.Values["versionnumber"]) }

// row returns GET, PATCH and DELETE of one row. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api.
func (s *Simulator) row(r request, t *table, key rowKey) reply {
	found, fault := s.find(t, key)
	if fault != nil {
		return fault.reply()
	}
	match, none := r.header.Get("If-Match"), r.header.Get("If-None-Match")
	switch {
	case found == nil && (r.method != http.MethodPatch || match != ""):
		return t.absent(key).reply()
	case found != nil && match != "" && match != "*" && match != etag(found):
		return refuse(http.StatusPreconditionFailed, codeVersion, "The version of the existing record doesn't match the RowVersion property provided.").reply()
	}
	switch r.method {
	case http.MethodGet:
		if none == etag(found) && r.query.Get("$expand") == "" && !annotates(r.header, lookupTable) {
			return reply{Status: http.StatusNotModified}
		}
		return s.one(r, t, found, http.StatusOK)
	case http.MethodDelete:
		if t.Fixed {
			return refuse(http.StatusMethodNotAllowed, codeNoDelete, "The object you tried to delete is associated with another object and cannot be deleted.").reply()
		}
		s.remove(t, found)
		return reply{Status: http.StatusNoContent}
	case http.MethodPatch:
		if found != nil && none == "*" {
			return refuse(http.StatusPreconditionFailed, codeExists, "A record with matching key values already exists.").reply()
		}
		return s.upsert(r, t, key, found)
	default:
		return refuse(http.StatusMethodNotAllowed, "", "The requested resource does not support http method '"+r.method+"'.").reply()
	}
}

// upsert changes the row that a key names, or makes it. See
// https://learn.microsoft.com/power-apps/developer/data-platform/use-upsert-insert-update-record.
func (s *Simulator) upsert(r request, t *table, key rowKey, found *record) reply {
	body, fault := r.decode()
	if fault != nil {
		return fault.reply()
	}
	row, created, fault := s.apply(r, t, key, found, body)
	if fault != nil {
		return fault.reply()
	}
	if slices.Contains(preferences(r.header), "return=representation") {
		status := http.StatusOK
		if created {
			status = http.StatusCreated
		}
		return s.represent(r, t, row, status)
	}
	// It is named as it was asked for: by the alternate key, which tells no id.
	return reply{Status: http.StatusNoContent, Header: http.Header{"Odata-Entityid": {r.root + r.path}}}
}

// apply writes a body into the row that a key names, or into a new one.
func (s *Simulator) apply(r request, t *table, key rowKey, found *record, body map[string]any) (row *record, created bool, f *fault) {
	values, f := s.read(r, t, body)
	if f != nil {
		return nil, false, f
	}
	if found != nil {
		for column := range key { // those that name the row never change by it
			delete(values, column)
		}
		delete(values, t.ID)
		if f := s.check(r, t, found, values); f != nil {
			return nil, false, f
		}
		s.change(t, found, values)
		return found, false, nil
	}
	for column, value := range key {
		if column == "" {
			column = t.ID
		}
		if _, given := values[column]; !given {
			values[column] = value
		}
	}
	row, f = s.insert(r, t, values)
	return row, true, f
}

// insert makes a row, under the id that its values say, if they do.
func (s *Simulator) insert(r request, t *table, values map[string]any) (*record, *fault) {
	id, _ := values[t.ID].(string)
	if id == "" {
		id = s.newID(t)
	}
	if t.get(id) != nil {
		return nil, refuse(http.StatusPreconditionFailed, codeExists, "A record with matching key values already exists.")
	}
	if f := s.check(r, t, nil, values); f != nil {
		return nil, f
	}
	return s.put(t, id, values), nil
}

// create returns POST of a row. See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-entity-web-api.
func (s *Simulator) create(r request, t *table) reply {
	body, fault := r.decode()
	if fault != nil {
		return fault.reply()
	}
	row, _, fault := s.apply(r, t, nil, nil, body)
	if fault != nil {
		return fault.reply()
	}
	if slices.Contains(preferences(r.header), "return=representation") {
		return s.represent(r, t, row, http.StatusCreated)
	}
	at := r.root + t.Set + "(" + row.ID + ")"
	return reply{Status: http.StatusNoContent, Header: http.Header{"Odata-Entityid": {at}, "Location": {at}}}
}

// represent returns a row that was written.
func (s *Simulator) represent(r request, t *table, row *record, status int) reply {
	answer := s.one(r, t, row, status)
	if answer.Status == status {
		answer.Header.Set("Preference-Applied", "return=representation")
	}
	return answer
}

// one returns one row.
func (s *Simulator) one(r request, t *table, row *record, status int) reply {
	asked, fault := s.asked(r, t, "$select", "$expand")
	if fault != nil {
		return fault.reply()
	}
	if t.Name == annotations && s.options.NoFiles {
		return denied("prvRead" + t.Privilege).reply()
	}
	shown := s.show(r, t, row, asked)
	shown["@odata.context"] = r.root + "$metadata#" + t.Set + asked.context() + "/$entity"
	return reply{Status: status, Header: http.Header{"Etag": {etag(row)}}, Body: shown}
}

// made returns where a request made or found its row, for those that refer to it.
func (r request) made(answer reply) string {
	if at := answer.Header.Get("Odata-Entityid"); at != "" {
		return at
	}
	return strings.TrimSuffix(r.root+r.path, "/")
}
