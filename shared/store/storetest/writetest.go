package storetest

import (
	"bytes"
	"math"
	"testing"
	"time"

	"signalbox/shared/store"
)

func reads() map[string]promise {
	return map[string]promise{
		"Get answers one record a key in the order of keys, version 0 where there is none": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("b"), 0, "two"))
			write(t, s, put(at("a"), 0, "one"))
			same(t, get(t, s, at("b"), at("x"), at("a")), []store.Record{
				record(at("b"), 1, 0, "two"), record(at("x"), 0, 0, ""), record(at("a"), 1, 0, "one"),
			})
		}},
		"Get of one key answers the same as of several": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "one"))
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 1, 0, "one")})
			same(t, get(t, s, at("x")), []store.Record{record(at("x"), 0, 0, "")})
		}},
		"Get of no key answers none": {test: func(t *testing.T, s store.Store) {
			same(t, len(get(t, s)), 0)
		}},
		"a key that is asked for twice is answered twice": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "one"))
			want := record(at("a"), 1, 0, "one")
			found := get(t, s, at("a"), at("x"), at("a"))
			same(t, found, []store.Record{want, record(at("x"), 0, 0, ""), want})
			found[0].Data[0] = '!'
			same(t, found[2], want)
		}},
		"Get answers a hundred keys in one call": {test: func(t *testing.T, s store.Store) {
			var keys []store.Key
			var want []store.Record
			for i := range store.MaxGet {
				k := at(string(rune('a'+i%26)) + string(rune('a'+i/26)))
				keys, want = append(keys, k), append(want, record(k, 1, int64(i), "x"))
			}
			for half := range 4 {
				note(t, s, want[half*25:(half+1)*25]...)
			}
			same(t, get(t, s, keys...), want)
		}},
		"keys and data hold any text and any bytes": {test: func(t *testing.T, s store.Store) {
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			k := store.Key{Partition: "T/π/𝄞\x00\"\\", Sort: "\u2028ü\x7f\n</a>"}
			write(t, s, store.Change{Record: store.Record{Key: k, Data: every, Number: math.MinInt64}})
			found := get(t, s, k)[0]
			same(t, found, store.Record{Key: k, Version: 1, Number: math.MinInt64, Data: every})
		}},
		"what was given and what was answered can be changed without harm": {test: func(t *testing.T, s store.Store) {
			given := put(at("a"), 0, "one")
			answered := write(t, s, given)
			given.Data[0], answered[0].Data[1] = '!', '!'
			found := get(t, s, at("a"))
			same(t, found[0], record(at("a"), 1, 0, "one"))
			found[0].Data[0] = '!'
			page, _, err := s.List(t.Context(), store.Range{Partition: at("").Partition})
			if err != nil {
				t.Fatal(err)
			}
			same(t, page, []store.Record{record(at("a"), 1, 0, "one")})
			page[0].Data[0] = '!'
			held := conflicts(t, s, put(at("a"), 0, "")).Held
			same(t, held, record(at("a"), 1, 0, "one"))
			held.Data[0] = '!'
			same(t, get(t, s, at("a"))[0], record(at("a"), 1, 0, "one"))
		}},
	}
}

