package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// Record is one record as GET /_simulator/records shows it. Deleted ones are left out.
type Record = simulatortest.Record

type record = simulatortest.Row[any]

type table struct {
	simulatortest.Table[any]
	object string
	fields map[string]field
}

// How times are answered, and how they may be written.
const (
	timeFormat    = "2006-01-02T15:04:05.000+0000"
	writtenFormat = "2006-01-02T15:04:05.000Z0700"
)

// shownTime returns a time as Salesforce does: it keeps whole seconds.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/primitive_data_types.htm.
func shownTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(timeFormat) }

// lastDigits is how many of a number's digits are indexed.
const lastDigits = 7

// Reset forgets records, sessions and faults, and starts as New does.
func (s *Simulator) Reset() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.reset()
}

func (s *Simulator) reset() {
	s.Faults.Clear()
	s.Tables, s.sessions, s.locked = map[string]*table{}, map[string]time.Time{}, map[string]int{}
	s.lastID, s.requests, s.day, s.rules = 0, 0, day{}, nil
	s.flows, s.runs, s.ingest = map[string][]string{}, nil, nil
	for object, fields := range s.definition.builtIn {
		t := &table{object: object, fields: maps.Clone(fields)}
		t.Table = simulatortest.NewTable(t.key)
		s.Tables[object] = t
	}
	if s.options.Picklists {
		code := field{Kind: "Text", Length: 10}
		s.Tables[contactObject].fields["MailingCountryCode"], s.Tables[leadObject].fields["CountryCode"] = code, code
	}
	s.hidden, s.grants, s.assigned, s.deployments = map[string]map[string]field{}, map[string]permissionSet{}, map[string]bool{}, nil
	s.deploy()
	if s.options.NoCadences {
		s.Tables[trackerObject].fields = map[string]field{}
	}
}

// Records returns the records as tests see them.
func (t *table) Records() []Record {
	return t.Show(timeFormat, func(r *record) map[string][]string {
		ties := map[string][]string{}
		for name, value := range r.Values {
			if id, isText := value.(string); isText && len(t.fields[name].To) > 0 {
				ties[objectOf(id)] = append(ties[objectOf(id)], id)
			}
		}
		return ties
	})
}

// found returns the records that a key names.
func (t *table) found(name, value string) []*record {
	return t.Find(name, strings.ToLower(value))
}

// write makes a record, or changes the one that is held, and returns why it does not.
func (s *Simulator) write(t *table, held *record, values map[string]any) (*record, *fault) {
	if t.object == trackerObject {
		return nil, bad("INVALID_TYPE_FOR_OPERATION", "entity type "+trackerObject+" does not support this operation")
	}
	if t.object == versionObject && s.options.NoFiles {
		return nil, bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	}
	if fault := s.check(t, values); fault != nil {
		return nil, fault
	}
	if fault := s.broken(t, values); fault != nil {
		return nil, fault
	}
	for _, id := range touched(held, values) {
		if s.locked[id] > 0 {
			s.locked[id]--
			return nil, bad("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: "+id)
		}
	}
	for name, f := range t.fields {
		if !f.Unique || values[name] == nil {
			continue
		}
		for _, other := range t.found(name, fmt.Sprint(values[name])) {
			if other != held {
				return nil, bad("DUPLICATE_VALUE", "duplicate value found: "+name+" duplicates value on record with id: "+other.ID[:15])
			}
		}
	}
	if held == nil {
		return s.insert(t, s.owned(t, values))
	}
	if held.Values["IsConverted"] == true {
		return nil, bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
	}
	s.set(t, held, s.owned(t, values))
	return held, nil
}

// owned adds the owner whom the active assignment rule gives a lead to: when it is created and, which surprises people, when
// it is updated. See https://developer.salesforce.com/docs/platform/api-rest/guide/headers-autoassign.
func (s *Simulator) owned(t *table, values map[string]any) map[string]any {
	if t.object == leadObject && s.assign && s.options.LeadQueue != "" {
		values["OwnerId"] = s.options.LeadQueue
	}
	return values
}

// Give makes somebody the owner of a record, as a user of the org would.
func (s *Simulator) Give(id, owner string) { s.Set(id, map[string]any{"OwnerId": owner}) }

// touched returns the ids of the records that a write locks: the record's own and those it refers to.
func touched(held *record, values map[string]any) []string {
	var ids []string
	if held != nil {
		ids = append(ids, held.ID)
	}
	for _, value := range values {
		if text, isText := value.(string); isText && objectOf(text) != "" {
			ids = append(ids, text)
		}
	}
	return ids
}

func (s *Simulator) insert(t *table, values map[string]any) (*record, *fault) {
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		if t.fields[name].Required && (values[name] == nil || values[name] == "") {
			return nil, bad("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+name+"]", name)
		}
	}
	if s.options.Duplicates && t.object == leadObject && !s.save {
		if found := s.samePhone(values["Phone"]); found != nil {
			return nil, found.fault()
		}
	}
	made := s.add(t, values)
	if t.object == versionObject {
		s.document(made)
	}
	return made, nil
}

