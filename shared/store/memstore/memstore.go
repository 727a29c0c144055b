// Package memstore keeps records in memory with every promise of the store port: it is what tests run on, and what the
// local cloud's database stands on. It refuses what the database would refuse, and an injected fault makes any call fail
// before its effect, after it, or halfway.
package memstore

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/shared/store"
)

// MaxPage is how many bytes of keys and data fit into one page of a List, as in the database.
const MaxPage = 1 << 20

// Store is a store.Store. It is safe for concurrent use; what goes in and comes out is copied.
type Store struct {
	fault    func(Call) Fault
	sweeping bool

	mu         sync.Mutex
	partitions map[string]*partition
}

var _ store.Store = (*Store)(nil)

// partition holds its sorts in byte order.
type partition struct {
	sorts   []string
	records map[string]Stored
}

// Option changes how a Store behaves.
type Option func(*Store)

// Sweeping removes what has expired at once. The database may take days over it, which is the default here: a user that
// tells the difference breaks a promise.
func Sweeping() Option { return func(s *Store) { s.sweeping = true } }

// New returns an empty Store.
func New(options ...Option) *Store {
	s := &Store{partitions: map[string]*partition{}}
	for _, o := range options {
		o(s)
	}
	return s
}

// Get returns one record a key.
func (s *Store) Get(ctx context.Context, keys ...store.Key) ([]store.Record, error) {
	if err := store.ValidateGet(keys); err != nil {
		return nil, err
	}
	after, err := s.begin(ctx, Call{Operation: Get, Keys: keys})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.sweep()
	records := make([]store.Record, len(keys))
	for i, k := range keys {
		records[i] = clone(s.live(k, now).Record)
	}
	return records, after
}

// List returns one page; one without a Limit ends at MaxPage.
func (s *Store) List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error) {
	if err := store.ValidateList(r); err != nil {
		return nil, false, err
	}
	after, err := s.begin(ctx, Call{Operation: List, Partition: r.Partition})
	if err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, size := s.sweep(), 0
	for sort := range s.within(r) {
		found := s.live(store.Key{Partition: r.Partition, Sort: sort}, now)
		if found.Version == 0 {
			continue
		}
		size += len(r.Partition) + len(sort) + len(found.Data)
		if len(page) > 0 && (len(page) == r.Limit || size > MaxPage) {
			return page, true, after
		}
		page = append(page, clone(found.Record))
	}
	return page, false, after
}

// Write makes all changes or none. Of several it returns no more than the changes tell, as the database does: the Key alone
// for Add and Raise, Key and Version for Check.
func (s *Store) Write(ctx context.Context, changes ...store.Change) ([]store.Record, error) {
	records, _, err := s.WriteAs(ctx, "", changes...)
	return records, err
}

