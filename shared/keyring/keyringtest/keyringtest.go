// Package keyringtest makes the rings that tests seal with, real ones over memory, and says what every keyring.Keys does, one
// sentence a promise. There is no way to seal nothing, in a test either, so that no test can pass on text in the clear.
package keyringtest

import (
	"crypto/rand"

	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/store/memstore"
)

// New returns a ring with keys of its own.
func New() *keyring.Ring {
	return keyring.New(keyring.Options{Keys: memkeys.New(), Tenants: memstore.New(), Persons: memstore.New(), Random: rand.Reader})
}
