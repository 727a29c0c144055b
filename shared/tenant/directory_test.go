package tenant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// slowStore counts reads and lets a test delay or fail them.
type slowStore struct {
	*memstore.Store
	reads atomic.Int64
	delay time.Duration
	err   error
	boxed *keyring.Box
}

func (s *slowStore) box() *keyring.Box {
	if s.boxed == nil {
		s.boxed = newBox()
	}
	return s.boxed
}

func (s *slowStore) Get(ctx context.Context, keys ...store.Key) ([]store.Record, error) {
	s.reads.Add(1)
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Get(ctx, keys...)
}

// overwrite replaces a record whatever it held.
func (s *slowStore) overwrite(t *testing.T, key store.Key, data string) {
	t.Helper()
	records, err := s.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Version: records[0].Version, Data: []byte(data)}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDirectory moves through virtual time: each step waits, changes something, looks the tenant up and says what it should
// find and how many reads that may cost.
func TestDirectory(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Retryable, "store_failed", nil)
	current := store.Key{Partition: "demo/config", Sort: "current"}
	rename := func(name string) func(*testing.T, *slowStore) {
		return func(t *testing.T, s *slowStore) {
			f := demo(t)
			f.Tenant.Name = name
			publish(t, s.Store, s.box(), f)
		}
	}
	fail := func(_ *testing.T, s *slowStore) { s.err = down }
	recover := func(_ *testing.T, s *slowStore) { s.err, s.delay = nil, 0 }
	slow := func(_ *testing.T, s *slowStore) { s.delay = time.Second }
	corrupt := func(t *testing.T, s *slowStore) { s.overwrite(t, current, `{"format":99}`) }
	type step struct {
		wait   time.Duration
		change func(*testing.T, *slowStore)
		name   string // of the tenant that is found, "" when none is
		err    error
		reads  int64
		took   time.Duration
	}
	tests := map[string][]step{
		"a value is read once in five minutes": {
			{name: "First", reads: 1},
			{wait: 4 * time.Minute, change: rename("Second"), name: "First"},
			{wait: time.Minute, name: "Second", reads: 1},
		},
		"when the store is down the stale value is served for an hour, and the store asked every ten seconds": {
			{name: "First", reads: 1},
			{wait: 6 * time.Minute, change: fail, name: "First", reads: 1},
			{wait: 9 * time.Second, name: "First"},
			{wait: time.Second, name: "First", reads: 1},
			{wait: 53 * time.Minute, name: "First", reads: 1},
			{wait: time.Minute, err: down, reads: 1},
			{change: recover, name: "First", reads: 1},
		},
		"when the store is slow the stale value is served after a fifth of a second": {
			{name: "First", reads: 1},
			{wait: 6 * time.Minute, change: slow, name: "First", reads: 1, took: 200 * time.Millisecond},
			{name: "First"},
		},
		"without a stale value a slow store is waited for": {{change: slow, name: "First", reads: 1, took: time.Second}},
		"a record that cannot be decoded leaves the last good one in force for as long as it takes": {
			{name: "First", reads: 1},
			{wait: 6 * time.Minute, change: corrupt, name: "First", reads: 1},
			{wait: 4 * time.Minute, name: "First"},
			{wait: 3 * time.Hour, name: "First", reads: 1},
			{wait: 5 * time.Minute, change: rename("Second"), name: "Second", reads: 1},
		},
		"a record that cannot be decoded is a fault of the configuration when nothing is held": {
			{change: corrupt, err: fault.New(fault.Blocked, "configuration_record_invalid", nil), reads: 1},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &slowStore{Store: memstore.New()}
				rename("First")(t, s)
				var log bytes.Buffer
				d := tenant.NewDirectory(s, s.box(), slog.New(slog.NewTextHandler(&log, nil)), telemetry.NewMeter(io.Discard, telemetry.Identity{}))
				for i, st := range steps {
					time.Sleep(st.wait)
					if st.change != nil {
						st.change(t, s)
					}
					before, began := s.reads.Load(), time.Now()
					got, err := d.Tenant(t.Context(), "demo")
					if got.Name != st.name || code(err) != code(st.err) {
						t.Errorf("step %d: got %q, %v; want %q, %v", i, got.Name, err, st.name, st.err)
					}
					if reads := s.reads.Load() - before; reads != st.reads {
						t.Errorf("step %d: %d reads, want %d", i, reads, st.reads)
					}
					if took := time.Since(began); took != st.took {
						t.Errorf("step %d took %v, want %v", i, took, st.took)
					}
				}
			})
		})
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Kind.String() + fault.Of(err).Code
}

// TestRenewReadsWhatWasPublishedAMomentAgo, also of a tenant who was unknown then, and tells whether that is anything new.
func TestRenewReadsWhatWasPublishedAMomentAgo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{Store: memstore.New()}
		d := directory(s, s.box())
		renew := func(want bool, name string) {
			t.Helper()
			changed, err := d.Renew(t.Context(), "demo")
			found, _ := d.Tenant(t.Context(), "demo")
			if changed != want || found.Name != name || (err != nil) != (name == "") {
				t.Errorf("changed %t, %q, %v; want %t, %q", changed, found.Name, err, want, name)
			}
		}
		renew(false, "")
		f := demo(t)
		f.Tenant.Name = "First"
		publish(t, s.Store, s.box(), f)
		renew(true, "First")
		renew(false, "First")
		f.Tenant.Name = "Second"
		publish(t, s.Store, s.box(), f)
		renew(true, "Second")
		s.err = fault.New(fault.Retryable, "store_failed", nil)
		if changed, err := d.Renew(t.Context(), "demo"); changed || err == nil {
			t.Errorf("changed %t, %v", changed, err)
		}
		if found, err := d.Tenant(t.Context(), "demo"); found.Name != "Second" || err != nil {
			t.Errorf("%q, %v", found.Name, err)
		}
	})
}

func TestUnknownIsRememberedForHalfAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{Store: memstore.New()}
		d := directory(s, s.box())
		look := func(want error, reads int64) {
			t.Helper()
			before := s.reads.Load()
			if _, err := d.Account(t.Context(), "demo-twilio"); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if got := s.reads.Load() - before; got != reads {
				t.Errorf("%d reads, want %d", got, reads)
			}
		}
		look(tenant.ErrUnknown, 1)
		look(tenant.ErrUnknown, 0)
		publish(t, s.Store, s.box(), demo(t))
		time.Sleep(29 * time.Second)
		look(tenant.ErrUnknown, 0)
		time.Sleep(time.Second)
		look(nil, 2)
		look(nil, 0)
		// A line that was just added is found when what is held is half a minute old; one that is unknown costs no more than that.
		f := demo(t)
		f.Lines[1].Address = "rcs:new_agent"
		publish(t, s.Store, s.box(), f)
		line := func(want error, reads int64) {
			t.Helper()
			before := s.reads.Load()
			if _, err := d.Line(t.Context(), "demo-twilio", "rcs:new_agent", ""); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if got := s.reads.Load() - before; got != reads {
				t.Errorf("%d reads, want %d", got, reads)
			}
		}
		line(tenant.ErrUnknown, 0)
		time.Sleep(30 * time.Second)
		line(nil, 2)
		line(nil, 0)
		// So is a channel that a line was just given.
		serves := func(want error, reads int64) {
			t.Helper()
			before := s.reads.Load()
			if _, err := d.Line(t.Context(), "demo-twilio", f.Lines[0].Address, canonical.RCS); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if got := s.reads.Load() - before; got != reads {
				t.Errorf("%d reads, want %d", got, reads)
			}
		}
		serves(tenant.ErrUnserved, 0)
		f.Lines[0].Channels = append(f.Lines[0].Channels, canonical.RCS)
		publish(t, s.Store, s.box(), f)
		serves(tenant.ErrUnserved, 0)
		time.Sleep(30 * time.Second)
		serves(nil, 2)
		// Whether a line is unknown is not guessed while the store is down.
		time.Sleep(time.Minute)
		s.err = fault.New(fault.Retryable, "store_failed", nil)
		if _, err := d.Line(t.Context(), "demo-twilio", "rcs:newer_agent", ""); errors.Is(err, tenant.ErrUnknown) || err == nil {
			t.Errorf("got %v, want the store's error", err)
		}
		line(nil, 0)
	})
}

func TestRequestsForOneThingShareARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{Store: memstore.New()}
		publish(t, s.Store, s.box(), demo(t))
		s.delay = time.Second
		d := directory(s, s.box())
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wait sync.WaitGroup
		wait.Go(func() { // leads, and gives up before it has an answer
			if _, err := d.Account(impatient, "demo-twilio"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient one got %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			wait.Go(func() {
				if _, err := d.Account(t.Context(), "demo-twilio"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if got := s.reads.Load(); got != 3 { // the impatient one's, the account's, the tenant's
			t.Errorf("%d reads", got)
		}
	})
}

func TestStrangersCannotFillTheMemory(t *testing.T) {
	t.Parallel()
	s := &slowStore{Store: memstore.New()}
	publish(t, s.Store, s.box(), demo(t))
	d := directory(s, s.box())
	if _, err := d.Account(t.Context(), "demo-twilio"); err != nil {
		t.Fatal(err)
	}
	for i := range 11_000 {
		if _, err := d.Account(t.Context(), fmt.Sprintf("stranger-%d", i)); !errors.Is(err, tenant.ErrUnknown) {
			t.Fatal(err)
		}
	}
	before := s.reads.Load()
	if _, err := d.Account(t.Context(), "demo-twilio"); err != nil || s.reads.Load() != before {
		t.Errorf("the known one is read again, or %v", err)
	}
}

// TestAnIDThatNoFileMayNameIsNotLookedFor is what strangers could do: a path longer than the store's keys made the lookup fail,
// so that they were answered 503 and counted as failures of the deployment.
func TestAnIDThatNoFileMayNameIsNotLookedFor(t *testing.T) {
	t.Parallel()
	s := &slowStore{Store: memstore.New()}
	d := tenant.NewDirectory(s, s.box(), slog.New(slog.DiscardHandler), telemetry.NewMeter(io.Discard, telemetry.Identity{}))
	for _, id := range []string{"", "a", "-a", "Demo", "a b", "a/current", "..", "a\x00", "caf\xff", "é", strings.Repeat("a", 64), strings.Repeat("a", 3000)} {
		if _, err := d.Account(t.Context(), id); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	if n := s.reads.Load(); n != 0 {
		t.Errorf("%d reads", n)
	}
	if _, err := d.Account(t.Context(), strings.Repeat("a", 63)); !errors.Is(err, tenant.ErrUnknown) || s.reads.Load() != 1 {
		t.Errorf("the longest id: %v, %d reads", err, s.reads.Load())
	}
}
