// Package memobjects is objects in memory, for tests and the local cloud.
package memobjects

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"signalbox/shared/objects"
)

// Store is an objects.Store. It is safe for concurrent use.
type Store struct {
	mu   sync.Mutex
	held map[string][]byte
}

var _ objects.Store = (*Store)(nil)

// New returns a Store that holds nothing.
func New() *Store { return &Store{held: map[string][]byte{}} }

// Put keeps a copy of data.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	if err := objects.Validate(name, data); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the context's own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[name] = bytes.Clone(data)
	return nil
}

// Get returns a copy of what is kept.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := objects.Validate(name, nil); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err //nolint:wrapcheck // the context's own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.held[name]
	if !ok {
		return nil, objects.Absent()
	}
	return bytes.Clone(data), nil
}

// Names returns the names of all objects, in byte order.
func (s *Store) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.held))
}
