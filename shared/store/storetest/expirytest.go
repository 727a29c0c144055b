package storetest

import (
	"testing"
	"time"

	"signalbox/shared/store"
)

func expiries() map[string]promise {
	past := func() time.Time { return time.Now().Add(-time.Minute) }
	gone := func(t *testing.T, s store.Store) {
		t.Helper()
		write(t, s, put(at("a"), 0, "one"))
		c := until(put(at("a"), 1, "two"), past())
		c.Number = 9
		write(t, s, c)
	}
	return map[string]promise{
		"an expired record is absent to Get and List": {test: func(t *testing.T, s store.Store) {
			gone(t, s)
			write(t, s, put(at("b"), 0, "here"))
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 0, 0, "")})
			same(t, get(t, s, at("b"), at("a")), []store.Record{record(at("b"), 1, 0, "here"), record(at("a"), 0, 0, "")})
			sorts, _ := all(t, s, store.Range{Partition: at("").Partition})
			same(t, sorts, []string{"b"})
		}},
		"an expired record is version 0 to Put, Delete and Check, and no conflict shows it": {test: func(t *testing.T, s store.Store) {
			gone(t, s)
			none := store.ConflictError{Held: record(at("a"), 0, 0, "")}
			for _, kind := range []store.Kind{store.Put, store.Delete, store.Check} {
				same(t, conflicts(t, s, change(kind, at("a"), 2)), none)
			}
			same(t, write(t, s, change(store.Check, at("a"), 0)), []store.Record{none.Held})
			same(t, write(t, s, put(at("a"), 0, "new")), []store.Record{record(at("a"), 1, 0, "new")})
			gone2 := until(put(at("a"), 1, "old"), past())
			write(t, s, gone2)
			same(t, write(t, s, change(store.Delete, at("a"), 0)), []store.Record{none.Held})
			same(t, write(t, s, put(at("a"), 0, "again"))[0].Version, int64(1))
		}},
		"an expired record is absent to Add": {test: func(t *testing.T, s store.Store) {
			gone(t, s)
			same(t, conflicts(t, s, numbered(store.Add, at("a"), 1, 100)), store.ConflictError{Held: record(at("a"), 0, 0, "")})
		}},
		"Raise puts over an expired record with any number": {test: func(t *testing.T, s store.Store) {
			gone(t, s)
			now := write(t, s, numbered(store.Raise, at("a"), 3, 0))[0]
			if now.Version < 1 {
				t.Errorf("the version is %d", now.Version)
			}
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), now.Version, 3, "")})
			same(t, write(t, s, put(at("a"), now.Version, "x"))[0].Version, now.Version+1)
		}},
		"an expired record is absent to the changes of a transaction": {test: func(t *testing.T, s store.Store) {
			gone(t, s)
			same(t, conflicts(t, s, put(at("b"), 0, "b"), put(at("a"), 2, "a")), store.ConflictError{Index: 1, Held: record(at("a"), 0, 0, "")})
			same(t, conflicts(t, s, put(at("b"), 0, "b"), numbered(store.Add, at("a"), 1, 100)).Held, record(at("a"), 0, 0, ""))
			write(t, s, put(at("b"), 0, "b"), put(at("a"), 0, "a"))
			same(t, get(t, s, at("a"), at("b")), []store.Record{record(at("a"), 1, 0, "a"), record(at("b"), 1, 0, "b")})
		}},
		"after expiry versions begin again, so an old holder of version 1 passes": {test: func(t *testing.T, s store.Store) {
			write(t, s, until(put(at("a"), 0, "first"), past()))
			write(t, s, put(at("a"), 0, "second"))
			// This is why a lease's end is data and never Expires.
			same(t, write(t, s, put(at("a"), 1, "the first holder, late"))[0].Version, int64(2))
		}},
		"a record expires at its whole second and not before": {virtual: true, test: func(t *testing.T, s store.Store) {
			start := time.Now().Truncate(time.Second)
			time.Sleep(time.Until(start.Add(time.Second)))
			end := start.Add(11*time.Second + 700*time.Millisecond)
			now := write(t, s, until(put(at("a"), 0, "x"), end))
			same(t, now[0].Expires, start.Add(11*time.Second).UTC())
			time.Sleep(time.Until(start.Add(10*time.Second + 500*time.Millisecond)))
			same(t, get(t, s, at("a"))[0].Version, int64(1))
			same(t, conflicts(t, s, put(at("a"), 0, "y")).Held.Version, int64(1))
			time.Sleep(time.Until(start.Add(11 * time.Second)))
			same(t, get(t, s, at("a"))[0].Version, int64(0))
			write(t, s, put(at("a"), 0, "y"))
		}},
		"what is noted expires too": {virtual: true, test: func(t *testing.T, s store.Store) {
			note(t, s, store.Record{Key: at("a"), Expires: time.Now().Add(time.Minute)}, record(at("b"), 0, 0, ""))
			time.Sleep(59 * time.Second)
			sorts, _ := all(t, s, store.Range{Partition: at("").Partition})
			same(t, sorts, []string{"a", "b"})
			time.Sleep(time.Second)
			sorts, _ = all(t, s, store.Range{Partition: at("").Partition})
			same(t, sorts, []string{"b"})
		}},
		"expired records between live ones cost a page nothing": {test: func(t *testing.T, s store.Store) {
			for i, sort := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				expires := past()
				if i%4 == 1 {
					expires = time.Time{}
				}
				note(t, s, store.Record{Key: at(sort), Expires: expires})
			}
			for _, limit := range []int{0, 1, 2, 3} {
				for _, descending := range []bool{false, true} {
					sorts, _ := all(t, s, store.Range{Partition: at("").Partition, Limit: limit, Descending: descending})
					want := []string{"b", "f"}
					if descending {
						want = reversed(want)
					}
					same(t, sorts, want)
				}
			}
			page, more, err := s.List(t.Context(), store.Range{Partition: at("").Partition, Limit: 2})
			if err != nil || more || len(page) != 2 {
				t.Errorf("a page that holds the last live record says more=%v, %d records, %v", more, len(page), err)
			}
		}},
	}
}
