// Package keyring has the data keys below the deployment's one master key: one a tenant and month, wrapped by the key service
// and shared by all processes as a record, and one a person, wrapped by the tenant's in a table of its own. What is sealed with
// a person's key cannot be read any more once that key is deleted. A Box seals credentials, each with its wrapped key. Nothing here
// costs a call to the key service a message: tenants' keys are unwrapped once a process, persons' keys by local computation.
package keyring

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"signalbox/shared/cache"
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// The codes of the faults of this package; what the store and the keys answer keeps its own.
const (
	CodeErased     = "person_erased"      // permanent: the person's key was deleted
	CodeMalformed  = "sealed_malformed"   // permanent: cut short, altered, or sealed for another place
	CodePerson     = "person_key_invalid" // permanent: no canonical.PersonKey
	CodeMonth      = "tenant_key_missing" // blocked: the tenant's key of that month is not there
	CodeKeyInvalid = "key_record_invalid" // blocked: a wrapped key cannot be read
)

// PersonFresh is how long a person's key is used without looking whether it was deleted. A key that was read with the
// database's eventual consistency may be a moment older; both together stay below five minutes.
const PersonFresh = 4 * time.Minute

// maxKeys is how many tenants' keys, and persons', a process holds. What makes room is read again.
const maxKeys = 4096

// Binding is authenticated with a wrapped key: it opens only under the same one.
type Binding struct{ Tenant, Purpose string }

// Keys wraps data keys: two calls, both rare (one a tenant, purpose and process start). A plain key has 32 bytes.
type Keys interface {
	New(ctx context.Context, b Binding) (plain, wrapped []byte, err error)
	Open(ctx context.Context, b Binding, wrapped []byte) (plain []byte, err error)
}

// Store is what keys are read from and written to.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Options are what a Ring works with.
type Options struct {
	Keys    Keys
	Tenants Store     // the configuration table
	Persons Store     // the table of persons' keys; nil for who seals and opens with tenants' keys alone
	Random  io.Reader // crypto/rand.Reader in production
}

// Place says what is sealed and where it belongs. It is authenticated: what was moved to another place does not open.
type Place struct {
	Tenant  string
	Purpose string // e.g. "event"
	Name    string // what tells it from others of its purpose, e.g. the event's id
}

// A sealed value begins with one byte that says under which kind of key it is. None of them begins JSON or gzip, so that
// values of earlier releases are told apart.
const (
	underTenant = 1 // then the month (2 bytes), the nonce, the ciphertext with its tag
	underPerson = 2 // then the person (32 bytes), the key's id (8 bytes), the nonce, the ciphertext with its tag

	monthLength  = 2
	personLength = 32
	idLength     = 8
	nonceLength  = 12
	tagLength    = 16
	keyLength    = 32

	tenantHeader = 1 + monthLength
	personHeader = 1 + personLength + idLength
)

// Ring seals and opens. It is safe for concurrent use.
type Ring struct {
	Options
	tenants *cache.Cache[monthID, tenantKey]
	persons *cache.Cache[personID, personKey]
}

// New returns a Ring.
func New(o Options) *Ring {
	return &Ring{
		Options: o,
		tenants: cache.New[monthID, tenantKey](cache.Policy{Most: maxKeys, Fresh: cache.Forever}),
		persons: cache.New[personID, personKey](cache.Policy{Most: maxKeys}),
	}
}

// Sealed reports whether data begins like a sealed value.
func Sealed(data []byte) bool {
	return len(data) > 0 && (data[0] == underTenant || data[0] == underPerson)
}

// SealTenant seals under the tenant's key of this month, which is made if it is the first.
func (r *Ring) SealTenant(ctx context.Context, at Place, plain []byte) ([]byte, error) {
	key, err := r.tenantKey(ctx, monthID{at.Tenant, monthOf(time.Now())}, true)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, tenantHeader+nonceLength+len(plain)+tagLength)
	out = binary.BigEndian.AppendUint16(append(out, underTenant), uint16(key.month))
	return r.seal(key.aead, out, at, plain)
}

// SealPerson seals under the key of a person (a canonical.PersonKey), which is made if it is the first.
func (r *Ring) SealPerson(ctx context.Context, at Place, person string, plain []byte) ([]byte, error) {
	id, err := identify(at.Tenant, person)
	if err != nil {
		return nil, err
	}
	key, err := r.personKey(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, personHeader+nonceLength+len(plain)+tagLength)
	out = append(append(append(out, underPerson), id.person[:]...), key.id[:]...)
	return r.seal(key.aead, out, at, plain)
}

