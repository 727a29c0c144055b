package conversation_test

import (
	"encoding/json"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

// ofANewerRelease is a head with members that this build knows nothing of, at every place where one could be.
const ofANewerRelease = `{
	"personKey": "k", "owner": {"id": "005", "since": 7},
	"links": {"hubspot": {"contacts": "1"}},
	"consent": {"sms": {"state": "opted_in", "at": "2026-01-18T01:00:00Z", "proof": "form"}},
	"outreach": [
		{"eventId": "o1", "at": "2026-01-18T01:00:00Z", "sequence": "s1"},
		{"eventId": "o4", "at": "2026-01-18T04:00:00Z", "sequence": "s4"}
	],
	"reply": {"eventId": "m0", "at": "2026-01-18T00:00:00Z", "sentiment": "glad"}
}`

// TestAnOlderReleaseKeepsWhatANewerOneWrote is what a deployment, or its end, did: the older build wrote the head without what it did
// not know, and an outreach was never ended.
func TestAnOlderReleaseKeepsWhatANewerOneWrote(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(h *conversation.Head)
		lost   []string // what the change itself ends
	}{
		"a CRM's link": {func(h *conversation.Head) { h.Links["sales"] = map[string]string{"Lead": "00Q"} }, nil},
		"consent on another lane": {func(h *conversation.Head) {
			h.SetConsent(canonical.WhatsApp, conversation.ConsentState{State: "opted_out", At: hour(9)})
		}, nil},
		"another outreach":      {func(h *conversation.Head) { h.AddOutreach(waiting(3)) }, nil},
		"a reply to one of two": {func(h *conversation.Head) { h.AddReply(answer(2)) }, []string{"s1", "glad"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, key := memstore.New(), conversation.Key("demo", "t1_x")
			if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Data: []byte(ofANewerRelease)}}); err != nil {
				t.Fatal(err)
			}
			err := conversation.Update(t.Context(), s, key, nil, func(h *conversation.Head) bool { tt.change(h); return true })
			if err != nil {
				t.Fatal(err)
			}
			held, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Owner    struct{ ID string }
				Consent  map[string]struct{ Proof string }
				Outreach []struct{ EventID, Sequence string }
				Reply    struct{ Sentiment string }
			}
			if err := json.Unmarshal(held[0].Data, &got); err != nil {
				t.Fatal(err)
			}
			kept := map[string]bool{got.Owner.ID: true, got.Consent["sms"].Proof: true, got.Reply.Sentiment: true}
			for _, o := range got.Outreach {
				kept[o.Sequence] = true
			}
			want := map[string]bool{"005": true, "form": true, "s1": true, "s4": true, "glad": true}
			for _, ended := range tt.lost {
				delete(want, ended)
			}
			delete(kept, "")
			if diff := cmp.Diff(want, kept); diff != "" {
				t.Errorf("(-want +kept) %s\n%s", diff, held[0].Data)
			}
		})
	}
}
