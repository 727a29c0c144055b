package simulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// defining is what the body of a new definition may say, as far as it counts here.
type defining struct {
	values map[string]any
}

func (d defining) text(name string) string {
	text, _ := d.values[name].(string)
	return text
}

// logical returns the logical name of what is defined.
func (d defining) logical() string { return strings.ToLower(d.text("SchemaName")) }

// makeDefinition returns POST EntityDefinitions, and of Attributes and Keys below one of them. A new table is none yet. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api and
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api.
func (s *Simulator) makeDefinition(r request, t *table, below string) reply {
	body, fault := r.decode()
	d := defining{body}
	switch {
	case fault != nil:
	case time.Now().Before(s.locked):
		fault = customizing()
	case !s.solutionKnown(r.header.Get("MSCRM.SolutionUniqueName")):
		fault = bad(codeArgument, "The solution of the header MSCRM.SolutionUniqueName does not exist.")
	case d.logical() == "" || !strings.Contains(d.logical(), "_"):
		fault = bad(codeArgument, "SchemaName is required, with the prefix of the publisher.")
	case t == nil:
		fault = s.defineTable(d)
	case below == "Attributes":
		fault = t.defineColumn(d)
	case below == "Keys":
		fault = t.defineKey(d, s.options.Indexing)
	default:
		fault = noSegment(below)
	}
	if fault != nil {
		return fault.reply()
	}
	at := r.root + r.path + "(" + metadataID(d.logical()) + ")"
	if t != nil {
		at = r.root + r.path + "(" + metadataID(t.Name+d.logical()) + ")"
	}
	return reply{Status: http.StatusNoContent, Header: http.Header{"Odata-Entityid": {at}}}
}

// customizing refuses what changes definitions while somebody else's customization runs. See
// https://learn.microsoft.com/troubleshoot/power-platform/dataverse/working-with-solutions/solution-operations-concurrency-failures.
func customizing() *fault {
	return refuse(http.StatusTooManyRequests, codeLocked, "Cannot start another [EntityCustomization] because there is a previous [EntityCustomization] running at this moment. Use Solution History for more details.")
}

// solutionKnown reports whether there is a solution of a name; the default solution is always there.
func (s *Simulator) solutionKnown(name string) bool {
	if name == "" || name == "Default" {
		return true
	}
	for _, r := range s.Tables[solutions].Rows {
		if held, _ := r.Values["uniquename"].(string); !r.Deleted && strings.EqualFold(held, name) {
			return true
		}
	}
	return false
}

// defineTable makes a table. An activity must have notes and must not have activities.
func (s *Simulator) defineTable(d defining) *fault {
	name, activity := d.logical(), d.values["IsActivity"] == true
	switch {
	case s.Tables[name] != nil:
		return bad(codeNameTaken, "An object with the specified name already exists: "+name)
	case activity && d.values["HasActivities"] == true:
		return bad("0x8004F121", "A custom entity defined as an activity must not have a relationship with Activities.")
	case activity && d.values["IsAvailableOffline"] != true:
		return bad("0x8004F122", "A custom entity defined as an activity must have Offline Availability.")
	case activity && d.values["HasNotes"] != true:
		return bad("0x8004F123", "A custom entity defined as an activity must have a relationship to Notes by default.")
	}
	made := custom(name, activity)
	attributes, _ := d.values["Attributes"].([]any)
	for _, one := range attributes {
		values, _ := one.(map[string]any)
		column := defining{values}
		c, fault := column.column()
		if fault != nil {
			return fault
		}
		if made.Columns[column.logical()] = c; values["IsPrimaryName"] == true {
			made.Label = column.logical()
		}
	}
	if made.Label == "" {
		return bad(codeArgument, "The definition of the primary name column is required.")
	}
	s.addTable(made)
	if d.values["HasNotes"] == true {
		s.Tables[annotations].Columns["objectid"].To["objectid_"+name] = name
	}
	return nil
}

// custom returns a table that customers make, without its primary name.
func custom(name string, activity bool) definition {
	made := definition{Name: name, Set: plural(name), ID: name + "id", Privilege: name, States: map[string][]int{"0": {1}, "1": {2}}, Columns: map[string]column{}}
	if activity {
		made.ID, made.Activity, made.Privilege = "activityid", true, "Activity"
		made.States = map[string][]int{"0": {1}, "1": {2}, "2": {3}, "3": {4}}
		made.Columns = map[string]column{
			"description": {Type: "Memo", Length: 2000}, "scheduledstart": {Type: "DateTime"}, "scheduledend": {Type: "DateTime"},
			"actualstart": {Type: "DateTime"}, "actualend": {Type: "DateTime"},
			"regardingobjectid": {Type: "Lookup", To: map[string]string{"regardingobjectid_contact_" + name: contacts, "regardingobjectid_lead_" + name: leads}},
		}
	}
	return made
}

