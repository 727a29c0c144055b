// Package runtimeapi runs functions the way Lambda does: unmodified binaries as child processes that fetch their work over the
// Lambda Runtime API. A function starts on its first event and stays one process until its queue grows; a time-out, a crash and
// a kill end the process and fail what it was working on, and the next event starts another.
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
package runtimeapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"signalbox/shared/dev/local/process"
)

// Limits of Lambda.
const (
	MaxPayload = 6 << 20 // bytes of a request or a response
	initLimit  = 10 * time.Second
)

// GrowAfter is how long an event waits for the running processes before another is started, unless Spec says otherwise. One busy
// process beats several on a machine with few cores, and while events of a queue wait they become larger batches.
const GrowAfter = 50 * time.Millisecond

// ErrClosed is what Invoke returns once the pool is closed.
var ErrClosed = errors.New("runtimeapi: closed")

// Spec is one function.
type Spec struct {
	Name         string // what log lines and callers are called, e.g. the logical id
	ARN          string
	Path         string // of the binary
	Dir          string
	Timeout      time.Duration
	MaxProcesses int
	GrowAfter    time.Duration // GrowAfter when zero
	// Environment returns a new process's variables, all but those of the Runtime API. id names the process.
	Environment func(id string) []string
}

// Result is what became of an invocation. Error is empty, or Lambda's word for what went wrong ("Unhandled"), with the
// reason as JSON in Payload.
type Result struct {
	Payload []byte
	Error   string
	Took    time.Duration // from the event's hand-over to the answer: what Lambda bills
	// TimedOut says that the process was killed at the function's time-out.
	TimedOut bool
}

// Pool is the processes of one function.
type Pool struct {
	ctx      context.Context // how long processes may live
	spec     Spec
	guardian *process.Guardian
	log      *process.Log

	mu       sync.Mutex
	closed   bool
	started  int // processes ever: the number in the next one's id
	all      map[string]*instance
	idle     []*instance
	waiting  []*invocation
	growing  bool // a timer looks whether the queue grew
	finished sync.WaitGroup
}

// invocation is one event on its way. Its fields are guarded by the pool's lock until done is closed.
type invocation struct {
	id       string
	payload  []byte
	trace    string
	since    time.Time
	deadline time.Time
	timer    *time.Timer
	result   Result
	err      error
	done     chan struct{}
}

// NewPool returns a Pool without a process. Processes end with ctx.
func NewPool(ctx context.Context, guardian *process.Guardian, log *process.Log, spec Spec) *Pool {
	spec.MaxProcesses, spec.GrowAfter = max(spec.MaxProcesses, 1), cmp.Or(spec.GrowAfter, GrowAfter)
	return &Pool{ctx: ctx, spec: spec, guardian: guardian, log: log, all: map[string]*instance{}}
}

// Invoke runs the function once, as the request of this id, a UUID. Trace is the value of X-Amzn-Trace-Id. The error is not nil only if the function was not run to an end: ctx is done, or the pool is closed.
func (p *Pool) Invoke(ctx context.Context, id string, payload []byte, trace string) (Result, error) {
	inv := &invocation{id: id, payload: payload, trace: trace, since: time.Now(), done: make(chan struct{})}
	p.mu.Lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		return Result{}, ErrClosed
	case len(p.idle) > 0:
		last := len(p.idle) - 1
		in := p.idle[last]
		p.idle = p.idle[:last]
		p.hand(in, inv)
	default:
		p.waiting = append(p.waiting, inv)
		p.grow()
	}
	p.mu.Unlock()
	select {
	case <-inv.done:
		return inv.result, inv.err
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waiting = slices.DeleteFunc(p.waiting, func(w *invocation) bool { return w == inv })
		return Result{}, ctx.Err()
	}
}

// grow starts a process if there is none, or looks again once the oldest event has waited too long.
func (p *Pool) grow() {
	switch {
	case p.closed || len(p.waiting) == 0:
	case len(p.all) == 0:
		p.start()
	case !p.growing && len(p.all) < p.spec.MaxProcesses:
		p.growing = true
		time.AfterFunc(p.spec.GrowAfter, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.growing = false
			if len(p.waiting) > 0 && time.Since(p.waiting[0].since) >= p.spec.GrowAfter && len(p.all) < p.spec.MaxProcesses && p.starting() == 0 {
				p.start()
			}
			p.grow()
		})
	}
}

func (p *Pool) starting() int {
	n := 0
	for _, in := range p.all {
		if !in.ready {
			n++
		}
	}
	return n
}

// start starts a process. If that is not possible the oldest event fails, as it does when the process ends before its first event.
func (p *Pool) start() {
	p.started++
	in, err := p.newInstance(p.spec.Name + "." + strconv.Itoa(p.started))
	if err != nil {
		p.failOldest("Runtime.StartError", err.Error())
		return
	}
	p.all[in.id] = in
	p.finished.Go(in.attend)
}

// hand gives an event to a process that waits for one.
func (p *Pool) hand(in *instance, inv *invocation) {
	inv.deadline = time.Now().Add(p.spec.Timeout)
	inv.timer = time.AfterFunc(p.spec.Timeout, func() { p.timeout(in, inv) })
	in.current = inv
	in.work <- inv
}

// ready is called when a process asks for its next event.
func (p *Pool) ready(in *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.ready = true
	if in.current != nil || slices.Contains(p.idle, in) || p.all[in.id] == nil {
		return
	}
	if len(p.waiting) == 0 {
		p.idle = append(p.idle, in)
		return
	}
	inv := p.waiting[0]
	p.waiting = p.waiting[1:]
	p.hand(in, inv)
}

