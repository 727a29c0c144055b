package keyring

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"signalbox/shared/cache"
)

// A sealed value is, in this order: the format's version (1 byte), the length of the wrapped key (2 bytes, big-endian), the
// wrapped key, the nonce (12 bytes), the ciphertext with its tag. Everything before the nonce is authenticated too.
const (
	formatVersion = 1
	headerLength  = 3
	maxWrapped    = 6144 // the largest ciphertext KMS unwraps
)

// ErrMalformed is a sealed value that is cut short, of an unknown format, or altered. The same value gives it again.
var ErrMalformed = errors.New("keyring: not a sealed value, or altered")

// Box seals small values (credentials of accounts and CRMs) with AES-256-GCM under a data key of their binding, and opens them. The
// wrapped key travels with every sealed value, so that a value can be opened wherever its key may be unwrapped; unwrapped keys are
// kept for the life of the process, so that no message pays for one. It is safe for concurrent use.
type Box struct {
	keys   Keys
	random io.Reader
	opened *cache.Cache[keyID, cipher.AEAD]
	sealed *cache.Cache[Binding, dataKey]
}

// keyID tells unwrapped keys apart. The binding is part of it: a key unwrapped for one must not open under another.
type keyID struct {
	Binding
	wrapped [sha256.Size]byte
}

func idOf(b Binding, wrapped []byte) keyID { return keyID{b, sha256.Sum256(wrapped)} }

type dataKey struct {
	wrapped []byte
	aead    cipher.AEAD
}

// NewBox returns a Box. Random gives nonces and is crypto/rand.Reader in production; who only opens may pass nil.
func NewBox(k Keys, random io.Reader) *Box {
	policy := cache.Policy{Most: maxKeys, Fresh: cache.Forever}
	return &Box{k, random, cache.New[keyID, cipher.AEAD](policy), cache.New[Binding, dataKey](policy)}
}

// Seal encrypts plain. What is sealed opens only under the same binding and with the same additional data, which says where
// the value belongs, so that a ciphertext moved to another place is refused. One data key serves a binding for the life of
// the Box, which with random nonces is safe for far more values (2^32) than a process ever seals.
func (b *Box) Seal(ctx context.Context, binding Binding, plain, additional []byte) ([]byte, error) {
	key, err := b.sealed.Get(ctx, binding, b.newKey)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, headerLength+len(key.wrapped)+nonceLength+len(plain)+tagLength)
	out = append(out, formatVersion)
	out = binary.BigEndian.AppendUint16(out, uint16(len(key.wrapped))) //nolint:gosec // newKey refuses more than maxWrapped
	out = append(out, key.wrapped...)
	header := out
	out = out[:len(out)+nonceLength]
	nonce := out[len(header):]
	if _, err := io.ReadFull(b.random, nonce); err != nil {
		return nil, fmt.Errorf("keyring: nonce: %w", err)
	}
	return key.aead.Seal(out, nonce, plain, authenticated(header, additional)), nil
}

// Open decrypts what Seal made. The error is ErrMalformed when it never will, otherwise that of the keys.
func (b *Box) Open(ctx context.Context, binding Binding, sealed, additional []byte) ([]byte, error) {
	if len(sealed) < headerLength || sealed[0] != formatVersion {
		return nil, ErrMalformed
	}
	length := int(binary.BigEndian.Uint16(sealed[1:headerLength]))
	if length == 0 || length > maxWrapped || len(sealed) < headerLength+length+nonceLength+tagLength {
		return nil, ErrMalformed
	}
	header, rest := sealed[:headerLength+length], sealed[headerLength+length:]
	wrapped := header[headerLength:]
	aead, err := b.opened.Get(ctx, idOf(binding, wrapped), func(ctx context.Context, _ keyID, _ cipher.AEAD) (cipher.AEAD, error) {
		plain, err := b.keys.Open(ctx, binding, wrapped)
		if err != nil {
			return nil, err
		}
		return newAEAD(plain)
	})
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, rest[:nonceLength], rest[nonceLength:], authenticated(header, additional))
	if err != nil {
		return nil, ErrMalformed
	}
	return plain, nil
}

// authenticated joins the two unambiguously: a header says its own length.
func authenticated(header, additional []byte) []byte {
	return append(slices.Clip(header), additional...)
}

// newKey returns a new key to seal with, which opens too.
func (b *Box) newKey(ctx context.Context, binding Binding, _ dataKey) (dataKey, error) {
	plain, wrapped, err := b.keys.New(ctx, binding)
	if err != nil {
		return dataKey{}, err
	}
	if len(wrapped) == 0 || len(wrapped) > maxWrapped {
		return dataKey{}, fmt.Errorf("keyring: a wrapped key of %d bytes", len(wrapped))
	}
	aead, err := newAEAD(plain)
	if err != nil {
		return dataKey{}, err
	}
	b.opened.Put(idOf(binding, wrapped), aead, time.Now())
	return dataKey{wrapped, aead}, nil
}
