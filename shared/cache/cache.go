// Package cache keeps what a process has read, by key and under a bound. Those who want one thing at the same time share one read.
// Nothing happens in a Lambda function between invocations, so that what is due is read by the first who asks.
package cache

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"signalbox/shared/fault"
)

// Forever is how long a value that never changes is served.
const Forever = time.Duration(math.MaxInt64)

// Policy says how long what was read is served.
type Policy struct {
	Most    int                                  // values held, and absent ones
	Fresh   time.Duration                        // served without a read
	Stale   time.Duration                        // served when a read fails or is slow; afterwards the error is
	Refresh time.Duration                        // what a request with a stale value waits for a new one
	Retry   time.Duration                        // how long after a failed refresh the next is tried
	Failed  func(ctx context.Context, err error) // is told of a refresh whose error nobody gets; nil for no one
	Absent  error                                // what a read returns if there is no such thing; nil for things that are always there
	Missing time.Duration                        // how long Absent is returned without a read
}

// Cache holds values of one kind. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	policy Policy

	mu     sync.Mutex
	held   map[K]kept[V]
	absent map[K]time.Time // until when
	reads  map[K]*reading
}

type kept[V any] struct {
	value V
	read  time.Time
	retry time.Time // no refresh is tried before
}

// reading is a read under way. The rest is set before done is closed.
type reading struct {
	done      chan struct{}
	err       error
	abandoned bool // by the request that led it: its error says nothing about others
}

// errPanic is what those get who waited for a read that panicked.
var errPanic = errors.New("cache: the read that was waited for ended without a result")

// New returns an empty Cache.
func New[K comparable, V any](p Policy) *Cache[K, V] {
	return &Cache[K, V]{policy: p, held: map[K]kept[V]{}, absent: map[K]time.Time{}, reads: map[K]*reading{}}
}

// Reader reads the value of a key. Held is the one that was read before, the zero value if there is none.
type Reader[K comparable, V any] func(ctx context.Context, key K, held V) (V, error)

// Get returns the value of a key, and reads it where none is held that may be served.
func (c *Cache[K, V]) Get(ctx context.Context, key K, read Reader[K, V]) (V, error) {
	return c.get(ctx, key, c.policy.Fresh, c.policy.Stale, read)
}

// Newer is Get of a value that was read less than age ago, and of the error where there is none. With 0 it is always read, also what was absent a moment ago.
func (c *Cache[K, V]) Newer(ctx context.Context, key K, age time.Duration, read Reader[K, V]) (V, error) {
	return c.get(ctx, key, age, 0, read)
}

// Held returns a value that was read less than age ago, and whether there is one.
func (c *Cache[K, V]) Held(key K, age time.Duration) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, ok := c.held[key]
	return held.value, ok && time.Since(held.read) < age
}

// Put holds a value that was read at an instant.
func (c *Cache[K, V]) Put(key K, value V, read time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep(c.held, key, kept[V]{value: value, read: read}, c.policy.Most)
}

// Drop forgets the value of a key.
func (c *Cache[K, V]) Drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, key)
}

func (c *Cache[K, V]) get(ctx context.Context, key K, fresh, longest time.Duration, read Reader[K, V]) (V, error) {
	for {
		c.mu.Lock()
		now := time.Now()
		held, ok := c.held[key]
		age := now.Sub(held.read)
		stale := ok && age < longest
		running := c.reads[key]
		switch {
		case ok && age < fresh, stale && (running != nil || now.Before(held.retry)):
			c.mu.Unlock()
			return held.value, nil
		case fresh > 0 && now.Before(c.absent[key]):
			c.mu.Unlock()
			return held.value, c.policy.Absent
		case running == nil:
			running = &reading{done: make(chan struct{}), err: errPanic}
			c.reads[key] = running
			c.mu.Unlock()
			return c.lead(ctx, key, held, stale, running, read)
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return held.value, fault.New(fault.Retryable, fault.CodeOutOfTime, ctx.Err())
		case <-running.done:
		}
		if running.err != nil && !running.abandoned {
			return held.value, running.err
		}
	}
}

// lead reads a value and returns it, or the stale one when that may be served and the read fails or is slow.
func (c *Cache[K, V]) lead(ctx context.Context, key K, held kept[V], stale bool, running *reading, read Reader[K, V]) (V, error) {
	defer func() {
		c.mu.Lock()
		delete(c.reads, key)
		c.mu.Unlock()
		close(running.done)
	}()
	asked := ctx
	if stale {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.policy.Refresh)
		defer cancel()
	}
	began := time.Now() // what was read may have changed since
	value, err := read(ctx, key, held.value)
	running.err, running.abandoned = err, asked.Err() != nil
	if stale && err != nil && c.policy.Failed != nil {
		c.policy.Failed(ctx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		delete(c.absent, key)
		keep(c.held, key, kept[V]{value: value, read: began}, c.policy.Most)
		return value, nil
	case c.policy.Absent != nil && errors.Is(err, c.policy.Absent):
		delete(c.held, key)
		keep(c.absent, key, now.Add(c.policy.Missing), c.policy.Most)
	case stale:
		running.err = nil
		held.retry = now.Add(c.policy.Retry)
		keep(c.held, key, held, c.policy.Most)
		return held.value, nil
	}
	return held.value, err
}

// keep stores under a bound. Which entry makes room does not matter: it is read again.
func keep[K comparable, T any](m map[K]T, key K, value T, most int) {
	if _, ok := m[key]; !ok && len(m) >= most {
		for other := range m {
			delete(m, other)
			break
		}
	}
	m[key] = value
}
