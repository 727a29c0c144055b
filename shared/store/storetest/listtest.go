package storetest

import (
	"fmt"
	"slices"
	"testing"

	"signalbox/shared/store"
)

func lists() map[string]promise {
	fill := func(t *testing.T, s store.Store, sorts ...string) {
		t.Helper()
		for chunk := range slices.Chunk(sorts, store.MaxWrite) {
			var pointers []store.Record
			for _, sort := range chunk {
				pointers = append(pointers, record(at(sort), 0, 0, ""))
			}
			note(t, s, pointers...)
		}
	}
	partition := at("").Partition
	return map[string]promise{
		"List of an empty partition answers nothing": {test: func(t *testing.T, s store.Store) {
			page, more, err := s.List(t.Context(), store.Range{Partition: "nobody"})
			if len(page) != 0 || more || err != nil {
				t.Errorf("%d records, %v, %v", len(page), more, err)
			}
		}},
		"List answers whole records": {test: func(t *testing.T, s store.Store) {
			c := put(at("a"), 0, "data")
			c.Number = 4
			write(t, s, c)
			page, _, err := s.List(t.Context(), store.Range{Partition: partition, Stale: true})
			if err != nil {
				t.Fatal(err)
			}
			same(t, page, []store.Record{record(at("a"), 1, 4, "data")})
		}},
		"List sorts by bytes, not by letters, numbers or UTF-16": {test: func(t *testing.T, s store.Store) {
			want := []string{"\x00", "\x01a", " ", "-1", "10", "9", "A", "Z", "a", "a\x00", "aa", "~", "\x7f", "é", "ï", "\uffff", "𝄞", "𝄞a"}
			fill(t, s, reversed(want)...)
			sorts, _ := all(t, s, store.Range{Partition: partition})
			same(t, sorts, want)
			sorts, _ = all(t, s, store.Range{Partition: partition, Descending: true, Limit: 3})
			same(t, sorts, reversed(want))
		}},
		"List answers the records of its partition alone": {test: func(t *testing.T, s store.Store) {
			fill(t, s, "a")
			note(t, s, store.Record{Key: store.Key{Partition: partition + "0", Sort: "b"}}, store.Record{Key: store.Key{Partition: "T/thing", Sort: "c"}})
			sorts, _ := all(t, s, store.Range{Partition: partition})
			same(t, sorts, []string{"a"})
		}},
		"List answers what begins with the prefix, forward and back": {test: func(t *testing.T, s store.Store) {
			fill(t, s, "log", "log/", "log/1", "log/2", "log/\u00ff", "log0", "now/1")
			for prefix, want := range map[string][]string{
				"log/": {"log/", "log/1", "log/2", "log/\u00ff"}, "log": {"log", "log/", "log/1", "log/2", "log/\u00ff", "log0"},
				"none": nil, "now/1": {"now/1"}, "now/11": nil,
			} {
				sorts, _ := all(t, s, store.Range{Partition: partition, Prefix: prefix})
				same(t, sorts, want)
				sorts, _ = all(t, s, store.Range{Partition: partition, Prefix: prefix, Descending: true, Limit: 1})
				same(t, sorts, reversed(want))
			}
		}},
		"List begins after a sort that need not be there, inside the prefix or outside": {test: func(t *testing.T, s store.Store) {
			fill(t, s, "a", "m/1", "m/3", "m/5", "z")
			for after, want := range map[string]struct{ up, down []string }{
				"m/3": {[]string{"m/5"}, []string{"m/1"}},
				"m/2": {[]string{"m/3", "m/5"}, []string{"m/1"}},
				"m/":  {[]string{"m/1", "m/3", "m/5"}, nil},
				"m/9": {nil, []string{"m/5", "m/3", "m/1"}},
				"b":   {[]string{"m/1", "m/3", "m/5"}, nil},
				"x":   {nil, []string{"m/5", "m/3", "m/1"}},
				"":    {[]string{"m/1", "m/3", "m/5"}, []string{"m/5", "m/3", "m/1"}},
			} {
				sorts, _ := all(t, s, store.Range{Partition: partition, Prefix: "m/", After: after})
				same(t, sorts, want.up)
				sorts, _ = all(t, s, store.Range{Partition: partition, Prefix: "m/", After: after, Descending: true})
				same(t, sorts, want.down)
			}
		}},
		"pages follow each other without gap or repeat, and the last one says so": {test: func(t *testing.T, s store.Store) {
			var want []string
			for i := range 60 {
				want = append(want, fmt.Sprintf("log/%03d", i))
			}
			fill(t, s, want...)
			fill(t, s, "a", "z")
			for limit, pages := range map[int]int{1: 60, 7: 9, 10: 6, 30: 2, 59: 2, 60: 1, 61: 1, 0: 1} {
				sorts, n := all(t, s, store.Range{Partition: partition, Prefix: "log/", Limit: limit})
				same(t, sorts, want)
				same(t, n, pages)
				sorts, n = all(t, s, store.Range{Partition: partition, Prefix: "log/", Limit: limit, Descending: true})
				same(t, sorts, reversed(want))
				same(t, n, pages)
			}
		}},
		"a partition of several megabytes comes in several pages": {test: func(t *testing.T, s store.Store) {
			var want []string
			for i := range 12 {
				k := at(fmt.Sprintf("%02d", i))
				want = append(want, k.Sort)
				note(t, s, store.Record{Key: k, Data: make([]byte, 300<<10)})
			}
			sorts, pages := all(t, s, store.Range{Partition: partition})
			same(t, sorts, want)
			if pages < 2 {
				t.Errorf("3.6 MB came in %d page", pages)
			}
			sorts, _ = all(t, s, store.Range{Partition: partition, Limit: 12, Descending: true})
			same(t, sorts, reversed(want))
		}},
	}
}
