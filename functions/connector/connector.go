// Package connector carries deliveries into CRMs, each effect once. What is the same for every CRM is here: decoding,
// claims, checkpoints, time-outs, what is released and when, and the choice of how many deliveries go into one call. A CRM
// is a folder below that implements CRM, and passes connectortest.
package connector

import (
	"context"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/mapping"
)

// Result is what a finished step learned: the CRM's ids, whether it created them. Opaque to all but the CRM. It is kept for
// weeks and holds no personal data.
type Result = map[string]string

// Progress is what a delivery has achieved, by step name. It is what a checkpoint holds and all that survives a crash.
type Progress map[string]Result

// Step is the next thing one delivery needs from the CRM. Request is the CRM's own type.
type Step[R any] struct {
	Name string
	Seen bool // a repeat would be seen outside: its result is checkpointed at once. Not set for an upsert by external id
	Once bool // the CRM cannot recognise a repeat: the intent is checkpointed before, an unknown outcome is looked up
	Last bool // nothing follows: its checkpoint and the completion are one write
	// Aside: it is work beside the message, which is worth more. What the CRM refuses of it for good is left undone: its result says
	// ResultLeft. Left is a code for which that is known before anything is asked of the CRM.
	Aside   bool
	Left    string
	Logs    bool // it shows the delivery's session, or how its conversation stands. When more was said meanwhile its result says ResultBehind: it is not done
	Request R
	// Intended is set by the Connector, never by Next: an earlier try of a Once step may have been carried out. Do looks
	// before it repeats.
	Intended bool
	// Again is set by the Connector, too: an earlier try of the delivery may have written what this one is to write, and somebody may have
	// edited it since. Do leaves what is there as it is.
	Again bool
	// Activity is set by the Connector, never by Next: what is to be shown of the delivery's session. It is nil of a delivery that has none,
	// whose event is shown by itself.
	Activity *Activity
	// File is set by the Connector, too: the one that a delivery.AttachFile puts into the CRM.
	File *File
	// Fields is set by the Connector, too: what the tenant's mapping fills, which the CRM adds to the records that the step writes anyway.
	Fields mapping.Fields
	// Standing is set by the Connector, too, of a delivery without a session: how its conversation stands, nil if that is not to be shown.
	Standing *Standing
}

// Stands returns how the step's conversation stands, with a session or without one, nil if that is not to be shown.
func (s Step[R]) Stands() *Standing {
	switch a := s.Activity; {
	case a == nil:
		return s.Standing
	case a.Conversation == nil:
		return nil
	default:
		return &Standing{Key: a.ConversationKey, State: *a.Conversation, All: a.Conversations}
	}
}

// Standing is how a conversation stands, and all of its thread's do, for a CRM that shows one of a person.
type Standing struct {
	Key   string // external id of its record
	State conversation.State
	All   []conversation.State
}

// Outcome is what became of one step. Err is sorted by package fault and holds no message text, address or secret.
type Outcome struct {
	Result Result
	Err    error
}

// CRM is what a folder below this one implements. It is safe for concurrent use.
type CRM[R any] interface {
	// Next says what d needs now, given what it has; ok is false when nothing is left. No I/O: same input, same result, so
	// that a plan is never stored and a dry run is a loop over Next. It does not change done.
	Next(d delivery.Delivery, done Progress) (step Step[R], ok bool, err error)
	// Do carries out the same step of several deliveries of one binding and different threads, in as few calls as the CRM
	// has for them, and returns an outcome each in the same order. One slow or bad row never fails its neighbours. The deadline of ctx is
	// that of one attempt.
	Do(ctx context.Context, steps []Step[R]) []Outcome
}

// Linker is a CRM that learns which of its records a person is. What it returns is kept with the thread, so that the next
// delivery need not look again; the keys are the CRM's object kinds. No I/O.
type Linker interface {
	Links(d delivery.Delivery, done Progress) map[string]string
}

// Links keeps what was learned for a thread's next deliveries, beside what the delivery was told.
type Links interface {
	Link(ctx context.Context, tenant string, thread canonical.ThreadID, crm string, known, links map[string]string) error
}
