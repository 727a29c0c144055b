package local

import (
	"slices"
	"sync"

	"signalbox/shared/dev/local/cloud"
)

// Kill is one kill -9 of a function's process at a call boundary.
type Kill struct {
	Function string // logical id
	Call     int    // at which of the function's calls from now on, from 1
	After    bool   // after the call's effect and before its reply; otherwise before it is passed on
}

// plan observes calls, and kills once when it is armed.
type plan struct {
	kill func(process string)

	mu    sync.Mutex
	calls []cloud.Call
	armed *Kill
	seen  int // calls of the armed function
	fired bool
}

// Pass notes a call, and kills its caller if that is planned. It returns when the caller is dead.
func (p *plan) Pass(c cloud.Call, effect func()) bool {
	before, after := p.note(c)
	if before {
		p.kill(c.Caller)
		return false
	}
	effect()
	if after {
		p.kill(c.Caller)
		return false
	}
	return true
}

func (p *plan) note(c cloud.Call) (before, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	if p.armed == nil || p.fired || p.armed.Function != c.Function() {
		return false, false
	}
	if p.seen++; p.seen != p.armed.Call {
		return false, false
	}
	p.fired = true
	return !p.armed.After, p.armed.After
}

// Arm plans one kill and forgets the calls so far. Options.Observe must be set.
func (c *Cloud) Arm(k Kill) {
	c.plan.mu.Lock()
	defer c.plan.mu.Unlock()
	c.plan.calls, c.plan.armed, c.plan.seen, c.plan.fired = nil, &k, 0, false
}

// Disarm forgets the plan and reports whether it killed, with the calls since Arm, in order.
func (c *Cloud) Disarm() (killed bool, calls []cloud.Call) {
	c.plan.mu.Lock()
	defer c.plan.mu.Unlock()
	killed, calls = c.plan.fired, slices.Clone(c.plan.calls)
	c.plan.calls, c.plan.armed, c.plan.fired = nil, nil, false
	return killed, calls
}
