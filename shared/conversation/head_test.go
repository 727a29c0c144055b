package conversation_test

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, s *memstore.Store) (conversation.Head, int64) {
	t.Helper()
	records, err := s.Get(t.Context(), conversation.Key("demo", "t1_x"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := conversation.Decode(records[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return h, records[0].Version
}

func TestLinksOfSeveralCRMsAreKeptTogether(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	for _, l := range []struct {
		crm   string
		links map[string]string
	}{
		{"hubspot", map[string]string{"contacts": "1"}},
		{"salesforce", map[string]string{"Lead": "00Q"}},
		{"hubspot", map[string]string{"leads": "2"}},
		{"hubspot", map[string]string{"contacts": "1"}},
		{"hubspot", nil},
	} {
		if err := conversation.Link(t.Context(), s, "demo", "t1_x", l.crm, nil, l.links); err != nil {
			t.Fatal(err)
		}
	}
	got, version := read(t, s)
	want := conversation.Head{Links: map[string]map[string]string{
		"hubspot": {"contacts": "1", "leads": "2"}, "salesforce": {"Lead": "00Q"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if version != 3 {
		t.Errorf("written %d times; what the head says already is not written again", version)
	}
	if !got.LinkedTo("hubspot") || got.LinkedTo("dynamics") {
		t.Error("known is who has a link")
	}
}

func TestALostRaceStartsAgainWithWhatWon(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	key := conversation.Key("demo", "t1_x")
	held := store.Record{Key: key} // read before the other writer
	if err := conversation.Link(t.Context(), s, "demo", "t1_x", "hubspot", nil, map[string]string{"contacts": "1"}); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC)
	err := conversation.Update(t.Context(), s, key, &held, func(h *conversation.Head) bool {
		return h.SetConsent(canonical.SMS, conversation.ConsentState{State: "opted_out", At: at})
	})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := read(t, s)
	if !got.LinkedTo("hubspot") || got.Consent[canonical.SMS].State != "opted_out" {
		t.Errorf("one writer's change is lost: %+v", got)
	}
	if got.SetConsent(canonical.SMS, conversation.ConsentState{State: "opted_in", At: at.Add(-time.Second)}) {
		t.Error("an older consent changed a newer one")
	}
}

func TestAnOptOutOfTheSameInstantIsCopied(t *testing.T) {
	t.Parallel()
	var h conversation.Head
	at := time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC)
	for i, c := range []struct {
		state string
		want  bool
	}{{"opted_in", true}, {"opted_out", true}, {"opted_out", false}} {
		if h.SetConsent(canonical.SMS, conversation.ConsentState{State: c.state, At: at}) != c.want || h.Consent[canonical.SMS].State != c.state {
			t.Errorf("step %d: %+v", i, h.Consent)
		}
	}
}

func TestARaceThatIsAlwaysLostEndsRetryable(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	calls := 0
	err := conversation.Update(t.Context(), s, conversation.Key("demo", "t1_x"), nil, func(h *conversation.Head) bool {
		calls++
		if err := conversation.Link(t.Context(), s, "demo", "t1_x", "hubspot", nil, map[string]string{"n": time.Duration(calls).String()}); err != nil {
			t.Fatal(err)
		}
		h.PersonKey = "x"
		return true
	})
	if sorted := fault.Of(err); sorted == nil || sorted.Code != "head_contended" || sorted.Kind != fault.Retryable || calls != 5 {
		t.Errorf("after %d tries: %v", calls, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"personKey":"a","links":{"hubspot":{"contacts":"1"}}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := conversation.Decode(data)
		if err != nil {
			return
		}
		again, err := conversation.Encode(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conversation.Decode(again); err != nil {
			t.Errorf("what was encoded is not decoded: %v", err)
		}
	})
}
