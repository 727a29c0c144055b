package connector

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// StatusWriter is a CRM that shows how far sent messages got. It is safe for concurrent use.
type StatusWriter interface {
	// WriteStatuses sets the status of messages' records in as few calls as the CRM has for them, and returns one error each,
	// sorted by package fault. The updates are of one tenant and binding and have different Keys. A message that has no record is
	// left out and is no error: whoever makes the record shows the status. What the message wrote is left as it is but for the
	// status. A repetition changes nothing. One bad row never fails its neighbours.
	WriteStatuses(ctx context.Context, updates []receipt.Update) []error
}

// ReceiptOptions are what Receipts works with. All are required but Pause, Watcher, Gates and Budget.
type ReceiptOptions struct {
	CRM     StatusWriter
	Store   receipt.Reader
	Width   int           // how many updates go into one WriteStatuses, at most store.MaxGet
	Attempt time.Duration // how long one may take
	Watcher Watcher       // nil: nobody is told what is seen of the CRM
	Pause   time.Duration // between two of one binding, so that live messages have the greater part of what the CRM allows
	Gates   *Gates        // of the CRM's deliveries; nil: what a CRM does not take waits in the queue, as where what was parked is drained
	Budget  *Budget       // nil: requests are not counted
	Logger  *slog.Logger
	Meter   *telemetry.Meter
}

// Receipts is a queue.Handler of receipt.Update in JSON, several of one tenant side by side. The updates of one message in a
// batch become one write. One behind what our record holds is not written at all: the router raised the record before it sent
// an update, so that there is another update for what is held. Two processes may each carry one update of a message: each
// reads the record again after every write, and writes what it holds until that is what was written, so that the last word is
// the highest. An update that was received before may have been written over a higher one by a process that died, or failed,
// before it could make that good: it is never taken for one behind. There is no claim: all of it may be repeated. The same goes for how
// conversations stand, which are written as they stand by then.
type Receipts struct {
	options ReceiptOptions

	mu   sync.Mutex
	last map[BindingKey]time.Time // when a binding's latest write ended
}

// NewReceipts returns a Receipts.
func NewReceipts(o ReceiptOptions) *Receipts {
	o.Watcher = watcher(o.Watcher)
	return &Receipts{options: o, last: map[BindingKey]time.Time{}}
}

// task is what updates of a batch ask for that are about the same.
type task struct {
	heads []int
	first time.Time // when one of them was sent
	err   error
}

func (t *task) fail(err error) { t.err = err }
func (t *task) failed() error  { return t.err }

// conclude makes what became of a task what became of its updates.
func (t *task) conclude(errs []error) {
	for _, i := range t.heads {
		errs[i] = t.err
	}
}

// status is the updates of one message in a batch, of which the furthest counts.
type status struct {
	task
	receipt.Update
	again bool // one of them was received before, or redriven
}

// Handle writes each message's status once and returns one error a head. The bindings are worked on side by side: one that
// hangs holds up none of the others.
func (r *Receipts) Handle(ctx context.Context, heads []queue.Received) []error {
	defer r.options.Watcher.Ended(ctx)
	errs := make([]error, len(heads))
	work := gather(heads, errs)
	r.holdBack(ctx, work)
	free := make(chan struct{}, parallel)
	var running sync.WaitGroup
	for at, todo := range work {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			r.guard(ctx, at, todo)
		})
	}
	running.Wait()
	for _, todo := range work {
		for _, s := range todo.statuses {
			s.conclude(errs)
		}
		for _, s := range todo.standings {
			s.conclude(errs)
		}
	}
	return errs
}

// todo is what a batch has for one binding.
type todo struct {
	statuses  []*status
	standings []*standing
	waits     bool // the CRM takes nothing
}

