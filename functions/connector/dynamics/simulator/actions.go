package simulator

import (
	"net/http"
	"strings"
)

// actionPrefix begins the name of an action or function that is bound to a table.
const actionPrefix = "Microsoft.Dynamics.CRM."

// unbound returns a function or an action of the environment.
func (s *Simulator) unbound(r request, name string) reply {
	function := map[string]map[string]any{
		"WhoAmI": {
			"BusinessUnitId": "00000000-0000-4000-8000-0000000000b1", "UserId": IntegrationUser, "OrganizationId": "00000000-0000-4000-8000-0000000000a1",
		},
		"RetrieveVersion": {"Version": "9.2.26093.00100"},
	}[name]
	switch {
	case name == "PublishAllXml" && r.method == http.MethodPost:
		return reply{Status: http.StatusNoContent}
	case function == nil:
		return noSegment(name).reply()
	case r.method != http.MethodGet:
		return noResource(r.root + r.path).reply()
	}
	function["@odata.context"] = r.root + "$metadata#" + actionPrefix + name + "Response"
	return reply{Status: http.StatusOK, Body: function}
}

// bound returns an action on several rows of a table: all of them come through, or none, for all tables here are standard tables. See
// https://learn.microsoft.com/power-apps/developer/data-platform/bulk-operations and
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/upsertmultiple.
func (s *Simulator) bound(r request, t *table, action string) reply {
	body, fault := r.decode()
	targets, isList := body["Targets"].([]any)
	switch {
	case action != "CreateMultiple" && action != "UpdateMultiple" && action != "UpsertMultiple":
		return noSegment(actionPrefix + action).reply()
	case r.method != http.MethodPost:
		return noResource(r.root + r.path).reply()
	case fault != nil:
		return fault.reply()
	case !isList || len(targets) == 0 || len(body) != 1:
		return payload(t.Set, "The parameter 'Targets' is required and is a collection.").reply()
	}
	ids := make([]string, len(targets))
	for i, one := range targets {
		values, isRow := one.(map[string]any)
		if !isRow || values["@odata.type"] != actionPrefix+t.Name {
			return payload(t.Set, "A type named '"+actionPrefix+t.Name+"' was expected with every item.").reply()
		}
		id, fault := s.onTarget(r, t, action, values)
		if fault != nil {
			return fault.reply()
		}
		ids[i] = id
	}
	if action != "CreateMultiple" {
		return reply{Status: http.StatusNoContent}
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"@odata.context": r.root + "$metadata#" + actionPrefix + "CreateMultipleResponse", "Ids": ids}}
}

// onTarget carries an action out on one row.
func (s *Simulator) onTarget(r request, t *table, action string, values map[string]any) (id string, f *fault) {
	key, f := t.named(values)
	if f != nil {
		return "", f
	}
	var found *record
	if key != nil && action != "CreateMultiple" {
		if found, f = s.find(t, key); f != nil {
			return "", f
		}
	}
	if action == "UpdateMultiple" && found == nil {
		return "", t.absent(key)
	}
	if found == nil {
		// As others found where the row was not there, see https://github.com/microsoft/PowerPlatform-DataverseClient-Python/pull/127.
		for column := range key {
			if _, twice := values[column]; twice && column != t.ID {
				return "", bad(codeUnexpected, "An unexpected error occurred.")
			}
		}
	}
	row, _, f := s.apply(r, t, key, found, values)
	if f != nil {
		return "", f
	}
	return row.ID, nil
}

// named returns the key that a target of an action says: by @odata.id, or by its primary key among the values. It is nil if it says none.
func (t *table) named(values map[string]any) (rowKey, *fault) {
	if at, says := values["@odata.id"].(string); says {
		name, key, rest, ok := request{path: strings.TrimPrefix(at, "/")}.address()
		if !ok || key == nil || rest != "" || name != t.Set {
			return nil, t.badKey()
		}
		return key, nil
	}
	if id, says := values[t.ID].(string); says {
		if !guid.MatchString(id) {
			return nil, t.badKey()
		}
		return rowKey{"": strings.ToLower(id)}, nil
	}
	return nil, nil
}
