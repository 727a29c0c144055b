package identity_test

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/identity"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

func id(kind, scope, value string) canonical.Identifier {
	return canonical.Identifier{Kind: kind, Scope: scope, Value: value}
}

func TestWhatProvesWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	claimed := id(canonical.KindEmail, "", "ana@example.com")
	claimed.Claimed = true
	got := identity.Of(canonical.Participant{
		ID: "whatsapp:US.1", Phone: "+15552010001", HashedEmail: "ignored", DisplayName: "Ana",
		Identifiers: []canonical.Identifier{
			id(canonical.KindBSUID, "AC1", "US.1"), id(canonical.KindBSUID, "AC1", "US.1"), claimed, id(canonical.KindChat, "", "c"),
			id("username", "", "@ana"), id(canonical.KindPhone, "", "+15552010001"), id(canonical.KindBSUID, "AC2", "US.1"),
		},
	})
	want := []canonical.Identifier{id(canonical.KindPhone, "", "+15552010001"), id(canonical.KindBSUID, "AC1", "US.1"), id(canonical.KindBSUID, "AC2", "US.1")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := identity.Of(canonical.Participant{ID: "x", DisplayName: "Ana"}); len(got) != 0 {
		t.Errorf("a name proves %v", got)
	}
}

// TestAnAliasLeadsOnceItIsSettled: until then something may wait in the group of the identifier's own thread, and would be overtaken.
func TestAnAliasLeadsOnceItIsSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, pepper := memstore.New(), canonical.NewPepper(secret.Value("p"), "demo")
		user, other := id(canonical.KindBSUID, "AC1", "US.1"), id(canonical.KindBSUID, "AC2", "US.1")
		data, err := identity.Encode(identity.Alias{Thread: "t1_x", Since: time.Now(), Written: time.Now(), Event: "e", Rule: identity.SamePayload})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(t.Context(), store.Change{Record: store.Record{Key: identity.Key("demo", canonical.AliasID(pepper, user)), Data: data}}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			ids   []canonical.Identifier
			want  canonical.ThreadID
		}{
			{0, []canonical.Identifier{user}, ""},
			{identity.Settled - time.Second, []canonical.Identifier{user}, ""},
			{time.Second, []canonical.Identifier{user}, "t1_x"},
			{0, []canonical.Identifier{other, user}, "t1_x"},
			{0, []canonical.Identifier{other}, ""},
			{0, nil, ""},
		} {
			time.Sleep(step.after)
			got, err := identity.Lookup(t.Context(), s, "demo", pepper, step.ids)
			if err != nil || got != step.want {
				t.Errorf("%v leads to %q, %v, not to %q", step.ids, got, err, step.want)
			}
		}
	})
}

func TestAnAliasKeepsWhatANewerReleaseWrote(t *testing.T) {
	t.Parallel()
	const written = `{"thread":"t1_x","since":"2026-01-18T14:23:12Z","written":"2026-01-18T14:23:12Z","event":"e","rule":"first","until":"2027-01-01T00:00:00Z"}`
	a, err := identity.Decode([]byte(written))
	if err != nil {
		t.Fatal(err)
	}
	got, err := identity.Encode(a)
	if err != nil || string(got) != written {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := identity.Decode([]byte(`{"rule":"first"}`)); err == nil {
		t.Error("an alias to nowhere was read")
	}
}
