package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// Record is one row as GET /_simulator/records shows it. Deleted ones are left out.
type Record = simulatortest.Record

// The users that an environment begins with.
const (
	IntegrationUser = "00000000-0000-4000-8000-000000000001" // the application user; owns what it makes
	FirstUser       = "00000000-0000-4000-8000-000000000007"
	SecondUser      = "00000000-0000-4000-8000-000000000008"
)

// timeFormat is how times are answered: in whole seconds.
const timeFormat = "2006-01-02T15:04:05Z"

// Reset forgets rows, tokens and faults, and starts as New does.
func (s *Simulator) Reset() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.reset()
}

func (s *Simulator) reset() {
	s.Faults.Clear()
	s.Tables, s.tokens, s.sent, s.spells, s.undo = map[string]*table{}, map[string]token{}, nil, nil, nil
	s.version, s.calls, s.minted, s.plugIns = 0, 0, 0, map[string]string{}
	s.locked = time.Now().Add(s.options.Customizing)
	s.begin()
	if !s.options.Bare {
		s.deploy()
	}
	if s.options.NoCases {
		delete(s.Tables, "incident")
	}
	for id, name := range map[string]string{IntegrationUser: "Signalbox", FirstUser: "Ana Ruiz", SecondUser: "Bo Li", s.options.Inactive: "Who Left"} {
		if id != "" {
			s.put(s.Tables[users], id, map[string]any{"fullname": name, "isdisabled": id == s.options.Inactive})
		}
	}
}

// newID returns a new row's id. Those of a table count upwards.
func (s *Simulator) newID(t *table) string {
	t.made++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", hash(t.Name), t.made+0x100)
}

// hash makes the ids of tables differ.
func hash(name string) uint32 {
	sum := uint32(2166136261)
	for _, c := range []byte(name) {
		sum = (sum ^ uint32(c)) * 16777619
	}
	return sum
}

// put makes a row.
func (s *Simulator) put(t *table, id string, values map[string]any) *record {
	r := t.Add(id)
	s.undo = append(s.undo, func() { t.Drop(r) })
	begun := map[string]any{t.ID: id}
	if !t.Unowned {
		me := ref{s.Tables[users], IntegrationUser}
		begun["_ownerid_value"], begun["_createdby_value"], begun["_modifiedby_value"] = me, me, me
	}
	if t.States != nil {
		begun["statecode"], begun["statuscode"] = 0, t.defaultStatus("0")
	}
	maps.Copy(begun, values)
	s.change(t, r, begun)
	return r
}

// change changes a row, and works out what follows from it.
func (s *Simulator) change(t *table, r *record, values map[string]any) {
	before, modified := maps.Clone(r.Values), r.Modified
	s.undo = append(s.undo, func() { t.Restore(r, before, modified) })
	s.version++
	t.Change(r, func(held map[string]any) {
		maps.Copy(held, values)
		held["versionnumber"] = s.version
		if owner, owned := held["_ownerid_value"].(ref); owned {
			held["_owninguser_value"], held["_owningteam_value"] = nil, nil
			held[map[string]string{users: "_owninguser_value", teams: "_owningteam_value"}[owner.table.Name]] = owner
		}
		if _, named := t.Columns["lastname"]; named {
			first, _ := held["firstname"].(string)
			last, _ := held["lastname"].(string)
			held["fullname"] = strings.TrimSpace(first + " " + last)
		}
		if body, isFile := held["documentbody"].(string); isFile {
			held["isdocument"], held["filesize"] = true, len(body)/4*3-strings.Count(body, "=")
		}
	})
}

// rollBack takes back what was written since the mark.
func (s *Simulator) rollBack(mark int) {
	for _, undo := range slices.Backward(s.undo[mark:]) {
		undo()
	}
	s.undo = s.undo[:mark]
}

// Records returns the rows as tests see them.
func (t *table) Records() []Record {
	return t.Show(timeFormat, func(r *record) map[string][]string {
		ties := map[string][]string{}
		for name, value := range r.Values {
			if to, isLookup := value.(ref); isLookup && to.table.Name != users && name != "_masterid_value" {
				ties[to.table.Name] = append(ties[to.table.Name], to.id)
			}
		}
		return ties
	})
}

// get returns a row by its id, nil if it is not there.
func (t *table) get(id string) *record {
	if r := t.Rows[strings.ToLower(id)]; r != nil && !r.Deleted {
		return r
	}
	return nil
}

// Add puts a row in as a user of the environment would and returns its id. It is for tests: nothing is checked, and a text for a lookup is
// the id of a row of the first table that it may point to.
func (s *Simulator) Add(object string, values map[string]any) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	t := s.Tables[object]
	return s.put(t, s.newID(t), s.typed(t, values)).ID
}

// Upsert makes a row as a user of the environment would, or writes to the one that has its key.
func (s *Simulator) Upsert(object string, values map[string]any) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	t := s.Tables[object]
	held := s.typed(t, values)
	for _, columns := range t.Keys {
		if r := t.taken(columns, nil, held); r != nil {
			s.change(t, r, held)
			return
		}
	}
	s.put(t, s.newID(t), held)
}

