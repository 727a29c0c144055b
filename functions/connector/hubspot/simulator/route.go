package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signalbox/functions/connector/simulatortest"
)

// The versions of the API. Associations moved from v3 to v4 before the versions had dates.
const (
	version202603 = "2026-03"
	version202609 = "2026-09"
	versionV3     = "v3"
	versionV4     = "v4"
)

// locate reads a path: /crm/{area}/{version} begins it in dated versions, /crm/{v3|v4}/{area} before. Of any other there is no rest.
func locate(u *url.URL) (area, version string, rest []string) {
	parts, ok := simulatortest.Segments(strings.TrimPrefix(u.EscapedPath(), "/"))
	switch {
	case !ok || len(parts) < 4 || parts[0] != "crm":
		return "", "", nil
	case parts[1] == versionV3 || parts[1] == versionV4:
		return parts[2], parts[1], parts[3:]
	case parts[2] == version202603 || parts[2] == version202609:
		return parts[1], parts[2], parts[3:]
	default:
		return "", "", nil
	}
}

func (s *Simulator) route(r *http.Request, body []byte) reply {
	if isFiles(r.URL.Path) {
		return s.upload(r, body)
	}
	if answer, found := s.account(r, body); found {
		return answer
	}
	area, version, rest := locate(r.URL)
	if rest == nil {
		return undocumented(r)
	}
	s.version = version
	if refused, is := s.unscoped(r, area, rest[0]); is {
		return refused
	}
	answer := undocumented(r)
	switch t := s.Tables[rest[0]]; {
	case rest[0] == files: // which have an API of their own
	case area == "property-validations" && version != versionV4 && len(rest) == 1:
		answer = s.validations(r, rest[0])
	case rest[0] == leads && s.options.NoLeads:
		answer = refuse(http.StatusForbidden, "MISSING_SCOPES", "This account has no access to leads")
	case rest[0] == tickets && s.noTickets:
		answer = refuse(http.StatusForbidden, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
	case area == "properties" && version != versionV4 && t != nil:
		answer = s.defined(r, t, rest[1:], body)
	case area == "associations" && version != versionV3:
		answer = s.associations(r, rest, body)
	case area == "objects" && version != versionV3 && len(rest) == 6:
		answer = s.associateDefault(r, rest)
	case area == "objects" && version != versionV4 && t != nil:
		answer = s.object(r, t, rest[1:], body)
	}
	if version == version202609 && answer.Status == http.StatusMultiStatus { // which it describes no more: errors come with the status of a success
		answer.Status = http.StatusOK
		if strings.HasSuffix(r.URL.Path, "/batch/create") {
			answer.Status = http.StatusCreated
		}
	}
	return answer
}

func (s *Simulator) object(r *http.Request, t *table, rest []string, body []byte) reply {
	single := len(rest) == 1 && rest[0] != "batch" && rest[0] != "search"
	documented := map[string][]string{http.MethodGet: {"idProperty", "properties"}, http.MethodPatch: {"idProperty"}}[r.Method]
	for name := range r.URL.Query() {
		if !single || !slices.Contains(documented, name) {
			return invalid("unknown query parameter " + name)
		}
	}
	switch path := r.Method + " " + strings.Join(rest, "/"); {
	case path == "POST ":
		return decoded(body, func(in newRecord) reply { return s.create(t, in) })
	case path == "POST batch/create":
		return decoded(body, func(in newRecords) reply { return s.createBatch(t, in) })
	case path == "POST batch/upsert":
		return decoded(body, func(in batch) reply { return s.write(t, in, true) })
	case path == "POST batch/update":
		return decoded(body, func(in batch) reply { return s.write(t, in, false) })
	case path == "POST batch/read":
		return decoded(body, func(in batchRead) reply { return s.read(t, in) })
	case path == "POST search" && (t.name == contacts || t.name == tasks):
		return decoded(body, func(in searchRequest) reply { return s.search(t, in) })
	case single:
		return s.record(r, t, rest[0], body)
	default:
		return undocumented(r)
	}
}

// record returns GET, PATCH and DELETE of one record.
func (s *Simulator) record(r *http.Request, t *table, id string, body []byte) reply {
	query := r.URL.Query()
	found, allowed := s.find(t, query.Get("idProperty"), id, r.Method == http.MethodGet)
	switch {
	case !allowed:
		return invalid(notUnique)
	case r.Method == http.MethodDelete:
		s.archive(t, found)
		return reply{Status: http.StatusNoContent}
	case found == nil:
		return missing()
	case r.Method == http.MethodGet:
		return ok(t.show(found, strings.FieldsFunc(query.Get("properties"), func(r rune) bool { return r == ',' })))
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
