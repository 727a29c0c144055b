package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// closesAfter is how many calls in a row the CRM leaves unanswered until its gates close.
const closesAfter = 3

// A call hangs from one of so many parts of an attempt on: a CRM that takes less is slow, and no worse. One tenant's CRM may hold one of so many of a connector's
// functions by calls that do.
const (
	attemptParts  = 2
	functionParts = 5
)

// errHangs is the cause of the outcomes of a call that was cut short.
var errHangs = errors.New("connector: too many calls for the CRM hang")

// calls is what this process knows of its calls for a tenant's CRM.
type calls struct {
	unanswered int          // in a row
	last       *fault.Error // of those
}

// watched makes a call for a tenant's CRM and keeps account of whether it is answered. One that hangs is counted with those of all processes, and
// cut short if they are too many: its outcome is unknown, as after any time-out. A call that returns in time costs nothing.
func (g *Gates) watched(ctx context.Context, of BindingKey, do func(ctx context.Context) []Outcome) []Outcome {
	within, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	if g.options.Concurrency > 0 {
		defer g.watch(within, of, cut)()
	}
	outcomes := do(within)
	if errors.Is(context.Cause(within), errHangs) {
		for i, o := range outcomes {
			if fault.Of(o.Err) != nil && fault.Of(o.Err).Kind == fault.Retryable {
				outcomes[i].Err = fault.New(fault.Retryable, g.options.Kind+"_timeout", errHangs)
			}
		}
	}
	if ctx.Err() == nil { // else the time of the batch was over, which says nothing of the CRM
		g.note(of, outcomes)
	}
	return outcomes
}

// watch counts a call once it hangs, until stop is called. No call that has ended waits for a store that does not count it.
func (g *Gates) watch(ctx context.Context, of BindingKey, cut context.CancelCauseFunc) (stop func()) {
	id, counted := rand.Text(), make(chan struct{})
	counting, end := context.WithCancel(ctx)
	timer := time.AfterFunc(g.options.Attempt/attemptParts, func() {
		defer close(counted)
		hanging, err := g.count(counting, of, id, true)
		if err == nil && hanging > max(1, g.options.Concurrency/functionParts) {
			cut(errHangs)
		}
	})
	return func() {
		end()
		if timer.Stop() {
			return
		}
		<-counted
		finishing, cancel := queue.Finishing(ctx)
		defer cancel()
		_, _ = g.count(finishing, of, id, false) // without it the end of the lease takes it out
	}
}

// note keeps account of a call by what became of its steps. One of which the CRM was not asked, because a key, a store or a token was not to be had, says
// nothing of the CRM.
func (g *Gates) note(of BindingKey, outcomes []Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var last *fault.Error
	for _, o := range outcomes {
		switch f := fault.Of(o.Err); {
		case Unanswered(g.options.Kind, f):
			last = f
		case f == nil || OfCRM(g.options.Kind, f) && !errors.Is(f, errAwaited): // it answered
			delete(g.bindings, of)
			return
		}
	}
	if last == nil {
		return
	}
	b := g.bindings[of]
	if b == nil {
		b = &calls{}
		g.bindings[of] = b
	}
	b.unanswered++
	b.last = last
}

// failing returns why the gates of a tenant's CRM are to close by what this process saw of its calls, nil if they are not.
func (g *Gates) failing(of BindingKey) *fault.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b := g.bindings[of]; b != nil && b.unanswered >= closesAfter {
		return b.last
	}
	return nil
}

func (g *Gates) forget(of BindingKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.bindings, of)
}

// hanging is what the record of the calls that hang holds.
type hanging struct {
	Calls []hangingCall `json:"calls"`

	Unknown unknown.Members `json:"-"`
}

// hangingCall is one of them. A process that was killed leaves its own until the end, by when the call would have ended.
type hangingCall struct {
	ID  string    `json:"id"`
	End time.Time `json:"end"`
}

// count adds a call to those that hang, or takes it out, and returns how many there are in all processes.
func (g *Gates) count(ctx context.Context, of BindingKey, id string, hangs bool) (n int, err error) {
	key := store.Key{Partition: of.Tenant + "/gate/" + of.CRM, Sort: "hanging"}
	err = insist(ctx, func(ctx context.Context) error {
		held, err := g.options.Store.Get(ctx, key)
		if err != nil {
			return err
		}
		var all hanging
		if held[0].Version > 0 {
			if all.Unknown, err = unknown.Unmarshal(held[0].Data, &all); err != nil {
				all = hanging{}
			}
		}
		now := time.Now().UTC()
		all.Calls = slices.DeleteFunc(all.Calls, func(c hangingCall) bool { return c.ID == id || !now.Before(c.End) })
		if hangs {
			all.Calls = append(all.Calls, hangingCall{id, now.Add(g.options.Attempt)})
		}
		n = len(all.Calls)
		data, err := unknown.Marshal(all, all.Unknown)
		if err != nil {
			return fault.New(fault.Permanent, codeMalformed, nil)
		}
		_, err = g.options.Store.Write(ctx, store.Change{Record: store.Record{
			Key: key, Version: held[0].Version, Expires: now.Add(time.Hour), Data: data,
		}})
		if _, lost := conflictOf(err); lost {
			return fault.New(fault.Retryable, codeContended, nil)
		}
		return err
	})
	return n, err
}
