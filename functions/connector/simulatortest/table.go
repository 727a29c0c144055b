package simulatortest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Record is one record as GET /_simulator/records shows it. Deleted ones are left out.
type Record struct {
	ID           string              `json:"id"`
	Properties   map[string]string   `json:"properties"`
	Associations map[string][]string `json:"associations"` // object type to ids
	CreatedAt    string              `json:"createdAt"`
	UpdatedAt    string              `json:"updatedAt"`
}

// Row is one record of a Table. V is what a property may hold.
type Row[V any] struct {
	ID                string
	Values            map[string]V
	Ties              map[string][]string // the ids of what the record is associated with, by object type, for a CRM that keeps them apart
	Created, Modified time.Time
	Deleted           bool
}

// Table is the records of one object type, indexed by what they can be found by. It is not safe for concurrent use.
type Table[V any] struct {
	Rows  map[string]*Row[V] // by id
	key   func(property string, value V) (index, key string)
	index map[string]map[string][]string // index to key to ids
}

// NewTable returns a table without rows. Key returns under which key of which index a row with a property's value is found; the
// empty key is none.
func NewTable[V any](key func(property string, value V) (index, key string)) Table[V] {
	return Table[V]{Rows: map[string]*Row[V]{}, key: key, index: map[string]map[string][]string{}}
}

// Find returns the rows under a key of an index, in the order they came there.
func (t *Table[V]) Find(index, key string) []*Row[V] {
	var found []*Row[V]
	for _, id := range t.index[index][key] {
		found = append(found, t.Rows[id])
	}
	return found
}

// Add makes a row without values.
func (t *Table[V]) Add(id string) *Row[V] {
	r := &Row[V]{ID: id, Values: map[string]V{}, Ties: map[string][]string{}, Created: time.Now()}
	r.Modified = r.Created
	t.Rows[id] = r
	return r
}

// Change makes a change of a row's values, and writes down when.
func (t *Table[V]) Change(r *Row[V], change func(values map[string]V)) {
	t.unindex(r)
	change(r.Values)
	r.Modified = time.Now()
	t.reindex(r)
}

// Restore gives a row the values and the time of an earlier moment.
func (t *Table[V]) Restore(r *Row[V], values map[string]V, modified time.Time) {
	t.unindex(r)
	r.Values, r.Modified = values, modified
	t.reindex(r)
}

// Delete marks a row as deleted: it is found under no key any more.
func (t *Table[V]) Delete(r *Row[V]) {
	t.unindex(r)
	r.Deleted = true
}

// Drop forgets a row.
func (t *Table[V]) Drop(r *Row[V]) {
	t.Delete(r)
	delete(t.Rows, r.ID)
}

func (t *Table[V]) unindex(r *Row[V]) {
	t.keys(r, func(index map[string][]string, key string) {
		index[key] = slices.DeleteFunc(slices.Clone(index[key]), func(id string) bool { return id == r.ID })
	})
}

func (t *Table[V]) reindex(r *Row[V]) {
	t.keys(r, func(index map[string][]string, key string) {
		if !slices.Contains(index[key], r.ID) {
			index[key] = append(index[key], r.ID)
		}
	})
}

// keys calls visit for each key of a row that is there.
func (t *Table[V]) keys(r *Row[V], visit func(index map[string][]string, key string)) {
	if r.Deleted {
		return
	}
	for name, value := range r.Values {
		index, key := t.key(name, value)
		if key == "" {
			continue
		}
		if t.index[index] == nil {
			t.index[index] = map[string][]string{}
		}
		visit(t.index[index], key)
	}
}

// Select returns the rows that are there, were made at least lag ago and fit, oldest first: ids count upwards.
func (t *Table[V]) Select(lag time.Duration, fits func(*Row[V]) bool) []*Row[V] {
	var found []*Row[V]
	visible := time.Now().Add(-lag)
	for r := range maps.Values(t.Rows) {
		if !r.Deleted && (lag == 0 || !r.Created.After(visible)) && fits(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *Row[V]) int { return CompareIDs(a.ID, b.ID) })
	return found
}

// CompareIDs compares ids that count upwards.
func CompareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// Show returns the rows that are there as tests see them, oldest first, with times in a format and with what each is associated
// with.
func (t *Table[V]) Show(format string, ties func(*Row[V]) map[string][]string) []Record {
	records := make([]Record, 0, len(t.Rows))
	for _, r := range t.Select(0, func(*Row[V]) bool { return true }) {
		shown := Record{r.ID, map[string]string{}, map[string][]string{}, r.Created.UTC().Format(format), r.Modified.UTC().Format(format)}
		for object, ids := range ties(r) {
			shown.Associations[object] = slices.Clone(ids)
		}
		for name, value := range r.Values {
			if any(value) != nil {
				shown.Properties[name] = fmt.Sprint(value)
			}
		}
		records = append(records, shown)
	}
	return records
}
