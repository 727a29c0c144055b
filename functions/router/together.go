package router

import (
	"context"
	"errors"

	"signalbox/shared/store"
)

// recording returns the open jobs that have a record to write.
func recording(jobs []*job) (found []*job) {
	for _, j := range open(jobs) {
		if j.put != nil {
			found = append(found, j)
		}
	}
	return found
}

// note writes the pointers of all records that are to be written by one call. If that fails it writes each job's alone: one job's
// trouble is not another's.
func (r *Router) note(ctx context.Context, jobs []*job) {
	jobs = recording(jobs)
	var all []store.Record
	for _, j := range jobs {
		all = append(all, j.pointers...)
	}
	if len(all) == 0 {
		return
	}
	err := r.Store.Note(ctx, all...)
	for _, j := range jobs {
		if j.err = err; err != nil && len(jobs) > 1 {
			j.err = r.Store.Note(ctx, j.pointers...)
		}
	}
}

// keep writes the records, by one call. Where one is held already, that one and its decision stand.
func (r *Router) keep(ctx context.Context, jobs []*job) {
	for left := recording(jobs); len(left) > 0; {
		var changes []store.Change
		var now, later []*job
		seen := map[store.Key]bool{}
		for _, j := range left {
			if seen[j.put.Key] { // one id for two people, which the second finds out
				later = append(later, j)
				continue
			}
			seen[j.put.Key] = true
			changes, now = append(changes, *j.put), append(now, j)
		}
		for i, outcome := range r.Store.WriteEach(ctx, changes...) {
			j := now[i]
			if j.err = outcome.Err; j.err == nil {
				continue
			}
			if conflict, ok := errors.AsType[*store.ConflictError](j.err); ok {
				j.repeated = true
				j.record, j.err = OpenRecord(ctx, r.sealer, j.put.Key, conflict.Held.Data)
			}
		}
		left = later
	}
}
