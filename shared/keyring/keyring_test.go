package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// counted counts the calls to the key service.
type counted struct {
	keyring.Keys
	mu           sync.Mutex
	made, opened int
}

func (c *counted) New(ctx context.Context, b keyring.Binding) ([]byte, []byte, error) {
	c.mu.Lock()
	c.made++
	c.mu.Unlock()
	return c.Keys.New(ctx, b)
}

func (c *counted) Open(ctx context.Context, b keyring.Binding, wrapped []byte) ([]byte, error) {
	c.mu.Lock()
	c.opened++
	c.mu.Unlock()
	return c.Keys.Open(ctx, b, wrapped)
}

// world is what the processes of a deployment share.
type world struct {
	keys             *counted
	config, persons  *memstore.Store
	mu               sync.Mutex
	reads, gets, put int // of the persons' table
}

func newWorld() *world {
	w := &world{keys: &counted{Keys: memkeys.New()}, config: memstore.New()}
	w.persons = memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch string(c.Operation) {
		case "list", "List":
			w.reads++
		case "get", "Get":
			w.gets++
		default:
			w.put++
		}
		return memstore.None
	}))
	return w
}

// process returns the ring of a new process.
func (w *world) process() *keyring.Ring {
	return keyring.New(keyring.Options{Keys: w.keys, Tenants: w.config, Persons: w.persons, Random: rand.Reader})
}

func person(letter string) string { return strings.Repeat(letter, 64) }

func here() keyring.Place { return keyring.Place{Tenant: "demo", Purpose: "event", Name: "e1"} }

func sealed(t *testing.T, r *keyring.Ring, at keyring.Place, person string) []byte {
	t.Helper()
	var out []byte
	var err error
	if person == "" {
		out, err = r.SealTenant(t.Context(), at, []byte("hello, world"))
	} else {
		out, err = r.SealPerson(t.Context(), at, person, []byte("hello, world"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if !keyring.Sealed(out) || bytes.Contains(out, []byte("world")) {
		t.Fatal("not sealed")
	}
	return out
}

func opens(t *testing.T, r *keyring.Ring, at keyring.Place, sealed []byte) {
	t.Helper()
	plain, err := r.Open(t.Context(), at, sealed)
	if err != nil || string(plain) != "hello, world" {
		t.Errorf("opened %q, %v", plain, err)
	}
}

func refuses(t *testing.T, r *keyring.Ring, at keyring.Place, sealed []byte, kind fault.Kind, code string) {
	t.Helper()
	plain, err := r.Open(t.Context(), at, sealed)
	if f := fault.Of(err); f == nil || f.Kind != kind || f.Code != code || plain != nil {
		t.Errorf("opened %d bytes, %v; want %s", len(plain), err, code)
	}
}

func TestWhatIsSealedOpensInItsPlaceAlone(t *testing.T) {
	for name, who := range map[string]string{"under the tenant's key": "", "under a person's key": person("a")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				r := w.process()
				s := sealed(t, r, here(), who)
				sealed(t, r, keyring.Place{Tenant: "other", Purpose: "event", Name: "e1"}, who)
				opens(t, r, here(), s)
				opens(t, w.process(), here(), s)
				for _, elsewhere := range []keyring.Place{
					{Tenant: "demo", Purpose: "delivery", Name: "e1"},
					{Tenant: "demo", Purpose: "event", Name: "e2"},
					{Tenant: "demo", Purpose: "evente", Name: "1"},
				} {
					refuses(t, r, elsewhere, s, fault.Permanent, keyring.CodeMalformed)
				}
				moved := keyring.Place{Tenant: "other", Purpose: "event", Name: "e1"}
				if plain, err := r.Open(t.Context(), moved, s); err == nil || plain != nil {
					t.Error("it opens for another tenant")
				}
				for i := range s {
					altered := bytes.Clone(s)
					altered[i] ^= 1
					if plain, err := r.Open(t.Context(), here(), altered); err == nil || plain != nil {
						t.Errorf("it opens with byte %d altered", i)
					}
				}
				for n := range s {
					refuses(t, r, here(), s[:n], fault.Permanent, keyring.CodeMalformed)
				}
			})
		})
	}
}

func TestTheKeyServiceIsAskedOnceAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const processes, each = 200, 50
		w := newWorld()
		var running sync.WaitGroup
		for range processes {
			running.Go(func() {
				r := w.process()
				var messages sync.WaitGroup
				for range each {
					messages.Go(func() {
						s, err := r.SealTenant(t.Context(), here(), []byte("x"))
						if err != nil {
							t.Error(err)
							return
						}
						if _, err := r.Open(t.Context(), here(), s); err != nil {
							t.Error(err)
						}
					})
				}
				messages.Wait()
			})
		}
		running.Wait()
		if calls := w.keys.made + w.keys.opened; calls > 2*processes || w.config.Look(store.Key{Partition: "demo/keys", Sort: "2000-01"})[0].Version != 1 {
			t.Errorf("%d calls of %d processes", calls, processes)
		}
		before := w.keys.made + w.keys.opened
		r := w.process()
		for range 1000 {
			sealed(t, r, here(), person("a"))
		}
		if calls := w.keys.made + w.keys.opened - before; calls != 1 {
			t.Errorf("%d calls for a thousand messages of a new process", calls)
		}
	})
}

