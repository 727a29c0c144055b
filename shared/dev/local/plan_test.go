package local_test

import (
	"slices"
	"sync"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
)

// kill is one kill -9 of a function's process at a call boundary.
type kill struct {
	Function string // logical id
	Call     int    // at which of the function's calls from now on, from 1
	After    bool   // after the call's effect and before its reply; otherwise before it is passed on
}

// plan observes calls, and kills once when it is armed.
type plan struct {
	cloud *local.Cloud // once it is started

	mu    sync.Mutex
	calls []cloud.Call
	armed *kill
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

func (p *plan) kill(process string) {
	p.cloud.KillIf(process, func([]byte) bool { return true })
}

// arm plans one kill and forgets the calls so far.
func (p *plan) arm(k kill) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.armed, p.seen, p.fired = nil, &k, 0, false
}

// disarm forgets the plan and reports whether it killed, with the calls since arm, in order.
func (p *plan) disarm() (killed bool, calls []cloud.Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	killed, calls = p.fired, slices.Clone(p.calls)
	p.calls, p.armed, p.fired = nil, nil, false
	return killed, calls
}
