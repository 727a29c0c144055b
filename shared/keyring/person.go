package keyring

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// personID is one person of one tenant.
type personID struct {
	tenant string
	person [personLength]byte
}

// partition returns where a person's key is kept, alone.
func (id personID) partition() string {
	return id.tenant + "/person/" + hex.EncodeToString(id.person[:])
}

// keySort is the sort key of the one record.
const keySort = "key"

func (id personID) key() store.Key { return store.Key{Partition: id.partition(), Sort: keySort} }

// place binds a wrapped key to its person and its own id.
func (id personID) place(keyID [idLength]byte) Place {
	return Place{Tenant: id.tenant, Purpose: "person-key", Name: string(id.person[:]) + string(keyID[:])}
}

type personKey struct {
	id   [idLength]byte
	aead cipher.AEAD
}

// A record holds the format (1 byte), the key's id (8 bytes), and the key sealed under the tenant's.
const (
	recordFormat = 1
	recordHeader = 1 + idLength
)

// personKey returns the key to seal with, a new one for a person who has none.
func (r *Ring) personKey(ctx context.Context, id personID) (personKey, error) {
	return r.persons.Newer(ctx, id, PersonFresh, func(ctx context.Context, id personID, _ personKey) (personKey, error) {
		key, found, err := r.readPerson(ctx, id, [idLength]byte{})
		if err != nil || found {
			return key, err
		}
		return r.makePerson(ctx, id)
	})
}

// readPerson reads a person's key, and holds none. The first look is the cheap one of a reader that may be a moment behind; what it does not
// find, or finds to be another than the wanted one, is read consistently.
func (r *Ring) readPerson(ctx context.Context, id personID, wanted [idLength]byte) (key personKey, found bool, err error) {
	if r.Persons == nil {
		return key, false, fault.New(fault.Blocked, "person_keys_not_configured", nil)
	}
	page, _, err := r.Persons.List(ctx, store.Range{Partition: id.partition(), Prefix: keySort, Limit: 1, Stale: true})
	if err != nil {
		return key, false, err
	}
	any := wanted == [idLength]byte{}
	if len(page) == 1 && (any || recorded(page[0]) == wanted) {
		key, err = r.unwrapPerson(ctx, id, page[0])
		return key, err == nil, err
	}
	held, err := r.Persons.Get(ctx, id.key())
	if err != nil {
		return key, false, err
	}
	if held[0].Version == 0 {
		r.persons.Drop(id)
		return key, false, nil
	}
	key, err = r.unwrapPerson(ctx, id, held[0])
	return key, err == nil, err
}

// recorded returns the id of the key in a record.
func recorded(record store.Record) (id [idLength]byte) {
	if len(record.Data) >= recordHeader {
		copy(id[:], record.Data[1:])
	}
	return id
}

// unwrapPerson returns the key of a record.
func (r *Ring) unwrapPerson(ctx context.Context, id personID, record store.Record) (personKey, error) {
	if len(record.Data) <= recordHeader || record.Data[0] != recordFormat || record.Data[recordHeader] != underTenant {
		return personKey{}, fault.New(fault.Blocked, CodeKeyInvalid, errRecord)
	}
	key := personKey{id: recorded(record)}
	plain, err := r.Open(ctx, id.place(key.id), record.Data[recordHeader:])
	if sorted := fault.Of(err); sorted != nil {
		if sorted.Kind == fault.Permanent {
			return personKey{}, fault.New(fault.Blocked, CodeKeyInvalid, errRecord)
		}
		return personKey{}, err
	}
	defer wipe(plain)
	if key.aead, err = newAEAD(plain); err != nil {
		return personKey{}, err
	}
	return key, nil
}

// makePerson makes a person's key, or takes that of who was faster.
func (r *Ring) makePerson(ctx context.Context, id personID) (personKey, error) {
	random := make([]byte, idLength+keyLength)
	if _, err := io.ReadFull(r.Random, random); err != nil {
		return personKey{}, fault.New(fault.Retryable, "random_failed", err)
	}
	defer wipe(random)
	keyID := [idLength]byte(random)
	binary.BigEndian.PutUint64(keyID[:], binary.BigEndian.Uint64(keyID[:])|1) // never zero, which means any
	sealed, err := r.SealTenant(ctx, id.place(keyID), random[idLength:])
	if err != nil {
		return personKey{}, err
	}
	data := append(append([]byte{recordFormat}, keyID[:]...), sealed...)
	written, err := r.Persons.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: id.key(), Data: data}})
	record := store.Record{Data: data}
	if conflict, lost := errors.AsType[*store.ConflictError](err); lost {
		if conflict.Held.Version == 0 { // deleted meanwhile
			return personKey{}, fault.New(fault.Retryable, "person_key_contended", nil)
		}
		record, err = conflict.Held, nil
	} else if len(written) == 1 {
		record = written[0]
	}
	if err != nil {
		return personKey{}, err
	}
	return r.unwrapPerson(ctx, id, record)
}
