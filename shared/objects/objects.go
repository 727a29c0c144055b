// Package objects keeps what is too large for a record of a store: files that people sent. What is kept is opaque here and sealed by whoever
// keeps it; names hold nothing personal.
package objects

import (
	"context"
	"errors"
	"fmt"

	"signalbox/shared/fault"
)

// Bounds of the port.
const (
	MaxName = 1024     // bytes of a name
	MaxData = 32 << 20 // bytes of an object
)

// The codes of the faults that every implementation has.
const (
	CodeAbsent  = "object_absent"   // permanent: there is no object of this name
	CodeMisused = "objects_misused" // permanent: the call breaks a bound of the port
)

// Store is the whole port, for implementations and their conformance suite. A user declares the methods it calls.
type Store interface {
	// Put keeps data under a name, in the place of what was kept there. What is read from then on is that, whole.
	Put(ctx context.Context, name string, data []byte) error
	// Get returns what is kept under a name; a fault with CodeAbsent if there is nothing.
	Get(ctx context.Context, name string) ([]byte, error)
}

// Absent returns the fault of a name under which there is nothing.
func Absent() error { return fault.New(fault.Permanent, CodeAbsent, nil) }

// errLarge and errName say which bound a call breaks.
var (
	errLarge = fmt.Errorf("an object of more than %d bytes", MaxData)
	errName  = errors.New("a name is parts of letters, digits, '_', '-' and '.', with slashes between them")
)

// Validate returns a permanent fault for what no store takes. Every implementation calls it first, so that a test on the memory store
// meets what production would refuse.
func Validate(name string, data []byte) error {
	switch {
	case len(data) > MaxData:
		return fault.New(fault.Permanent, CodeMisused, errLarge)
	case !isName(name):
		return fault.New(fault.Permanent, CodeMisused, errName)
	}
	return nil
}

// isName reports whether a name is one that needs no escaping in a URL and leads nowhere else. A part of dots alone would.
func isName(name string) bool {
	dots := true // the part so far
	for i := range len(name) {
		switch b := name[i]; {
		case b == '/' && dots:
			return false
		case b == '/':
			dots = true
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '_', b == '-':
			dots = false
		case b != '.':
			return false
		}
	}
	return !dots && len(name) <= MaxName
}