// gather decodes heads and puts together what is about one message or conversation. What cannot be read gets its error.
func gather(heads []queue.Received, errs []error) map[BindingKey]*todo {
	type message struct {
		BindingKey
		key string
	}
	work := map[BindingKey]*todo{}
	about := make(map[message]*status, len(heads))
	standings := map[BindingKey]map[receipt.Conversation]*standing{}
	for i, head := range heads {
		var u receipt.Update
		if err := json.Unmarshal(head.Body, &u); err != nil || !sound(u) {
			errs[i] = fault.New(fault.Permanent, CodeInvalid, errors.New("the body is not the JSON of a receipt's update"))
			continue
		}
		of := BindingKey{u.TenantID, u.CRM}
		if work[of] == nil {
			work[of], standings[of] = &todo{}, map[receipt.Conversation]*standing{}
		}
		if u.Conversation != nil {
			s := standings[of][*u.Conversation]
			if s == nil {
				s = &standing{task: task{first: head.FirstSent}, Conversation: *u.Conversation}
				standings[of][s.Conversation] = s
				work[of].standings = append(work[of].standings, s)
			}
			s.heads = append(s.heads, i)
			continue
		}
		s := about[message{of, u.Key}]
		if s == nil {
			s = &status{task: task{first: head.FirstSent}, Update: u}
			about[message{of, u.Key}] = s
			work[of].statuses = append(work[of].statuses, s)
		}
		s.heads, s.again = append(s.heads, i), s.again || head.Attempt > 1 || u.Generation > 0
		if u.Rank() > s.Rank() {
			s.Update = u
		}
	}
	return work
}

// sound reports whether an update says what it is about.
func sound(u receipt.Update) bool {
	if u.TenantID == "" || u.CRM == "" {
		return false
	}
	if c := u.Conversation; c != nil {
		return c.Thread != "" && c.Channel != ""
	}
	return u.Key != "" && u.Rank() >= 0
}

// guard writes what a batch has for a binding. A panic is that binding's own.
func (r *Receipts) guard(ctx context.Context, of BindingKey, work *todo) {
	defer func() {
		if value := recover(); value != nil {
			err := queue.Recovered(ctx, r.options.Logger, r.options.Meter, value)
			failAll(work.statuses, err)
			failAll(work.standings, err)
		}
	}()
	if work.waits && r.keepWaiting(ctx, of, work, func(err error) bool { return err == nil }) {
		return
	}
	err := r.options.Budget.Admit(ctx, of, ForReceipts, callsFor(len(work.statuses)+len(work.standings), r.options.Width))
	if err != nil {
		failAll(work.statuses, err)
		failAll(work.standings, err)
	} else {
		r.show(r.options.Budget.Spending(ctx, of), of, work)
	}
	r.refused(ctx, of, work)
}

// show writes what a batch has for a binding.
func (r *Receipts) show(ctx context.Context, of BindingKey, work *todo) {
	if len(work.statuses) > 0 {
		r.write(ctx, of, work.statuses)
	}
	if writer, ok := r.options.CRM.(ConversationWriter); ok && len(work.standings) > 0 {
		r.writeStandings(ctx, of, writer, work.standings)
	}
}

func failAll[T interface{ fail(err error) }](tasks []T, err error) {
	for _, t := range tasks {
		t.fail(err)
	}
}

// write writes a binding's statuses, one call after the other. After a call that failed for every row the rest is left: it
// would fail likewise, and it comes back with the wait that the first ones get.
func (r *Receipts) write(ctx context.Context, of BindingKey, statuses []*status) {
	calls, failed := 0, 0
	left := r.ahead(ctx, of, statuses)
	for begin := 0; begin < len(left); begin += r.options.Width {
		chunk := left[begin:min(begin+r.options.Width, len(left))]
		if !r.pause(ctx, of) {
			failAll(left[begin:], queue.ErrNotStarted)
			break
		}
		calls++
		r.chunk(ctx, of, chunk)
		if err := common(chunk); err != nil {
			failAll(left[begin:], err)
			break
		}
	}
	for _, s := range statuses {
		if s.err != nil {
			failed++
		}
	}
	labels := []telemetry.Label{{Name: "tenant", Value: of.Tenant}, {Name: "crm", Value: of.CRM}}
	r.options.Meter.Count("StatusesWritten", len(statuses)-failed, labels...)
	r.options.Logger.InfoContext(ctx, "statuses written", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM),
		slog.Int("messages", len(statuses)), slog.Int("written", len(left)), slog.Int("failed", failed), slog.Int("calls", calls))
}

// pause waits until the binding may be written to again. It returns false when the time is over.
func (r *Receipts) pause(ctx context.Context, of BindingKey) bool {
	r.mu.Lock()
	left := r.options.Pause - time.Since(r.last[of])
	r.mu.Unlock()
	return Wait(ctx, left) == nil
}

