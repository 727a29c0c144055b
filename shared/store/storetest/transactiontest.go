package storetest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

func transactions() map[string]promise {
	return map[string]promise{
		"several changes are made together and answered in order": {test: func(t *testing.T, s store.Store) {
			counter := put(at("count"), 0, "c")
			counter.Number = 1
			write(t, s, counter)
			write(t, s, put(at("old"), 0, "o"))
			write(t, s, put(at("seen"), 0, "s"))
			now := write(
				t, s, put(at("new"), 0, "n"), numbered(store.Add, at("count"), 2, 10), change(store.Delete, at("old"), 1),
				change(store.Check, at("seen"), 1), numbered(store.Raise, at("rank"), 5, 0),
			)
			same(t, now, []store.Record{ // of Add, Raise and Check no more than the change itself tells
				record(at("new"), 1, 0, "n"), {Key: at("count")}, {Key: at("old")}, {Key: at("seen"), Version: 1}, {Key: at("rank")},
			})
			same(t, get(t, s, at("new"), at("count"), at("old"), at("seen"), at("rank")), []store.Record{
				record(at("new"), 1, 0, "n"), record(at("count"), 2, 3, "c"), record(at("old"), 0, 0, ""),
				record(at("seen"), 1, 0, "s"), record(at("rank"), 1, 5, ""),
			})
		}},
		"several changes are made in several partitions": {test: func(t *testing.T, s store.Store) {
			other := store.Key{Partition: "T/thing/2", Sort: "a"}
			write(t, s, put(at("a"), 0, "1"), put(other, 0, "2"))
			same(t, get(t, s, other, at("a")), []store.Record{record(other, 1, 0, "2"), record(at("a"), 1, 0, "1")})
		}},
		"a conflict names the first condition that failed and the record it met, and nothing is changed": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("b"), 0, "held b"))
			write(t, s, put(at("c"), 0, "held c"))
			conflict := conflicts(t, s, put(at("a"), 0, "x"), put(at("b"), 4, "x"), put(at("c"), 0, "x"), put(at("d"), 0, "x"))
			same(t, conflict, store.ConflictError{Index: 1, Held: record(at("b"), 1, 0, "held b")})
			same(t, get(t, s, at("a"), at("b"), at("c"), at("d")), []store.Record{
				record(at("a"), 0, 0, ""), record(at("b"), 1, 0, "held b"), record(at("c"), 1, 0, "held c"), record(at("d"), 0, 0, ""),
			})
		}},
		"any kind's failed condition undoes the others": {test: func(t *testing.T, s store.Store) {
			held := put(at("held"), 0, "h")
			held.Number = 5
			write(t, s, held)
			for _, failing := range []store.Change{
				put(at("held"), 0, ""), change(store.Delete, at("held"), 2), change(store.Check, at("held"), 0),
				numbered(store.Add, at("held"), 6, 10), numbered(store.Raise, at("held"), 5, 0),
			} {
				same(t, conflicts(t, s, put(at("a"), 0, "x"), failing), store.ConflictError{Index: 1, Held: record(at("held"), 1, 5, "h")})
			}
			same(t, conflicts(t, s, put(at("a"), 0, "x"), change(store.Check, at("none"), 1)), store.ConflictError{Index: 1, Held: record(at("none"), 0, 0, "")})
			same(t, get(t, s, at("a"))[0].Version, int64(0))
		}},
		"a conflict at index 0 and at the last index are told apart": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("held"), 0, ""))
			same(t, conflicts(t, s, put(at("held"), 0, ""), put(at("a"), 0, "")).Index, 0)
			same(t, conflicts(t, s, put(at("a"), 0, ""), put(at("b"), 0, ""), put(at("held"), 0, "")).Index, 2)
		}},
		"twenty-five changes are one Write": {test: func(t *testing.T, s store.Store) {
			var changes []store.Change
			for i := range store.MaxWrite {
				changes = append(changes, put(at(strconv.Itoa(100+i)), 0, "x"))
			}
			for i, r := range write(t, s, changes...) {
				same(t, r, record(changes[i].Key, 1, 0, "x"))
			}
			sorts, _ := all(t, s, store.Range{Partition: at("").Partition})
			same(t, len(sorts), store.MaxWrite)
		}},
	}
}

