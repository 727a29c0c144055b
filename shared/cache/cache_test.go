package cache

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
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

// TestAReadThatTimesOutByItselfIsNotRepeated: a time-out of the reader's own is an answer for all who wait; that of the request that
// led is not.
func TestAReadThatTimesOutByItselfIsNotRepeated(t *testing.T) {
	for sentence, test := range map[string]struct {
		leader time.Duration // until the request that leads goes away
		reads  int
	}{
		"the reader gives up":  {time.Minute, 1},
		"the leader goes away": {time.Second, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := New[int, int](Policy{Most: 10, Fresh: Forever})
				reads := 0
				read := func(ctx context.Context, _, _ int) (int, error) {
					reads++
					ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
					defer cancel()
					<-ctx.Done()
					return 0, ctx.Err()
				}
				leader, cancel := context.WithTimeout(t.Context(), test.leader)
				defer cancel()
				go func() { _, _ = c.Get(leader, 1, read) }()
				synctest.Wait()
				var waiters sync.WaitGroup
				for range 10 {
					waiters.Go(func() {
						if _, err := c.Get(t.Context(), 1, read); !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("the error is %v", err)
						}
					})
				}
				waiters.Wait()
				if reads != test.reads {
					t.Errorf("%d reads", reads)
				}
			})
		})
	}
}

// TestAValueIsAsOldAsTheBeginningOfItsRead: what changes during a read may be missing in what it returns.
func TestAValueIsAsOldAsTheBeginningOfItsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[int, int](Policy{Most: 10})
		if _, err := c.Newer(t.Context(), 1, time.Minute, func(context.Context, int, int) (int, error) {
			time.Sleep(10 * time.Second)
			return 1, nil
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Second)
		if _, ok := c.Held(1, time.Minute); ok {
			t.Error("a value is held that was asked for a minute ago")
		}
	})
}

// TestAWaitThatEndsIsSorted: whoever waits for another's read has an error that workers understand.
func TestAWaitThatEndsIsSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[int, int](Policy{Most: 10, Fresh: Forever})
		read := func(ctx context.Context, _, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() { _, _ = c.Get(ctx, 1, read) }()
		synctest.Wait()
		waiter, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Get(waiter, 1, read)
		if !fault.Is(err, fault.CodeOutOfTime) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
	})
}
