package simulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	definitions "signalbox/functions/connector/hubspot/package"
	"signalbox/functions/connector/simulatortest"
)

// Record is one record as GET /_simulator/records shows it. Archived ones are left out.
type Record = simulatortest.Record

type record = simulatortest.Row[string]

// table is the records of one object type.
type table struct {
	simulatortest.Table[string]
	name              string
	known             map[string]property // by name, HubSpot's and ours
	groups            map[string]bool     // of properties
	created, modified string              // the properties that say when
}

const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

// Records returns the records as tests see them.
func (t *table) Records() []Record {
	return t.Show(timeFormat, func(r *record) map[string][]string { return r.Ties })
}

// Reset forgets records, faults and everything installed, and starts as New does.
func (s *Simulator) Reset() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.reset()
}

func (s *Simulator) reset() {
	s.Tables = make(map[string]*table)
	s.lastID = 1000
	s.Faults.Clear()
	s.rules, s.blocklist, s.merged = nil, map[string]bool{}, map[string]merge{}
	var builtIn map[string][]property
	_ = json.Unmarshal(hubspots, &builtIn) // embedded, and tested
	for name, list := range builtIn {
		t := &table{name: name, known: map[string]property{}, groups: map[string]bool{}, created: "hs_createdate", modified: "hs_lastmodifieddate"}
		t.Table = simulatortest.NewTable(func(name, value string) (index, key string) {
			if t.known[name].HasUniqueValue {
				return name, value
			}
			return "", ""
		})
		s.Tables[name] = t
		custom, err := definitions.Properties(name)
		if err != nil || s.options.Bare { // embedded, and tested
			custom = nil
		}
		for _, p := range custom {
			t.groups[p.GroupName] = true
			list = append(list, property{Property: p})
		}
		for _, p := range list {
			t.known[p.Name] = p
		}
	}
	s.Tables[files] = &table{name: files, Table: simulatortest.NewTable(func(string, string) (index, key string) { return "", "" })}
	c := s.Tables[contacts]
	c.groups[hubspotsGroup], c.created, c.modified = true, "createdate", "lastmodifieddate"
}

// find returns the record whose idProperty is value; an empty idProperty is HubSpot's own id. It is not
// allowed to name a property that does not identify records.
func (s *Simulator) find(t *table, idProperty, value string, reads bool) (found *record, allowed bool) {
	if idProperty == "" || idProperty == "hs_object_id" {
		return s.row(t, value, reads), true
	}
	for _, r := range t.Find(idProperty, canonicalValue(idProperty, value)) {
		found = r
	}
	return found, t.known[idProperty].HasUniqueValue
}

// save makes a record, or changes the one that was found, unless it returns a refusal.
func (s *Simulator) save(t *table, found *record, properties map[string]string) (*record, reply) {
	faults := t.check(properties)
	for _, name := range slices.Sorted(maps.Keys(t.known)) {
		if found == nil && t.known[name].Required && properties[name] == "" {
			faults = append(faults, propertyFault{Message: "a value is required", Error: "REQUIRED", Name: name})
			break
		}
	}
	if len(faults) > 0 {
		return nil, reply{Status: http.StatusBadRequest, Body: wrongProperties(faults)}
	}
	if refused := s.broken(t, properties, found == nil); refused.Status != 0 {
		return nil, refused
	}
	if refused := t.clash(found, properties); refused.Status != 0 {
		return nil, refused
	}
	if found == nil {
		return s.add(t, properties), reply{}
	}
	s.set(t, found, properties)
	return found, reply{}
}

// add makes a record of properties that were checked.
func (s *Simulator) add(t *table, properties map[string]string) *record {
	s.lastID++
	r := t.Add(strconv.FormatInt(s.lastID, 10))
	r.Values["hs_object_id"], r.Values[t.created] = r.ID, stamp(r.Created)
	s.set(t, r, properties)
	return r
}

