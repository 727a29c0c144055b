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

// generationKept is how long a partition's generation is kept after its last redrive: longer than any dead letter.
const generationKept = 180 * 24 * time.Hour

// keptUnfinished is how long a claim is kept that was not completed: as long as its work can be redriven, so that what it
// achieved is not repeated.
const keptUnfinished = 95 * 24 * time.Hour

// kept returns how long a record is kept.
func (c *content) kept() time.Duration {
	if c.State == completed {
		return Retention
	}
	return keptUnfinished
}

// ReopenStore is what a Reopener needs of a store.
type ReopenStore interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Reopener makes work possible again that was given up: what a redrive does before it sends a message again. Progress is
// always kept, so that no step that was checkpointed is repeated. It is safe for concurrent use.
type Reopener struct {
	store ReopenStore
	owner func() string
}

// NewReopener returns a Reopener of the claims in s.
func NewReopener(s ReopenStore) *Reopener { return &Reopener{store: s, owner: rand.Text} }

// Status is what a claim says about its work.
type Status string

// The standings.
const (
	Absent    Status = "absent"    // it was never claimed, or so long ago that the claim is gone
	Open      Status = "open"      // to be had: released, or its lease is over
	Held      Status = "held"      // a worker has it now
	Completed Status = "completed" // done for good
	Dead      Status = "dead"      // given up
)

// NextGeneration takes the next generation of a partition: one more than any that was taken before and than least. All that is
// sent again about an event takes its generation here, so that no two messages of a redrive ever have one deduplication id,
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
			Key: key, Version: held[0].Version, Number: next, Expires: time.Now().Add(generationKept),
		}})
		if err == nil || !conflicts(err) {
			return int(next), err
		}
	}
	return 0, fault.New(fault.Retryable, CodeContended, nil)
}

// Status returns how the work of a claim stands, and changes nothing.
func (r *Reopener) Status(ctx context.Context, key store.Key) (Status, error) {
	_, _, standing, err := r.look(ctx, key)
	return standing, err
}

// Reopen makes the work of a claim possible again under a generation, with its progress and with none of its unfinished
// claims. It answers how the work stood: what is Completed stays so, what is Held is its holder's, and neither is touched.
func (r *Reopener) Reopen(ctx context.Context, key store.Key, generation int) (Status, error) {
	return r.change(ctx, key, generation, func(s Status) bool { return s == Dead || s == Open })
}

// ReopenRoute makes an event's routing possible again under a generation: the router's own claim, which only counts crashes, also
// when it is completed, for the router sends the decision it recorded; and each delivery's claim that is dead.
func (r *Reopener) ReopenRoute(ctx context.Context, partition string, generation int) (Status, error) {
	standing, err := r.change(ctx, store.Key{Partition: partition, Sort: RouteClaim}, generation, func(s Status) bool { return s != Held })
	if err != nil || standing == Held {
		return standing, err
	}
	page, more, err := r.store.List(ctx, store.Range{Partition: partition, Prefix: DeliveryClaims})
	if err != nil {
		return standing, err
	}
	if more { // a tenant has a handful of CRMs
		return standing, fault.New(fault.Permanent, CodeInvalid, errors.New("an event has more claims than can be"))
	}
	for _, record := range page {
		if strings.Count(record.Sort, "/") > 1 {
			continue // belongs to a claim and is none
		}
		if _, err := r.change(ctx, record.Key, generation, func(s Status) bool { return s == Dead }); err != nil {
			return standing, err
		}
	}
	return standing, nil
}

// Where the claims on an event are, in its partition.
const (
	RouteClaim     = "claim/route"
	DeliveryClaims = "delivery/" // followed by the CRM
)

// change reopens a claim if its standing is wanted.
func (r *Reopener) change(ctx context.Context, key store.Key, generation int, wanted func(Status) bool) (Status, error) {
	for range 5 {
		held, met, standing, err := r.look(ctx, key)
		if err != nil || standing == Absent || !wanted(standing) {
			return standing, err
		}
		met.State, met.Owner, met.End, met.Unfinished, met.Advanced = open, r.owner(), time.Time{}, 0, false
		met.Generation, met.Reason, met.Failing, met.Attempt = max(met.Generation, generation), "", time.Time{}, 0
		data, err := met.encode()
		if err != nil {
			return standing, err
		}
		_, err = r.store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
			Key: key, Version: held.Version, Number: held.Number, Expires: time.Now().Add(met.kept()), Data: data,
		}})
		if err == nil || !conflicts(err) {
			return standing, err
		}
	}
	return Absent, fault.New(fault.Retryable, CodeContended, nil)
}

func (r *Reopener) look(ctx context.Context, key store.Key) (held store.Record, met content, standing Status, err error) {
	records, err := r.store.Get(ctx, key)
	if err != nil {
		return held, met, Absent, err
	}
	held = records[0]
	if held.Version == 0 {
		return held, met, Absent, nil
	}
	if met, err = decode(held.Data); err != nil {
		return held, met, Absent, err
	}
	switch {
	case met.State == completed:
		standing = Completed
	case met.State == dead:
		standing = Dead
	case met.State == claimed && time.Until(met.End) > 0:
		standing = Held
	default:
		standing = Open
	}
	return held, met, standing, nil
}
