package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// How much is kept for one person on one line, and how long: what a page that was closed meanwhile still finds. The conversation itself is
// elsewhere.
const (
	outboxRetention = 24 * time.Hour
	outboxMost      = 50
	outboxBytes     = 100 << 10
	outboxAttempts  = 4 // of two who write at once, one writes again
)

// OutboxStore keeps outboxes, each a record.
type OutboxStore interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Outbox keeps what was sent to people until their pages ask for it, sealed under the tenant's key.
type Outbox struct {
	store  OutboxStore
	sealer Sealer
}

// NewOutbox returns an Outbox in s.
func NewOutbox(s OutboxStore, sealer Sealer) *Outbox { return &Outbox{s, sealer} }

// Kept is one thing that is kept.
type Kept struct {
	Number int64             `json:"number"` // grows: what is newer has a greater one
	Event  canonical.EventID `json:"event"`
	At     time.Time         `json:"at"`
	Body   json.RawMessage   `json:"body"`
}

// posted is what is to be kept, and where.
type posted struct {
	key    store.Key
	tenant string
	kept   Kept
}

// boxKey returns where what a person is sent on a line is kept.
func boxKey(line tenant.Line, person canonical.ThreadID) store.Key {
	return store.Key{Partition: line.TenantID + "/outbox/" + string(person), Sort: line.ID}
}

// keepAll keeps all of them. Keeping one again is no error.
func (b *Outbox) keepAll(ctx context.Context, all []posted) error {
	for _, l := range all {
		if err := b.keep(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// keep puts one behind the others of its box, and takes out those whose time is over and those that are too many.
func (b *Outbox) keep(ctx context.Context, l posted) error {
	held, err := b.store.Get(ctx, l.key)
	if err != nil {
		return err
	}
	for record, attempt := held[0], 0; ; attempt++ {
		all, err := b.open(ctx, l.tenant, record)
		if err != nil || slices.ContainsFunc(all, func(k Kept) bool { return k.Event == l.kept.Event }) {
			return err
		}
		change, err := b.with(ctx, record, all, l)
		if err != nil {
			return err
		}
		_, err = b.store.Write(ctx, change)
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return err
		}
		if attempt == outboxAttempts {
			return fault.New(fault.Retryable, "outbox_contended", nil)
		}
		record = conflict.Held
	}
}

// with returns the change that puts one into a box. Numbers follow the clock, so that those of a box that was emptied meanwhile are
// greater than what was in it.
func (b *Outbox) with(ctx context.Context, record store.Record, all []Kept, l posted) (store.Change, error) {
	l.kept.Number = l.kept.At.UnixMilli()
	if len(all) > 0 {
		l.kept.Number = max(l.kept.Number, all[len(all)-1].Number+1)
	}
	all = append(fresh(all, l.kept.At), l.kept)
	for len(all) > 1 && (len(all) > outboxMost || weight(all) > outboxBytes) {
		all = all[1:]
	}
	newest := l.kept.At // what was parsed again may be older than what is there
	for _, k := range all {
		if k.At.After(newest) {
			newest = k.At
		}
	}
	data, err := json.Marshal(all)
	if err == nil {
		data, err = b.sealer.SealTenant(ctx, boxPlace(l.tenant, l.key), data)
	}
	return store.Change{Kind: store.Put, Record: store.Record{Key: l.key, Version: record.Version, Expires: newest.Add(outboxRetention), Data: data}}, err
}

// after returns what of a box is newer than a number.
func (b *Outbox) after(ctx context.Context, tenant string, key store.Key, number int64) ([]Kept, error) {
	held, err := b.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	all, err := b.open(ctx, tenant, held[0])
	return slices.DeleteFunc(fresh(all, time.Now()), func(k Kept) bool { return k.Number <= number }), err
}

// open returns what is in a box. What cannot be read is gone, and the next thing begins a new one.
func (b *Outbox) open(ctx context.Context, tenant string, record store.Record) (all []Kept, err error) {
	if record.Version == 0 {
		return nil, nil
	}
	data, err := b.sealer.Open(ctx, boxPlace(tenant, record.Key), record.Data)
	if err != nil && fault.Of(err).Kind != fault.Permanent {
		return nil, err
	}
	_ = json.Unmarshal(data, &all)
	return all, nil
}

// fresh returns what is not too old at a time.
func fresh(all []Kept, at time.Time) []Kept {
	return slices.DeleteFunc(all, func(k Kept) bool { return at.Sub(k.At) >= outboxRetention })
}

func weight(all []Kept) (n int) {
	for _, k := range all {
		n += len(k.Body)
	}
	return n
}

// boxPlace returns what a box is sealed for.
func boxPlace(tenant string, key store.Key) keyring.Place {
	return keyring.Place{Tenant: tenant, Purpose: "outbox", Name: key.Partition + " " + key.Sort}
}
