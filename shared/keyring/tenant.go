package keyring

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// month counts from January of the year 0: two bytes hold it until the year 5461.
type month uint16

func monthOf(at time.Time) month {
	at = at.UTC()
	return month(at.Year()*12 + int(at.Month()) - 1) //nolint:gosec // of a clock's year
}

// String returns it as "2026-01".
func (m month) String() string { return fmt.Sprintf("%04d-%02d", m/12, m%12+1) }

// monthID is one tenant's key of one month.
type monthID struct {
	tenant string
	month  month
}

// key returns where the wrapped key is kept.
func (id monthID) key() store.Key {
	return store.Key{Partition: id.tenant + "/keys", Sort: id.month.String()}
}

// binding returns what a tenant's key is wrapped for. It shows in the key service's audit log and says nothing private.
func (id monthID) binding() Binding {
	return Binding{Tenant: id.tenant, Purpose: "data " + id.month.String()}
}

type tenantKey struct {
	month month
	aead  cipher.AEAD
}

// tenantKey returns a tenant's key of a month, unwrapped once a process. Only who seals makes one: the record is written on
// condition that there is none, so that all processes of a month share the first.
func (r *Ring) tenantKey(ctx context.Context, id monthID, may bool) (tenantKey, error) {
	if id.tenant == "" {
		return tenantKey{}, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	for {
		key, err := r.tenants.Get(ctx, id, func(ctx context.Context, id monthID, _ tenantKey) (tenantKey, error) {
			held, err := r.Tenants.Get(ctx, id.key())
			switch {
			case err != nil:
				return tenantKey{}, err
			case held[0].Version > 0:
				return r.unwrap(ctx, id, held[0].Data)
			case !may:
				return tenantKey{}, fault.New(fault.Blocked, CodeMonth, nil)
			}
			return r.makeTenantKey(ctx, id)
		})
		if !may || !fault.Is(err, CodeMonth) { // else one who may not make it was waited for
			return key, err
		}
	}
}

// makeTenantKey makes the month's key, or takes that of who was faster.
func (r *Ring) makeTenantKey(ctx context.Context, id monthID) (tenantKey, error) {
	plain, wrapped, err := r.Keys.New(ctx, id.binding())
	if err != nil {
		return tenantKey{}, err
	}
	defer wipe(plain)
	_, err = r.Tenants.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: id.key(), Data: wrapped}})
	if conflict, lost := errors.AsType[*store.ConflictError](err); lost {
		return r.unwrap(ctx, id, conflict.Held.Data)
	}
	if err != nil {
		return tenantKey{}, err
	}
	aead, err := newAEAD(plain)
	return tenantKey{id.month, aead}, err
}

func (r *Ring) unwrap(ctx context.Context, id monthID, wrapped []byte) (tenantKey, error) {
	plain, err := r.Keys.Open(ctx, id.binding(), wrapped)
	if sorted := fault.Of(err); sorted != nil {
		if sorted.Kind == fault.Permanent { // nothing is wrong with the message
			return tenantKey{}, fault.New(fault.Blocked, CodeKeyInvalid, err)
		}
		return tenantKey{}, err
	}
	defer wipe(plain)
	aead, err := newAEAD(plain)
	return tenantKey{id.month, aead}, err
}

func newAEAD(plain []byte) (cipher.AEAD, error) {
	if len(plain) != keyLength {
		return nil, fault.New(fault.Blocked, CodeKeyInvalid, errRecord)
	}
	block, err := aes.NewCipher(plain)
	if err != nil {
		return nil, fault.New(fault.Blocked, CodeKeyInvalid, errRecord)
	}
	return cipher.NewGCM(block)
}
