package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errAbsent = errors.New("absent")

func constant(_ context.Context, key, _ int) (int, error) { return key, nil }

func absent(context.Context, int, int) (int, error) { return 0, errAbsent }

// TestNothingGrowsBeyondItsBound: what strangers ask for is not there, and takes no room from what is.
func TestNothingGrowsBeyondItsBound(t *testing.T) {
	c := New[int, int](Policy{Most: 10, Fresh: Forever, Absent: errAbsent, Missing: time.Minute})
	for key := range 20 {
		if _, err := c.Get(t.Context(), key, constant); err != nil {
			t.Fatal(err)
		}
		c.Put(key+100, key, time.Now())
		if _, err := c.Get(t.Context(), key-100, absent); !errors.Is(err, errAbsent) {
			t.Fatal(err)
		}
	}
	if len(c.held) != 10 || len(c.absent) != 10 || len(c.reads) != 0 {
		t.Errorf("%d values, %d absent ones and %d reads are held", len(c.held), len(c.absent), len(c.reads))
	}
}

// TestAReadThatPanicsEndsForThoseWhoWait: they get an error, and the next one reads.
func TestAReadThatPanicsEndsForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[int, int](Policy{Most: 10, Fresh: Forever})
		go func() {
			defer func() { _ = recover() }()
			_, _ = c.Get(t.Context(), 1, func(context.Context, int, int) (int, error) {
				time.Sleep(time.Second)
				panic("of the read")
			})
		}()
		synctest.Wait()
		if _, err := c.Get(t.Context(), 1, constant); err == nil {
			t.Error("who waited got a value")
		}
		if value, err := c.Get(t.Context(), 1, constant); value != 1 || err != nil {
			t.Errorf("%d, %v", value, err)
		}
	})
}
