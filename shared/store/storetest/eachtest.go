package storetest

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// outcomes makes independent changes and checks that there is one outcome a change.
func outcomes(t *testing.T, s store.Store, changes ...store.Change) []store.Outcome {
	t.Helper()
	all := s.WriteEach(t.Context(), changes...)
	if len(all) != len(changes) {
		t.Fatalf("WriteEach returned %d outcomes for %d changes", len(all), len(changes))
	}
	return all
}

func made(r store.Record) store.Outcome { return store.Outcome{Record: r} }

func lost(i int, held store.Record) store.Outcome {
	return store.Outcome{Err: &store.ConflictError{Index: i, Held: held}}
}

func independent() map[string]promise {
	return map[string]promise{
		"of independent changes each has its own outcome, in their order": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("held"), 0, "h"))
			write(t, s, put(at("old"), 0, "o"))
			same(t, outcomes(
				t, s, put(at("new"), 0, "n"), put(at("held"), 0, "x"), put(at("old"), 1, "o2"), put(at("held2"), 7, "x"), put(at("last"), 0, "l"),
			), []store.Outcome{
				made(record(at("new"), 1, 0, "n")), lost(1, record(at("held"), 1, 0, "h")), made(record(at("old"), 2, 0, "o2")),
				lost(3, record(at("held2"), 0, 0, "")), made(record(at("last"), 1, 0, "l")),
			})
			same(t, get(t, s, at("new"), at("held"), at("old"), at("held2"), at("last")), []store.Record{
				record(at("new"), 1, 0, "n"), record(at("held"), 1, 0, "h"), record(at("old"), 2, 0, "o2"), record(at("held2"), 0, 0, ""),
				record(at("last"), 1, 0, "l"),
			})
		}},
		"an independent change at another version meets what is held": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "one"))
			write(t, s, put(at("a"), 1, "two"))
			same(t, outcomes(t, s, put(at("b"), 0, "b"), put(at("a"), 1, "x"), put(at("c"), 0, "c"))[1], lost(1, record(at("a"), 2, 0, "two")))
		}},
		"an independent change replaces everything: data, number and expiry": {test: func(t *testing.T, s store.Store) {
			first := until(put(at("a"), 0, "one"), time.Now().Add(time.Hour))
			first.Number = 7
			second := until(put(at("b"), 0, "one"), time.Now().Add(time.Hour))
			outcomes(t, s, first, second)
			later := until(put(at("b"), 1, "two"), time.Now().Add(2*time.Hour))
			later.Number = -3
			all := outcomes(t, s, put(at("a"), 1, ""), later)
			same(t, all[0], made(record(at("a"), 2, 0, "")))
			want := record(at("b"), 2, -3, "two")
			want.Expires = time.Unix(later.Expires.Unix(), 0).UTC()
			same(t, all[1], made(want))
			same(t, get(t, s, at("a"), at("b")), []store.Record{record(at("a"), 2, 0, ""), want})
		}},
		"an expired record is version 0 to independent changes": {test: func(t *testing.T, s store.Store) {
			past := time.Now().Add(-time.Minute)
			for _, sort := range []string{"a", "b"} {
				write(t, s, until(put(at(sort), 0, "old"), past))
			}
			same(t, outcomes(t, s, put(at("a"), 0, "new"), put(at("b"), 1, "x"), put(at("c"), 0, "c")), []store.Outcome{
				made(record(at("a"), 1, 0, "new")), lost(1, record(at("b"), 0, 0, "")), made(record(at("c"), 1, 0, "c")),
			})
		}},
		"independent changes hold any text and any bytes": {test: func(t *testing.T, s store.Store) {
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			k := store.Key{Partition: "T/π/𝄞\"'}?\\", Sort: "' OR v = 1 --ü\x7f\n</a>"}
			changes := []store.Change{{Record: store.Record{Key: k, Data: every}}, put(at("a"), 0, "x")}
			outcomes(t, s, changes...)
			changes[0].Version, changes[1].Version = 1, 1
			outcomes(t, s, changes...)
			same(t, get(t, s, k)[0], store.Record{Key: k, Version: 2, Data: every})
		}},
		"one independent change is a Write, and none is nothing": {test: func(t *testing.T, s store.Store) {
			same(t, outcomes(t, s, put(at("a"), 0, "x")), []store.Outcome{made(record(at("a"), 1, 0, "x"))})
			same(t, outcomes(t, s, put(at("a"), 0, "y")), []store.Outcome{lost(0, record(at("a"), 1, 0, "x"))})
			same(t, len(outcomes(t, s)), 0)
		}},
		"twenty-five independent changes are one WriteEach, large ones too": {test: func(t *testing.T, s store.Store) {
			var changes []store.Change
			for i := range store.MaxWrite {
				changes = append(changes, put(at(strconv.Itoa(100+i)), 0, "x"))
			}
			for i := range 13 {
				changes[i].Data = make([]byte, 340<<10)
			}
			for i, o := range outcomes(t, s, changes...) {
				if o.Err != nil || o.Version != 1 || o.Key != changes[i].Key || len(o.Data) != len(changes[i].Data) {
					t.Errorf("change %d: version %d, %d bytes, %v", i, o.Version, len(o.Data), o.Err)
				}
			}
		}},
		"independent changes beyond a bound of the port are refused for good, all of them": {test: func(t *testing.T, s store.Store) {
			many := make([]store.Change, store.MaxWrite+1)
			for i := range many {
				many[i] = put(at(strconv.Itoa(i)), 0, "")
			}
			for name, w := range map[string][]store.Change{
				"many": many, "a key twice": {put(at("a"), 0, ""), put(at("a"), 1, "")}, "no sort": {put(at("b"), 0, ""), put(at(""), 0, "")},
				"an Add": {put(at("b"), 0, ""), numbered(store.Add, at("a"), 1, 1)}, "a Delete": {change(store.Delete, at("a"), 1)},
			} {
				for _, o := range outcomes(t, s, w...) {
					if refused(t, o.Err); t.Failed() {
						t.Fatalf("for %s", name)
					}
				}
			}
			same(t, get(t, s, at("b"))[0].Version, int64(0))
		}},
		"of parallel independent changes over the same records each is won by exactly one": {test: func(t *testing.T, s store.Store) {
			const writers, keys = 6, 5
			won := make(chan int, writers*keys)
			finished := make(chan struct{})
			for range writers {
				go func() {
					defer func() { finished <- struct{}{} }()
					var changes []store.Change
					for i := range keys {
						changes = append(changes, put(at(strconv.Itoa(i)), 0, "same"))
					}
					for i, o := range s.WriteEach(t.Context(), changes...) {
						conflict, ok := errors.AsType[*store.ConflictError](o.Err)
						switch {
						case o.Err == nil:
							won <- i
						case !ok && fault.Of(o.Err).Kind == fault.Permanent, ok && conflict.Held.Version != 1:
							t.Errorf("a loser got %v", o.Err)
						}
					}
				}()
			}
			for range writers {
				<-finished
			}
			close(won)
			counts := make([]int, keys)
			for i := range won {
				counts[i]++
			}
			same(t, counts, []int{1, 1, 1, 1, 1})
		}},
	}
}