func writes() map[string]promise {
	return map[string]promise{
		"a first Put gives version 1 and each further one more": {test: func(t *testing.T, s store.Store) {
			for v := range int64(4) {
				same(t, write(t, s, put(at("a"), v, "x")), []store.Record{record(at("a"), v+1, 0, "x")})
			}
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 4, 0, "x")})
		}},
		"a Put replaces everything: data, number and expiry": {test: func(t *testing.T, s store.Store) {
			first := until(put(at("a"), 0, "one"), time.Now().Add(time.Hour))
			first.Number = 7
			write(t, s, first)
			write(t, s, put(at("a"), 1, ""))
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 2, 0, "")})
		}},
		"empty data is kept and answered as none": {test: func(t *testing.T, s store.Store) {
			same(t, write(t, s, store.Change{Record: store.Record{Key: at("a"), Data: []byte{}}})[0].Data, []byte(nil))
			same(t, get(t, s, at("a"))[0].Data, []byte(nil))
			write(t, s, put(at("a"), 1, "x"))
			write(t, s, put(at("a"), 2, ""))
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 3, 0, "")})
		}},
		"a Put at another version fails with the record held and changes nothing": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "one"))
			write(t, s, put(at("a"), 1, "two"))
			for _, version := range []int64{0, 1, 3} {
				same(t, conflicts(t, s, put(at("a"), version, "three")), store.ConflictError{Held: record(at("a"), 2, 0, "two")})
			}
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 2, 0, "two")})
		}},
		"a Put of what is gone fails with version 0 held": {test: func(t *testing.T, s store.Store) {
			same(t, conflicts(t, s, put(at("a"), 1, "x")), store.ConflictError{Held: record(at("a"), 0, 0, "")})
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 0, 0, "")})
		}},
		"a Delete at the version held removes, and versions begin again": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "one"))
			write(t, s, put(at("a"), 1, "two"))
			same(t, conflicts(t, s, change(store.Delete, at("a"), 1)).Held, record(at("a"), 2, 0, "two"))
			same(t, write(t, s, change(store.Delete, at("a"), 2)), []store.Record{record(at("a"), 0, 0, "")})
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 0, 0, "")})
			same(t, write(t, s, put(at("a"), 0, "new"))[0].Version, int64(1))
		}},
		"a Delete of what is gone fails, and at version 0 does nothing": {test: func(t *testing.T, s store.Store) {
			same(t, conflicts(t, s, change(store.Delete, at("a"), 1)), store.ConflictError{Held: record(at("a"), 0, 0, "")})
			same(t, write(t, s, change(store.Delete, at("a"), 0)), []store.Record{record(at("a"), 0, 0, "")})
			write(t, s, put(at("a"), 0, "one"))
			same(t, conflicts(t, s, change(store.Delete, at("a"), 0)).Held.Version, int64(1))
		}},
		"a Check alone answers the record at the version held, or fails": {test: func(t *testing.T, s store.Store) {
			same(t, write(t, s, change(store.Check, at("a"), 0)), []store.Record{record(at("a"), 0, 0, "")})
			same(t, conflicts(t, s, change(store.Check, at("a"), 1)), store.ConflictError{Held: record(at("a"), 0, 0, "")})
			write(t, s, put(at("a"), 0, "one"))
			same(t, write(t, s, change(store.Check, at("a"), 1)), []store.Record{record(at("a"), 1, 0, "one")})
			same(t, conflicts(t, s, change(store.Check, at("a"), 0)), store.ConflictError{Held: record(at("a"), 1, 0, "one")})
		}},
		"Add changes the number within 0 and the bound, and nothing else": {test: func(t *testing.T, s store.Store) {
			first := put(at("a"), 0, "left")
			first.Number, first.Expires = 5, time.Now().Add(time.Hour).Truncate(time.Second).UTC()
			write(t, s, first)
			want := store.Record{Key: at("a"), Version: 2, Number: 8, Data: []byte("left"), Expires: first.Expires}
			same(t, write(t, s, numbered(store.Add, at("a"), 3, 8)), []store.Record{want})
			same(t, conflicts(t, s, numbered(store.Add, at("a"), 1, 8)), store.ConflictError{Held: want})
			same(t, conflicts(t, s, numbered(store.Add, at("a"), -9, 8)), store.ConflictError{Held: want})
			same(t, get(t, s, at("a")), []store.Record{want})
			want.Version, want.Number = 3, 0
			same(t, write(t, s, numbered(store.Add, at("a"), -8, 8)), []store.Record{want})
			want.Version = 4
			same(t, write(t, s, numbered(store.Add, at("a"), 0, 0)), []store.Record{want})
		}},
		"Add needs a record": {test: func(t *testing.T, s store.Store) {
			same(t, conflicts(t, s, numbered(store.Add, at("a"), 0, 8)), store.ConflictError{Held: record(at("a"), 0, 0, "")})
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 0, 0, "")})
		}},
		"Add never overflows": {test: func(t *testing.T, s store.Store) {
			full := put(at("a"), 0, "")
			full.Number = math.MaxInt64 - 1
			write(t, s, full)
			conflicts(t, s, numbered(store.Add, at("a"), 2, math.MaxInt64))
			conflicts(t, s, numbered(store.Add, at("a"), math.MaxInt64, math.MaxInt64))
			conflicts(t, s, numbered(store.Add, at("a"), math.MinInt64, math.MaxInt64))
			conflicts(t, s, numbered(store.Add, at("a"), math.MinInt64, 0))
			conflicts(t, s, numbered(store.Add, at("a"), 0, -1))
			conflicts(t, s, numbered(store.Add, at("a"), 1, math.MinInt64))
			same(t, write(t, s, numbered(store.Add, at("a"), 1, math.MaxInt64))[0].Number, int64(math.MaxInt64))
			same(t, write(t, s, numbered(store.Add, at("a"), -math.MaxInt64, math.MaxInt64))[0].Number, int64(0))
			debt := put(at("b"), 0, "")
			debt.Number = -5
			write(t, s, debt)
			conflicts(t, s, numbered(store.Add, at("b"), 4, 10))
			same(t, write(t, s, numbered(store.Add, at("b"), 5, 10))[0].Number, int64(0))
		}},
		"Raise puts what is absent or lower": {test: func(t *testing.T, s store.Store) {
			raise := func(number int64, data string) store.Change {
				c := numbered(store.Raise, at("a"), number, 0)
				c.Data = []byte(data)
				return c
			}
			same(t, write(t, s, raise(-4, "sent")), []store.Record{record(at("a"), 1, -4, "sent")})
			same(t, write(t, s, raise(2, "")), []store.Record{record(at("a"), 2, 2, "")})
			same(t, write(t, s, raise(3, "read")), []store.Record{record(at("a"), 3, 3, "read")})
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 3, 3, "read")})
		}},
		"Raise fails at an equal or a lower number with the record held": {test: func(t *testing.T, s store.Store) {
			write(t, s, numbered(store.Raise, at("a"), 3, 0))
			for _, number := range []int64{3, 2, -3} {
				same(t, conflicts(t, s, numbered(store.Raise, at("a"), number, 0)), store.ConflictError{Held: record(at("a"), 1, 3, "")})
			}
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 1, 3, "")})
		}},
		"Raise replaces the expiry too": {test: func(t *testing.T, s store.Store) {
			later := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
			c := until(numbered(store.Raise, at("a"), 1, 0), later)
			same(t, write(t, s, c)[0].Expires, later)
			same(t, get(t, s, at("a"))[0].Expires, later)
			same(t, write(t, s, numbered(store.Raise, at("a"), 2, 0))[0].Expires, time.Time{})
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 2, 2, "")})
		}},
		"Raise over a record with another number keeps counting its versions": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "x"))
			write(t, s, put(at("a"), 1, "x"))
			same(t, write(t, s, numbered(store.Raise, at("a"), 1, 0)), []store.Record{record(at("a"), 3, 1, "")})
			same(t, write(t, s, put(at("a"), 3, "y")), []store.Record{record(at("a"), 4, 0, "y")})
		}},
		"a Write of no change does nothing": {test: func(t *testing.T, s store.Store) { write(t, s) }},
		"a noted record has version 1, whatever was there": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "one"))
			write(t, s, put(at("a"), 1, "two"))
			note(t, s, store.Record{Key: at("a"), Number: 4, Data: []byte("three"), Version: 17})
			same(t, get(t, s, at("a")), []store.Record{record(at("a"), 1, 4, "three")})
			same(t, write(t, s, put(at("a"), 1, "four"))[0].Version, int64(2))
		}},
		"a Note may be repeated": {test: func(t *testing.T, s store.Store) {
			for range 2 {
				note(t, s, record(at("a"), 0, 0, "x"), record(at("b"), 0, 0, "y"))
			}
			same(t, get(t, s, at("a"), at("b")), []store.Record{record(at("a"), 1, 0, "x"), record(at("b"), 1, 0, "y")})
		}},
		"of two pointers with one key in one Note the last stays": {test: func(t *testing.T, s store.Store) {
			note(t, s, record(at("a"), 0, 0, "x"), record(at("b"), 0, 0, "y"), record(at("a"), 0, 0, "z"))
			same(t, get(t, s, at("a"), at("b")), []store.Record{record(at("a"), 1, 0, "z"), record(at("b"), 1, 0, "y")})
		}},
		"a Note of nothing does nothing": {test: func(t *testing.T, s store.Store) { note(t, s) }},
		"twenty-five pointers go into one Note": {test: func(t *testing.T, s store.Store) {
			var pointers []store.Record
			for i := range store.MaxWrite {
				pointers = append(pointers, record(at(string(rune('a'+i))), 0, int64(i), "p"))
			}
			note(t, s, pointers...)
			sorts, _ := all(t, s, store.Range{Partition: at("").Partition})
			same(t, len(sorts), store.MaxWrite)
		}},
		"350 KB of data go in and come out": {test: func(t *testing.T, s store.Store) {
			large := bytes.Repeat([]byte{0xff, 'a'}, store.MaxData/2)
			write(t, s, store.Change{Record: store.Record{Key: at("a"), Data: large}})
			note(t, s, store.Record{Key: at("b"), Data: large})
			for _, found := range get(t, s, at("a"), at("b")) {
				same(t, bytes.Equal(found.Data, large), true)
			}
			same(t, bytes.Equal(conflicts(t, s, put(at("a"), 0, "")).Held.Data, large), true)
		}},
	}
}
