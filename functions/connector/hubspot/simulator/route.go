package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signalbox/functions/connector/simulatortest"
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

// resource is what a path means in the version it belongs to.
type resource struct {
	area    string
	rest    []string
	version string // a date, or v3 or v4
}

// locate reads a path: /crm/{area}/{version} begins it in dated versions, /crm/{v3|v4}/{area} before.
func locate(u *url.URL) (resource, bool) {
	parts, ok := simulatortest.Segments(strings.TrimPrefix(u.EscapedPath(), "/"))
	if !ok || len(parts) < 4 || parts[0] != "crm" {
		return resource{}, false
	}
	areas := []string{areaObjects, areaAssociations, areaProperties}
	switch {
	case slices.Contains(areas, parts[1]) && (parts[2] == version202603 || parts[2] == version202609):
		return resource{parts[1], parts[3:], parts[2]}, true
	case slices.Contains(areas, parts[2]) && (parts[1] == versionV3 || parts[1] == versionV4):
		return resource{parts[2], parts[3:], parts[1]}, true
	default:
		return resource{}, false
	}
}

func (s *Simulator) route(r *http.Request, body []byte) reply {
	p, known := locate(r.URL)
	if !known {
		return undocumented(r)
	}
	answer := s.at(p, r, body)
	if p.version == version202609 && answer.Status == http.StatusMultiStatus { // which it describes no more: errors come with a 200
		answer.Status = http.StatusOK
	}
	return answer
}

func (s *Simulator) at(p resource, r *http.Request, body []byte) reply {
	old, between := p.version == versionV3, p.version == versionV4
	switch t := s.tables[p.rest[0]]; {
	case p.area == areaProperties && !between && t != nil:
		return s.defined(r, t, p.rest[1:], body)
	case p.area == areaAssociations && !old:
		return s.associations(r, p.rest, body)
	case p.area == areaObjects && len(p.rest) == 6 && !old:
		return s.associateDefault(r, p.rest)
	case p.area == areaObjects && len(p.rest) == 4 && p.rest[2] == areaAssociations && (between || p.version == version202603):
		return s.associated(r, p.rest[0], p.rest[1], p.rest[3])
	case p.area == areaObjects && !between && t != nil:
		return s.object(r, t, p.rest[1:], body)
	default:
		return undocumented(r)
	}
}

func (s *Simulator) object(r *http.Request, t *table, rest []string, body []byte) reply {
	single := len(rest) == 1 && rest[0] != "batch" && rest[0] != "search"
	var parameters []string
	switch {
	case single && r.Method == http.MethodGet:
		parameters = []string{"idProperty", "properties"}
	case single && r.Method == http.MethodPatch:
		parameters = []string{"idProperty"}
	}
	if answer := checkParameters(r, parameters...); answer.Status != 0 {
		return answer
	}
	switch path := r.Method + " " + strings.Join(rest, "/"); {
	case path == "POST ":
		return decoded(body, func(in newRecord) reply { return s.create(t, in) })
	case path == "POST batch/upsert":
		return decoded(body, func(in batch) reply { return s.write(t, in, true) })
	case path == "POST batch/update":
		return decoded(body, func(in batch) reply { return s.write(t, in, false) })
	case path == "POST batch/read":
		return decoded(body, func(in batchRead) reply { return s.read(t, in) })
	case path == "POST search" && t.name == contacts:
		return decoded(body, func(in searchRequest) reply { return s.search(t, in) })
	case single:
		return s.record(r, t, rest[0], body)
	default:
		return undocumented(r)
	}
}

// checkParameters refuses parameters that nothing documents here.
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
		return invalid(notUnique)
	case r.Method == http.MethodDelete:
		s.archive(t, found)
		return reply{Status: http.StatusNoContent}
	case found == nil:
		return missing()
	case r.Method == http.MethodGet:
		wanted := []string{}
		if list := query.Get("properties"); list != "" {
			wanted = strings.Split(list, ",")
		}
		return ok(t.show(found, wanted))
	case r.Method != http.MethodPatch:
		return undocumented(r)
	}
	return decoded(body, func(in struct {
		Properties map[string]string `json:"properties"`
	},
	) reply {
		if in.Properties == nil {
			return invalid("properties is required")
		}
		if _, refused := s.save(t, found, in.Properties); refused.Status != 0 {
			return refused
		}
		return ok(t.show(found, nil))
	})
}

// decoded returns what do makes of a request's body, which is read strictly.
func decoded[T any](body []byte, do func(T) reply) reply {
	var in T
	if err := simulatortest.Decode(body, &in); err != nil {
		return invalid("Invalid input JSON: " + err.Error())
	}
	return do(in)
}
