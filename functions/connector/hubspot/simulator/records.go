package simulator

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	definitions "signalbox/functions/connector/hubspot/package"
)

// Record is one record as GET /_simulator/records answers it. Archived ones are left out.
type Record struct {
	ID           string              `json:"id"`
	Properties   map[string]string   `json:"properties"`
	Associations map[string][]string `json:"associations"` // object type to ids
	CreatedAt    string              `json:"createdAt"`
	UpdatedAt    string              `json:"updatedAt"`
}

// record is a Record inside.
type record struct {
	id           string
	properties   map[string]string
	associations map[string][]string
	tied         map[string]bool // the ids in associations; ids are unique in a portal
	created      time.Time
	updated      time.Time
}

// table is the records of one object type.
type table struct {
	name    string
	known   map[string]property // by name, HubSpot's and ours
	groups  map[string]bool     // of properties
	records map[string]*record
	unique  map[string]map[string]string // unique property to value to id
}

const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

// Records returns the records of an object type, oldest first; known is false for a type that is not simulated.
func (s *Simulator) Records(object string) (held []Record, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.tables[object]
	if !known {
		return nil, false
	}
	held = make([]Record, 0, len(t.records))
	for _, r := range t.records {
		associations := make(map[string][]string, len(r.associations))
		for to, ids := range r.associations {
			associations[to] = slices.Clone(ids)
		}
		held = append(held, Record{r.id, maps.Clone(r.properties), associations, stamp(r.created), stamp(r.updated)})
	}
	slices.SortFunc(held, func(a, b Record) int { return compareIDs(a.ID, b.ID) })
	return held, true
}

func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// Reset forgets records, faults and everything installed, and starts as New does.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
}

func (s *Simulator) reset() {
	s.tables = make(map[string]*table)
	s.lastID = 1000
	s.faults.Clear()
	for name, list := range builtIn() {
		t := &table{name, make(map[string]property), map[string]bool{}, make(map[string]*record), make(map[string]map[string]string)}
		for _, p := range list {
			t.install(p)
		}
		s.tables[name] = t
	}
	s.tables[contacts].groups[hubspotsGroup] = true
	if s.options.Bare {
		return
	}
	for name, t := range s.tables {
		custom, err := definitions.Properties(name)
		if err != nil { // embedded, and tested
			continue
		}
		for _, p := range custom {
			t.groups[p.GroupName] = true
			t.install(property{Property: p})
		}
	}
}

func (t *table) install(p property) {
	t.known[p.Name] = p
	if p.HasUniqueValue {
		t.unique[p.Name] = make(map[string]string)
	}
}

// find returns the record whose idProperty is value; an empty idProperty is HubSpot's own id. It is not
// allowed to name a property that does not identify records.
func (t *table) find(idProperty, value string) (found *record, allowed bool) {
	if idProperty == "" || idProperty == "hs_object_id" {
		return t.records[value], true
	}
	index, allowed := t.unique[idProperty]
	if !allowed {
		return nil, false
	}
	return t.records[index[canonicalValue(idProperty, value)]], true
}

// add makes a record of properties that were checked.
func (s *Simulator) add(t *table, properties map[string]string) *record {
	s.lastID++
	now := time.Now()
	r := &record{
		id: strconv.FormatInt(s.lastID, 10), properties: make(map[string]string, len(properties)+3), associations: make(map[string][]string),
		tied: make(map[string]bool), created: now,
	}
	r.properties["hs_object_id"] = r.id
	r.properties[t.created()] = stamp(now)
	t.records[r.id] = r
	s.set(t, r, properties)
	return r
}

// set writes properties that were checked; an empty value clears.
func (s *Simulator) set(t *table, r *record, properties map[string]string) {
	for name, value := range properties {
		value = canonicalValue(name, value)
		if name == "lifecyclestage" && value != "" && stage(value) < stage(r.properties[name]) { // only moves forward
			continue
		}
		if index, ok := t.unique[name]; ok {
			delete(index, r.properties[name])
			if value != "" {
				index[value] = r.id
			}
		}
		if value == "" {
			delete(r.properties, name)
			continue
		}
		r.properties[name] = value
	}
	r.updated = time.Now()
	r.properties[t.modified()] = stamp(r.updated)
	if t.name == contacts {
		calculatePhones(r.properties, s.options.Region)
	}
}

func (t *table) created() string {
	if t.name == contacts {
		return "createdate"
	}
	return "hs_createdate"
}

func (t *table) modified() string {
	if t.name == contacts {
		return "lastmodifieddate"
	}
	return "hs_lastmodifieddate"
}

// usual are the properties that are returned when none is asked for.
func (t *table) usual() []string {
	if t.name == contacts {
		return []string{"firstname", "lastname", "email"}
	}
	return nil
}

// archive takes a record away, and with it its associations and the unique values it held.
func (s *Simulator) archive(t *table, r *record) {
	for name, index := range t.unique {
		if value := r.properties[name]; value != "" {
			delete(index, value)
		}
	}
	delete(t.records, r.id)
	for to, ids := range r.associations {
		for _, id := range ids {
			if other := s.tables[to].records[id]; other != nil {
				delete(other.tied, r.id)
				other.associations[t.name] = slices.DeleteFunc(other.associations[t.name], func(held string) bool { return held == r.id })
			}
		}
	}
}

// associate ties two records together; a second time changes nothing.
func associate(from *table, a *record, to *table, b *record) {
	if a.tied[b.id] {
		return
	}
	a.tied[b.id], b.tied[a.id] = true, true
	a.associations[to.name] = append(a.associations[to.name], b.id)
	b.associations[from.name] = append(b.associations[from.name], a.id)
}

// objectReply is a record as HubSpot answers it.
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
	if wanted == nil {
		for name, value := range r.properties {
			shown[name] = &value
		}
	}
	if wanted != nil && len(wanted) == 0 {
		wanted = t.usual()
	}
	for _, name := range append([]string{"hs_object_id", t.created(), t.modified()}, wanted...) {
		if _, known := t.known[name]; !known {
			continue // HubSpot leaves out what it does not know
		}
		shown[name] = nil
		if value, has := r.properties[name]; has {
			shown[name] = &value
		}
	}
	return objectReply{ID: r.id, Properties: shown, CreatedAt: stamp(r.created), UpdatedAt: stamp(r.updated)}
}

// Add puts a record in as a user of the portal would and answers its id. It is for tests: nothing is checked.
func (s *Simulator) Add(object string, properties map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(s.tables[object], properties).id
}

// Set writes properties of a record as HubSpot itself, a user of the portal or a workflow would. It is for tests: nothing is
// checked.
func (s *Simulator) Set(object, id string, properties map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.tables[object].records[id]; r != nil {
		s.set(s.tables[object], r, properties)
	}
}

// Archive takes a record away as a user of the portal would.
func (s *Simulator) Archive(object, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.tables[object].records[id]; r != nil {
		s.archive(s.tables[object], r)
	}
}
