package keyring_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"testing"

	"signalbox/shared/keyring"
)

// numbered wraps keys by writing them down: a wrapped key is a number that stands for a plain key and its binding.
type numbered struct {
	made, opened int
	fail         error
}

func (c *numbered) plain(b keyring.Binding, wrapped []byte) []byte {
	sum := sha256.Sum256(append([]byte(b.Tenant+"/"+b.Purpose+"/"), wrapped...))
	return sum[:]
}

func (c *numbered) New(_ context.Context, b keyring.Binding) (plain, wrapped []byte, err error) {
	c.made++
	wrapped = []byte{'k', byte(c.made)}
	return c.plain(b, wrapped), wrapped, c.fail
}

func (c *numbered) Open(_ context.Context, b keyring.Binding, wrapped []byte) ([]byte, error) {
	c.opened++
	return c.plain(b, wrapped), c.fail
}

var credentials = keyring.Binding{Tenant: "demo", Purpose: "credentials"}

func sealedBox(t testing.TB) []byte {
	t.Helper()
	s, err := keyring.NewBox(&numbered{}, rand.NewChaCha8([32]byte{})).Seal(t.Context(), credentials, []byte("hunter2"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpen(t *testing.T) {
	t.Parallel()
	good := sealedBox(t)
	change := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	tests := map[string]struct {
		sealed     []byte
		binding    keyring.Binding
		additional string
		want       string
		err        error
	}{
		"what was sealed opens":                            {good, credentials, "place", "hunter2", nil},
		"under another tenant it does not":                 {good, keyring.Binding{Tenant: "other", Purpose: "credentials"}, "place", "", keyring.ErrMalformed},
		"for another purpose it does not":                  {good, keyring.Binding{Tenant: "demo", Purpose: "x"}, "place", "", keyring.ErrMalformed},
		"moved to another place it does not":               {good, credentials, "elsewhere", "", keyring.ErrMalformed},
		"of an unknown format it does not":                 {change(0), credentials, "place", "", keyring.ErrMalformed},
		"with another wrapped key it does not":             {change(3), credentials, "place", "", keyring.ErrMalformed},
		"with another nonce it does not":                   {change(5), credentials, "place", "", keyring.ErrMalformed},
		"with another ciphertext it does not":              {change(17), credentials, "place", "", keyring.ErrMalformed},
		"with another tag it does not":                     {change(len(good) - 1), credentials, "place", "", keyring.ErrMalformed},
		"cut short it does not":                            {good[:len(good)-1], credentials, "place", "", keyring.ErrMalformed},
		"nothing is not a sealed value":                    {nil, credentials, "place", "", keyring.ErrMalformed},
		"a key that says to be longer than all is refused": {[]byte{1, 255, 255, 0}, credentials, "place", "", keyring.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := keyring.NewBox(&numbered{}, nil).Open(t.Context(), tt.binding, tt.sealed, []byte(tt.additional))
			if string(got) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestKeysAreUnwrappedOnceAProcess(t *testing.T) {
	t.Parallel()
	k := &numbered{}
	writer, reader := keyring.NewBox(k, rand.NewChaCha8([32]byte{})), keyring.NewBox(k, nil)
	seen := map[string]bool{}
	for range 100 {
		s, err := writer.Seal(t.Context(), credentials, []byte("hunter2"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(s)] {
			t.Fatal("a nonce was used twice")
		}
		seen[string(s)] = true
		for _, box := range []*keyring.Box{writer, reader} {
			if _, err := box.Open(t.Context(), credentials, s, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if k.made != 1 || k.opened != 1 {
		t.Errorf("%d keys made and %d unwrapped, want one each", k.made, k.opened)
	}
}

func TestTheErrorOfTheKeysIsPassedOn(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	box := keyring.NewBox(&numbered{fail: down}, rand.NewChaCha8([32]byte{}))
	if _, err := box.Seal(t.Context(), credentials, []byte("x"), nil); !errors.Is(err, down) {
		t.Errorf("sealing: %v", err)
	}
	if _, err := box.Open(t.Context(), credentials, sealedBox(t), []byte("place")); !errors.Is(err, down) {
		t.Errorf("opening: %v", err)
	}
}

func FuzzBoxOpen(f *testing.F) {
	good := sealedBox(f)
	f.Add(good)
	f.Add([]byte{})
	f.Add([]byte{1, 0, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := keyring.NewBox(&numbered{}, nil).Open(t.Context(), credentials, data, []byte("place"))
		if bytes.Equal(data, good) {
			if err != nil || string(got) != "hunter2" {
				t.Errorf("got %q, %v", got, err)
			}
		} else if !errors.Is(err, keyring.ErrMalformed) {
			t.Errorf("opened what was not sealed: %q, %v", got, err)
		}
	})
}
