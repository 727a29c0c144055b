// Package store keeps small records that several processes change at once. Every change is conditional on what the writer
// saw. There are no indexes: an index is a record too. The port is narrow on purpose, so that each change is one literal
// expression of the database below it and each is covered by the conformance suite in storetest.
package store

import (
	"context"
	"fmt"
	"time"
)

// Bounds of the port.
const (
	MaxData  = 350 << 10 // bytes of Record.Data
	MaxGet   = 100       // keys of one Get
	MaxWrite = 25        // changes of one Write or WriteEach, pointers of one Note
)

// Key places a record: the records of one Partition are listed together, in byte order of Sort. Neither may be empty.
type Key struct{ Partition, Sort string }

// Record is what is kept under a Key. Data is opaque to the store.
type Record struct {
	Key
	Version int64     // 0 is absent; 1 at the first Put, then one more at every change
	Expires time.Time // zero is never; from then on (whole seconds) a reader sees the record as absent. Only for garbage: a lease's end is data
	Number  int64     // what Add and Raise act on: a budget left, a count, a rank, an event time
	Data    []byte
}

// Kind is what a Change does.
type Kind uint8

// The changes. An expired record counts as absent, version 0, in every one of them.
const (
	Put    Kind = iota // replace, if the version held is Record.Version
	Delete             // remove, if the version held is Record.Version
	Check              // nothing, if the version held is Record.Version: for the other changes of one Write
	Add                // Number += Record.Number, if the record is there and the sum stays within 0..Bound
	Raise              // Put if the record is absent or its Number is below Record.Number: ranks, newest event time
)

// Change is one conditional change. Changes of one Write name different keys.
type Change struct {
	Kind
	Record
	Bound int64 // of Add
}

// Range asks for the records of a partition whose Sort begins with Prefix, after the Sort After (before it, when Descending).
type Range struct {
	Partition, Prefix, After string
	Limit                    int  // records a page, 0 for as many as fit
	Descending, Stale        bool // Stale: eventually consistent, half the price
}

// Store is the whole port, for implementations and their conformance suite. A user declares the one to three methods it calls.
type Store interface {
	// Get returns one record a key in the order of keys, Version 0 where there is none: one call for up to MaxGet, read consistently.
	Get(ctx context.Context, keys ...Key) ([]Record, error)
	// List returns one page; more says that there is another after its last record.
	List(ctx context.Context, r Range) (page []Record, more bool, err error)
	// Write makes all changes (at most MaxWrite) or none and answers the records as they are now (a removed one with
	// Version 0). Otherwise a *ConflictError holds the first condition that failed and the record it met, so that a loser
	// needs no further read. One change is one plain write; several are a transaction at twice the price, which tells less:
	// of an Add or a Raise it answers the Key alone, of a Check the Key and Version.
	Write(ctx context.Context, changes ...Change) ([]Record, error)
	// WriteEach makes independent changes, Puts alone and at most MaxWrite: each on its own, in any order, at the price of single
	// ones. It returns one Outcome a change, in their order.
	WriteEach(ctx context.Context, changes ...Change) []Outcome
	// Note puts pointers: unconditionally, each on its own, in any order, perhaps twice; at most MaxWrite a call. They are
	// written before the fact they point to: a pointer to nothing is harmless, a fact without its pointer escapes erasure.
	// A noted record has Version 1.
	Note(ctx context.Context, pointers ...Record) error
}

// Outcome is what became of one change of a WriteEach: the record as it is now, or why it was not made. A *ConflictError has the
// change's Index.
type Outcome struct {
	Record
	Err error
}

// Failed returns the outcomes of n changes that one error stopped.
func Failed(n int, err error) []Outcome {
	outcomes := make([]Outcome, n)
	for i := range outcomes {
		outcomes[i].Err = err
	}
	return outcomes
}

// ConflictError is a condition that did not hold. Held is the record that was met, Version 0 when there is none.
type ConflictError struct {
	Index int
	Held  Record
}

// Error says which change failed.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: change %d: version %d is held", e.Index, e.Held.Version)
}
