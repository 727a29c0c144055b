package claimcheck_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"signalbox/shared/claimcheck"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/objects/memobjects"
)

var (
	place  = keyring.Place{Tenant: "demo", Purpose: "event", Name: "e1"}
	person = strings.Repeat("ab", 32)
)

// seal seals under a tenant's key, or a person's.
func seal(t *testing.T, s *claimcheck.Sealer, personal bool, plain []byte) []byte {
	t.Helper()
	var sealed []byte
	var err error
	if personal {
		sealed, err = s.SealPerson(t.Context(), place, person, plain)
	} else {
		sealed, err = s.SealTenant(t.Context(), place, plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// TestWhatIsLargeIsKeptApart: and nothing else is, and what is kept is not to be read there.
func TestWhatIsLargeIsKeptApart(t *testing.T) {
	t.Parallel()
	for _, personal := range []bool{false, true} {
		for size, apart := range map[int]int{0: 0, 10: 0, claimcheck.Most: 0, claimcheck.Most + 1: 1, 6 << 20: 1} {
			kept := memobjects.New()
			s := claimcheck.New(keyringtest.New(), kept)
			plain := bytes.Repeat([]byte("words "), size/6+1)[:size]
			sealed := seal(t, s, personal, plain)
			got, err := s.Open(t.Context(), place, sealed)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes: %d, %v", size, len(got), err)
			}
			if names := kept.Names(); len(names) != apart || apart > 0 && len(sealed) > 1000 {
				t.Errorf("%d bytes: sealed %d, apart %q", size, len(sealed), names)
			}
			for _, name := range kept.Names() {
				if data, _ := kept.Get(t.Context(), name); bytes.Contains(data, []byte("words")) || !strings.HasPrefix(name, "large/demo/event/") {
					t.Errorf("%q is in the clear, or is called so", name)
				}
			}
			if _, err := s.Open(t.Context(), keyring.Place{Tenant: "demo", Purpose: "event", Name: "e2"}, sealed); !fault.Is(err, keyring.CodeMalformed) {
				t.Errorf("in another place: %v", err)
			}
		}
	}
}

// TestWhatIsOfNobodyAnyMoreIsNotRead: an object is of no use without its ticket, which is sealed like what is small.
func TestWhatIsOfNobodyAnyMoreIsNotRead(t *testing.T) {
	t.Parallel()
	ring := keyringtest.New()
	s := claimcheck.New(ring, memobjects.New())
	sealed := seal(t, s, true, make([]byte, claimcheck.Most+1))
	if err := ring.DeletePerson(t.Context(), "demo", person); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), place, sealed); !fault.Is(err, keyring.CodeErased) {
		t.Error(err)
	}
}

// other is objects of which one has other content, or is not there.
type other struct {
	*memobjects.Store
	data []byte
	err  error
}

func (o other) Get(context.Context, string) ([]byte, error) { return o.data, o.err }

func TestWhatIsWrongWithWhatIsKept(t *testing.T) {
	t.Parallel()
	ring, kept := keyringtest.New(), memobjects.New()
	sealed := seal(t, claimcheck.New(ring, kept), false, make([]byte, claimcheck.Most+1))
	data, _ := kept.Get(t.Context(), kept.Names()[0])
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	down := fault.New(fault.Retryable, "objects_failed", nil)
	for sentence, c := range map[string]struct {
		objects other
		code    string
		kind    fault.Kind
		says    string
	}{
		"it is gone":      {other{data: nil, err: gone(t)}, claimcheck.CodeGone, fault.Permanent, "make backfill"},
		"a bit of it":     {other{data: flipped}, claimcheck.CodeAltered, fault.Permanent, ""},
		"it was cut":      {other{data: data[:100]}, claimcheck.CodeAltered, fault.Permanent, ""},
		"it is empty":     {other{}, claimcheck.CodeAltered, fault.Permanent, ""},
		"nobody tells it": {other{err: down}, "objects_failed", fault.Retryable, ""},
	} {
		_, err := claimcheck.New(ring, c.objects).Open(t.Context(), place, sealed)
		if f := fault.Of(err); f == nil || f.Code != c.code || f.Kind != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if _, err := claimcheck.New(ring, failing{}).SealTenant(t.Context(), place, make([]byte, claimcheck.Most+1)); !fault.Is(err, "objects_failed") {
		t.Errorf("what cannot be kept is sealed all the same: %v", err)
	}
}

func gone(t *testing.T) error {
	t.Helper()
	_, err := memobjects.New().Get(t.Context(), "none")
	return err
}

// failing is objects that take nothing.
type failing struct{ other }

func (failing) Put(context.Context, string, []byte) error {
	return fault.New(fault.Retryable, "objects_failed", nil)
}

// TestWhatLooksLikeATicketIsNone: whoever writes what a ticket looks like gets that back, and no object that it names.
func TestWhatLooksLikeATicketIsNone(t *testing.T) {
	t.Parallel()
	for _, personal := range []bool{false, true} {
		for _, plain := range []string{
			`{"schemaVersion":1002,"apart":{"object":"large/`,
			`{"schemaVersion":1002,"apart":{"object":"large/other/event/00","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}`,
		} {
			s := claimcheck.New(keyringtest.New(), memobjects.New())
			if got, err := s.Open(t.Context(), place, seal(t, s, personal, []byte(plain))); err != nil || string(got) != plain {
				t.Errorf("%q, %v, want %q", got, err, plain)
			}
		}
	}
}
