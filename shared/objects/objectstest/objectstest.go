// Package objectstest says what every objects.Store does, one sentence a promise.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/objects"
)

// Run holds a store to every sentence that skips does not name, each with one of its own, and prints each skip with its reason.
func Run(t *testing.T, open func(t *testing.T) objects.Store, skips map[string]string) {
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

func promises() map[string]func(*testing.T, objects.Store) {
	return map[string]func(*testing.T, objects.Store){
		"what was put is read":                          read,
		"what was put again takes its place":            replaces,
		"what is not there is a permanent fault":        absent,
		"names that are alike are others":               alike,
		"a name that leads elsewhere is refused":        names,
		"what is too large is refused":                  large,
		"the caller's bytes stay the caller's":          copies,
		"writers at once leave one of what they wrote":  together,
		"a context that is over is over, and no effect": over,
	}
}

func put(t *testing.T, s objects.Store, name string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), name, data); err != nil {
		t.Fatalf("Put %s: %v", name, err)
	}
}

func wants(t *testing.T, s objects.Store, name string, want []byte) {
	t.Helper()
	if got, err := s.Get(t.Context(), name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get %s: %d bytes, %v, want %d bytes", name, len(got), err, len(want))
	}
}

func read(t *testing.T, s objects.Store) {
	for name, data := range map[string][]byte{
		"demo/t1_0a/8f14e45f-ceea-467f-9a8d-3b1d6f0b9c11/0-abc": []byte("hello"), "empty": {}, "binary": {0, 0xff, '\r', '\n', 0},
		"aws-chunked": []byte("5;chunk-signature=0\r\nhello\r\n0\r\n\r\n"), strings.Repeat("n", objects.MaxName): {1},
		"large": bytes.Repeat([]byte("0123456789abcdef"), 6<<16), // more than any buffer on the way
	} {
		put(t, s, name, data)
		wants(t, s, name, data)
	}
}

func replaces(t *testing.T, s objects.Store) {
	put(t, s, "a", []byte("long before"))
	put(t, s, "a", []byte("now"))
	wants(t, s, "a", []byte("now"))
}

func absent(t *testing.T, s objects.Store) {
	if _, err := s.Get(t.Context(), "a"); !fault.Is(err, objects.CodeAbsent) || fault.Of(err).Kind != fault.Permanent {
		t.Errorf("Get: %v", err)
	}
}

func alike(t *testing.T, s objects.Store) {
	names := []string{"a/b", "a/B", "a/b.", "ab", "a/b/c", "a"}
	for _, name := range names {
		put(t, s, name, []byte(name))
	}
	for _, name := range names {
		wants(t, s, name, []byte(name))
	}
}

func names(t *testing.T, s objects.Store) {
	for _, name := range []string{"", "/a", "a/", "a//b", "..", "a/../b", "a/./b", "a b", "a?b", "a#b", "a%2Fb", "ä", strings.Repeat("n", objects.MaxName+1)} {
		_, err := s.Get(t.Context(), name)
		for _, err := range []error{err, s.Put(t.Context(), name, nil)} {
			if !fault.Is(err, objects.CodeMisused) || fault.Of(err).Kind != fault.Permanent {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}

func large(t *testing.T, s objects.Store) {
	if err := s.Put(t.Context(), "a", make([]byte, objects.MaxData+1)); !fault.Is(err, objects.CodeMisused) {
		t.Errorf("Put: %v", err)
	}
}

func copies(t *testing.T, s objects.Store) {
	data := []byte("before")
	put(t, s, "a", data)
	copy(data, "after!")
	got, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "after!")
	wants(t, s, "a", []byte("before"))
}

func together(t *testing.T, s objects.Store) {
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			if err := s.Put(t.Context(), "a", bytes.Repeat([]byte{byte(i)}, 1<<16)); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	writers.Wait()
	got, err := s.Get(t.Context(), "a")
	if err != nil || len(got) != 1<<16 || bytes.Count(got, got[:1]) != len(got) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func over(t *testing.T, s objects.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "a", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	absent(t, s)
}