func (s *Simulator) add(t *table, values map[string]any) *record {
	s.lastID++
	r := t.Add(newID(t.object, s.lastID))
	s.undo = append(s.undo, func() { t.Drop(r) })
	if t.object == leadObject {
		s.set(t, r, map[string]any{"IsConverted": false})
	}
	for _, name := range []string{"OwnerId", "CreatedById"} {
		if _, has := t.fields[name]; has {
			s.set(t, r, map[string]any{name: integrationUser})
		}
	}
	s.set(t, r, values)
	return r
}

func (s *Simulator) set(t *table, r *record, values map[string]any) {
	before, modified := maps.Clone(r.Values), r.Modified
	s.undo = append(s.undo, func() { t.Restore(r, before, modified) })
	t.Change(r, func(held map[string]any) { maps.Copy(held, values) })
}

// rollBack takes back what was written since the mark.
func (s *Simulator) rollBack(mark int) {
	for _, undo := range slices.Backward(s.undo[mark:]) {
		undo()
	}
	s.undo = s.undo[:mark]
}

// digitsIndex is the index of numbers by their last digits.
const digitsIndex = "digits"

// key returns where a record is indexed: external ids and addresses as they are, in whichever case, numbers by their last digits.
func (t *table) key(name string, value any) (index, key string) {
	text, _ := value.(string)
	if t.fields[name].Key {
		return name, strings.ToLower(text)
	}
	if digits := digitsOf(text); strings.HasSuffix(name, "Phone") && len(digits) >= lastDigits {
		return digitsIndex, digits[len(digits)-lastDigits:]
	}
	return "", ""
}

// extension is what stands at the end of a number. An x with a whole number behind it is none: in Brazil, xx stands for a carrier.
var extension = regexp.MustCompile(`(?i)x\D*\d{0,7}\D*$`)

// digitsOf returns the digits of a number up to an extension.
func digitsOf(text string) string {
	text = extension.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// Add puts a record in as a user of the org would and returns its id. It is for tests: nothing is checked.
func (s *Simulator) Add(object string, values map[string]any) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.add(s.Tables[object], values).ID
}

// Set writes fields of a record as a user of the org would. It is for tests: nothing is checked.
func (s *Simulator) Set(id string, values map[string]any) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if t := s.Tables[objectOf(id)]; t != nil && t.Rows[id] != nil {
		s.set(t, t.Rows[id], values)
	}
}

// Delete puts a record into the recycle bin as a user of the org would.
func (s *Simulator) Delete(id string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if t := s.Tables[objectOf(id)]; t != nil && t.Rows[id] != nil {
		t.Delete(t.Rows[id])
	}
}

// Convert turns a lead into a contact, as a user of the org would, and returns the contact's id. The lead is kept.
func (s *Simulator) Convert(lead string) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	from := s.Tables[leadObject].Rows[lead]
	values := map[string]any{}
	for _, name := range []string{"FirstName", "LastName", "Email", "Phone", "MobilePhone"} {
		values[name] = from.Values[name]
	}
	contact := s.add(s.Tables[contactObject], values)
	s.set(s.Tables[leadObject], from, map[string]any{"IsConverted": true, "ConvertedContactId": contact.ID})
	for _, r := range s.Tables[taskObject].Rows { // the timeline moves, lookups of custom objects stay
		if r.Values["WhoId"] == lead {
			s.set(s.Tables[taskObject], r, map[string]any{"WhoId": contact.ID})
		}
	}
	for _, r := range s.Tables[trackerObject].Rows {
		if r.Values["TargetId"] == lead && r.Values["State"] != stateComplete {
			s.complete(r, "LeadConverted", nil)
		}
	}
	return contact.ID
}

// Lock makes the next writes that touch a record fail as a lock does.
func (s *Simulator) Lock(id string, times int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.locked[id] = times
}

// shown is a record as Salesforce shows it, attributes first.
type shown struct {
	object, id string
	names      []string
	values     map[string]any
}

// show returns a record with the fields asked for; Id for nil.
func (s *Simulator) show(t *table, r *record, names []string) shown {
	if names == nil {
		names = []string{fieldID}
	}
	values := maps.Clone(r.Values)
	values[fieldID], values[fieldCreated], values[fieldModified] = r.ID, shownTime(r.Created), shownTime(r.Modified)
	for _, name := range names {
		if t.fields[name].Kind == kindBlob {
			values[name] = recordURL(t.object, r.ID) + "/" + name
		}
		if text, isText := values[name].(string); isText && t.fields[name].Kind == "DateTime" {
			if at, err := time.Parse(writtenFormat, text); err == nil {
				values[name] = shownTime(at)
			}
		}
	}
	return shown{t.object, r.ID, names, values}
}

// MarshalJSON writes attributes first.
func (r shown) MarshalJSON() ([]byte, error) {
	out := []byte(`{"attributes":{"type":"` + r.object + `","url":` + strconv.Quote(recordURL(r.object, r.id)) + `}`)
	for _, name := range r.names {
		value, err := json.Marshal(r.values[name])
		if err != nil {
			return nil, err
		}
		out = append(out, `,"`+name+`":`...)
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

func recordURL(object, id string) string { return "/services/data/v66.0/sobjects/" + object + "/" + id }
