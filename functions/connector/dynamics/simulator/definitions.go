package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// schema returns the name that a table or column is spelled by in definitions. That of ours is in small letters, as it was made.
func schema(name string) string {
	if strings.Contains(name, "_") {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// definitions returns EntityDefinitions, EntityDefinitions(LogicalName='…') and what is below that: Keys and Attributes. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api and, for keys,
// https://learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity.
func (s *Simulator) definitions(r request, key rowKey, rest string) reply {
	if r.method != http.MethodGet && r.method != http.MethodPost {
		return refuse(http.StatusNotImplemented, "SIMULATOR", "The simulator makes definitions and changes none").reply()
	}
	if key == nil && r.method == http.MethodPost {
		return s.makeDefinition(r, nil, "")
	}
	if key == nil {
		var all []any
		for _, name := range slices.Sorted(maps.Keys(s.Tables)) {
			if t := s.Tables[name]; fitsName(r.query.Get("$filter"), t) {
				all = append(all, s.defined(t, r))
			}
		}
		return reply{Status: http.StatusOK, Body: map[string]any{"@odata.context": r.root + "$metadata#EntityDefinitions", "value": all}}
	}
	t := s.Tables[key["LogicalName"]]
	for name := range s.Tables {
		if metadataID(name) == key[""] {
			t = s.Tables[name]
		}
	}
	if t == nil {
		return refuse(http.StatusNotFound, codeNoRow, "Could not find an entity with name "+key["LogicalName"]+".").reply()
	}
	if r.method == http.MethodPost {
		return s.makeDefinition(r, t, rest)
	}
	switch rest {
	case "":
		return reply{Status: http.StatusOK, Body: s.defined(t, r)}
	case "Keys":
		return reply{Status: http.StatusOK, Body: map[string]any{"value": s.keys(t)}}
	default:
		return t.attributes(r, rest)
	}
}

var attributesOf = regexp.MustCompile(`^Attributes(?:\(LogicalName='([a-z0-9_]+)'\))?(?:/Microsoft\.Dynamics\.CRM\.([A-Za-z]+)AttributeMetadata)?$`)

// attributes returns the columns of a table, or one of them, or those of a type.
func (t *table) attributes(r request, rest string) reply {
	found := attributesOf.FindStringSubmatch(rest)
	if found == nil {
		return noSegment(rest).reply()
	}
	all, only := []any{}, r.query.Get("$filter")
	for _, name := range slices.Sorted(maps.Keys(t.Columns)) {
		if (found[1] == "" || found[1] == name) && (found[2] == "" || found[2] == t.Columns[name].Type) && (only == "" || only == "LogicalName eq '"+name+"'") {
			all = append(all, t.attribute(name))
		}
	}
	for name := range strings.SplitSeq(r.query.Get("$select"), ",") { // what only some types have, only their own definitions are asked for
		if found[2] == "" && slices.Contains([]string{"MaxLength", "Format", "OptionSet", "Targets"}, name) {
			return bad(codeQuery, "Could not find a property named '"+name+"' on type 'Microsoft.Dynamics.CRM.AttributeMetadata'.").reply()
		}
	}
	for _, one := range all {
		narrow(one.(map[string]any), r)
	}
	switch {
	case found[1] == "":
		return reply{Status: http.StatusOK, Body: map[string]any{"value": all}}
	case len(all) == 0:
		return refuse(http.StatusNotFound, codeNoRow, "Could not find an attribute with name "+found[1]+" in entity "+t.Name+".").reply()
	default:
		return reply{Status: http.StatusOK, Body: all[0]}
	}
}

// narrow leaves of a column's definition what is selected and expanded.
func narrow(shown map[string]any, r request) {
	list, expand := strings.Split(r.query.Get("$select"), ","), r.query.Get("$expand")
	for name := range shown {
		navigates := name == "OptionSet"
		if navigates && !strings.Contains(expand, name) || !navigates && list[0] != "" && name != "MetadataId" && name != "@odata.type" && !slices.Contains(list, name) {
			delete(shown, name)
		}
	}
}

// fitsName reports whether a $filter, of the forms that are simulated, lets a table pass: LogicalName eq '…', SchemaName eq '…', with or
// between several.
func fitsName(filter string, t *table) bool {
	if filter == "" {
		return true
	}
	for one := range strings.SplitSeq(filter, " or ") {
		if one == "LogicalName eq '"+t.Name+"'" || strings.EqualFold(one, "SchemaName eq '"+t.Name+"'") || strings.EqualFold(one, "tolower(SchemaName) eq '"+t.Name+"'") {
			return true
		}
	}
	return false
}

func label(text string) map[string]any {
	one := map[string]any{"Label": text, "LanguageCode": 1033}
	return map[string]any{"LocalizedLabels": []any{one}, "UserLocalizedLabel": one}
}

// defined returns a table's definition, with its keys if they are expanded.
func (s *Simulator) defined(t *table, r request) map[string]any {
	of := map[string]any{
		"LogicalName": t.Name, "SchemaName": schema(t.Name), "EntitySetName": t.Set, "LogicalCollectionName": t.Set, "PrimaryIdAttribute": t.ID,
		"PrimaryNameAttribute": t.Label, "IsActivity": t.Activity, "IsCustomEntity": strings.Contains(t.Name, "_"), "IsOptimisticConcurrencyEnabled": true,
		"DisplayName": label(schema(t.Name)), "TableType": "Standard",
	}
	shown := map[string]any{"MetadataId": metadataID(t.Name)}
	for name, value := range of {
		if list := r.query.Get("$select"); list == "" || slices.Contains(strings.Split(list, ","), name) {
			shown[name] = value
		}
	}
	if strings.HasPrefix(r.query.Get("$expand"), "Keys") {
		shown["Keys"] = s.keys(t)
	}
	return shown
}

// metadataID returns the id of a definition.
func metadataID(name string) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", hash(name), len(name))
}

// keys returns the alternate keys of a table.
func (s *Simulator) keys(t *table) []any {
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(t.Keys)) {
		status := "Active"
		if s.pending(t, name) {
			status = "Pending"
		}
		all = append(all, map[string]any{
			"MetadataId": metadataID(t.Name + name), "SchemaName": schema(name), "LogicalName": name, "EntityLogicalName": t.Name,
			"KeyAttributes": t.Keys[name], "EntityKeyIndexStatus": status, "IsManaged": false, "DisplayName": label(name),
		})
	}
	return all
}

