package keyring

import (
	"context"
	"sync"
	"time"
)

// cache holds unwrapped keys under a bound. Which one makes room does not matter: it is unwrapped again.
type cache[K comparable, V any] struct {
	most int

	mu      sync.Mutex
	held    map[K]kept[V]
	loading map[K]chan struct{} // closed when the load is over
}

type kept[V any] struct {
	value V
	read  time.Time
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	return &cache[K, V]{most: most, held: map[K]kept[V]{}, loading: map[K]chan struct{}{}}
}

// fresh returns what is held and was read less than within ago.
func (c *cache[K, V]) fresh(key K, within time.Duration) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, ok := c.held[key]
	return held.value, ok && time.Since(held.read) < within
}

func (c *cache[K, V]) keep(key K, value V, read time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.held[key]; !ok && len(c.held) >= c.most {
		for other := range c.held {
			delete(c.held, other)
			break
		}
	}
	c.held[key] = kept[V]{value, read}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, key)
}

// load returns what is held, however old, or what load returns: one at a time for a key. Those who wait for a load that failed
// try themselves: the error may be that of another's deadline.
func (c *cache[K, V]) load(ctx context.Context, key K, load func() (V, error)) (V, error) {
	for {
		c.mu.Lock()
		held, ok := c.held[key]
		running := c.loading[key]
		if !ok && running == nil {
			running = make(chan struct{})
			c.loading[key] = running
			c.mu.Unlock()
			return c.lead(key, running, load)
		}
		c.mu.Unlock()
		if ok {
			return held.value, nil
		}
		select {
		case <-ctx.Done():
			return held.value, ctx.Err()
		case <-running:
		}
	}
}

func (c *cache[K, V]) lead(key K, running chan struct{}, load func() (V, error)) (V, error) {
	defer func() {
		c.mu.Lock()
		delete(c.loading, key)
		c.mu.Unlock()
		close(running)
	}()
	value, err := load()
	if err == nil {
		c.keep(key, value, time.Now())
	}
	return value, err
}
