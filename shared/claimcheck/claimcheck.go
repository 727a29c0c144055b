// Package claimcheck keeps apart what is too large for a queue or a record. In its place is sealed where it is, and the one key that opens it and
// nothing else. Whoever seals and opens with a Sealer in the place of a keyring.Ring knows nothing of it.
package claimcheck

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/objects"
	"signalbox/shared/queue"
)

// Most is how much is sealed as it is, in bytes.
const Most = queue.MaxBody

// The codes of the faults of this package, all permanent; what the ring and the objects return keeps its own.
const (
	CodeGone    = "large_content_gone"    // what was kept apart is there no more
	CodeAltered = "large_content_altered" // what is there is not what was kept
)

// prefix is what the names of objects begin with: they end later than other objects of their bucket.
const prefix = "large/"

// Ring seals and opens; *keyring.Ring is one.
type Ring interface {
	SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error)
	SealPerson(ctx context.Context, at keyring.Place, person string, plain []byte) ([]byte, error)
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// Objects keeps what is large; every objects.Store does.
type Objects interface {
	Put(ctx context.Context, name string, data []byte) error
	Get(ctx context.Context, name string) ([]byte, error)
}

// Sealer seals and opens like its ring. It is safe for concurrent use.
type Sealer struct {
	ring    Ring
	objects Objects
}

// New returns a Sealer.
func New(r Ring, o Objects) *Sealer { return &Sealer{r, o} }

// SealTenant seals under a tenant's key.
func (s *Sealer) SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error) {
	plain, err := s.check(ctx, at, plain)
	if err != nil {
		return nil, err
	}
	return s.ring.SealTenant(ctx, at, plain)
}

// SealPerson seals under a person's key.
func (s *Sealer) SealPerson(ctx context.Context, at keyring.Place, person string, plain []byte) ([]byte, error) {
	plain, err := s.check(ctx, at, plain)
	if err != nil {
		return nil, err
	}
	return s.ring.SealPerson(ctx, at, person, plain)
}

// Open opens what was sealed for a place.
func (s *Sealer) Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error) {
	plain, err := s.ring.Open(ctx, at, sealed)
	if err != nil || !bytes.HasPrefix(plain, []byte(mark)) {
		return plain, err
	}
	return s.fetch(ctx, plain)
}

// version stands where an event has its schema version: a build from before takes what it opens for the event of a newer writer that is being
// rolled out, and waits.
const version = 1002

// mark is what a ticket begins with, and nothing else that is sealed here: what a stranger wrote so is kept apart itself.
const mark = `{"schemaVersion":1002,"apart":{"object":"large/`

// ticket is what is sealed in the place of what is kept apart. Its key opens nothing else and is nowhere else: where the ticket is gone, or
// cannot be opened, what it is for is not to be read.
type ticket struct {
	Version int `json:"schemaVersion"`
	Apart   struct {
		Object string `json:"object"` // ends with the digest of its bytes, so that nothing ever overwrites anything
		Key    []byte `json:"key"`
	} `json:"apart"`
}

// check returns what is to be sealed for plain: itself, or the ticket for it.
func (s *Sealer) check(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error) {
	if len(plain) <= Most && !bytes.HasPrefix(plain, []byte(mark)) {
		return plain, nil
	}
	t := ticket{Version: version}
	t.Apart.Key = make([]byte, 32)
	_, _ = rand.Read(t.Apart.Key) // never fails
	box, err := boxOf(t.Apart.Key)
	if err != nil {
		return nil, err
	}
	data := box.Seal(nil, nil, plain, nil) //nolint:gosec // it makes a random nonce of its own
	digest := sha256.Sum256(data)
	t.Apart.Object = prefix + at.Tenant + "/" + at.Purpose + "/" + hex.EncodeToString(digest[:])
	if err := s.objects.Put(ctx, t.Apart.Object, data); err != nil {
		return nil, err
	}
	out, _ := json.Marshal(t) // of a number, a text and bytes
	return out, nil
}

// fetch returns what a ticket is for.
func (s *Sealer) fetch(ctx context.Context, plain []byte) ([]byte, error) {
	var t ticket
	if err := json.Unmarshal(plain, &t); err != nil {
		return nil, altered()
	}
	data, err := s.objects.Get(ctx, t.Apart.Object)
	if fault.Is(err, objects.CodeAbsent) {
		return nil, fault.New(fault.Permanent, CodeGone, errGone)
	}
	if err != nil {
		return nil, err
	}
	box, err := boxOf(t.Apart.Key)
	if err != nil {
		return nil, err
	}
	if data, err = box.Open(data[:0], nil, data, nil); err != nil {
		return nil, altered()
	}
	return data, nil
}

// boxOf returns what seals and opens with a key.
func boxOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, altered()
	}
	return cipher.NewGCMWithRandomNonce(block)
}

var errGone = errors.New("the object that held it is not in the bucket any more: ask the provider for the message again (make backfill), " +
	"and see whether the bucket's lifecycle or a person removed it")

func altered() error { return fault.New(fault.Permanent, CodeAltered, nil) }
