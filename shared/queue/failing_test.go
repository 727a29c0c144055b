package queue_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"

	"github.com/google/go-cmp/cmp"
)

func TestPatienceCountsWhatAMessageFailedOfAndTheQueueWhatItKeeps(t *testing.T) {
	const day = 24 * time.Hour
	retryable, blocked := fault.New(fault.Retryable, "x", nil), fault.New(fault.Blocked, "x", nil)
	second := &fault.Error{Kind: fault.Throttled, Code: "x", Wait: time.Second}
	cases := map[string]struct {
		err          error
		age, failing time.Duration // failing 0: the handler keeps no account
		attempt      int
		dead         bool
		wait         time.Duration
	}{
		"out of patience":                               {err: retryable, age: day, dead: true},
		"old, and failing for a minute":                 {err: retryable, age: 3 * day, failing: time.Minute, wait: 3 * time.Second},
		"old, and failing for two hours":                {err: retryable, age: 3 * day, failing: 2 * time.Hour, dead: true},
		"young, and failing ever since":                 {err: retryable, age: day - time.Second, failing: day - time.Second, wait: 3 * time.Second},
		"old, and permanent":                            {err: fault.New(fault.Permanent, "x", nil), age: 3 * day, failing: time.Minute, dead: true},
		"blocked for almost ten days":                   {err: blocked, age: 10*day - time.Second, wait: 15 * time.Minute},
		"blocked for ten days":                          {err: blocked, age: 10 * day, dead: true},
		"about to be lost, whatever it fails of":        {err: retryable, age: 10 * day, failing: time.Second, dead: true},
		"told a second for the hundredth time":          {err: second, attempt: 100, wait: time.Second},
		"told a second until its receives are used up":  {err: second, attempt: 101, wait: 451 * time.Second},
		"told an hour however often":                    {err: &fault.Error{Kind: fault.Throttled, Wait: time.Hour}, attempt: 101, wait: time.Hour},
		"not begun in time is nobody's fault, ever":     {err: queue.ErrNotStarted, age: 11 * day},
		"an account that is wrapped is an account, too": {err: errors.Join(&queue.FailingError{Since: time.Now().Add(50 * 365 * day), Err: retryable}), age: 2 * day, wait: 3 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := c.err
				if c.failing > 0 {
					err = &queue.FailingError{Since: time.Now().Add(-c.failing), Err: c.err}
				}
				batch, dead := received("a1"), &taker{}
				batch[0].Attempt, batch[0].FirstSent = max(c.attempt, 1), time.Now().Add(-c.age)
				w := newWorker(&handler{work: func(context.Context, queue.Received) error { return err }}, dead, &bytes.Buffer{})
				want := []queue.Verdict{{Done: c.dead, Wait: c.wait}}
				if diff := cmp.Diff(want, w.Process(t.Context(), batch)); diff != "" || len(dead.messages) > 0 != c.dead {
					t.Errorf("%d dead letters, %s", len(dead.messages), diff)
				}
			})
		})
	}
}