// attribute returns a column's definition.
func (t *table) attribute(name string) map[string]any {
	c := t.Columns[name]
	kind := c.Type
	shown := map[string]any{
		"MetadataId": metadataID(t.Name + name), "LogicalName": name, "SchemaName": schema(name), "EntityLogicalName": t.Name, "AttributeType": kind,
		"IsValidForCreate": !c.ReadOnly, "IsValidForUpdate": !c.ReadOnly && name != t.ID, "IsValidForRead": true, "IsCustomAttribute": strings.Contains(name, "_"),
		"RequiredLevel": map[string]any{"Value": "None"}, "DisplayName": label(schema(name)), "@odata.type": "#" + actionPrefix + kind + "AttributeMetadata",
	}
	if c.Length > 0 {
		shown["MaxLength"] = c.Length
	}
	if kind == "DateTime" {
		shown["Format"] = map[bool]string{false: "DateAndTime", true: "DateOnly"}[c.DateOnly]
	}
	if len(c.Options) > 0 {
		options := make([]any, len(c.Options))
		for i, value := range c.Options {
			options[i] = map[string]any{"Value": value, "Label": label(fmt.Sprint(value))}
		}
		shown["OptionSet"] = map[string]any{"Options": options}
	}
	if kind == "Status" {
		var options []any
		for _, state := range slices.Sorted(maps.Keys(t.States)) {
			for _, value := range t.States[state] {
				n, _ := strconv.Atoi(state) // embedded, and tested
				options = append(options, map[string]any{"Value": value, "State": n, "Label": label(fmt.Sprint(value))})
			}
		}
		shown["OptionSet"] = map[string]any{"Options": options}
	}
	if len(c.To) > 0 {
		shown["Targets"] = slices.Sorted(maps.Values(c.To))
	}
	return shown
}
