package memstore

import (
	"iter"
	"slices"
	"strings"

	"signalbox/shared/store"
)

// Stored is what lies under a key, expired or not: more than the port shows.
type Stored struct {
	store.Record
	Token string // of the WriteAs that wrote it last
}

// Look returns what lies under the keys, the expired ones included and Version 0 where there is nothing.
func (s *Store) Look(keys ...store.Key) []Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]Stored, len(keys))
	for i, k := range keys {
		found[i] = s.stored(k)
		found[i].Record = clone(found[i].Record)
	}
	return found
}

// Walk returns what a database would look at for one page of r: the expired records too, and end false whenever it
// stopped for the Limit or for MaxPage, although nothing may follow.
func (s *Store) Walk(r store.Range) (page []Stored, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for sort := range s.within(r) {
		found := s.stored(store.Key{Partition: r.Partition, Sort: sort})
		size += len(r.Partition) + len(sort) + len(found.Data)
		if len(page) > 0 && size > MaxPage {
			return page, false
		}
		found.Record = clone(found.Record)
		page = append(page, found)
		if len(page) == r.Limit {
			return page, false
		}
	}
	return page, true
}

// All returns a copy of every record that is stored, the expired ones included, in the order of keys, as it was at the
// first step: for tests that look through all stored bytes.
func (s *Store) All() iter.Seq[store.Record] {
	return func(yield func(store.Record) bool) {
		for _, r := range s.snapshot() {
			if !yield(r) {
				return
			}
		}
	}
}

func (s *Store) snapshot() []store.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var records []store.Record
	for _, p := range s.partitions {
		for _, h := range p.records {
			records = append(records, clone(h.Record))
		}
	}
	slices.SortFunc(records, func(a, b store.Record) int {
		if c := strings.Compare(a.Partition, b.Partition); c != 0 {
			return c
		}
		return strings.Compare(a.Sort, b.Sort)
	})
	return records
}
