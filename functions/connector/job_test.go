package connector_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
)

// bulky is a CRM of a lane that has jobs. A message is a row of its own and one of its thread, which says what is the case by now.
type bulky struct {
	*lane
	takes time.Duration // a job, once it is started

	mu      sync.Mutex
	now     string // what is the case of all threads
	records map[string]string
	jobs    []*bulkJob
	busy    int // uploads at this time
	most    int // of those
}

type bulkJob struct {
	rows  []connector.Row
	began time.Time
}

func (b *bulky) row(object, key, value string) connector.Row {
	return connector.Row{Object: object, Field: "key", Key: key, Values: map[string]string{"is": value}}
}

// Rows implements connector.JobWriter.
func (b *bulky) Rows(_ context.Context, steps []step) (all [][]connector.Row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range steps {
		of := strings.Fields(s.Request)
		all = append(all, []connector.Row{b.row("message", of[2], of[2]), b.row("thread", of[1], b.now)})
	}
	return all
}

// Result implements connector.JobWriter.
func (b *bulky) Result(step, []connector.Row) connector.Result { return connector.Result{} }

func (b *bulky) Do(ctx context.Context, steps []step) []outcome {
	for _, rows := range b.Rows(ctx, steps) {
		b.write(rows)
	}
	return b.lane.Do(ctx, steps)
}

func (b *bulky) write(rows []connector.Row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rows {
		b.records[r.Object+" "+r.Key] = r.Values["is"]
	}
}

// Upload implements connector.Jobs. It takes a while.
func (b *bulky) Upload(_ context.Context, _ connector.BindingKey, rows []connector.Row) ([]connector.JobPart, error) {
	b.mu.Lock()
	b.busy++
	b.most = max(b.most, b.busy)
	b.jobs = append(b.jobs, &bulkJob{rows: rows})
	id := fmt.Sprint(len(b.jobs) - 1)
	b.mu.Unlock()
	time.Sleep(time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy--
	return []connector.JobPart{{Object: "all", ID: id, Rows: len(rows)}}, nil
}

func (b *bulky) job(part connector.JobPart) *bulkJob {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	_, _ = fmt.Sscan(part.ID, &n)
	return b.jobs[n]
}

// Advance implements connector.Jobs.
func (b *bulky) Advance(_ context.Context, _ connector.BindingKey, part connector.JobPart) (connector.JobPart, error) {
	j := b.job(part)
	switch {
	case j.began.IsZero():
		j.began = time.Now()
	case time.Since(j.began) >= b.takes:
		b.write(j.rows)
		part.Over = true
	}
	return part, nil
}

// Written implements connector.Jobs.
func (b *bulky) Written(_ context.Context, _ connector.BindingKey, part connector.JobPart) ([]connector.Row, error) {
	return b.job(part).rows, nil
}

// history has messages of a history parked for a tenant, one in each of so many threads.
func (b *bulky) history(tenant string, threads int) {
	b.t.Helper()
	w := b.process(b)
	for n := range threads {
		if got := b.receive(w, b.sendOld(tenant, fmt.Sprint("t", n), fmt.Sprint(tenant, n))); got != "done" {
			b.t.Fatal(got)
		}
	}
}

func newBulky(t *testing.T) *bulky {
	t.Helper()
	b := &bulky{lane: newLane(t), now: "old", records: map[string]string{}}
	b.jobFrom = 5
	return b
}

// TestWhatJobsHoldInMemoryIsBoundedForAProcess, not for a tenant: what others have parked waits for the next minutes.
func TestWhatJobsHoldInMemoryIsBoundedForAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulky(t)
		const tenants = 7
		for n := range tenants {
			b.history(fmt.Sprint("tenant", n), 6)
		}
		d := b.drainInto(b)
		for range 20 {
			time.Sleep(time.Minute)
			b.run(d)
		}
		b.empty()
		if b.most > 2 || len(b.jobs) != tenants || len(b.records) != 6*tenants+6 {
			t.Errorf("%d uploads at once, %d in all, %d records", b.most, len(b.jobs), len(b.records))
		}
	})
}

// TestTheLastValueCountsWhateverAJobWrites: a row says what was the case when it was gathered, and a job writes it later. Of what has changed since the
// message goes by itself, once the job is over.
func TestTheLastValueCountsWhateverAJobWrites(t *testing.T) {
	for name, more := range map[string]bool{"nothing more is said": false, "more is said, and written, while the job goes on": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBulky(t)
				b.takes = 30 * time.Minute
				b.history("acme", 6)
				time.Sleep(time.Minute)
				b.run(b.drainInto(b))
				b.now = "new"
				if more {
					b.receive(b.process(b), b.send("acme", "t0", "live"))
				}
				for range 60 {
					time.Sleep(time.Minute)
					b.run(b.drainInto(b))
				}
				b.empty()
				for _, thread := range slices.Sorted(maps.Keys(b.records)) {
					if is := b.records[thread]; strings.HasPrefix(thread, "thread") && is != "new" {
						t.Errorf("%s is %s", thread, is)
					}
				}
				if len(b.jobs) != 1 {
					t.Errorf("%d jobs", len(b.jobs))
				}
			})
		})
	}
}

var _ interface {
	connector.JobWriter[string]
	connector.Jobs
} = (*bulky)(nil)