// plural returns the set that a table is addressed by unless another is given.
func plural(name string) string {
	for _, end := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(name, end) {
			return name + "es"
		}
	}
	if stem, isY := strings.CutSuffix(name, "y"); isY && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return stem + "ies"
	}
	return name + "s"
}

// The longest texts. See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api.
const (
	maxString = 4000
	maxMemo   = 1048576
)

// column returns the column that is defined. Lookups come with relationships.
func (d defining) column() (column, *fault) {
	kind := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(d.text("@odata.type"), "#"), actionPrefix), "AttributeMetadata")
	length := number(d.values["MaxLength"])
	switch kind {
	case "String", "Memo":
		if most := map[string]int{"String": maxString, "Memo": maxMemo}[kind]; length < 1 || length > most {
			return column{}, bad(codeArgument, "MaxLength is required, and no more than is allowed for "+kind+".")
		}
		return column{Type: kind, Length: length}, nil
	case "Boolean":
		if _, says := d.values["OptionSet"].(map[string]any); !says {
			return column{}, bad(codeArgument, "OptionSet with TrueOption and FalseOption is required.")
		}
		return column{Type: kind}, nil
	case "Integer", "DateTime":
		return column{Type: kind}, nil
	default:
		return column{}, bad(codeArgument, "The simulator makes no columns of the type '"+d.text("@odata.type")+"'.")
	}
}

func (t *table) defineColumn(d defining) *fault {
	c, fault := d.column()
	if fault != nil {
		return fault
	}
	if _, there := t.Columns[d.logical()]; there {
		return bad(codeColumnTaken, "An attribute with the specified name "+d.logical()+" already exists")
	}
	t.Columns[d.logical()] = c
	return nil
}

// Limits of alternate keys. See https://learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity.
const (
	maxKeys       = 10
	maxKeyColumns = 16
)

func (t *table) defineKey(d defining, indexing time.Duration) *fault {
	var columns []string
	named, _ := d.values["KeyAttributes"].([]any)
	for _, one := range named {
		name, _ := one.(string)
		if c, there := t.Columns[name]; !there || !slices.Contains([]string{"Integer", "String", "DateTime", "Lookup", "Picklist"}, c.Type) {
			return bad(codeArgument, "KeyAttributes are columns of the table, of types that keys can have: "+name)
		}
		columns = append(columns, name)
	}
	switch {
	case t.Keys[d.logical()] != nil:
		return bad(codeKeyNamed, "An entity key with the name "+d.logical()+" already exists on entity "+t.Name+".")
	case len(columns) == 0 || len(columns) > maxKeyColumns || len(t.Keys) == maxKeys:
		return bad(codeArgument, "A table has up to ten keys, of up to sixteen columns each.")
	}
	t.Keys[d.logical()], t.built[d.logical()] = columns, time.Now().Add(indexing)
	for _, r := range t.Rows { // so that they are found by it
		t.Change(r, func(map[string]any) {})
	}
	return nil
}

// pending reports whether the index of an alternate key is still being built.
func (s *Simulator) pending(t *table, key string) bool {
	return s.options.KeysPending || time.Now().Before(t.built[key])
}

// relationships returns POST RelationshipDefinitions: a lookup from one table to another. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-relationships-using-web-api.
func (s *Simulator) relationships(r request) reply {
	if r.method != http.MethodPost {
		return refuse(http.StatusNotImplemented, "SIMULATOR", "The simulator lists no relationships").reply()
	}
	body, fault := r.decode()
	if fault != nil {
		return fault.reply()
	}
	d := defining{body}
	values, _ := body["Lookup"].(map[string]any)
	lookup := defining{values}
	from, to := s.Tables[d.text("ReferencingEntity")], s.Tables[d.text("ReferencedEntity")]
	property := d.text("ReferencingEntityNavigationPropertyName")
	if property == "" {
		property = lookup.text("SchemaName")
	}
	switch {
	case time.Now().Before(s.locked):
		return customizing().reply()
	case d.text("@odata.type") != actionPrefix+"OneToManyRelationshipMetadata" || d.text("SchemaName") == "" || from == nil || to == nil || lookup.logical() == "":
		return bad(codeArgument, "SchemaName, ReferencedEntity, ReferencingEntity and Lookup of a OneToManyRelationshipMetadata are required.").reply()
	case from.Columns[lookup.logical()].Type != "":
		return bad(codeColumnTaken, "An attribute with the specified name "+lookup.logical()+" already exists").reply()
	}
	from.Columns[lookup.logical()] = column{Type: "Lookup", To: map[string]string{property: to.Name}}
	at := r.root + "RelationshipDefinitions(" + metadataID(d.logical()) + ")"
	return reply{Status: http.StatusNoContent, Header: http.Header{"Odata-Entityid": {at}}}
}

// number returns what a body says in digits, or 0.
func number(written any) int {
	digits, isNumber := written.(interface{ Int64() (int64, error) })
	if !isNumber {
		return 0
	}
	n, err := digits.Int64()
	if err != nil {
		return 0
	}
	return int(n)
}
