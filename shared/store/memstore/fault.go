package memstore

import (
	"context"
	"errors"
	"fmt"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// Operation is a method of the port.
type Operation string

// The operations.
const (
	Get   Operation = "get"
	List  Operation = "list"
	Write Operation = "write" // WriteEach, too
	Note  Operation = "note"
)

// Call is what is about to happen. Partition is a List's, Keys are the others'.
type Call struct {
	Operation Operation
	Partition string
	Keys      []store.Key
}

// callOf returns the call that makes changes.
func callOf(changes []store.Change) Call {
	call := Call{Operation: Write, Keys: make([]store.Key, len(changes))}
	for i, c := range changes {
		call.Keys[i] = c.Key
	}
	return call
}

// Fault is how a call fails.
type Fault uint8

// The faults.
const (
	None      Fault = iota
	Throttled       // refused without effect
	Before          // a retryable error without effect
	After           // a retryable error, after the effect
	Partial         // of a Note and a WriteEach of several: half of it is done, then a retryable error; elsewhere as After
)

// ErrInjected is the cause of every injected error.
var ErrInjected = errors.New("memstore: injected")

// The codes of injected faults.
const (
	CodeThrottled = "store_throttled"
	CodeFailed    = "store_failed"
)

// Faulty asks choose how each call is to fail. It is called outside the store's lock, possibly from several goroutines.
func Faulty(choose func(Call) Fault) Option { return func(s *Store) { s.fault = choose } }

// errPartial is told apart by Note.
var errPartial = fmt.Errorf("half of the effect: %w", ErrInjected)

// begin returns an error that stops the call, or one to return after the call's effect.
func (s *Store) begin(ctx context.Context, call Call) (after, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New(fault.Retryable, CodeFailed, err)
	}
	if s.fault == nil {
		return nil, nil
	}
	switch s.fault(call) {
	case Throttled:
		return nil, fault.New(fault.Throttled, CodeThrottled, ErrInjected)
	case Before:
		return nil, fault.New(fault.Retryable, CodeFailed, ErrInjected)
	case After:
		return fault.New(fault.Retryable, CodeFailed, ErrInjected), nil
	case Partial:
		return fault.New(fault.Retryable, CodeFailed, errPartial), nil
	default:
		return nil, nil
	}
}

// partial reports whether an error asks for half an effect.
func partial(err error) bool { return errors.Is(err, errPartial) }
