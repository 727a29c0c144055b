package receipt_test

import (
	"encoding/json"
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
	for _, state := range []string{"queued", "sending", "sent", "failed", "delivered", "read"} {
		rank, ok := receipt.Rank(state)
		if !ok || rank <= last {
			t.Errorf("%s has rank %d, %v, after %d", state, rank, ok, last)
		}
		last = rank
	}
	failed, _ := receipt.Rank("failed")
	for _, state := range []string{"canceled", "expired"} {
		if rank, ok := receipt.Rank(state); rank != failed || !ok {
			t.Errorf("%s has rank %d, %v", state, rank, ok)
		}
	}
	for _, state := range []string{"", "received", "Read", "typing", "played"} {
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
		"in order":                      {[]string{"queued", "sent", "delivered", "read"}, "read"},
		"backwards":                     {[]string{"read", "delivered", "sent", "queued"}, "read"},
		"the same again":                {[]string{"sent", "sent"}, "sent"},
		"what failed arrives after all": {[]string{"failed", "delivered"}, "delivered"},
		"what failed is read after all": {[]string{"expired", "read", "failed"}, "read"},
		"what arrived fails no more":    {[]string{"delivered", "failed"}, "delivered"},
		"the first of two ends stays":   {[]string{"failed", "canceled"}, "failed"},
		"the lowest is kept, too":       {[]string{"queued"}, "queued"},
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

// TestNoRecordOfTheReleaseBeforeIsSetBack: its ranks were delivered 3, read 4, failed and canceled 5. They are kept for Retention.
func TestNoRecordOfTheReleaseBeforeIsSetBack(t *testing.T) {
	before := map[string]int64{"queued": 0, "sending": 1, "sent": 2, "delivered": 3, "read": 4, "failed": 5, "canceled": 5}
	states := []string{"queued", "sending", "sent", "failed", "canceled", "expired", "delivered", "read"}
	for of, rank := range before {
		for _, comes := range states {
			s := memstore.New()
			held := receipt.Status{State: of, Event: "before"}
			data, err := json.Marshal(held)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(t.Context(), store.Change{Kind: store.Raise, Record: store.Record{Key: receipt.Key("demo", "k"), Number: rank, Data: data}}); err != nil {
				t.Fatal(err)
			}
			if _, err := receipt.Raise(t.Context(), s, "demo", "k", receipt.Status{State: comes, Event: "now"}); err != nil {
				t.Fatal(err)
			}
			now, err := receipt.Read(t.Context(), s, "demo", []string{"k"})
			if err != nil || now[0].Rank() < held.Rank() {
				t.Errorf("%s became %s, %v", of, now[0].State, err)
			}
			want := (receipt.Status{State: comes}).Rank() > held.Rank() && !receipt.IsEnd(of) // what failed then stays so
			if rose := now[0].State != of; rose != want {
				t.Errorf("%s became %s by %s", of, now[0].State, comes)
			}
		}
	}
}

func TestWhyAMessageDidNotArrive(t *testing.T) {
	for _, c := range []struct{ reason, code, want string }{
		{receipt.Unreachable, "30003", "the phone could not be reached (30003)"},
		{receipt.Expired, "expired", "it was not delivered in time"},
		{receipt.InvalidNumber, "", "the number or address does not take messages"},
		{receipt.Unknown, "30008", "30008"},
		{"", "canceled", "canceled"},
		{"a new word", "7", "7"},
		{"", "", ""},
	} {
		if got := receipt.Explain(c.reason, c.code); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.reason, c.code, got, c.want)
		}
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
