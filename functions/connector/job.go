package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// Row is a record that a job makes or changes, by an external id.
type Row struct {
	Object, Field, Key string            // Field is the one that holds Key
	Values             map[string]string // by field, as a job of the CRM reads them
	ID                 string            // the CRM's, once it is written
}

// name identifies the record of a row.
func (r Row) name() string { return r.Object + "/" + r.Field + "/" + r.Key }

// JobWriter is a CRM that can write what steps ask for by a job that goes on between calls. It is for what waits anyway, for a job takes minutes.
type JobWriter[R any] interface {
	// Rows returns the records that each of the steps of one binding writes, none of a step that has to be asked for by Do. It makes no calls.
	Rows(ctx context.Context, steps []Step[R]) [][]Row
	// Result returns the result of a step whose rows a job has written.
	Result(step Step[R], rows []Row) Result
}

// Jobs is what a drain needs of a CRM that is a JobWriter. Errors are faults; a Permanent one says that a job is of no use any more.
type Jobs interface {
	// Upload makes jobs of rows, of which the CRM does nothing before they are advanced. One that is left is forgotten by the CRM.
	Upload(ctx context.Context, of BindingKey, rows []Row) ([]JobPart, error)
	// Advance starts a job that is not started, ends one that is given up, and returns how it stands.
	Advance(ctx context.Context, of BindingKey, part JobPart) (JobPart, error)
	// Written returns the rows that a job that is over has written, as they were uploaded, with their ids.
	Written(ctx context.Context, of BindingKey, part JobPart) ([]Row, error)
}

// JobPart is a job of the CRM, which is about one object.
type JobPart struct {
	Object    string `json:"object"`
	Field     string `json:"field"` // that holds the external ids
	ID        string `json:"id"`
	State     string `json:"state"` // the CRM's word
	Over      bool   `json:"over,omitempty"`
	GivenUp   bool   `json:"givenUp,omitempty"` // it is to write nothing more: what it has not written goes by itself
	Rows      int    `json:"rows"`
	Processed int    `json:"processed,omitempty"`
	Failed    int    `json:"failed,omitempty"`
}

// job is what is known of the jobs of a lane. Which of the parked messages they have need not be kept: a message is theirs if they have written the very
// rows that it asks for.
type job struct {
	Parts []JobPart `json:"parts"`
	Began time.Time `json:"began"`
	Next  time.Time `json:"next"` // when the CRM is asked again how they stand
}

// progress returns how the jobs stand, nil if there are none.
func (j *job) progress() *connect.Job {
	if j == nil {
		return nil
	}
	var all connect.Job
	for _, p := range j.Parts {
		all.Rows, all.Processed, all.Failed = all.Rows+p.Rows, all.Processed+p.Processed, all.Failed+p.Failed
		if all.State == "" || !p.Over {
			all.State = p.State
		}
	}
	return &all
}

// JobFrom is from how many messages on a job is worth its while. A message is rows of two objects, and a job of an object costs a POST, a PUT, a PATCH, its
// results and some four looks at it: 16 requests in all. 75 messages go into a call of graphs, so that 1,200 cost as much, and what a vendor advises is about this, too.
const JobFrom = 1500

// What a job holds at most: a drain has it in memory, jobsAtOnce of them in a process, and the reply that tells of it is bounded by maxReply.
const (
	maxJobRows  = 20_000
	maxJobBytes = 8 << 20
)

// The times of jobs: of a call, how long one may take until it is given up, and as long again until it is forgotten, and the longest wait between two looks.
const (
	jobCall     = 30 * time.Second
	jobPatience = 24 * time.Hour
	jobLook     = 15 * time.Minute
	jobReserve  = 5 * time.Second // of a run, to upload what was gathered
)

// errInJob is the outcome of a step whose rows wait for a job to be made of them.
var errInJob = fmt.Errorf("it is in a job: %w", queue.ErrNotStarted)

// jobRows is what a run of a drain does by jobs: it gathers rows for them, or has what they wrote. It is safe for concurrent use.
type jobRows struct {
	mu    sync.Mutex
	at    map[string]int // the place of a gathered row, by name
	rows  []Row
	bytes int
	taken map[string]bool // messages that are not to be begun again, by id
	wrote map[string]Row  // by name; nil while rows are gathered
}