// ahead returns those messages that are to be written.
func (r *Receipts) ahead(ctx context.Context, of BindingKey, statuses []*status) []*status {
	var ahead []*status
	for chunk := range slices.Chunk(statuses, store.MaxGet) {
		risen, err := r.risen(ctx, of, chunk)
		if err != nil {
			failAll(chunk, err)
			continue
		}
		for _, s := range chunk {
			held, behind := risen[s]
			if behind && !s.again {
				continue
			}
			if behind {
				s.Status = held
			}
			ahead = append(ahead, s)
		}
	}
	return ahead
}

// chunk writes messages and reads what is held of them until that is what was written. A state can rise only so often.
func (r *Receipts) chunk(ctx context.Context, of BindingKey, chunk []*status) {
	for len(chunk) > 0 {
		r.call(ctx, of, chunk)
		written := slices.DeleteFunc(slices.Clone(chunk), func(s *status) bool { return s.err != nil })
		if len(written) == 0 {
			return
		}
		risen, err := r.risen(ctx, of, written)
		if err != nil { // what was written may be behind by now: it is written again
			failAll(written, err)
			return
		}
		chunk = nil
		for _, s := range written {
			if held, ok := risen[s]; ok {
				s.Status, chunk = held, append(chunk, s)
			}
		}
	}
}

// risen returns what is held of those messages of which more is held than they say.
func (r *Receipts) risen(ctx context.Context, of BindingKey, statuses []*status) (map[*status]receipt.Status, error) {
	keys := make([]string, len(statuses))
	for i, s := range statuses {
		keys[i] = s.Key
	}
	held, err := receipt.Read(ctx, r.options.Store, of.Tenant, keys)
	if err != nil {
		return nil, err
	}
	risen := map[*status]receipt.Status{}
	for i, s := range statuses {
		if held[i].Rank() > s.Rank() {
			risen[s] = held[i]
		}
	}
	return risen, nil
}

// call makes one WriteStatuses.
func (r *Receipts) call(ctx context.Context, of BindingKey, statuses []*status) {
	ctx, cancel := context.WithTimeout(ctx, r.options.Attempt)
	defer cancel()
	updates := make([]receipt.Update, len(statuses))
	for i, s := range statuses {
		updates[i] = s.Update
	}
	began := time.Now()
	answered(r, of, statuses, began, r.options.CRM.WriteStatuses(ctx, updates))
}

// answered makes what became of the rows of a call that began at a time and has just ended what became of their tasks.
func answered[T interface{ fail(err error) }](r *Receipts, of BindingKey, tasks []T, began time.Time, errs []error) {
	r.options.Watcher.Called(of, time.Since(began), errs)
	r.mu.Lock()
	r.last[of] = time.Now()
	r.mu.Unlock()
	if len(errs) != len(tasks) {
		failAll(tasks, fault.New(fault.Retryable, CodeAnswers, nil))
		return
	}
	for i, t := range tasks {
		t.fail(errs[i])
	}
}

// catchUp shows how far a message got whose record has just been written, nothing while no receipt has told. Whatever the lane
// found no record for was raised before that; what is raised from now on the lane finds the record for.
func (r *Receipts) catchUp(ctx context.Context, u receipt.Update) error {
	of, s := BindingKey{u.TenantID, u.CRM}, &status{Update: u}
	ctx = r.options.Budget.Spending(ctx, of)
	risen, err := r.risen(ctx, of, []*status{s})
	held, told := risen[s]
	if err != nil || !told {
		return err
	}
	s.Status = held
	r.chunk(ctx, of, []*status{s})
	return s.err
}

// common returns the error that a whole chunk met, nil if it did not meet one together. When as many as a Streak are refused
// for good with one code, it is the tenant's configuration: they wait.
func common[T interface{ failed() error }](chunk []T) error {
	first := chunk[0].failed()
	if first == nil {
		return nil
	}
	f := fault.Of(first)
	for _, t := range chunk {
		if t.failed() == nil || fault.Of(t.failed()).Code != f.Code {
			return nil
		}
	}
	switch {
	case f.Kind != fault.Permanent:
		return first
	case len(chunk) >= Streak:
		return fault.New(fault.Blocked, f.Code, first)
	default:
		return nil
	}
}

var _ queue.Handler = (*Receipts)(nil)
