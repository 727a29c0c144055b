package connector

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// A gate of a tenant's CRM is closed while nothing goes through for a reason that is the tenant's or the CRM's: its deliveries are parked,
// in order, outside the queue that all tenants share. Each shard of threads has a gate of its own, a record that is there only while it
// is closed and whose Number is how many deliveries are parked behind it. Beside them there is one record a tenant and CRM, in a partition
// of the CRM's kind, which says why and is the lease of whoever drains. It comes with the first gate and goes once all are open and nothing is left to be shown of what receipts told
// meanwhile; its Number is how many messages that is.
const gateShards = 4

// The codes of faults of gates' own records.
const (
	codeMalformed = "gate_malformed" // a record that no gate wrote; Permanent
	codeContended = "gate_contended" // several processes write at once; Retryable
)

// gateShard returns which shard a thread is in.
func gateShard(group string) string { return strconv.Itoa(spool.Shard(group, gateShards)) }

// gateKey returns where the gate of a shard is.
func gateKey(of BindingKey, shard string) store.Key {
	return store.Key{Partition: of.Tenant + "/gate/" + of.CRM, Sort: shard}
}

// gateKeys returns where the gates of all shards are.
func gateKeys(of BindingKey) []store.Key {
	keys := make([]store.Key, gateShards)
	for i := range keys {
		keys[i] = gateKey(of, strconv.Itoa(i))
	}
	return keys
}

// closedPartition returns the partition of what is known of closed gates to CRMs of a kind: no tenant's, whose begin with an id and a slash.
func closedPartition(kind string) string { return "gates:" + kind }

func closedKey(kind string, of BindingKey) store.Key {
	return store.Key{Partition: closedPartition(kind), Sort: of.Tenant + "/" + of.CRM}
}

// closure is what is known of the closed gates of a tenant's CRM.
type closure struct {
	Kind      string    `json:"kind"` // of the fault that closed them, or that the last probe met
	Code      string    `json:"code"`
	Advice    string    `json:"advice,omitempty"`
	Since     time.Time `json:"since"`
	Probe     time.Time `json:"probe"`               // from when on the CRM is tried again
	Tries     int       `json:"tries,omitempty"`     // probes in a row that failed
	Answers   time.Time `json:"answers,omitzero"`    // since when the CRM takes deliveries again; zero while it takes none
	Delivered int       `json:"delivered,omitempty"` // of what was parked
	Job       *job      `json:"job,omitempty"`       // that writes what is of a history
	Owner     string    `json:"owner,omitempty"`     // who drains
	End       time.Time `json:"end,omitzero"`        // of that one's lease: data, for versions go on

	Unknown unknown.Members `json:"-"`
}

// doublings is how often the wait between two tries of a closed gate doubles, at most, before it is the longest.
const doublings = 4

// block notes why nothing goes through, and when the next try is due.
func (c *closure) block(f *fault.Error, advice string, longest time.Duration) {
	c.Kind, c.Code, c.Advice, c.Answers = f.Kind.String(), f.Code, advice, time.Time{}
	asked := time.Duration(0)
	if f.Kind == fault.Throttled || f.Kind == fault.Blocked { // a day that is spent says for how long, too
		asked = f.Wait
	}
	c.postpone(asked, longest)
}

// postpone puts the next try off: by what the CRM asked for, and else by more each time, up to longest.
func (c *closure) postpone(asked, longest time.Duration) {
	wait := longest
	if c.Tries < doublings {
		wait = longest / (1<<doublings - 1) << c.Tries
	}
	if asked > 0 {
		wait = asked
	}
	c.Probe = time.Now().Add(wait).UTC()
	c.Tries++
}

// readClosure returns what a record holds, and whose gates it is about.
func readClosure(r store.Record) (of BindingKey, c closure, err error) {
	ok := false
	of.Tenant, of.CRM, ok = strings.Cut(r.Sort, "/")
	if c.Unknown, err = unknown.Unmarshal(r.Data, &c); err != nil || !ok {
		return of, c, fault.New(fault.Permanent, codeMalformed, errors.New("the record of a closed gate is unreadable"))
	}
	return of, c, nil
}