// jobRowsKey is what a context has jobRows under.
type jobRowsKey struct{}

// full reports whether no more rows are to be gathered. It is false for nil.
func (j *jobRows) full() bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.rows) >= maxJobRows || j.bytes >= maxJobBytes
}

// gathers reports whether rows are gathered. It is false for nil.
func (j *jobRows) gathers() bool { return j != nil && j.wrote == nil }

// note notes which messages' rows are gathered, by their errors.
func (j *jobRows) note(heads []queue.Received, errs []error) {
	for i, err := range errs {
		if errors.Is(err, errInJob) {
			j.mu.Lock()
			j.taken[heads[i].ID] = true
			j.mu.Unlock()
		}
	}
}

// has reports whether the rows of a message are gathered. It is false for nil.
func (j *jobRows) has(id string) bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.taken[id]
}

// gather takes the rows of a step, unless the job would write a record twice: in which order is not said.
func (j *jobRows) gather(rows []Row) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, row := range rows {
		if at, there := j.at[row.name()]; there && !maps.Equal(j.rows[at].Values, row.Values) {
			return false
		}
	}
	for _, row := range rows {
		if _, there := j.at[row.name()]; there {
			continue
		}
		j.at[row.name()] = len(j.rows)
		j.rows = append(j.rows, row)
		for name, value := range row.Values {
			j.bytes += len(name) + len(value)
		}
	}
	return true
}

// find returns rows with their ids, if a job wrote all of them as they are.
func (j *jobRows) find(rows []Row) (found []Row, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, row := range rows {
		wrote, there := j.wrote[row.name()]
		if !there || !maps.Equal(wrote.Values, row.Values) {
			return nil, false
		}
		found = append(found, wrote)
	}
	return found, len(found) > 0
}

// carryOut has the CRM carry out steps, but for those that are in a job or that one has carried out.
func (c *Connector[R]) carryOut(ctx context.Context, steps []Step[R]) []Outcome {
	j, _ := ctx.Value(jobRowsKey{}).(*jobRows)
	writer, can := c.crm.(JobWriter[R])
	if j == nil || !can {
		return c.crm.Do(ctx, steps)
	}
	outcomes := make([]Outcome, len(steps))
	var rest []Step[R]
	var at []int
	for i, rows := range writer.Rows(ctx, steps) {
		found, wrote := j.find(rows)
		switch {
		case wrote:
			outcomes[i].Result = writer.Result(steps[i], found)
		case len(rows) > 0 && !steps[i].Again && j.gathers() && j.gather(rows):
			outcomes[i].Err = errInJob
		default:
			rest, at = append(rest, steps[i]), append(at, i)
		}
	}
	if len(rest) == 0 {
		return outcomes
	}
	done := c.crm.Do(ctx, rest)
	if len(done) != len(rest) {
		return nil
	}
	for k, outcome := range done {
		outcomes[at[k]] = outcome
	}
	return outcomes
}

// useJob has the run gather rows for a job if that is worth its while, or conclude by what one wrote: ctx says so to whoever works on messages. GoesOn is
// false while a job is not over, or other runs of this process have what memory there is for rows. Done ends it.
func (r *draining) useJob(ctx context.Context) (_ context.Context, goesOn bool, done func()) {
	nothing := func() {}
	jobs, can := r.options.CRM.(Jobs)
	if _, history := liveOf(r.of); !can || !history || r.closure.Job == nil && !r.worthJob() {
		return ctx, true, nothing
	}
	select {
	case r.room <- struct{}{}:
	default:
		return ctx, false, nothing
	}
	done = func() { <-r.room }
	if r.closure.Job != nil {
		if over := r.follow(ctx, jobs); !over {
			return ctx, false, done
		}
	} else {
		r.rows = &jobRows{at: map[string]int{}, taken: map[string]bool{}}
		if !r.left(ctx) {
			r.rows = nil
		}
	}
	return context.WithValue(ctx, jobRowsKey{}, r.rows), true, done
}

// worthJob reports whether what is parked is worth a job.
func (r *draining) worthJob() bool {
	parked := int64(0)
	for _, s := range r.shards {
		parked += s.gate.Number
	}
	from := r.options.JobFrom
	return from > 0 && parked >= int64(from) && r.closure.Kind == kindBatch
}

