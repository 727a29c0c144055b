package queue

import (
	"context"
	"time"
)

// finishTime is how long a Handler may take to finish once its time is over: within the worker's SoftMargin.
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
