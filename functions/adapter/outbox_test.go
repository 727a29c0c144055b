package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// mail returns a message to one person on one line.
func mail(id, text string) posted {
	body, _ := json.Marshal(text)
	return posted{boxKey(tenant.Line{TenantID: "acme", ID: "chat"}, "t1_x"), "acme", Kept{Event: canonical.EventID(id), At: time.Now(), Body: body}}
}

// texts returns what is found after a number.
func texts(t *testing.T, b *Outbox, after int64) string {
	t.Helper()
	found, err := b.after(t.Context(), "acme", mail("", "").key, after)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, k := range found {
		all = append(all, strings.Trim(string(k.Body), `"`))
	}
	return strings.Join(all, " ")
}

func keep(t *testing.T, b *Outbox, all ...posted) {
	t.Helper()
	if err := b.keepAll(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// TestAnOutboxIsBounded: the newest are kept, and of those that are too long one.
func TestAnOutboxIsBounded(t *testing.T) {
	b := NewOutbox(memstore.New(), keyringtest.New())
	for i := range outboxMost + 5 {
		keep(t, b, mail(fmt.Sprint(i), fmt.Sprint(i)))
	}
	if got := strings.Fields(texts(t, b, 0)); len(got) != outboxMost || got[0] != "5" || got[outboxMost-1] != fmt.Sprint(outboxMost+4) {
		t.Errorf("%d are kept, from %s on", len(got), got[0])
	}
	keep(t, b, mail("long", strings.Repeat("x", outboxBytes)))
	if got := texts(t, b, 0); len(got) != outboxBytes {
		t.Errorf("%d bytes are kept", len(got))
	}
}

// TestAnOlderOneEndsNothingSooner: one that comes late does not take those with it that are newer.
func TestAnOlderOneEndsNothingSooner(t *testing.T) {
	s := memstore.New()
	b := NewOutbox(s, keyringtest.New())
	late, newer := mail("late", "late"), mail("newer", "newer")
	late.kept.At = late.kept.At.Add(-20 * time.Hour)
	keep(t, b, newer, late)
	if held, err := s.Get(t.Context(), newer.key); err != nil || held[0].Expires.Before(newer.kept.At.Add(outboxRetention).Truncate(time.Second)) {
		t.Errorf("the box ends at %v: %v", held[0].Expires, err)
	}
	if got := texts(t, b, 0); got != "newer late" {
		t.Errorf("found is %q", got)
	}
}

// TestNumbersGrow: also when the box was emptied meanwhile, so that nobody who asks for what is newer misses it.
func TestNumbersGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewOutbox(memstore.New(), keyringtest.New())
		keep(t, b, mail("1", "one"), mail("2", "two"), mail("1", "again"))
		found, err := b.after(t.Context(), "acme", mail("", "").key, 0)
		if err != nil || len(found) != 2 || found[0].Number >= found[1].Number {
			t.Fatal(found, err)
		}
		time.Sleep(outboxRetention)
		if got := texts(t, b, 0); got != "" {
			t.Errorf("after a day: %s", got)
		}
		keep(t, b, mail("3", "three"))
		if got := texts(t, b, found[1].Number); got != "three" {
			t.Errorf("what is newer: %q", got)
		}
	})
}

// TestTwoWhoKeepAtOnce: nothing is lost.
func TestTwoWhoKeepAtOnce(t *testing.T) {
	b := NewOutbox(memstore.New(), keyringtest.New())
	var all sync.WaitGroup
	for i := range outboxAttempts {
		all.Go(func() { keep(t, b, mail(fmt.Sprint(i), "x")) })
	}
	all.Wait()
	if got := texts(t, b, 0); got != "x x x x" {
		t.Errorf("kept %s", got)
	}
}

// contended is a store in which somebody else is always first.
type contended struct{ *memstore.Store }

func (contended) Write(context.Context, ...store.Change) ([]store.Record, error) {
	return nil, &store.ConflictError{}
}

// TestAnOutboxThatCannotBeWritten is told: whoever sent the request repeats it. One that cannot be read begins anew.
func TestAnOutboxThatCannotBeWritten(t *testing.T) {
	b := NewOutbox(contended{memstore.New()}, keyringtest.New())
	if err := b.keepAll(t.Context(), []posted{mail("1", "one")}); fault.Of(err).Kind != fault.Retryable {
		t.Error(err)
	}
	s := memstore.New()
	if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: mail("", "").key, Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	other := NewOutbox(s, keyringtest.New())
	keep(t, other, mail("2", "two"))
	if got := texts(t, other, 0); got != "two" {
		t.Errorf("%q", got)
	}
}
