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
func newClaim(key store.Key, version int64, wrote content) (*Claim, error) {
	if wrote.State == Dead {
		return nil, fault.New(fault.Permanent, CodeCrashed, fmt.Errorf("%d claims ended without a word", wrote.Unfinished))
	}
	progress := maps.Clone(wrote.Progress)
	if progress == nil {
		progress = map[string]map[string]string{}
	}
	return &Claim{
		Key: key, Progress: progress, Unfinished: wrote.Unfinished, Generation: wrote.Generation, FailingSince: wrote.Failing,
		Attempt: wrote.Attempt, version: version, held: wrote,
	}, nil
}

// update writes what becomes of a claim that is held, with its Progress.
func (c *Claims) update(ctx context.Context, claim *Claim, next content) error {
	next.Progress, next.Failing, next.Attempt = claim.Progress, claim.FailingSince, claim.Attempt
	record, err := c.write(ctx, claim.Key, claim.version, next)
	if _, lost := errors.AsType[*store.ConflictError](err); lost {
		return fault.New(fault.Retryable, CodeLost, err)
	}
	if err != nil {
		return err
	}
	next.Progress = nil // Progress is the claim's to change
	claim.version, claim.held = record.Version, next
	return nil
}

// write puts next over version. A write whose reply was lost is tried once more, and a write that meets itself was done:
// the owner is in the data and is never used twice, so that nobody else can have written the same bytes over the same version.
func (c *Claims) write(ctx context.Context, key store.Key, version int64, next content) (store.Record, error) {
	data, err := next.encode()
	if err != nil {
		return store.Record{}, err
	}
	change := store.Change{Kind: store.Put, Record: store.Record{Key: key, Version: version, Expires: time.Now().Add(next.retention()), Data: data}}
	records, err := c.store.Write(ctx, change)
	if err != nil && !conflicts(err) && fault.Of(err).Kind == fault.Retryable && ctx.Err() == nil {
		records, err = c.store.Write(ctx, change)
	}
	if err == nil {
		return records[0], nil
	}
	if conflict, ok := errors.AsType[*store.ConflictError](err); ok && conflict.Held.Version == version+1 && bytes.Equal(conflict.Held.Data, data) {
		return conflict.Held, nil
	}
	return store.Record{}, err
}

func conflicts(err error) bool {
	_, ok := errors.AsType[*store.ConflictError](err)
	return ok
}
