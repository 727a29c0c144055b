package simulator

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	definitions "signalbox/functions/connector/dynamics/package"
	"signalbox/functions/connector/simulatortest"
)

// The tables that the simulator itself has to do with.
const (
	contacts    = "contact"
	leads       = "lead"
	annotations = "annotation"
	users       = "systemuser"
	teams       = "team"
	solutions   = "solution"
)

// column is what rows may hold under a name.
type column struct {
	Type     string            `json:"type"` // String, Memo, Boolean, Integer, BigInt, Double, Picklist, State, Status, DateTime, Lookup, Owner, Uniqueidentifier, File
	Length   int               `json:"length"`
	Options  []int             `json:"options"`
	To       map[string]string `json:"to"` // of a Lookup: navigation property to table
	ReadOnly bool              `json:"readOnly"`
	DateOnly bool              `json:"dateOnly"` // of a DateTime
}

// definition is what a table is. Sets, ids and navigation properties are named as at
// https://learn.microsoft.com/power-apps/developer/data-platform/reference/about-entity-reference and
// https://learn.microsoft.com/dynamics365/developer/reference/about-entity-reference.
type definition struct {
	Name      string              `json:"-"`         // logical
	Set       string              `json:"set"`       // of the address
	ID        string              `json:"id"`        // the column that is the primary key
	Label     string              `json:"label"`     // the column that is the primary name
	Privilege string              `json:"privilege"` // as in prvCreate…
	Activity  bool                `json:"activity"`
	Unowned   bool                `json:"unowned"`
	Fixed     bool                `json:"fixed"`  // nobody writes it here
	States    map[string][]int    `json:"states"` // statecode to its status codes, the default first
	Columns   map[string]column   `json:"columns"`
	Keys      map[string][]string `json:"keys"` // schema name of an alternate key to its columns
}

type record = simulatortest.Row[any]

// table is one table. Values are by the name of the property: that of a lookup is _<column>_value, and its value a ref.
type table struct {
	simulatortest.Table[any]
	definition
	made  int
	built map[string]time.Time // by alternate key: when its index is there
}

// ref is what a lookup holds.
type ref struct {
	table *table
	id    string
}

// String returns the id.
func (r ref) String() string { return r.id }

// dataverses are Dataverse's own tables and columns, as far as they are simulated.
//
//go:embed tables.json
var dataverses []byte

// begin makes Dataverse's own tables.
func (s *Simulator) begin() {
	var defined map[string]definition
	_ = json.Unmarshal(dataverses, &defined) // embedded, and tested
	for name, d := range defined {
		d.Name = name
		s.addTable(d)
	}
}

// deploy makes the tables, columns and keys of our solution.
func (s *Simulator) deploy() {
	s.put(s.Tables[solutions], s.newID(s.Tables[solutions]), map[string]any{
		"uniquename": definitions.Solution, "friendlyname": "Signalbox", "version": "1.0.0.0", "ismanaged": false,
	})
	ours, _ := definitions.Tables() // embedded, and tested
	for _, d := range ours {
		if d.Custom {
			made := custom(d.Name, d.Activity)
			if made.Set, made.Label = d.Set, definitions.Prefix+"_name"; d.Activity {
				made.Label = "subject"
			}
			made.Columns[made.Label] = column{Type: "String", Length: map[bool]int{false: 100, true: 200}[d.Activity]}
			s.addTable(made)
			s.Tables[annotations].Columns["objectid"].To["objectid_"+d.Name] = d.Name
		}
		t := s.Tables[d.Name]
		for _, c := range d.Columns {
			t.Columns[c.Name] = column{Type: c.Type, Length: c.Length, To: map[string]string{c.Name: c.Target}}
			if c.Target == "" {
				t.Columns[c.Name] = column{Type: c.Type, Length: c.Length}
			}
		}
		for _, k := range d.Keys {
			t.Keys[k.Name] = k.Columns
		}
	}
}

func (s *Simulator) addTable(d definition) {
	if d.Keys == nil {
		d.Keys = map[string][]string{}
	}
	t := &table{definition: d, built: map[string]time.Time{}}
	t.Table = simulatortest.NewTable(t.index)
	s.Tables[d.Name] = t
	t.complete()
}

// complete adds the columns that every table has.
func (t *table) complete() {
	maps.Copy(t.Columns, map[string]column{
		t.ID: {Type: "Uniqueidentifier"}, "createdon": {Type: "DateTime", ReadOnly: true}, "modifiedon": {Type: "DateTime", ReadOnly: true},
		"versionnumber": {Type: "BigInt", ReadOnly: true},
	})
	if t.Unowned {
		return
	}
	t.Columns["ownerid"] = column{Type: "Owner", To: map[string]string{"ownerid": users}}
	for name, to := range map[string]string{"owninguser": users, "owningteam": teams, "createdby": users, "modifiedby": users} {
		t.Columns[name] = column{Type: "Lookup", To: map[string]string{name: to}, ReadOnly: true}
	}
	if t.States != nil {
		t.Columns["statecode"], t.Columns["statuscode"] = column{Type: "State"}, column{Type: "Status"}
	}
}

// bySet returns the table of an address, nil if there is none. Names are case sensitive.
func (s *Simulator) bySet(set string) *table {
	for _, t := range s.Tables {
		if t.Set == set {
			return t
		}
	}
	return nil
}

// property returns the name that a column's value has in a row, and whether there is one.
func (c column) property(name string) string {
	if c.lookup() {
		return "_" + name + "_value"
	}
	return name
}

func (c column) lookup() bool { return c.Type == "Lookup" || c.Type == "Owner" }

// column returns the column of a property.
func (t *table) column(property string) (name string, c column, ok bool) {
	if c, ok = t.Columns[property]; ok && !c.lookup() {
		return property, c, true
	}
	name = strings.TrimSuffix(strings.TrimPrefix(property, "_"), "_value")
	c, ok = t.Columns[name]
	return name, c, ok && c.lookup() && c.property(name) == property
}

// navigation returns the column that a navigation property sets, and to which table. Names are case sensitive: see
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-navigation-properties.
func (t *table) navigation(property string) (name string, c column, target string, ok bool) {
	for name, c = range t.Columns {
		if target, ok = c.To[property]; ok {
			return name, c, target, true
		}
	}
	return "", column{}, "", false
}

// properties returns the names of all properties of rows.
func (t *table) properties() []string {
	var all []string
	for name, c := range t.Columns {
		all = append(all, c.property(name))
	}
	slices.Sort(all)
	return all
}

// index indexes rows by the columns of alternate keys. Keys compare as the database does: in any case.
func (t *table) index(property string, value any) (index, key string) {
	text, _ := value.(string)
	for _, columns := range t.Keys {
		if slices.Contains(columns, property) {
			return property, strings.ToLower(text)
		}
	}
	return "", ""
}

// defaultStatus returns the status code that a state has unless another is given.
func (t *table) defaultStatus(state string) int {
	if codes := t.States[state]; len(codes) > 0 {
		return codes[0]
	}
	return -1
}
