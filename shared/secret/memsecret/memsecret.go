// Package memsecret holds secrets in memory: the port that tests use, and what the local cloud's Secrets Manager stands on.
package memsecret

import (
	"context"
	"errors"
	"slices"
	"sync"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// CodeMissing is the code of a name that is not held, as the production source has it.
const CodeMissing = "secret_missing"

// ErrMissing is the cause.
var ErrMissing = errors.New("memsecret: no such secret")

// Source is a secret.Source. The zero value holds nothing; it is safe for concurrent use.
type Source struct {
	mu   sync.Mutex
	held map[string]secret.Versions
}

var _ secret.Source = (*Source)(nil)

// New returns a Source that holds a copy of these.
func New(held map[string]secret.Versions) *Source {
	s := &Source{}
	for name, versions := range held {
		s.Set(name, versions...)
	}
	return s
}

// Set replaces the versions of a secret; none removes it.
func (s *Source) Set(name string, versions ...secret.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = map[string]secret.Versions{}
	}
	s.held[name] = slices.Clone(versions)
}

// Secret returns the versions of a secret, or a blocked fault.
func (s *Source) Secret(ctx context.Context, name string) (secret.Versions, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New(fault.Retryable, "secret_failed", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held[name]) == 0 {
		return nil, fault.New(fault.Blocked, CodeMissing, ErrMissing)
	}
	return slices.Clone(s.held[name]), nil
}