// finish ends an event. It returns false if it had ended, or never was this process's.
func (p *Pool) finish(in *instance, id string, result Result) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	inv := in.current
	if inv == nil || inv.id != id {
		return false
	}
	in.current = nil
	inv.timer.Stop()
	result.Took = p.spec.Timeout - time.Until(inv.deadline)
	inv.result = result
	close(inv.done)
	return true
}

func (p *Pool) timeout(in *instance, inv *invocation) {
	reason := fmt.Sprintf("%s Task timed out after %.2f seconds", inv.id, p.spec.Timeout.Seconds())
	result := failure("Sandbox.Timedout", reason)
	result.TimedOut = true
	if p.finish(in, inv.id, result) {
		_, _ = in.output.Write([]byte(reason + "\n"))
		in.child.Kill()
	}
}

func (p *Pool) failOldest(kind, reason string) {
	if len(p.waiting) == 0 {
		return
	}
	inv := p.waiting[0]
	p.waiting = p.waiting[1:]
	inv.result = failure(kind, reason)
	close(inv.done)
}

// gone is called when a process has ended.
func (p *Pool) gone(in *instance) {
	reason := "Runtime exited with error: " + in.child.Status()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, in.id)
	p.idle = slices.DeleteFunc(p.idle, func(other *instance) bool { return other == in })
	switch inv := in.current; {
	case inv != nil:
		in.current = nil
		inv.timer.Stop()
		inv.result = failure("Runtime.ExitError", "RequestId: "+inv.id+" Error: "+reason)
		close(inv.done)
	case !in.ready:
		p.failOldest("Runtime.ExitError", reason)
	}
	p.grow()
}

func failure(kind, reason string) Result {
	payload, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": reason})
	if err != nil { // two strings always encode
		payload = nil
	}
	return Result{Payload: payload, Error: "Unhandled"}
}

// KillIf kills a process by SIGKILL, if allowed says so of the event it has at hand (nil: none), and waits for its end. No event
// begins or ends in between. It returns false if there is no such process, or it may not be killed.
func (p *Pool) KillIf(id string, allowed func(event []byte) bool) bool {
	p.mu.Lock()
	in := p.all[id]
	var event []byte
	if in != nil && in.current != nil {
		event = in.current.payload
	}
	if in == nil || !allowed(event) {
		p.mu.Unlock()
		return false
	}
	p.idle = slices.DeleteFunc(p.idle, func(other *instance) bool { return other == in }) // it is handed nothing any more
	in.child.SignalKill()
	p.mu.Unlock()
	<-in.child.Ended()
	return true
}

// FreezeIf stops a process for a while, if allowed says so of the event it has at hand (nil: none): it does nothing, and time goes
// on. It returns when the process goes on, or has ended, and reports false if there is no such process, or it may not be stopped.
func (p *Pool) FreezeIf(id string, allowed func(event []byte) bool, d time.Duration) bool {
	p.mu.Lock()
	in := p.all[id]
	if in == nil || in.current == nil || !allowed(in.current.payload) {
		p.mu.Unlock()
		return false
	}
	in.child.SignalStop()
	p.mu.Unlock()
	select {
	case <-in.child.Ended():
	case <-time.After(d):
		in.child.SignalContinue()
	}
	return true
}

// Cold starts one more process, which is handed no event, and returns how long it took to ask for one.
func (p *Pool) Cold(ctx context.Context) (time.Duration, error) {
	p.mu.Lock()
	p.started++
	in, err := p.newInstance(p.spec.Name + "." + strconv.Itoa(p.started))
	p.mu.Unlock()
	if err != nil {
		return 0, err
	}
	defer func() {
		in.child.Kill()
		_ = in.server.Close()
	}()
	select {
	case at := <-in.asked:
		return at.Sub(in.started), nil
	case <-in.child.Ended():
		return 0, fmt.Errorf("runtimeapi: it ended: %s", in.child.Status())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Running returns the ids of the processes, those with an event at hand first.
func (p *Pool) Running() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var busy, rest []string
	for id, in := range p.all {
		if in.current != nil {
			busy = append(busy, id)
		} else {
			rest = append(rest, id)
		}
	}
	return append(busy, rest...)
}

// Owner returns the id of the process that has this end of a TCP connection; "" if none has, or nobody can tell.
func (p *Pool) Owner(end netip.AddrPort) string {
	ids := map[int]string{}
	p.mu.Lock()
	for id, in := range p.all {
		ids[in.child.PID()] = id
	}
	p.mu.Unlock()
	pid, _ := process.Owner(end, slices.Collect(maps.Keys(ids)))
	return ids[pid]
}

// Recycle ends the processes that have nothing to do, so that the next event meets a cold start.
func (p *Pool) Recycle() {
	p.mu.Lock()
	var free []*instance
	for _, in := range p.all {
		if in.ready && in.current == nil {
			free = append(free, in)
			delete(p.all, in.id) // it is handed nothing any more
		}
	}
	p.idle = nil
	p.mu.Unlock()
	for _, in := range free {
		in.child.Kill()
		<-in.over
	}
}

// Close ends every process and fails what is under way.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, inv := range p.waiting {
		inv.err = ErrClosed
		close(inv.done)
	}
	p.waiting = nil
	var all []*instance
	for _, in := range p.all {
		all = append(all, in)
	}
	p.mu.Unlock()
	for _, in := range all {
		in.child.Kill()
	}
	p.finished.Wait()
}