// seal appends the nonce and the ciphertext to a header.
func (r *Ring) seal(aead cipher.AEAD, header []byte, at Place, plain []byte) ([]byte, error) {
	out := header[:len(header)+nonceLength]
	nonce := out[len(header):]
	if _, err := io.ReadFull(r.Random, nonce); err != nil {
		return nil, fault.New(fault.Retryable, "random_failed", err)
	}
	return aead.Seal(out, nonce, plain, at.authenticated(header)), nil
}

// Open opens what SealTenant or SealPerson made for the same place. It never makes a key.
func (r *Ring) Open(ctx context.Context, at Place, sealed []byte) ([]byte, error) {
	var key cipher.AEAD
	var header, rest []byte
	switch {
	case len(sealed) >= tenantHeader+nonceLength+tagLength && sealed[0] == underTenant:
		header, rest = sealed[:tenantHeader], sealed[tenantHeader:]
		held, err := r.tenantKey(ctx, monthID{at.Tenant, month(binary.BigEndian.Uint16(header[1:]))}, false)
		if err != nil {
			return nil, err
		}
		key = held.aead
	case len(sealed) >= personHeader+nonceLength+tagLength && sealed[0] == underPerson:
		header, rest = sealed[:personHeader], sealed[personHeader:]
		held, err := r.openingKey(ctx, at.Tenant, header)
		if err != nil {
			return nil, err
		}
		key = held.aead
	default:
		return nil, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	plain, err := key.Open(nil, rest[:nonceLength], rest[nonceLength:], at.authenticated(header))
	if err != nil {
		return nil, fault.New(fault.Permanent, CodeMalformed, nil)
	}
	return plain, nil
}

// openingKey returns the key that a header under a person's key names. A key that was replaced is as gone as one that was
// deleted; one that is held may be the one that was replaced, so that it is read anew before its absence is believed.
func (r *Ring) openingKey(ctx context.Context, tenant string, header []byte) (personKey, error) {
	id := personID{tenant: tenant, person: [personLength]byte(header[1:])}
	wanted := [idLength]byte(header[1+personLength:])
	if key, ok := r.persons.Held(id, PersonFresh); ok && key.id == wanted {
		return key, nil
	}
	read := time.Now()
	key, found, err := r.readPerson(ctx, id, wanted)
	if err != nil {
		return personKey{}, err
	}
	if found {
		r.persons.Put(id, key, read)
	}
	if !found || key.id != wanted {
		return personKey{}, fault.New(fault.Permanent, CodeErased, nil)
	}
	return key, nil
}

// authenticated returns a header with the place behind it, each part behind its length.
func (p Place) authenticated(header []byte) []byte {
	out := make([]byte, 0, len(header)+len(p.Tenant)+len(p.Purpose)+len(p.Name)+6)
	out = append(out, header...)
	for _, part := range []string{p.Tenant, p.Purpose, p.Name} {
		out = binary.BigEndian.AppendUint16(out, uint16(min(len(part), 1<<16-1)))
		out = append(out, part...)
	}
	return out
}

// identify checks that person is 32 bytes in hex.
func identify(tenant, person string) (personID, error) {
	raw, err := hex.DecodeString(person)
	if err != nil || len(raw) != personLength {
		return personID{}, fault.New(fault.Permanent, CodePerson, nil)
	}
	return personID{tenant, [personLength]byte(raw)}, nil
}

// errRecord is a wrapped key that cannot be read.
var errRecord = errors.New("keyring: the record holds no key")

// DeletePerson deletes a person's key: what was sealed with it can be read by nobody once PersonFresh has passed. Deleting a
// key that is not there is no error. A message of the person that is routed afterwards makes a new key.
func (r *Ring) DeletePerson(ctx context.Context, tenant, person string) error {
	id, err := identify(tenant, person)
	if err != nil {
		return err
	}
	r.persons.Drop(id)
	held, err := r.Persons.Get(ctx, id.key())
	if err != nil {
		return err
	}
	for record := held[0]; record.Version > 0; {
		_, err := r.Persons.Write(ctx, store.Change{Kind: store.Delete, Record: store.Record{Key: record.Key, Version: record.Version}})
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return err
		}
		record = conflict.Held
	}
	return nil
}

// wipe overwrites a plain key that is not needed any more.
func wipe(key []byte) { clear(slices.Clip(key)) }