// concludeJob makes a job of what the run gathered, or forgets the one of which nothing is left to conclude. Over says that the run has seen all that is parked:
// few that a job would have are not worth it then. A run that had no room or no time for more has the next one go on behind them.
func (r *draining) concludeJob(ctx context.Context, over bool) {
	if r.rows == nil {
		return
	}
	if !r.rows.gathers() {
		if over {
			r.closure.Job = nil
		}
		return
	}
	if few := len(r.rows.taken) < r.options.JobFrom; r.trouble != nil || len(r.rows.taken) == 0 || few && over { // what is left goes by itself, in the next run
		return
	}
	jobs, _ := r.options.CRM.(Jobs)
	live, _ := liveOf(r.of)
	within, cancel := context.WithTimeout(ctx, jobCall)
	defer cancel()
	parts, err := jobs.Upload(within, live, r.rows.rows)
	if err != nil {
		r.warn(ctx, "rows were not uploaded", err)
		return
	}
	if r.keepJob(ctx, &job{Parts: parts, Began: time.Now().UTC()}) {
		r.follow(ctx, jobs)
	}
}

// keepJob writes which jobs there are, before they are started: whoever is killed then leaves them to the next run.
func (r *draining) keepJob(ctx context.Context, j *job) bool {
	for {
		r.closure.Job = j
		written, err := r.write(ctx)
		if written {
			return true
		}
		mine := false
		if err == nil {
			mine, err = r.again(ctx)
		}
		if err != nil || !mine {
			r.warn(ctx, "a job was not kept", cmp.Or(err, error(fault.New(fault.Retryable, codeContended, nil))))
			return false
		}
	}
}

// follow asks how the jobs stand. Over is true when what they wrote is read, or they are forgotten: what they have not written goes by itself. One that takes
// too long is ended first, lest it write later over what somebody changed of that.
func (r *draining) follow(ctx context.Context, jobs Jobs) (over bool) {
	j := r.closure.Job
	if time.Now().Before(j.Next) {
		return false
	}
	age := time.Since(j.Began)
	if age > jobPatience {
		j.giveUp()
	}
	live, _ := liveOf(r.of)
	within, cancel := context.WithTimeout(ctx, jobCall)
	defer cancel()
	wrote, over, err := j.advance(within, live, jobs)
	switch {
	case over:
		r.rows = &jobRows{wrote: wrote}
		return true
	case err != nil:
		r.warn(ctx, "a job was not asked", err)
	case age > jobPatience:
		r.warn(ctx, "a job does not end", fault.New(fault.Retryable, "job_unended", nil)) // although it was given up
	}
	if age > 2*jobPatience {
		r.closure.Job = nil
		return true
	}
	j.Next = time.Now().Add(min(age/2, jobLook)).UTC()
	return false
}

// giveUp has the jobs end that are not over.
func (j *job) giveUp() {
	for i := range j.Parts {
		j.Parts[i].GivenUp = !j.Parts[i].Over
	}
}

// advance asks how the jobs stand that are not over, and returns what they wrote, by name, once all are. One that is of no use any more has written nothing,
// as far as is known.
func (j *job) advance(ctx context.Context, of BindingKey, jobs Jobs) (wrote map[string]Row, over bool, err error) {
	over = true
	for i, part := range j.Parts {
		if part.Over {
			continue
		}
		if part, err = jobs.Advance(ctx, of, part); err != nil && fault.Of(err).Kind != fault.Permanent {
			return nil, false, err
		}
		j.Parts[i], j.Parts[i].Over = part, part.Over || err != nil
		over = over && j.Parts[i].Over
	}
	if !over {
		return nil, false, nil
	}
	wrote = map[string]Row{}
	for _, part := range j.Parts {
		rows, err := jobs.Written(ctx, of, part)
		if err != nil && fault.Of(err).Kind != fault.Permanent {
			return nil, false, err
		}
		for _, row := range rows {
			wrote[row.name()] = row
		}
	}
	return wrote, true, nil
}

func (r *draining) warn(ctx context.Context, message string, err error) {
	r.options.Logger.WarnContext(ctx, "the job of a history did not go on", slog.String("why", message), slog.String("tenant", r.of.Tenant), slog.String("crm", r.of.CRM),
		slog.String("code", fault.Of(err).Code))
}
