// Package storetest says what every store.Store does, one sentence a promise. An implementation's own test opens an empty
// store for each sentence and adds only what is not the port's.
package storetest

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// promise is one sentence's test.
type promise struct {
	test    func(t *testing.T, s store.Store)
	virtual bool // it waits, in virtual time
}

// Run holds a store to every sentence, each with an empty store of its own in a synctest bubble.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for sentence, p := range promises() {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { p.test(t, open(t)) })
		})
	}
}

// RunReal holds a store outside this process to every sentence that needs no virtual time. It skips what skips names, and
// prints each skip with its reason.
func RunReal(t *testing.T, open func(t *testing.T) store.Store, skips map[string]string) {
	t.Helper()
	all := promises()
	for sentence := range skips {
		if _, ok := all[sentence]; !ok {
			t.Errorf("the skip list names a sentence that is not there: %q", sentence)
		}
	}
	for sentence, p := range all {
		t.Run(sentence, func(t *testing.T) {
			if reason, ok := skips[sentence]; ok {
				t.Skip("skipped: " + reason)
			}
			if p.virtual {
				t.Skip("skipped: it waits in virtual time, which only a store in this process has")
			}
			p.test(t, open(t))
		})
	}
}

func promises() map[string]promise {
	all := map[string]promise{}
	for _, part := range []map[string]promise{reads(), writes(), expiries(), transactions(), lists(), bounds(), races(), independent()} {
		maps.Copy(all, part)
	}
	return all
}

// at returns a key of the sentence's own.
func at(sort string) store.Key { return store.Key{Partition: "T/thing/1", Sort: sort} }

func put(k store.Key, version int64, data string) store.Change {
	return store.Change{Kind: store.Put, Record: store.Record{Key: k, Version: version, Data: []byte(data)}}
}

func change(kind store.Kind, k store.Key, version int64) store.Change {
	return store.Change{Kind: kind, Record: store.Record{Key: k, Version: version}}
}

func numbered(kind store.Kind, k store.Key, number, bound int64) store.Change {
	return store.Change{Kind: kind, Record: store.Record{Key: k, Number: number}, Bound: bound}
}

func until(c store.Change, expires time.Time) store.Change {
	c.Expires = expires
	return c
}

func record(k store.Key, version, number int64, data string) store.Record {
	r := store.Record{Key: k, Version: version, Number: number}
	if data != "" {
		r.Data = []byte(data)
	}
	return r
}

func write(t *testing.T, s store.Store, changes ...store.Change) []store.Record {
	t.Helper()
	now, err := s.Write(t.Context(), changes...)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	if len(now) != len(changes) {
		t.Fatalf("Write answered %d records for %d changes", len(now), len(changes))
	}
	return now
}

func note(t *testing.T, s store.Store, pointers ...store.Record) {
	t.Helper()
	if err := s.Note(t.Context(), pointers...); err != nil {
		t.Fatalf("Note: %v", err)
	}
}

func get(t *testing.T, s store.Store, keys ...store.Key) []store.Record {
	t.Helper()
	records, err := s.Get(t.Context(), keys...)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return records
}

// conflicts makes changes that have to fail and returns the conflict.
func conflicts(t *testing.T, s store.Store, changes ...store.Change) store.ConflictError {
	t.Helper()
	now, err := s.Write(t.Context(), changes...)
	conflict, ok := errors.AsType[*store.ConflictError](err)
	if !ok {
		t.Fatalf("Write answered %d records and the error %v, want a conflict", len(now), err)
	}
	return *conflict
}

// refused holds an error to be a permanent fault.
func refused(t *testing.T, err error) {
	t.Helper()
	if err == nil || fault.Of(err).Kind != fault.Permanent {
		t.Errorf("the error is %v, want a permanent fault", err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want - got +\n%s", d)
	}
}

// all returns the sorts of a range, page by page, and holds each page to its promises.
func all(t *testing.T, s store.Store, r store.Range) (sorts []string, pages int) {
	t.Helper()
	for {
		page, more, err := s.List(t.Context(), r)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		pages++
		if r.Limit > 0 && len(page) > r.Limit {
			t.Fatalf("a page has %d records, the limit is %d", len(page), r.Limit)
		}
		for _, found := range page {
			sorts = append(sorts, found.Sort)
		}
		if !more {
			return sorts, pages
		}
		if len(page) == 0 {
			t.Fatal("an empty page says that there is more")
		}
		r.After = page[len(page)-1].Sort
	}
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}
