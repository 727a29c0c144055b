// Package memkeys wraps data keys under a master key in memory, with the promises and failures of the key service: for tests
// and the local cloud.
package memkeys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io"
	"strconv"
	"sync"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
)

// The codes of the faults, as the production keys have them.
const (
	CodeUnusable = "keys_unusable"
	CodeMismatch = "keys_mismatch"
)

// The causes.
var (
	ErrDisabled = errors.New("memkeys: the key is disabled")
	ErrMismatch = errors.New("memkeys: not a wrapped key, or one of another binding")
)

// KeySize is the length of a plain key.
const KeySize = 32

// maxRotations is what the first byte of a wrapped key can tell apart.
const maxRotations = 256

// Keys is a keyring.Keys under one master key with its rotations. It is safe for concurrent use.
type Keys struct {
	random io.Reader

	mu       sync.Mutex
	masters  []cipher.AEAD // the last one wraps
	disabled bool
}

var _ keyring.Keys = (*Keys)(nil)

// New returns Keys with a master key of their own, from crypto/rand.
func New() *Keys { return From(rand.Reader) }

// From is New with a source of randomness of its own. It panics when the source fails: a test's is broken then.
func From(random io.Reader) *Keys {
	k := &Keys{random: random}
	k.Rotate()
	return k
}

// Rotate makes a new master key; what older ones wrapped still opens.
func (k *Keys) Rotate() {
	master := make([]byte, KeySize)
	if _, err := io.ReadFull(k.random, master); err != nil {
		panic(err)
	}
	aead, err := newAEAD(master)
	if err != nil {
		panic(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.masters) == maxRotations {
		panic("memkeys: rotated too often")
	}
	k.masters = append(k.masters, aead)
}

// SetDisabled makes every call fail, or work again.
func (k *Keys) SetDisabled(disabled bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.disabled = disabled
}

// New makes a data key of 32 bytes.
func (k *Keys) New(ctx context.Context, b keyring.Binding) (plain, wrapped []byte, err error) {
	masters, err := k.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	master := masters[len(masters)-1]
	random := make([]byte, KeySize+master.NonceSize())
	if _, err := io.ReadFull(k.random, random); err != nil {
		return nil, nil, fault.New(fault.Retryable, "keys_failed", err)
	}
	plain, nonce := random[:KeySize:KeySize], random[KeySize:]
	wrapped = append([]byte{byte(len(masters) - 1)}, nonce...) //nolint:gosec // Rotate keeps it within a byte
	return plain, master.Seal(wrapped, nonce, plain, authenticated(b)), nil
}

// Open unwraps a data key under the binding it was made for.
func (k *Keys) Open(ctx context.Context, b keyring.Binding, wrapped []byte) ([]byte, error) {
	masters, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	mismatch := fault.New(fault.Permanent, CodeMismatch, ErrMismatch)
	if len(wrapped) == 0 || int(wrapped[0]) >= len(masters) {
		return nil, mismatch
	}
	master := masters[wrapped[0]]
	if len(wrapped) < 1+master.NonceSize() {
		return nil, mismatch
	}
	nonce, sealed := wrapped[1:1+master.NonceSize()], wrapped[1+master.NonceSize():]
	plain, err := master.Open(nil, nonce, sealed, authenticated(b))
	if err != nil {
		return nil, mismatch
	}
	return plain, nil
}

func (k *Keys) begin(ctx context.Context) ([]cipher.AEAD, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New(fault.Retryable, "keys_failed", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.disabled {
		return nil, fault.New(fault.Blocked, CodeUnusable, ErrDisabled)
	}
	return k.masters, nil
}

// authenticated returns bytes that differ for any two bindings.
func authenticated(b keyring.Binding) []byte {
	return []byte(strconv.Quote(b.Tenant) + strconv.Quote(b.Purpose))
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
