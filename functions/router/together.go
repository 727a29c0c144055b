package router

import (
	"context"
	"errors"
	"sync"

	"signalbox/shared/store"
)

// notes lets the jobs of one batch write their pointers by one call: whoever comes last writes for all. The jobs wait for each
// other at the end of the batch anyway.
type notes struct {
	store Store
	done  chan struct{}

	mu       sync.Mutex
	awaited  int // jobs that have neither come nor gone
	pointers []store.Record
	err      error // set before done is closed
}

// errPanicked is what the others get when the one that writes panics.
var errPanicked = errors.New("router: the note that was waited for ended without an answer")

func newNotes(s Store, jobs int) *notes {
	return &notes{store: s, awaited: jobs, done: make(chan struct{}), err: errPanicked}
}

// write writes a job's pointers with those of all others. If that fails it writes them alone: one job's trouble is not another's.
func (n *notes) write(ctx context.Context, j *job, pointers []store.Record) error {
	j.noted = true
	n.come(ctx, pointers)
	<-n.done
	if n.err == nil || len(n.pointers) == len(pointers) {
		return n.err
	}
	return n.store.Note(ctx, pointers...)
}

// leave is called when a job is over: if it has nothing to write the others need not wait for it.
func (n *notes) leave(ctx context.Context, j *job) {
	if !j.noted {
		n.come(ctx, nil)
	}
}

func (n *notes) come(ctx context.Context, pointers []store.Record) {
	n.mu.Lock()
	n.awaited--
	last := n.awaited == 0
	n.pointers = append(n.pointers, pointers...)
	n.mu.Unlock()
	if !last {
		return
	}
	defer close(n.done)
	if len(n.pointers) > 0 {
		n.err = n.store.Note(ctx, n.pointers...)
	}
}
