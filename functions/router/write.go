package router

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"signalbox/shared/store"
)

// unwritten returns the open jobs that have a record to write.
func unwritten(jobs []*job) (found []*job) {
	for _, j := range open(jobs) {
		if j.change != nil {
			found = append(found, j)
		}
	}
	return found
}

// writePointers writes the pointers of all records that are to be written, by as few calls as can be. If that fails it writes each job's alone: one job's
// trouble is not another's.
func (r *Router) writePointers(ctx context.Context, jobs []*job) {
	jobs = unwritten(jobs)
	var all []store.Record
	for _, j := range jobs {
		all = append(all, j.pointers...)
	}
	if len(all) == 0 {
		return
	}
	err := store.Note(ctx, r.Store, all)
	for _, j := range jobs {
		if j.err = err; err != nil && len(jobs) > 1 {
			j.err = store.Note(ctx, r.Store, j.pointers)
		}
	}
}

// writeRecords writes the records, by as few calls as can be. Where one is held already, that one and its decision stand.
func (r *Router) writeRecords(ctx context.Context, jobs []*job) {
	shared := mergedOf(jobs)
	for left := unwritten(jobs); len(left) > 0 || len(shared) > 0; shared = nil {
		var changes []store.Change
		var now, later []*job
		seen := map[store.Key]bool{}
		for _, j := range left {
			if seen[j.change.Key] { // one id for two people, which the second finds out
				later = append(later, j)
				continue
			}
			seen[j.change.Key] = true
			changes, now = append(changes, *j.change), append(now, j)
		}
		for i, outcome := range r.write(ctx, changes, shared) {
			j := now[i]
			if j.err = outcome.Err; j.err == nil {
				continue
			}
			if conflict, ok := errors.AsType[*store.ConflictError](j.err); ok {
				j.recorded, j.err = &conflict.Held, nil
			}
		}
		left = later
	}
	for _, j := range open(jobs) {
		for _, m := range j.merged {
			j.err = cmp.Or(j.err, m.err)
		}
	}
}

// mergedOf returns what open jobs are merged into, each once.
func mergedOf(jobs []*job) (all []*merged) {
	for _, j := range unwritten(jobs) {
		for _, m := range j.merged {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}
