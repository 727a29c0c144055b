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

// ErrCompleted is the error of a Claim of work that was completed before.
var ErrCompleted = errors.New("idempotency: completed before")

// The codes of the faults that Claims returns.
const (
	CodeHeld    = "claim_held" // another worker holds the claim; Retryable, Wait says until when
	CodeLost    = "claim_lost" // the claim was taken over; Retryable
	CodeCrashed = "crashed"    // the third unfinished claim; Permanent
	CodeInvalid = "claim_invalid"
)

// Store is what Claims needs of a store.
type Store interface {
	WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome
}

// Claims takes claims. It is safe for concurrent use.
type Claims struct {
	store Store
	lease time.Duration
}

// New returns Claims that are held for lease: longer than the time after which the platform kills a worker.
func New(s Store, lease time.Duration) *Claims { return &Claims{s, lease} }

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

// Claim acquires the claim of key: by one write if nobody ever claimed it, else by one more over what the first one met. It
// returns ErrCompleted when the work is complete, a Retryable fault (CodeHeld) while another worker holds it, a Permanent one
// (CodeCrashed) at the third unfinished claim, and the Permanent fault it died of when it was given up.
func (c *Claims) Claim(ctx context.Context, key store.Key) (*Claim, error) {
	claims, errs := c.ClaimAll(ctx, []Wanted{{key, MaxUnfinished}})
	return claims[0], errs[0]
}

// Wanted is a claim to be acquired in company.
type Wanted struct {
	Key           store.Key
	MaxUnfinished int // with more unfinished claims in a row the error is ErrUnfinished
}

// ErrUnfinished is the error of a claim that is not acquired in company, since its work may be what ended its workers. It is not
// written to: a worker that is killed in company is no evidence against it.
var ErrUnfinished = errors.New("idempotency: left unfinished too often to be worked on in company")

// ClaimAll is Claim for several keys, by as many calls as one takes. It returns a claim or an error each.
func (c *Claims) ClaimAll(ctx context.Context, wanted []Wanted) ([]*Claim, []error) {
	claims, errs := make([]*Claim, len(wanted)), make([]error, len(wanted))
	held, owner := make([]store.Record, len(wanted)), rand.Text()
	open := make([]int, 0, len(wanted))
	first := make(map[store.Key]bool, len(wanted))
	for i, w := range wanted {
		if errs[i] = fault.New(fault.Retryable, CodeHeld, nil); !first[w.Key] {
			first[w.Key] = true
			open = append(open, i)
		}
	}
	for range 3 { // between two of our writes somebody else may write
		var changes []store.Change
		var nexts []content
		var at []int
		for _, i := range open {
			var next content
			if next, errs[i] = c.over(held[i], owner, wanted[i].MaxUnfinished); errs[i] != nil {
				continue
			}
			var change store.Change
			if change, errs[i] = changeTo(wanted[i].Key, held[i].Version, next); errs[i] == nil {
				changes, nexts, at = append(changes, change), append(nexts, next), append(at, i)
			}
		}
		open = open[:0]
		for k, outcome := range c.write(ctx, changes) {
			i := at[k]
			conflict, lost := errors.AsType[*store.ConflictError](outcome.Err)
			switch {
			case lost:
				held[i], errs[i] = conflict.Held, fault.New(fault.Retryable, CodeHeld, nil)
				open = append(open, i)
			case outcome.Err != nil:
				errs[i] = outcome.Err
			default:
				claims[i], errs[i] = newClaim(outcome.Record, nexts[k])
			}
		}
	}
	return claims, errs
}

// Checkpoint writes the claim's Progress.
func (c *Claims) Checkpoint(ctx context.Context, claim *Claim) error {
	next := claim.held
	next.Unfinished, next.Advanced = 0, true
	return c.update(ctx, claim, next)
}

// Complete writes the claim's Progress and ends it for good: Claim returns ErrCompleted from now on.
func (c *Claims) Complete(ctx context.Context, claim *Claim) error {
	return c.CompleteAll(ctx, []*Claim{claim})[0]
}

// CompleteAll is Complete for several claims, by one call. It returns one error each. The changes beside, of other records, are made by the
// same call, each on its own: what becomes of them is no claim's affair.
func (c *Claims) CompleteAll(ctx context.Context, claims []*Claim, beside ...store.Change) []error {
	nexts := make([]content, len(claims))
	for i, claim := range claims {
		nexts[i] = claim.held
		nexts[i].State, nexts[i].Unfinished, nexts[i].End, nexts[i].Reason = Completed, 0, time.Time{}, ""
	}
	return c.updateAll(ctx, claims, nexts, beside...)
}

// Release writes the claim's Progress and lets the next worker claim at once. The reason (a fault's code) is kept for
// whoever explains the event. A crashed one counts as unfinished.
func (c *Claims) Release(ctx context.Context, claim *Claim, reason string, crashed bool) error {
	next := claim.held
	if crashed {
		next.Unfinished = next.unfinished()
	}
	next.State, next.Advanced, next.End, next.Reason = Open, false, time.Time{}, reason
	return c.update(ctx, claim, next)
}

// RecordFailure notes a failure on a claim that is about to be released and returns since when the work has been failing. What is
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

// GiveUp writes the claim's Progress and marks the work dead of a Permanent fault, which Claim returns from now on until a
// redrive reopens it.
func (c *Claims) GiveUp(ctx context.Context, claim *Claim, of *fault.Error) error {
	next := claim.held
	next.State, next.End, next.Reason = Dead, time.Time{}, of.Code
	return c.update(ctx, claim, next)
}
