package tenant

import (
	"context"
	"errors"
	"sync"
	"time"

	"signalbox/shared/fault"
)

// CodeInvalid is the code of a configuration record that cannot be used.
const CodeInvalid = "configuration_record_invalid"

// errInvalid is a record that cannot be used: what was read before it stays in force.
var errInvalid = errors.New("tenant: the configuration record cannot be used")

// errPanic is what those get who waited for a load that panicked.
var errPanic = errors.New("tenant: the load that was waited for ended without an answer")

// cache keeps values by key, with the times of Directory.
type cache[V any] struct {
	load func(ctx context.Context, key string, held V) (V, error)

	mu      sync.Mutex
	held    map[string]kept[V]
	unknown map[string]time.Time // until when
	calls   map[string]*call
}

type kept[V any] struct {
	value V
	read  time.Time
	retry time.Time // no refresh is tried before
}

// call is a load under way. Err is set before done is closed.
type call struct {
	done chan struct{}
	err  error
}

func newCache[V any](load func(context.Context, string, V) (V, error)) *cache[V] {
	return &cache[V]{load: load, held: map[string]kept[V]{}, unknown: map[string]time.Time{}, calls: map[string]*call{}}
}

// value returns the value of a key. Newest asks for one that is at most Absent old and for the error where there is none.
func (c *cache[V]) value(ctx context.Context, key string, newest bool) (V, error) {
	for {
		c.mu.Lock()
		now := time.Now()
		held, ok := c.held[key]
		age := now.Sub(held.read)
		stale := ok && !newest && age < Stale
		running := c.calls[key]
		switch {
		case ok && newest && age < Absent,
			ok && !newest && age < Fresh,
			stale && (running != nil || now.Before(held.retry)):
			c.mu.Unlock()
			return held.value, nil
		case now.Before(c.unknown[key]):
			c.mu.Unlock()
			return held.value, ErrUnknown
		case running == nil:
			running = &call{done: make(chan struct{}), err: errPanic}
			c.calls[key] = running
			c.mu.Unlock()
			return c.refresh(ctx, key, held, stale, running)
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return held.value, ctx.Err()
		case <-running.done:
		}
		// The leader's own deadline says nothing about this request, which then leads itself.
		if err := running.err; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return held.value, err
		}
	}
}

// refresh loads a value and returns it, or the stale one when that may be served and the load fails or is slow.
func (c *cache[V]) refresh(ctx context.Context, key string, held kept[V], stale bool, running *call) (V, error) {
	defer func() {
		c.mu.Lock()
		delete(c.calls, key)
		c.mu.Unlock()
		close(running.done)
	}()
	loading := ctx
	if stale {
		var cancel context.CancelFunc
		loading, cancel = context.WithTimeout(ctx, RefreshTime)
		defer cancel()
	}
	value, err := c.load(loading, key, held.value)
	running.err = err
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		delete(c.unknown, key)
		keep(c.held, key, kept[V]{value: value, read: now})
		return value, nil
	case errors.Is(err, ErrUnknown):
		delete(c.held, key)
		keep(c.unknown, key, now.Add(Absent))
		return value, err
	case errors.Is(err, errInvalid) && !held.read.IsZero():
		running.err = nil
		keep(c.held, key, kept[V]{value: held.value, read: now})
		return held.value, nil
	case stale:
		running.err = nil
		keep(c.held, key, kept[V]{value: held.value, read: held.read, retry: now.Add(RetryAfter)})
		return held.value, nil
	case errors.Is(err, errInvalid):
		running.err = fault.New(fault.Blocked, CodeInvalid, err)
		return held.value, running.err
	default:
		return held.value, err
	}
}

// keep stores under a bound. Which entry makes room does not matter: it is read again.
func keep[T any](m map[string]T, key string, value T) {
	if _, ok := m[key]; !ok && len(m) >= maxHeld {
		for other := range m {
			delete(m, other)
			break
		}
	}
	m[key] = value
}
