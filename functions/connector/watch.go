package connector

import (
	"context"
	"errors"
	"time"
)

// Watcher is told what is seen of CRMs: package health keeps it. It is safe for concurrent use.
type Watcher interface {
	// Called is told how long a call to a binding's CRM took, and what became of each of its rows.
	Called(of BindingKey, took time.Duration, errs []error)
	// Shown is told how long after its receipt a delivery was shown.
	Shown(of BindingKey, lag time.Duration)
	// Ended is told that a batch is over. Whatever it does by then ends within the time that a worker has to finish.
	Ended(ctx context.Context)
}

// nobody is the Watcher where nobody is to be told.
type nobody struct{}

func (nobody) Called(BindingKey, time.Duration, []error) {}
func (nobody) Shown(BindingKey, time.Duration)           {}
func (nobody) Ended(context.Context)                     {}

// watcher returns w, or nobody for none.
func watcher(w Watcher) Watcher {
	if w == nil {
		return nobody{}
	}
	return w
}

// called tells of a Do that began at a time and has just ended.
func (c *Connector[R]) called(next *call[R], began time.Time, outcomes []Outcome) {
	errs := make([]error, 0, len(outcomes))
	for _, outcome := range outcomes {
		if !errors.Is(outcome.Err, errInJob) {
			errs = append(errs, outcome.Err)
		}
	}
	if len(errs) == 0 {
		return
	}
	c.options.Watcher.Called(KeyOf(next.items[0].delivery), time.Since(began), errs)
}
