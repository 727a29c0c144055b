package keyringtest

import (
	"bytes"
	"testing"
	"testing/synctest"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
)

// Harness is one implementation with a key of its own.
type Harness struct {
	Keys    keyring.Keys
	Disable func(disabled bool) // the master key
	Rotate  func()              // the master key
}

// Run holds a keyring.Keys to every sentence, each with a harness of its own in a synctest bubble.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for sentence, test := range promises() {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

// RunReal holds keys outside this process to every sentence that skips does not name, and prints each skip with its reason.
func RunReal(t *testing.T, open func(t *testing.T) Harness, skips map[string]string) {
	t.Helper()
	for sentence, test := range promises() {
		t.Run(sentence, func(t *testing.T) {
			if reason, ok := skips[sentence]; ok {
				t.Skip("skipped: " + reason)
			}
			test(t, open(t))
		})
	}
}

func binding() keyring.Binding { return keyring.Binding{Tenant: "demo", Purpose: "credentials"} }

func promises() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"a key has 32 bytes and opens under its binding, again and again": func(t *testing.T, h Harness) {
			plain, wrapped := made(t, h, binding())
			if len(plain) != 32 {
				t.Errorf("the key has %d bytes", len(plain))
			}
			for range 2 {
				if opened := opened(t, h, binding(), wrapped); !bytes.Equal(opened, plain) {
					t.Error("another key was opened")
				}
			}
		},
		"no two keys are equal, and a wrapped one does not show its key": func(t *testing.T, h Harness) {
			one, wrapped := made(t, h, binding())
			two, other := made(t, h, binding())
			if bytes.Equal(one, two) || bytes.Equal(wrapped, other) || bytes.Contains(wrapped, one) {
				t.Error("keys are equal or visible")
			}
		},
		"a key opens under no other binding": func(t *testing.T, h Harness) {
			_, wrapped := made(t, h, binding())
			for _, other := range []keyring.Binding{
				{Tenant: "other", Purpose: "credentials"}, {Tenant: "demo", Purpose: "person"}, {Tenant: "credentials", Purpose: "demo"},
			} {
				fails(t, h, other, wrapped, fault.Permanent)
			}
		},
		"what is no wrapped key is a permanent fault": func(t *testing.T, h Harness) {
			_, wrapped := made(t, h, binding())
			flipped := bytes.Clone(wrapped)
			flipped[len(flipped)-1] ^= 1
			for _, bad := range [][]byte{nil, {}, {0}, []byte("no key at all"), wrapped[:len(wrapped)-1], flipped} {
				fails(t, h, binding(), bad, fault.Permanent)
			}
		},
		"a disabled key is a blocked fault until it is enabled": disabled,
		"what was wrapped before a rotation still opens": func(t *testing.T, h Harness) {
			plain, wrapped := made(t, h, binding())
			h.Rotate()
			after, rewrapped := made(t, h, binding())
			if !bytes.Equal(opened(t, h, binding(), wrapped), plain) || !bytes.Equal(opened(t, h, binding(), rewrapped), after) {
				t.Error("another key was opened")
			}
		},
	}
}

func disabled(t *testing.T, h Harness) {
	t.Helper()
	plain, wrapped := made(t, h, binding())
	h.Disable(true)
	fails(t, h, binding(), wrapped, fault.Blocked)
	if _, _, err := h.Keys.New(t.Context(), binding()); err == nil || fault.Of(err).Kind != fault.Blocked {
		t.Errorf("New returned %v", err)
	}
	h.Disable(false)
	if opened := opened(t, h, binding(), wrapped); !bytes.Equal(opened, plain) {
		t.Error("another key was opened")
	}
}

func made(t *testing.T, h Harness, b keyring.Binding) (plain, wrapped []byte) {
	t.Helper()
	plain, wrapped, err := h.Keys.New(t.Context(), b)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return plain, wrapped
}

func opened(t *testing.T, h Harness, b keyring.Binding, wrapped []byte) []byte {
	t.Helper()
	plain, err := h.Keys.Open(t.Context(), b, wrapped)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return plain
}

func fails(t *testing.T, h Harness, b keyring.Binding, wrapped []byte, kind fault.Kind) {
	t.Helper()
	if plain, err := h.Keys.Open(t.Context(), b, wrapped); err == nil || fault.Of(err).Kind != kind || plain != nil {
		t.Errorf("Open answered %d bytes and %v, want a %s fault", len(plain), err, kind)
	}
}
