package router

import (
	"context"
	"errors"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// CodeMerge is the code of a message whose conversation others kept writing meanwhile. It is retryable.
const CodeMerge = "conversation_contended"

// maxMerges is how often a record is merged anew because another writer came between.
const maxMerges = 8

// merged is a record that several messages are merged into: what it becomes follows from what is held, and of two writers the second
// merges into what the first wrote.
type merged struct {
	held   store.Record // last read or written
	merge  func(ctx context.Context, held store.Record) (change *store.Change, err error)
	change *store.Change // to write, nil where held has everything
	err    error
}

// meet merges into what is held now.
func (m *merged) meet(ctx context.Context, held store.Record) {
	m.held = held
	m.change, m.err = m.merge(ctx, held)
}

// write makes changes, and writes what is merged until it is, by as few calls as can be. It returns the outcomes of the changes.
func (r *Router) write(ctx context.Context, changes []store.Change, shared []*merged) []store.Outcome {
	var made []store.Outcome
	for attempt := 0; ; attempt++ {
		var open []*merged
		all := changes
		for _, m := range shared {
			if m.err == nil && m.change != nil {
				open, all = append(open, m), append(all, *m.change)
			}
		}
		if len(all) == 0 {
			return made
		}
		outcomes := store.WriteEach(ctx, r.Store, all)
		if attempt == 0 {
			made = outcomes[:len(changes):len(changes)]
		}
		for i, m := range open {
			m.conclude(ctx, outcomes[len(changes)+i], attempt)
		}
		changes, shared = nil, open
	}
}

func (m *merged) conclude(ctx context.Context, o store.Outcome, attempt int) {
	conflict, lost := errors.AsType[*store.ConflictError](o.Err)
	switch {
	case lost && attempt == maxMerges:
		m.err = fault.New(fault.Retryable, CodeMerge, nil)
	case lost:
		m.meet(ctx, conflict.Held)
	case o.Err != nil:
		m.err = o.Err
	default:
		m.held, m.change = o.Record, nil
	}
}
