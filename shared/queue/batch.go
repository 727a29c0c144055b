package queue

import (
	"context"
	"sync"
	"time"
)

// maxSideBySide is how many calls SideBySide makes at once: each may hold a connection.
const maxSideBySide = 32

// SideBySide calls do for each of all, some at once, and returns when all have returned. The last one is called here: most batches are
// of one, which needs no goroutine. In the others a panic that do does not recover takes the process with it.
func SideBySide[T any](all []T, do func(i int, one T)) {
	free := make(chan struct{}, maxSideBySide)
	var running sync.WaitGroup
	defer running.Wait()
	for i, one := range all {
		free <- struct{}{}
		if i == len(all)-1 {
			do(i, one)
			break
		}
		running.Go(func() {
			defer func() { <-free }()
			do(i, one)
		})
	}
}

// Half returns a context with half of the time that ctx, a Handler's, has left: for what is done for each message before the batch goes
// on together. What hangs for one then costs the others that time, and its own message its turn.
func Half(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// finishTime is how long a Handler may take to finish once its time is over: within the worker's SoftMargin, of
// which the template therefore allows no less than three seconds.
const finishTime = 2 * time.Second

// Finishing returns a context for a write that must be tried even when ctx, a Handler's, is over: of what was achieved, or of a claim's
// release. It ends finishTime from now, and for all writes of a batch finishTime after ctx's deadline at the latest: however many there
// are, and one after another, they leave the worker the rest of its margin.
func Finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now()
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end.Add(finishTime))
}
