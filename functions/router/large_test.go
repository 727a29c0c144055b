package router_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/claimcheck"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/media"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// noise returns a text of so many characters that hardly gets smaller.
func noise(characters int) string {
	random, out := rand.New(rand.NewPCG(1, 2)), make([]rune, characters)
	for i := range out {
		out[i] = 0x4e00 + random.Int32N(20_000)
	}
	return string(out)
}

// TestWhatIsLargeIsRoutedLikeWhatIsSmall: a message that is larger than a queue and a record take is recorded, shown with others, and told, and so
// is one that comes after it.
func TestWhatIsLargeIsRoutedLikeWhatIsSmall(t *testing.T) {
	t.Parallel()
	for granularity, names := range map[tenant.Granularity]string{tenant.ByMessage: "event-record", tenant.ByDay: "session"} {
		kept := memobjects.New()
		w, q := withFiles(tenant.FilesByLink)
		w.ring = claimcheck.New(keyringtest.New(), kept)
		parts := w.router.Parts
		w.router = router.New(w.ring, parts)
		w.tenant.Timeline.Granularity = granularity
		large := said(1, "large", func(e *canonical.Event) {
			e.Message.Text = noise(99_000)
			for range 64 {
				e.Message.Cards = append(e.Message.Cards, canonical.Card{
					Title: "one", Text: noise(4000), Media: &canonical.Attachment{URL: "https://api.example.com/" + strings.Repeat("x", 4000), ContentType: "image/png"},
				})
			}
		})
		w.link(t, large)
		w.routeAll(t, large, large, said(2, "and then"))
		for i, d := range w.deliveries(t) {
			want := large.Message.Text
			if i == 2 {
				want = "and then"
			}
			if d.Event.Message.Text != want || i < 2 && len(d.Event.Message.Cards) != 64 {
				t.Errorf("%s: delivery %d has %d characters and %d cards", granularity, i, len(d.Event.Message.Text), len(d.Event.Message.Cards))
			}
		}
		for _, m := range w.sent {
			if len(m.Body) > 2000 && m.Group == string(large.ThreadID) && strings.Contains(m.ID, string(large.EventID)) {
				t.Errorf("%s: %d bytes travel", granularity, len(m.Body))
			}
		}
		record, _ := w.record(t, large)
		if e, err := canonical.Decode(record.Event); err != nil || !cmp.Equal(e.Message, large.Message) {
			t.Errorf("%s: %v, the record holds something else", granularity, err)
		}
		job, err := media.Decode(w.opened(t, q.sent[0].Body))
		if err != nil || len(job.Files) != 64 || len(q.sent[0].Body) > 2000 {
			t.Errorf("%s: %v, %d files in a job of %d bytes", granularity, err, len(job.Files), len(q.sent[0].Body))
		}
		if all := strings.Join(kept.Names(), " "); !strings.Contains(all, names) {
			t.Errorf("%s: apart is %s", granularity, all)
		}
	}
}
