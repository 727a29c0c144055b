package idempotency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// State is where a piece of work stands.
type State string

// The states. Work whose lease is over is Open to the next claim, although its record still says Claimed.
const (
	Absent    State = ""          // never claimed, or so long ago that the record is gone
	Open      State = "open"      // can be claimed
	Claimed   State = "claimed"   // a worker has it now
	Completed State = "completed" // done for good
	Dead      State = "dead"      // given up
)

// content is the Data of a claim's record.
type content struct {
	State      State                        `json:"state"`
	Owner      string                       `json:"owner"`        // who wrote it last: tells a holder's own write from another's
	End        time.Time                    `json:"end,omitzero"` // of the lease
	Unfinished int                          `json:"unfinished,omitempty"`
	Advanced   bool                         `json:"advanced,omitempty"` // the claim that is held added a checkpoint
	Generation int                          `json:"generation,omitempty"`
	Failing    time.Time                    `json:"failing,omitzero"` // see Claim
	Attempt    int                          `json:"attempt,omitempty"`
	Reason     string                       `json:"reason,omitempty"` // a fault's code: why it was released or given up
	Progress   map[string]map[string]string `json:"progress,omitempty"`
	Unknown    unknown.Members              `json:"-"`
}

// Ended reports whether the work of a claim is over, by its record: it is completed, or was given up.
func Ended(held store.Record) (bool, error) {
	_, ended, err := Achieved(held)
	return ended, err
}

// Achieved returns what the work of a claim has achieved, by its record, and whether it is over.
func Achieved(held store.Record) (progress map[string]map[string]string, ended bool, err error) {
	if held.Version == 0 {
		return nil, false, nil
	}
	c, err := decode(held.Data)
	return c.Progress, c.State == Completed || c.State == Dead, err
}

func (c content) encode() ([]byte, error) {
	data, err := unknown.Marshal(c, c.Unknown)
	if err != nil {
		return nil, fault.New(fault.Permanent, CodeInvalid, err)
	}
	return data, nil
}

func decode(data []byte) (c content, err error) {
	if c.Unknown, err = unknown.Unmarshal(data, &c); err != nil {
		return c, fault.New(fault.Permanent, CodeInvalid, errors.New("the claim's record is unreadable"))
	}
	return c, nil
}

// unfinished returns how many unfinished claims there are once the one that is held ends without a word. One that got
// further starts the count anew: whatever it died of, it was not what the claims before it died of.
func (c *content) unfinished() int {
	if c.Advanced {
		return 0
	}
	return c.Unfinished + 1
}

// over returns what a claim by owner writes over a record, with at most so many unfinished claims before it.
func (c *Claims) over(held store.Record, owner string, most int) (next content, err error) {
	if held.Version != 0 {
		next, err = decode(held.Data)
	}
	if err == nil {
		next, err = c.successor(next, owner)
	}
	if err == nil && next.State == Claimed && next.Unfinished > most {
		err = ErrUnfinished
	}
	return next, err
}

// successor returns what a claim by owner writes over what is held.
func (c *Claims) successor(held content, owner string) (content, error) {
	now := time.Now()
	switch held.State {
	case Completed:
		return held, ErrCompleted
	case Dead:
		return held, fault.New(fault.Permanent, held.Reason, errors.New("given up before"))
	case Claimed:
		if left := held.End.Sub(now); left > 0 {
			return held, &fault.Error{Kind: fault.Retryable, Code: CodeHeld, Wait: left}
		}
		held.Unfinished = held.unfinished()
	default: // Open or Absent
	}
	held.Owner, held.Advanced = owner, false
	if held.Unfinished >= MaxUnfinished {
		held.State, held.End, held.Reason = Dead, time.Time{}, CodeCrashed
		return held, nil
	}
	held.State, held.End = Claimed, now.Add(c.lease).UTC()
	held.Attempt++
	return held, nil
}

// newClaim returns the claim that was written, or the fault that its work died of.
func newClaim(record store.Record, wrote content) (*Claim, error) {
	if wrote.State == Dead {
		return nil, fault.New(fault.Permanent, CodeCrashed, fmt.Errorf("%d claims ended without a word", wrote.Unfinished))
	}
	progress := maps.Clone(wrote.Progress)
	if progress == nil {
		progress = map[string]map[string]string{}
	}
	return &Claim{
		Key: record.Key, Progress: progress, Unfinished: wrote.Unfinished, Generation: wrote.Generation, FailingSince: wrote.Failing,
		Attempt: wrote.Attempt, version: record.Version, held: wrote,
	}, nil
}

// update writes what becomes of a claim that is held, with its Progress.
func (c *Claims) update(ctx context.Context, claim *Claim, next content) error {
	return c.updateAll(ctx, []*Claim{claim}, []content{next})[0]
}

func (c *Claims) updateAll(ctx context.Context, claims []*Claim, nexts []content, beside ...store.Change) []error {
	errs := make([]error, len(claims))
	var changes []store.Change
	var at []int
	for i, claim := range claims {
		nexts[i].Progress, nexts[i].Failing, nexts[i].Attempt = claim.Progress, claim.FailingSince, claim.Attempt
		if nexts[i].State == Completed { // the claim goes on failing until that is written
			nexts[i].Failing = time.Time{}
		}
		change, err := changeTo(claim.Key, claim.version, nexts[i])
		if errs[i] = err; err == nil {
			changes, at = append(changes, change), append(at, i)
		}
	}
	for k, outcome := range c.write(ctx, append(changes, beside...))[:len(changes)] {
		i := at[k]
		if errs[i] = outcome.Err; conflicts(outcome.Err) {
			errs[i] = fault.New(fault.Retryable, CodeLost, outcome.Err)
		}
		if errs[i] == nil {
			nexts[i].Progress = nil // Progress is the claim's to change
			claims[i].version, claims[i].held, claims[i].FailingSince = outcome.Version, nexts[i], nexts[i].Failing
		}
	}
	return errs
}

// changeTo returns the change that puts next over version.
func changeTo(key store.Key, version int64, next content) (store.Change, error) {
	data, err := next.encode()
	return store.Change{Record: store.Record{Key: key, Version: version, Expires: time.Now().Add(next.retention()), Data: data}}, err
}

// write makes changes. One whose reply was lost is tried once more, and one that meets itself was made: the owner is in the
// data and is never used twice, so that nobody else can have written the same bytes over the same version.
func (c *Claims) write(ctx context.Context, changes []store.Change) []store.Outcome {
	outcomes := store.WriteEach(ctx, c.store, changes)
	var again []store.Change
	var at []int
	for i, o := range outcomes {
		if o.Err != nil && !conflicts(o.Err) && fault.Of(o.Err).Kind == fault.Retryable && ctx.Err() == nil {
			again, at = append(again, changes[i]), append(at, i)
		}
	}
	for k, o := range store.WriteEach(ctx, c.store, again) {
		outcomes[at[k]] = o
	}
	for i, o := range outcomes {
		conflict, ok := errors.AsType[*store.ConflictError](o.Err)
		if ok && conflict.Held.Version == changes[i].Version+1 && bytes.Equal(conflict.Held.Data, changes[i].Data) {
			outcomes[i] = store.Outcome{Record: conflict.Held}
		}
	}
	return outcomes
}

func conflicts(err error) bool {
	_, ok := errors.AsType[*store.ConflictError](err)
	return ok
}
