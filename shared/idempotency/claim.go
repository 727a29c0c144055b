// Package idempotency makes sure that a piece of work is carried out by one worker at a time and never again once it is
// complete, whatever crashes between two steps. A claim is one record: taken with a lease, moved on by checkpoints that
// hold what was achieved, and completed or released. Each move is one write, conditional on the version the holder saw (the
// fence), so that a holder whose lease was taken over cannot write any more. The lease's end is data in the record, never
// its expiry: versions would start again, and a stale holder would pass the fence.
package idempotency

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// Retention is how long a completed claim's record is kept: longer than any copy of a message can come back.
const Retention = 35 * 24 * time.Hour

// MaxUnfinished is how many unfinished claims in a row make a piece of work a dead letter.
const MaxUnfinished = 3

// ErrCompleted is what Claim answers for work that was completed before.
var ErrCompleted = errors.New("idempotency: completed before")

// The codes of the faults that Claims answers.
const (
	CodeHeld    = "claim_held" // another worker holds the claim; Retryable, Wait says until when
	CodeLost    = "claim_lost" // the claim was taken over; Retryable
	CodeCrashed = "crashed"    // the third unfinished claim; Permanent
	CodeInvalid = "claim_invalid"
)

// Store is what Claims needs of a store.
type Store interface {
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Claims takes claims. It is safe for concurrent use.
type Claims struct {
	store Store
	lease time.Duration
	owner func() string
}

// New returns Claims that are held for lease: longer than the time after which the platform kills a worker.
func New(s Store, lease time.Duration) *Claims { return NewWithOwner(s, lease, rand.Text) }

// NewWithOwner is New with the source of the names that holders write into their claims: a different one at every call.
func NewWithOwner(s Store, lease time.Duration, owner func() string) *Claims {
	return &Claims{store: s, lease: lease, owner: owner}
}

// Claim is one piece of work in one worker's hands. It is not safe for concurrent use.
type Claim struct {
	Key          store.Key
	Progress     map[string]map[string]string // what was achieved, by step; never nil. Written by Checkpoint, Complete and Release
	Unfinished   int                          // how many claims before this one ended without a word and without getting further
	Generation   int                          // how often the work was reopened by a redrive
	FailingSince time.Time                    // since when it has been failing, see RecordFailure; zero after a success. Written like Progress
	Attempt      int                          // how often the work was claimed, from 1; it begins anew like Failing. Written like Progress

	version int64 // the fence
	held    content
}

// Claim takes the claim of key. It answers ErrCompleted when the work is complete, a Retryable fault (CodeHeld) while another
// worker holds it, a Permanent one (CodeCrashed) at the third unfinished claim, and the Permanent fault it died of when it
// was given up.
func (c *Claims) Claim(ctx context.Context, key store.Key) (*Claim, error) {
	return c.take(ctx, key)
}

// Checkpoint writes the claim's Progress.
func (c *Claims) Checkpoint(ctx context.Context, claim *Claim) error {
	next := claim.held
	next.Unfinished, next.Advanced = 0, true
	return c.move(ctx, claim, next)
}

// Complete writes the claim's Progress and ends it for good: Claim answers ErrCompleted from now on.
func (c *Claims) Complete(ctx context.Context, claim *Claim) error {
	next := claim.held
	next.State, next.Unfinished, next.End, next.Reason = completed, 0, time.Time{}, ""
	claim.FailingSince = time.Time{}
	return c.move(ctx, claim, next)
}

// Release writes the claim's Progress and lets the next worker claim at once. The reason (a fault's code) is kept for
// whoever explains the event. A crashed one counts as unfinished.
func (c *Claims) Release(ctx context.Context, claim *Claim, reason string, crashed bool) error {
	next := claim.held
	if crashed {
		next.Unfinished = next.unfinished()
	}
	next.State, next.Advanced, next.End, next.Reason = open, false, time.Time{}, reason
	return c.move(ctx, claim, next)
}

// RecordFailure notes a failure on a claim that is about to be released and answers since when the work has been failing. What is
// blocked waits for a person, and what fails after that begins anew. Of work that could not be claimed (nil) nothing is
// known: it fails since now.
func (c *Claim) RecordFailure(of *fault.Error) (since time.Time) {
	now := time.Now().UTC()
	switch {
	case c == nil:
		return now
	case of.Kind == fault.Blocked:
		c.FailingSince, c.Attempt = time.Time{}, 0
		return now
	case c.FailingSince.IsZero():
		c.FailingSince = now
	}
	return c.FailingSince
}

// GiveUp writes the claim's Progress and marks the work dead of a Permanent fault, which Claim answers from now on until a
// redrive reopens it.
func (c *Claims) GiveUp(ctx context.Context, claim *Claim, of *fault.Error) error {
	next := claim.held
	next.State, next.End, next.Reason = dead, time.Time{}, of.Code
	return c.move(ctx, claim, next)
}
