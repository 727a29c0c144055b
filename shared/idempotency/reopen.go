package idempotency

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// CodeContended is the code of a record that others keep changing; Retryable.
const CodeContended = "claim_contended"

// generationRetention is how long a partition's generation is kept after its last redrive: longer than any dead letter.
const generationRetention = 180 * 24 * time.Hour

// retentionUnfinished is how long a claim is kept that was not completed: as long as its work can be redriven, so that what it
// achieved is not repeated.
const retentionUnfinished = 95 * 24 * time.Hour

// retention returns how long a record is kept.
func (c *content) retention() time.Duration {
	if c.State == Completed {
		return Retention
	}
	return retentionUnfinished
}

// ReopenStore is what a Reopener needs of a store.
type ReopenStore interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Reopener makes work possible again that was given up: what a redrive does before it sends a message again. Progress is
// always kept, so that no step that was checkpointed is repeated. It is safe for concurrent use.
type Reopener struct{ store ReopenStore }

// NewReopener returns a Reopener of the claims in s.
func NewReopener(s ReopenStore) *Reopener { return &Reopener{s} }

// NextGeneration counts and returns the next generation of a partition: one more than any before and than least. All that is
// sent again about an event has its generation from here, so that no two messages of a redrive ever have one deduplication id,
// whatever the stages they start from.
func (r *Reopener) NextGeneration(ctx context.Context, partition string, least int) (int, error) {
	key := store.Key{Partition: partition, Sort: "generation"}
	for range 5 {
		held, err := r.store.Get(ctx, key)
		if err != nil {
			return 0, err
		}
		next := max(held[0].Number, int64(least)) + 1
		_, err = r.store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
			Key: key, Version: held[0].Version, Number: next, Expires: time.Now().Add(generationRetention),
		}})
		if err == nil || !conflicts(err) {
			return int(next), err
		}
	}
	return 0, fault.New(fault.Retryable, CodeContended, nil)
}

// State returns how the work of a claim stands, and changes nothing.
func (r *Reopener) State(ctx context.Context, key store.Key) (State, error) {
	_, _, state, err := r.read(ctx, key)
	return state, err
}

// Reopen makes the work of a claim possible again under a generation, with its progress and with none of its unfinished
// claims. It returns how the work stood: what is Completed stays so, what is Claimed is its holder's, and neither is touched.
func (r *Reopener) Reopen(ctx context.Context, key store.Key, generation int) (State, error) {
	return r.reopen(ctx, key, generation, func(s State) bool { return s == Dead || s == Open })
}

// ReopenRoute makes an event's routing possible again under a generation: the router's own claim, which only counts crashes, also
// when it is completed, for the router sends the decision it recorded; and each delivery's claim that is dead.
func (r *Reopener) ReopenRoute(ctx context.Context, partition string, generation int) (State, error) {
	state, err := r.reopen(ctx, store.Key{Partition: partition, Sort: RouteClaim}, generation, func(s State) bool { return s != Claimed })
	if err != nil || state == Claimed {
		return state, err
	}
	page, more, err := r.store.List(ctx, store.Range{Partition: partition, Prefix: DeliveryClaims})
	if err != nil {
		return state, err
	}
	if more { // a tenant has a handful of CRMs
		return state, fault.New(fault.Permanent, CodeInvalid, errors.New("an event has more claims than can be"))
	}
	for _, record := range page {
		if strings.Count(record.Sort, "/") > 1 {
			continue // belongs to a claim and is none
		}
		if _, err := r.reopen(ctx, record.Key, generation, func(s State) bool { return s == Dead }); err != nil {
			return state, err
		}
	}
	return state, nil
}

// Where the claims on an event are, in its partition.
const (
	RouteClaim     = "claim/route"
	DeliveryClaims = "delivery/" // followed by the CRM
)

// reopen reopens a claim whose state is wanted.
func (r *Reopener) reopen(ctx context.Context, key store.Key, generation int, wanted func(State) bool) (State, error) {
	for range 5 {
		held, next, state, err := r.read(ctx, key)
		if err != nil || state == Absent || !wanted(state) {
			return state, err
		}
		next.State, next.Owner, next.End, next.Unfinished, next.Advanced = Open, rand.Text(), time.Time{}, 0, false
		next.Generation, next.Reason, next.Failing, next.Attempt = max(next.Generation, generation), "", time.Time{}, 0
		data, err := next.encode()
		if err != nil {
			return state, err
		}
		_, err = r.store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
			Key: key, Version: held.Version, Number: held.Number, Expires: time.Now().Add(next.retention()), Data: data,
		}})
		if err == nil || !conflicts(err) {
			return state, err
		}
	}
	return Absent, fault.New(fault.Retryable, CodeContended, nil)
}

func (r *Reopener) read(ctx context.Context, key store.Key) (held store.Record, c content, state State, err error) {
	records, err := r.store.Get(ctx, key)
	if err != nil {
		return held, c, Absent, err
	}
	if held = records[0]; held.Version == 0 {
		return held, c, Absent, nil
	}
	if c, err = decode(held.Data); err != nil {
		return held, c, Absent, err
	}
	if state = c.State; state == Claimed && time.Until(c.End) <= 0 {
		state = Open
	}
	return held, c, state, nil
}
