package memstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}

func TestStoreThatSweeps(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New(memstore.Sweeping()) })
}

func TestFaults(t *testing.T) {
	t.Parallel()
	key := func(sort string) store.Key { return store.Key{Partition: "p", Sort: sort} }
	write := func(t *testing.T, s *memstore.Store) error {
		_, err := s.Write(t.Context(), store.Change{Record: store.Record{Key: key("a")}})
		return err
	}
	note := func(t *testing.T, s *memstore.Store) error {
		return s.Note(t.Context(), store.Record{Key: key("a")}, store.Record{Key: key("b")})
	}
	get := func(t *testing.T, s *memstore.Store) error {
		_, err := s.Get(t.Context(), key("a"))
		return err
	}
	list := func(t *testing.T, s *memstore.Store) error {
		_, _, err := s.List(t.Context(), store.Range{Partition: "p"})
		return err
	}
	for sentence, c := range map[string]struct {
		fault memstore.Fault
		call  func(*testing.T, *memstore.Store) error
		kind  fault.Kind
		held  int // records afterwards
	}{
		"a throttled write has no effect":                  {memstore.Throttled, write, fault.Throttled, 0},
		"a write that fails before has no effect":          {memstore.Before, write, fault.Retryable, 0},
		"a write that fails after has its effect":          {memstore.After, write, fault.Retryable, 1},
		"a note that fails halfway has half of its":        {memstore.Partial, note, fault.Retryable, 1},
		"a note that fails after has its effect":           {memstore.After, note, fault.Retryable, 2},
		"a note that fails before has no effect":           {memstore.Before, note, fault.Retryable, 0},
		"a get can be throttled":                           {memstore.Throttled, get, fault.Throttled, 0},
		"a get can fail after":                             {memstore.After, get, fault.Retryable, 0},
		"a list can fail before":                           {memstore.Before, list, fault.Retryable, 0},
		"a list can fail after":                            {memstore.After, list, fault.Retryable, 0},
		"a write that is asked to fail halfway does after": {memstore.Partial, write, fault.Retryable, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var calls []memstore.Call
			s := memstore.New(memstore.Faulty(func(call memstore.Call) memstore.Fault {
				calls = append(calls, call)
				return c.fault
			}))
			err := c.call(t, s)
			if !errors.Is(err, memstore.ErrInjected) || fault.Of(err).Kind != c.kind {
				t.Errorf("the error is %v", err)
			}
			held := 0
			for range s.All() {
				held++
			}
			if held != c.held || len(calls) != 1 {
				t.Errorf("%d records are held after %d calls, want %d", held, len(calls), c.held)
			}
		})
	}
}

func TestAllAnswersEveryStoredByteInOrder(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	var want []store.Record
	for _, p := range []string{"a", "b"} {
		for i := range 3 {
			want = append(want, store.Record{Key: store.Key{Partition: p, Sort: fmt.Sprint(i)}, Version: 1, Data: []byte(p)})
		}
	}
	for i := range want {
		if err := s.Note(t.Context(), want[len(want)-1-i]); err != nil {
			t.Fatal(err)
		}
	}
	var got []store.Record
	for r := range s.All() {
		got = append(got, r)
		if err := s.Note(t.Context(), store.Record{Key: store.Key{Partition: "c", Sort: "while iterating"}}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for range s.All() {
		break
	}
}

func BenchmarkStore(b *testing.B) {
	data := make([]byte, 700)
	b.Run("put and complete", func(b *testing.B) {
		s := memstore.New()
		b.ReportAllocs()
		for i := range b.N {
			k := store.Key{Partition: fmt.Sprintf("T/event/%d", i), Sort: "delivery/hubspot"}
			for v := range int64(2) {
				if _, err := s.Write(b.Context(), store.Change{Record: store.Record{Key: k, Version: v, Data: data}}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("note into a long partition", func(b *testing.B) {
		s := memstore.New()
		b.ReportAllocs()
		for i := range b.N {
			if err := s.Note(b.Context(), store.Record{Key: store.Key{Partition: "p", Sort: fmt.Sprintf("%010d", i)}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list the first 10 of 10,000", func(b *testing.B) {
		s := memstore.New()
		for i := range 10_000 {
			if err := s.Note(b.Context(), store.Record{Key: store.Key{Partition: "p", Sort: fmt.Sprintf("log/%05d", i)}}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := s.List(b.Context(), store.Range{Partition: "p", Prefix: "log/", Limit: 10}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