func bounds() map[string]promise {
	return map[string]promise{
		"calls beyond a bound of the port are refused for good": {test: func(t *testing.T, s store.Store) {
			large := make([]byte, store.MaxData+1)
			long := strings.Repeat("x", store.MaxSort+1)
			keys := make([]store.Key, store.MaxGet+1)
			changes := make([]store.Change, store.MaxWrite+1)
			pointers := make([]store.Record, store.MaxWrite+1)
			for i := range keys {
				keys[i] = at(strconv.Itoa(i + 1))
			}
			for i := range changes {
				changes[i], pointers[i] = put(keys[i], 0, ""), store.Record{Key: keys[i]}
			}
			heavy := make([]store.Change, 13)
			for i := range heavy {
				heavy[i] = put(keys[i], 0, "")
				heavy[i].Data = large[:store.MaxData]
			}
			for name, w := range map[string][]store.Change{
				"data": {{Record: store.Record{Key: at("a"), Data: large}}}, "many": changes, "total": heavy,
				"no partition": {put(store.Key{Sort: "a"}, 0, "")}, "no sort": {put(at(""), 0, "")},
				"long sort": {put(at(long), 0, "")}, "no UTF-8": {put(at("\xff"), 0, "")},
				"key twice": {put(at("a"), 0, ""), put(at("a"), 1, "")}, "no kind": {change(store.Raise+1, at("a"), 0)},
				"negative version": {put(at("a"), -1, "")},
			} {
				_, err := s.Write(t.Context(), w...)
				if refused(t, err); t.Failed() {
					t.Fatalf("for %s", name)
				}
			}
			_, err := s.Get(t.Context(), keys...)
			refused(t, err)
			_, err = s.Get(t.Context(), at("a"), at(""))
			refused(t, err)
			refused(t, s.Note(t.Context(), pointers...))
			refused(t, s.Note(t.Context(), store.Record{Key: at("a"), Data: large}))
			_, _, err = s.List(t.Context(), store.Range{})
			refused(t, err)
			_, _, err = s.List(t.Context(), store.Range{Partition: "p", Limit: -1})
			refused(t, err)
			_, _, err = s.List(t.Context(), store.Range{Partition: "p", Prefix: "\xff"})
			refused(t, err)
			sorts, _ := all(t, s, store.Range{Partition: at("").Partition})
			same(t, sorts, []string(nil))
		}},
		"a refusal does not quote what it refuses": {test: func(t *testing.T, s store.Store) {
			const private = "+15557654321"
			_, err := s.Get(t.Context(), at(private+"\xff"))
			_, written := s.Write(t.Context(), put(at(private), 0, private), put(at(private), 0, private))
			_, _, listed := s.List(t.Context(), store.Range{Partition: private, Prefix: "\xff"})
			conflicting := conflicts(t, s, put(at(private), 1, private))
			if text := errors.Join(err, written, listed, &conflicting).Error(); strings.Contains(text, private) {
				t.Errorf("the text is %q", text)
			}
		}},
		"a call whose context has ended fails, retryable": {test: func(t *testing.T, s store.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, gotten := s.Get(ctx, at("a"))
			_, written := s.Write(ctx, put(at("a"), 0, ""))
			_, _, listed := s.List(ctx, store.Range{Partition: "p"})
			for _, err := range []error{gotten, written, listed, s.Note(ctx, record(at("a"), 0, 0, ""))} {
				if !errors.Is(err, context.Canceled) || fault.Of(err).Kind != fault.Retryable {
					t.Errorf("the error is %v", err)
				}
			}
			same(t, get(t, s, at("a"))[0].Version, int64(0))
		}},
	}
}

func races() map[string]promise {
	const writers = 8
	const tries = 20
	// race runs writers at once and answers how many won; the others have to lose by a conflict, or never learn for certain.
	race := func(t *testing.T, s store.Store, of func(i int) []store.Change) (won int) {
		t.Helper()
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() {
				for range tries { // a transaction may find the records busy, and then nobody has lost yet
					_, errs[i] = s.Write(t.Context(), of(i)...)
					if _, lost := errors.AsType[*store.ConflictError](errs[i]); errs[i] == nil || lost {
						return
					}
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if _, lost := errors.AsType[*store.ConflictError](err); err == nil {
				won++
			} else if !lost && fault.Of(err).Kind != fault.Retryable {
				t.Errorf("a loser got %v", err)
			}
		}
		return won
	}
	return map[string]promise{
		"of parallel first Puts exactly one wins, equal ones too": {test: func(t *testing.T, s store.Store) {
			for range 5 {
				same(t, race(t, s, func(int) []store.Change { return []store.Change{put(at("a"), 0, "same")} }), 1)
				write(t, s, change(store.Delete, at("a"), 1))
			}
		}},
		"of parallel Puts at one version exactly one wins": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "x"))
			for version := int64(1); version < 6; version++ {
				same(t, race(t, s, func(i int) []store.Change { return []store.Change{put(at("a"), version, strconv.Itoa(i))} }), 1)
			}
			same(t, get(t, s, at("a"))[0].Version, int64(6))
		}},
		"of parallel Deletes exactly one wins": {test: func(t *testing.T, s store.Store) {
			write(t, s, put(at("a"), 0, "x"))
			same(t, race(t, s, func(int) []store.Change { return []store.Change{change(store.Delete, at("a"), 1)} }), 1)
		}},
		"parallel Adds take no more than there is": {test: func(t *testing.T, s store.Store) {
			budget := put(at("a"), 0, "")
			budget.Number = 5
			write(t, s, budget)
			same(t, race(t, s, func(int) []store.Change { return []store.Change{numbered(store.Add, at("a"), -1, 5)} }), 5)
			same(t, get(t, s, at("a"))[0].Number, int64(0))
		}},
		"after parallel Raises the highest stays": {test: func(t *testing.T, s store.Store) {
			race(t, s, func(i int) []store.Change { return []store.Change{numbered(store.Raise, at("a"), int64(i), 0)} })
			same(t, get(t, s, at("a"))[0].Number, int64(writers-1))
		}},
		"of parallel transactions over one record exactly one wins, with all of its changes": {test: func(t *testing.T, s store.Store) {
			same(t, race(t, s, func(i int) []store.Change {
				return []store.Change{put(at("own/"+strconv.Itoa(i)), 0, "x"), put(at("shared"), 0, strconv.Itoa(i))}
			}), 1)
			winner := string(get(t, s, at("shared"))[0].Data)
			sorts, _ := all(t, s, store.Range{Partition: at("").Partition, Prefix: "own/"})
			same(t, sorts, []string{"own/" + winner})
		}},
		"a reader never sees half of a transaction's record": {test: func(t *testing.T, s store.Store) {
			for i := range int64(5) {
				version := i
				a, b := put(at("a"), version, ""), put(at("b"), version, "")
				a.Data = bytes.Repeat([]byte{byte('a' + i)}, 1000)
				b.Data = a.Data
				write(t, s, a, b)
				found := get(t, s, at("a"), at("b"))
				same(t, found[0].Data, found[1].Data)
			}
		}},
	}
}