// set writes properties that were checked; an empty value clears.
func (s *Simulator) set(t *table, r *record, properties map[string]string) {
	t.Change(r, func(values map[string]string) {
		for name, value := range properties {
			value = canonicalValue(name, value)
			if t.name == contacts && name == s.watched && value != values[name] {
				s.enrolled = append(s.enrolled, r.ID)
			}
			switch {
			case name == "lifecyclestage" && value != "" && t.stage(value) < t.stage(values[name]): // only moves forward
			case value == "":
				delete(values, name)
			default:
				values[name] = value
			}
		}
		if t.name == contacts {
			calculatePhones(values, s.options.Region)
		}
	})
	r.Values[t.modified] = stamp(r.Modified)
}

// stage returns how far a contact is: the options are in the order in which contacts move through them.
func (t *table) stage(value string) int {
	return slices.IndexFunc(t.known["lifecyclestage"].Options, func(o definitions.Option) bool { return o.Value == value })
}

// archive takes a record away, and with it its associations and the unique values it held.
func (s *Simulator) archive(t *table, r *record) {
	if r == nil {
		return
	}
	t.Drop(r)
	for to, ids := range r.Ties {
		for _, id := range ids {
			others := s.Tables[to].Rows[id].Ties
			others[t.name] = slices.DeleteFunc(others[t.name], func(held string) bool { return held == r.ID })
		}
	}
}

// associate ties two records together; a second time changes nothing.
func associate(from *table, a string, to *table, b string) {
	one, other := from.Rows[a].Ties, to.Rows[b].Ties
	if !slices.Contains(one[to.name], b) {
		one[to.name], other[from.name] = append(one[to.name], b), append(other[from.name], a)
	}
}

// objectReply is a record as HubSpot returns it.
type objectReply struct {
	ID         string             `json:"id"`
	Properties map[string]*string `json:"properties"`
	CreatedAt  string             `json:"createdAt"`
	UpdatedAt  string             `json:"updatedAt"`
	Archived   bool               `json:"archived"`
	New        *bool              `json:"new,omitempty"`
	TraceID    string             `json:"objectWriteTraceId,omitempty"`
}

// show returns a record with the properties asked for (null where it has none), or the usual ones, and those that always come; all
// for nil.
func (t *table) show(r *record, wanted []string) objectReply {
	shown := make(map[string]*string, len(wanted)+3)
	switch {
	case wanted == nil:
		wanted = slices.Collect(maps.Keys(r.Values))
	case len(wanted) == 0 && t.name == contacts:
		wanted = []string{"firstname", "lastname", "email"}
	}
	for _, name := range append([]string{"hs_object_id", t.created, t.modified}, wanted...) {
		if value, has := r.Values[name]; has {
			shown[name] = &value
		} else if _, known := t.known[name]; known { // HubSpot leaves out what it does not know
			shown[name] = nil
		}
	}
	return objectReply{ID: r.ID, Properties: shown, CreatedAt: stamp(r.Created), UpdatedAt: stamp(r.Modified)}
}

// Add puts a record in as a user of the portal would and returns its id. It is for tests: nothing is checked.
func (s *Simulator) Add(object string, properties map[string]string) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.add(s.Tables[object], properties).ID
}

// Set writes properties of a record as HubSpot itself, a user of the portal or a workflow would. It is for tests: nothing is
// checked.
func (s *Simulator) Set(object, id string, properties map[string]string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if r := s.Tables[object].Rows[id]; r != nil {
		s.set(s.Tables[object], r, properties)
	}
}

// Watch makes a workflow of the portal that enrols contacts when a property of theirs gets another value, and Enrolled returns whom it did.
func (s *Simulator) Watch(property string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.watched = property
}

// Enrolled returns the ids of the contacts that the workflow of Watch enrolled, each as often as it did.
func (s *Simulator) Enrolled() []string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return slices.Clone(s.enrolled)
}

// Archive takes a record away as a user of the portal would.
func (s *Simulator) Archive(object, id string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if t := s.Tables[object]; t != nil && t.Rows[id] != nil {
		s.archive(t, t.Rows[id])
	}
}
