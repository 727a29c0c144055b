package receipt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

func TestRanksRise(t *testing.T) {
	last := -1
	for _, state := range []string{"queued", "sending", "sent", "delivered", "read", "failed"} {
		rank, ok := receipt.Rank(state)
		if !ok || rank <= last {
			t.Errorf("%s has rank %d, %v, after %d", state, rank, ok, last)
		}
		last = rank
	}
	for _, end := range []string{"canceled", "expired"} {
		if rank, ok := receipt.Rank(end); rank != last || !ok {
			t.Errorf("%s has rank %d, %v", end, rank, ok)
		}
	}
	for _, state := range []string{"", "received", "Read"} {
		if _, ok := receipt.Rank(state); ok || (receipt.Status{State: state}).Rank() != -1 {
			t.Errorf("%q has a rank", state)
		}
	}
}

func TestAStatusOnlyRisesWhateverTheOrder(t *testing.T) {
	at := time.Date(2026, 1, 18, 14, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		come []string
		held string
	}{
		"in order":                     {[]string{"queued", "sent", "delivered", "read"}, "read"},
		"backwards":                    {[]string{"read", "delivered", "sent", "queued"}, "read"},
		"the same again":               {[]string{"sent", "sent"}, "sent"},
		"a failure is above a reading": {[]string{"failed", "read"}, "failed"},
		"the first of two ends stays":  {[]string{"failed", "canceled"}, "failed"},
		"the lowest is kept, too":      {[]string{"queued"}, "queued"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := memstore.New()
			highest := -1
			for i, state := range c.come {
				held, err := receipt.Raise(t.Context(), s, "demo", "k", receipt.Status{State: state, At: at.Add(time.Duration(i)), Event: "e"})
				if err != nil {
					t.Fatal(err)
				}
				highest = max(highest, receipt.Status{State: state}.Rank())
				if held.Rank() != highest {
					t.Errorf("after %s %q is held", state, held.State)
				}
			}
			held, err := receipt.Read(t.Context(), s, "demo", []string{"absent", "k"})
			if err != nil {
				t.Fatal(err)
			}
			first := slices.Index(c.come, c.held)
			want := []receipt.Status{{}, {State: c.held, At: at.Add(time.Duration(first)), Event: "e"}}
			if diff := cmp.Diff(want, held); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARecordThatCannotBeReadIsAFault(t *testing.T) {
	s := memstore.New()
	if _, err := s.Write(t.Context(), store.Change{Kind: store.Raise, Record: store.Record{Key: receipt.Key("demo", "k"), Number: 9, Data: []byte(`{}`)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.Read(t.Context(), s, "demo", []string{"k"}); err == nil {
		t.Error("read")
	}
	if _, err := receipt.Raise(t.Context(), s, "demo", "k", receipt.Status{State: "sent"}); err == nil {
		t.Error("raised")
	}
}