// change returns what writes c over its record.
func (c closure) change(held store.Record) (store.Change, error) {
	data, err := unknown.Marshal(c, c.Unknown)
	if err != nil {
		return store.Change{}, fault.New(fault.Permanent, codeMalformed, nil)
	}
	return store.Change{Record: store.Record{Key: held.Key, Version: held.Version, Number: held.Number, Data: data}}, nil
}

// parkedKey returns where a message is parked. The order is that of the queue.
func parkedKey(of BindingKey, shard, sequence, id string) store.Key {
	if short := 20 - len(sequence); short > 0 {
		sequence = strings.Repeat("0", short) + sequence
	}
	return store.Key{Partition: parkedPartition(of, shard), Sort: sequence + "/" + id}
}

// receiptsShard is where the messages wait whose status is to be shown.
const receiptsShard = "receipts"

func parkedPartition(of BindingKey, shard string) string {
	return of.Tenant + "/pending/" + of.CRM + "/" + shard
}

// parked is a message as it was received, sealed.
type parked struct {
	ID       string    `json:"id"`
	Group    string    `json:"group"`
	Sequence string    `json:"sequence"`
	Trace    string    `json:"trace,omitempty"`
	Attempt  int       `json:"attempt,omitempty"`
	First    time.Time `json:"first"`
	Next     time.Time `json:"next,omitzero"` // it failed by itself, and is not tried again before
	Body     string    `json:"body"`          // text, for a sealed body is: base64 upon base64 would not fit a record
}

func readParked(r store.Record) (p parked, err error) {
	if json.Unmarshal(r.Data, &p) != nil || p.ID == "" || p.Group == "" {
		return p, fault.New(fault.Permanent, codeMalformed, errors.New("a parked delivery is unreadable"))
	}
	return p, nil
}

// Unanswered reports whether a fault of a CRM of a kind says that it did not answer: no connection, no reply in time, an error of its own. They are
// the codes that API and ByStatus give.
func Unanswered(kind string, f *fault.Error) bool {
	if f == nil || f.Kind != fault.Retryable {
		return false
	}
	word, ok := strings.CutPrefix(f.Code, kind+"_")
	return ok && (word == "timeout" || word == "unreachable" || word == "unavailable" || word == "reply_undecodable" || word == "reply_too_large")
}

// parkAfter is the longest wait that a CRM may ask for until its deliveries are parked.
const parkAfter = time.Minute

// blocks returns the fault of the work on a message that by itself closes a gate, nil for any other error: one that the CRM, or what is configured for it,
// is to blame for. A fault of ours, of a key or a store, closes none, for the message never came to the CRM.
func blocks(kind string, err error) *fault.Error {
	if _, worked := errors.AsType[*queue.FailingError](err); !worked || !OfCRM(kind, err) {
		return nil
	}
	f := fault.Of(err)
	asks := f.Wait > parkAfter && (f.Kind == fault.Throttled || Unanswered(kind, f))
	if f.Kind == fault.Blocked || asks || errors.Is(err, errHangs) {
		return f
	}
	return nil
}

// insist calls write until it succeeds, the reason is not one that passes, or the time is over. What several processes write at once is
// tried again after a while, each after its own.
func insist(ctx context.Context, write func(ctx context.Context) error) error {
	for most := 20 * time.Millisecond; ; most = min(2*most, 320*time.Millisecond) {
		err := write(ctx)
		if err == nil || ctx.Err() != nil || fault.Of(err).Kind != fault.Retryable && fault.Of(err).Kind != fault.Throttled {
			return err
		}
		wait := rand.N(most) //nolint:gosec // it spreads tries; nobody gains by guessing it
		if Wait(ctx, wait) != nil {
			return err
		}
	}
}

// conflictOf returns the conflict that err is.
func conflictOf(err error) (*store.ConflictError, bool) {
	return errors.AsType[*store.ConflictError](err)
}