func TestAPersonsKeyIsReadOnceInItsTimeAndWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := sealed(t, w.process(), here(), person("a"))
		if w.put != 1 {
			t.Errorf("%d writes for a new person", w.put)
		}
		w.reads, w.gets, w.put = 0, 0, 0
		r := w.process()
		for range 100 {
			opens(t, r, here(), s)
			sealed(t, r, here(), person("a"))
		}
		if w.reads != 1 || w.gets != 0 || w.put != 0 {
			t.Errorf("%d cheap reads, %d full ones, %d writes for a known person; want one cheap read", w.reads, w.gets, w.put)
		}
		time.Sleep(keyring.PersonFresh)
		opens(t, r, here(), s)
		if w.reads != 2 {
			t.Errorf("%d reads after the key's time", w.reads)
		}
	})
}

func TestManyProcessesMakeOneKeyOfAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var mu sync.Mutex
		var all [][]byte
		var running sync.WaitGroup
		for range 50 {
			running.Go(func() {
				s, err := w.process().SealPerson(t.Context(), here(), person("a"), []byte("hello, world"))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, s)
			})
		}
		running.Wait()
		r := w.process()
		for _, s := range all {
			opens(t, r, here(), s)
		}
	})
}

func TestOneProcessReadsAPersonsKeyOnceForManyAtATime(t *testing.T) {
	w := newWorld()
	if _, err := w.process().SealPerson(t.Context(), keyring.Place{Tenant: "demo"}, strings.Repeat("a", 64), nil); err != nil {
		t.Fatal(err)
	}
	w.reads = 0
	ring := w.process()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := ring.SealPerson(t.Context(), keyring.Place{Tenant: "demo"}, strings.Repeat("a", 64), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.reads != 1 {
		t.Errorf("%d reads", w.reads)
	}
}

func TestAnErasedPersonsValuesOpenNoMoreAndOthersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		router, connector := w.process(), w.process()
		erased, other := sealed(t, router, here(), person("a")), sealed(t, router, here(), person("b"))
		opens(t, connector, here(), erased)
		for range 2 {
			if err := router.DeletePerson(t.Context(), "demo", person("a")); err != nil {
				t.Fatal(err)
			}
		}
		refuses(t, router, here(), erased, fault.Permanent, keyring.CodeErased)
		refuses(t, w.process(), here(), erased, fault.Permanent, keyring.CodeErased)
		time.Sleep(keyring.PersonFresh)
		refuses(t, connector, here(), erased, fault.Permanent, keyring.CodeErased)
		opens(t, connector, here(), other)

		again := sealed(t, router, here(), person("a")) // the person writes again
		opens(t, connector, here(), again)
		refuses(t, connector, here(), erased, fault.Permanent, keyring.CodeErased)
		refuses(t, router, here(), erased, fault.Permanent, keyring.CodeErased)
	})
}

func TestAKeyThatIsHeldAndWasReplacedIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		router, connector := w.process(), w.process()
		opens(t, connector, here(), sealed(t, router, here(), person("a")))
		if err := router.DeletePerson(t.Context(), "demo", person("a")); err != nil {
			t.Fatal(err)
		}
		opens(t, connector, here(), sealed(t, router, here(), person("a")))
	})
}

func TestAMonthsKeyServesItsMonthAndOpensEverAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r := w.process()
		first, known := sealed(t, r, here(), ""), sealed(t, r, here(), person("a"))
		time.Sleep(40 * 24 * time.Hour)
		second := sealed(t, r, here(), "")
		if bytes.Equal(first[:3], second[:3]) || w.keys.made != 2 {
			t.Errorf("%d keys in two months", w.keys.made)
		}
		for _, s := range [][]byte{first, second, known} {
			opens(t, w.process(), here(), s)
		}
	})
}

func TestWhatOnlyAnOperatorCanMendBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		tenants, persons := sealed(t, w.process(), here(), ""), sealed(t, w.process(), here(), person("a"))
		alone := keyring.New(keyring.Options{Keys: w.keys, Tenants: memstore.New(), Persons: w.persons, Random: rand.Reader})
		refuses(t, alone, here(), tenants, fault.Blocked, keyring.CodeMonth)
		refuses(t, alone, here(), persons, fault.Blocked, keyring.CodeMonth)
		w.keys.Keys = memkeys.New() // another master key
		refuses(t, w.process(), here(), tenants, fault.Blocked, keyring.CodeKeyInvalid)
		if _, err := w.process().SealPerson(t.Context(), here(), "no person", nil); fault.Of(err).Code != keyring.CodePerson {
			t.Errorf("%v", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	w := newWorld()
	r := w.process()
	for _, who := range []string{"", person("a")} {
		var s []byte
		if who == "" {
			s, _ = r.SealTenant(f.Context(), here(), []byte("hello"))
		} else {
			s, _ = r.SealPerson(f.Context(), here(), who, []byte("hello"))
		}
		f.Add(s)
		f.Add(s[:len(s)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, err := r.Open(t.Context(), here(), data)
		if err == nil && string(plain) != "hello" {
			t.Errorf("%x opens to %q", data, plain)
		}
	})
}

func BenchmarkSealTenant(b *testing.B) {
	r := newWorld().process()
	plain := bytes.Repeat([]byte("x"), 1200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.SealTenant(b.Context(), here(), plain); err != nil {
			b.Fatal(err)
		}
	}
}