// typed returns values as rows hold them.
func (s *Simulator) typed(t *table, values map[string]any) map[string]any {
	held := map[string]any{}
	for name, value := range values {
		_, c, _ := t.column(name)
		text, isText := value.(string)
		number, err := strconv.Atoi(text)
		switch {
		case c.lookup() && isText:
			for _, target := range slices.Sorted(maps.Values(c.To)) {
				if held[name] == nil || s.Tables[target].get(text) != nil {
					held[name] = ref{s.Tables[target], text}
				}
			}
		case c.Type == "Boolean" && isText:
			held[name] = text == "true"
		case isText && err == nil && slices.Contains([]string{"Integer", "Picklist", "State", "Status"}, c.Type):
			held[name] = number
		default:
			held[name] = value
		}
	}
	return held
}

// Set writes columns of a row as a user of the environment would. It is for tests: nothing is checked.
func (s *Simulator) Set(object, id string, values map[string]any) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if t := s.Tables[object]; t != nil && t.get(id) != nil {
		s.change(t, t.get(id), s.typed(t, values))
	}
}

// Give makes somebody the owner of a row, as a user of the environment would.
func (s *Simulator) Give(object, id, owner string) {
	s.Set(object, id, map[string]any{"_ownerid_value": owner})
}

// Deactivate makes a row inactive, or closes an activity, as a user of the environment would.
func (s *Simulator) Deactivate(object, id string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	t := s.Tables[object]
	s.change(t, t.get(id), map[string]any{"statecode": 1, "statuscode": t.defaultStatus("1")})
}

// Delete deletes a row as a user of the environment would. What is regarding it goes with it, as the relationships of activities and
// notes say by default; other lookups are cleared.
func (s *Simulator) Delete(object, id string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if t := s.Tables[object]; t != nil && t.get(id) != nil {
		s.remove(t, t.get(id))
	}
}

func (s *Simulator) remove(t *table, gone *record) {
	before := maps.Clone(gone.Values)
	t.Delete(gone)
	s.undo = append(s.undo, func() {
		gone.Deleted = false
		t.Restore(gone, before, gone.Modified)
	})
	for _, other := range s.Tables {
		for _, r := range other.Rows {
			for name, value := range r.Values {
				switch to, isLookup := value.(ref); {
				case !isLookup || r.Deleted || to.table != t || to.id != gone.ID:
				case name == "_regardingobjectid_value" || name == "_objectid_value":
					s.remove(other, r)
				default:
					s.change(other, r, map[string]any{name: nil})
				}
			}
		}
	}
}

// Qualify turns a lead into a contact as a user of the environment would, and returns the contact's id. The lead is kept, and so is what is
// regarding it. See https://learn.microsoft.com/dynamics365/sales/developer/sample-qualify-lead.
func (s *Simulator) Qualify(lead string) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	from := s.Tables[leads].get(lead)
	values := map[string]any{"_originatingleadid_value": ref{s.Tables[leads], lead}, "_ownerid_value": from.Values["_ownerid_value"]}
	for _, name := range []string{"firstname", "lastname", "emailaddress1", "mobilephone", "telephone1"} {
		values[name] = from.Values[name]
	}
	made := s.put(s.Tables[contacts], s.newID(s.Tables[contacts]), values)
	s.change(s.Tables[leads], from, map[string]any{"statecode": 1, "statuscode": 3, "_parentcontactid_value": ref{s.Tables[contacts], made.ID}})
	return made.ID
}

// Merge merges a row into another of its table as a user of the environment would: the one that goes is made inactive and says into which
// it went, and what was regarding it is regarding the other. See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/merge-entity-using-web-api.
func (s *Simulator) Merge(object, into, gone string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	t := s.Tables[object]
	for _, other := range s.Tables {
		for _, r := range other.Rows {
			for name, value := range r.Values {
				if to, isLookup := value.(ref); isLookup && !r.Deleted && to.table == t && to.id == gone && name != "_masterid_value" {
					s.change(other, r, map[string]any{name: ref{t, into}})
				}
			}
		}
	}
	state := slices.Max(slices.Collect(maps.Keys(t.States)))
	code, _ := strconv.Atoi(state)
	s.change(t, t.get(gone), map[string]any{"statecode": code, "statuscode": t.defaultStatus(state), "merged": true, "_masterid_value": ref{t, into}})
}

// Forbid takes the privileges on notes away.
func (s *Simulator) Forbid() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.options.NoFiles = true
}

// PlugIn registers a plug-in that refuses each row of a table that is written, with words of its own; without words it is taken away.
func (s *Simulator) PlugIn(object, words string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.plugIns[object] = words
}

// ActivateKeys ends the building of the indexes of alternate keys.
func (s *Simulator) ActivateKeys() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.options.KeysPending = false
}