// WriteAs is Write by a call that can be recognised: each record it writes keeps token, and with a conflict it returns
// what was met as it is stored. So the local cloud can tell a writer that meets its own earlier attempt, as the database does.
func (s *Store) WriteAs(ctx context.Context, token string, changes ...store.Change) (now []store.Record, met Stored, err error) {
	if err := store.ValidateWrite(changes); err != nil {
		return nil, Stored{}, err
	}
	after, err := s.begin(ctx, callOf(changes))
	if err != nil {
		return nil, Stored{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.sweep()
	for i, c := range changes {
		if found := s.live(c.Key, at); !holds(c, found.Record) {
			if after != nil {
				return nil, Stored{}, after
			}
			return nil, s.stored(c.Key), &store.ConflictError{Index: i, Held: clone(found.Record)}
		}
	}
	now = make([]store.Record, len(changes))
	for i, c := range changes {
		now[i] = s.apply(c, token, at)
		if len(changes) > 1 {
			now[i] = answered(c, now[i])
		}
	}
	return now, Stored{}, after
}

// WriteEach makes each change on its own.
func (s *Store) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	if err := store.ValidateWriteEach(changes); err != nil {
		return store.Failed(len(changes), err)
	}
	after, err := s.begin(ctx, callOf(changes))
	if err != nil {
		return store.Failed(len(changes), err)
	}
	outcomes := slices.Repeat([]store.Outcome{{Err: after}}, len(changes))
	made := len(changes)
	if partial(after) {
		made /= 2
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.sweep()
	for i, c := range changes[:made] {
		switch found := s.live(c.Key, at).Record; {
		case holds(c, found):
			outcomes[i].Record = s.apply(c, "", at)
		case after == nil:
			outcomes[i].Err = &store.ConflictError{Index: i, Held: clone(found)}
		}
	}
	return outcomes
}

// Note puts pointers, unconditionally.
func (s *Store) Note(ctx context.Context, pointers ...store.Record) error {
	if err := store.ValidateNote(pointers); err != nil {
		return err
	}
	call := Call{Operation: Note, Keys: make([]store.Key, len(pointers))}
	for i, p := range pointers {
		call.Keys[i] = p.Key
	}
	after, err := s.begin(ctx, call)
	if err != nil {
		return err
	}
	if partial(after) {
		pointers = pointers[:len(pointers)/2]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pointers {
		p.Version = 1
		s.set(Stored{Record: p})
	}
	return after
}

// answered cuts a record down to what the database says after a transaction, which is nothing: what the change itself
// does not tell takes another read.
func answered(c store.Change, now store.Record) store.Record {
	switch c.Kind {
	case store.Add, store.Raise:
		return store.Record{Key: c.Key}
	case store.Check:
		return store.Record{Key: c.Key, Version: c.Version}
	default:
		return now
	}
}

// holds reports whether the condition of c is met by found, which is live or has version 0.
func holds(c store.Change, found store.Record) bool {
	switch c.Kind {
	case store.Add:
		return found.Version != 0 && sumWithin(found.Number, c.Number, c.Bound)
	case store.Raise:
		return found.Version == 0 || found.Number < c.Number
	default:
		return found.Version == c.Version
	}
}

func sumWithin(n, d, bound int64) bool {
	sum := n + d
	overflown := (d > 0 && sum < n) || (d < 0 && sum > n)
	return !overflown && sum >= 0 && sum <= bound
}

// apply makes a change whose condition holds.
func (s *Store) apply(c store.Change, token string, now time.Time) store.Record {
	next := c.Record
	switch c.Kind {
	case store.Delete:
		s.remove(c.Key)
		return store.Record{Key: c.Key}
	case store.Check:
		return clone(s.live(c.Key, now).Record)
	case store.Add:
		next = s.stored(c.Key).Record
		next.Number += c.Number
		next.Version++
	case store.Raise:
		next.Version = s.stored(c.Key).Version + 1 // counts on over an expired record: one expression cannot start again
	default:
		next.Version = c.Version + 1
	}
	return clone(s.set(Stored{Record: next, Token: token}).Record)
}

// stored returns what lies under k, expired or not.
func (s *Store) stored(k store.Key) Stored {
	if p := s.partitions[k.Partition]; p != nil {
		if h, ok := p.records[k.Sort]; ok {
			return h
		}
	}
	return Stored{Record: store.Record{Key: k}}
}

// live returns what a reader at now sees under k.
func (s *Store) live(k store.Key, now time.Time) Stored {
	h := s.stored(k)
	if h.Expires.IsZero() || now.Unix() < h.Expires.Unix() {
		return h
	}
	return Stored{Record: store.Record{Key: k}}
}

// sweep removes what has expired, if it is this store's way, and returns the time of the call.
func (s *Store) sweep() time.Time {
	now := time.Now()
	if !s.sweeping {
		return now
	}
	for name, p := range s.partitions {
		for sort := range p.records {
			if k := (store.Key{Partition: name, Sort: sort}); s.live(k, now).Version == 0 {
				s.remove(k)
			}
		}
	}
	return now
}

// set stores a copy.
func (s *Store) set(h Stored) Stored {
	h.Record = clone(h.Record)
	if !h.Expires.IsZero() {
		h.Expires = time.Unix(h.Expires.Unix(), 0).UTC()
	}
	p := s.partitions[h.Partition]
	if p == nil {
		p = &partition{records: map[string]Stored{}}
		s.partitions[h.Partition] = p
	}
	if at, found := slices.BinarySearch(p.sorts, h.Sort); !found {
		p.sorts = slices.Insert(p.sorts, at, h.Sort)
	}
	p.records[h.Sort] = h
	return h
}

func (s *Store) remove(k store.Key) {
	p := s.partitions[k.Partition]
	if p == nil {
		return
	}
	if at, found := slices.BinarySearch(p.sorts, k.Sort); found {
		p.sorts = slices.Delete(p.sorts, at, at+1)
	}
	delete(p.records, k.Sort)
	if len(p.sorts) == 0 {
		delete(s.partitions, k.Partition)
	}
}

// within returns the sorts of a range in its order.
func (s *Store) within(r store.Range) iter.Seq[string] {
	return func(yield func(string) bool) {
		p := s.partitions[r.Partition]
		if p == nil {
			return
		}
		from, _ := slices.BinarySearch(p.sorts, r.Prefix)
		length, _ := slices.BinarySearchFunc(p.sorts[from:], r.Prefix, func(sort, prefix string) int {
			if strings.HasPrefix(sort, prefix) {
				return -1
			}
			return 1
		})
		sorts := p.sorts[from : from+length]
		at, found := slices.BinarySearch(sorts, r.After)
		switch {
		case r.After != "" && r.Descending:
			sorts = sorts[:at]
		case r.After != "" && found:
			sorts = sorts[at+1:]
		case r.After != "":
			sorts = sorts[at:]
		}
		for i := range sorts {
			if r.Descending {
				i = len(sorts) - 1 - i
			}
			if !yield(sorts[i]) {
				return
			}
		}
	}
}

// clone copies a record, so that neither side changes the other's bytes. Empty data is nil: the database cannot tell them apart.
func clone(r store.Record) store.Record {
	if len(r.Data) == 0 {
		r.Data = nil
	}
	r.Data = bytes.Clone(r.Data)
	return r
}
