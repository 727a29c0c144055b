package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The areas of the API.
const (
	areaObjects      = "objects"
	areaAssociations = "associations"
	areaProperties   = "properties"
)

// The versions of the API. Associations moved from v3 to v4 before the versions had dates.
const (
	version202603 = "2026-03"
	version202609 = "2026-09"
	versionV3     = "v3"
	versionV4     = "v4"
)

// place is what a path means in the version it belongs to.
type place struct {
	area    string
	rest    []string
	version string // a date, or v3 or v4
}

// locate reads a path: /crm/{area}/{version} begins it in dated versions, /crm/{v3|v4}/{area} before.
func locate(u *url.URL) (place, bool) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "" {
			return place{}, false
		}
		parts[i] = plain
	}
	if len(parts) < 4 || parts[0] != "crm" {
		return place{}, false
	}
	areas := []string{areaObjects, areaAssociations, areaProperties}
	switch {
	case slices.Contains(areas, parts[1]) && (parts[2] == version202603 || parts[2] == version202609):
		return place{parts[1], parts[3:], parts[2]}, true
	case slices.Contains(areas, parts[2]) && (parts[1] == versionV3 || parts[1] == versionV4):
		return place{parts[2], parts[3:], parts[1]}, true
	default:
		return place{}, false
	}
}

func (s *Simulator) route(r *http.Request, body []byte) reply {
	p, known := locate(r.URL)
	if !known {
		return undocumented(r)
	}
	answer := s.at(p, r, body)
	if p.version == version202609 && answer.status == http.StatusMultiStatus { // which it describes no more: errors come with a 200
		answer.status = http.StatusOK
	}
	return answer
}

func (s *Simulator) at(p place, r *http.Request, body []byte) reply {
	old, between := p.version == versionV3, p.version == versionV4
	switch {
	case p.area == areaProperties && !between:
		return s.defined(r, p.rest, body)
	case p.area == areaAssociations && !old:
		return s.associations(r, p.rest, body)
	case p.area == areaObjects && len(p.rest) == 6 && !old:
		return s.associateDefault(r, p.rest)
	case p.area == areaObjects && len(p.rest) == 4 && p.rest[2] == areaAssociations && (between || p.version == version202603):
		return s.associated(r, p.rest[0], p.rest[1], p.rest[3])
	case p.area == areaObjects && !between && s.tables[p.rest[0]] != nil:
		return s.object(r, s.tables[p.rest[0]], p.rest[1:], body)
	default:
		return undocumented(r)
	}
}

func (s *Simulator) object(r *http.Request, t *table, rest []string, body []byte) reply {
	path := r.Method + " " + strings.Join(rest, "/")
	if answer := checkQuery(r, rest); answer.status != 0 {
		return answer
	}
	switch {
	case path == "POST ":
		return s.create(t, body)
	case path == "POST batch/upsert":
		return s.upsert(t, body)
	case path == "POST batch/update":
		return s.update(t, body)
	case path == "POST batch/read":
		return s.read(t, body)
	case path == "POST search" && t.name == contacts:
		return s.search(t, body)
	case len(rest) == 1 && rest[0] != "batch" && rest[0] != "search":
		return s.record(r, t, rest[0], body)
	default:
		return undocumented(r)
	}
}

// checkQuery refuses parameters that nothing documents here.
func checkQuery(r *http.Request, rest []string) reply {
	var allowed []string
	switch {
	case len(rest) == 1 && r.Method == http.MethodGet:
		allowed = []string{"idProperty", "properties"}
	case len(rest) == 1 && r.Method == http.MethodPatch:
		allowed = []string{"idProperty"}
	}
	return checkParameters(r, allowed...)
}

func checkParameters(r *http.Request, allowed ...string) reply {
	for name := range r.URL.Query() {
		if !slices.Contains(allowed, name) {
			return invalid("unknown query parameter " + name)
		}
	}
	return reply{}
}

// record returns GET, PATCH and DELETE of one record.
func (s *Simulator) record(r *http.Request, t *table, id string, body []byte) reply {
	query := r.URL.Query()
	found, allowed := t.find(query.Get("idProperty"), id)
	switch {
	case !allowed:
		return invalid("idProperty does not have unique values")
	case r.Method == http.MethodDelete && found == nil:
		return reply{status: http.StatusNoContent}
	case found == nil:
		return missing()
	}
	switch r.Method {
	case http.MethodGet:
		wanted := []string{}
		if list := query.Get("properties"); list != "" {
			wanted = strings.Split(list, ",")
		}
		return ok(t.show(found, wanted))
	case http.MethodDelete:
		s.archive(t, found)
		return reply{status: http.StatusNoContent}
	case http.MethodPatch:
		var in struct {
			Properties map[string]string `json:"properties"`
		}
		if answer := decode(body, &in); answer.status != 0 {
			return answer
		}
		if in.Properties == nil {
			return invalid("properties is required")
		}
		if faults := t.check(in.Properties); len(faults) > 0 {
			return reply{status: http.StatusBadRequest, body: properties(faults)}
		}
		if status, refused, clashes := t.clash(found.id, in.Properties); clashes {
			return reply{status: status, body: refused}
		}
		s.set(t, found, in.Properties)
		return ok(t.show(found, nil))
	default:
		return undocumented(r)
	}
}

// decode reads a request's body strictly; a zero reply means it could.
func decode(body []byte, into any) reply {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return invalid("Invalid input JSON: " + err.Error())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return invalid("Invalid input JSON: there is more behind it")
	}
	return reply{}
}
