package hubspot

import (
	"testing"
	"time"

	"signalbox/functions/connector"

	"github.com/google/go-cmp/cmp"
)

func TestTheNewestReplyStandsAndEndsWhatHadBegunByThen(t *testing.T) {
	const (
		before = "2026-01-18T14:23:12.122Z"
		at     = "2026-01-18T14:23:12.123Z"
		after  = "2026-01-18T14:23:12.124Z"
	)
	reply := connector.Reply{At: time.Date(2026, 1, 18, 14, 23, 12, 123e6, time.UTC), Mark: true, Cancel: true}
	mark, cancel := connector.Reply{At: reply.At, Mark: true}, connector.Reply{At: reply.At, Cancel: true}
	type said = map[string]string
	held := func(last, stop, began string) said {
		return said{"msg_last_reply_at": last, "msg_stop_automation": stop, "hs_latest_sequence_enrolled_date": began}
	}
	marked, stopped := said{"msg_last_reply_at": at}, said{"msg_stop_automation": "true"}
	both := said{"msg_last_reply_at": at, "msg_stop_automation": "true"}
	cases := map[string]struct {
		reply connector.Reply
		held  said
		want  said
	}{
		"the first one":                              {reply, said{}, both},
		"HubSpot answers empty properties":           {reply, held("", "", ""), both},
		"a newer one":                                {reply, held(before, "", before), both},
		"a newer one, the workflow cleared the last": {reply, held(before, "false", before), both},
		"a newer one, the workflow is not done yet":  {reply, held(before, "true", before), both},
		"an older one":                               {reply, held(after, "false", before), nil},
		"an older one, of a sequence that goes on":   {reply, held(after, "", before), nil},
		"its own repeat":                             {reply, held(at, "true", before), said{}},
		"its own repeat, the property was cleared":   {reply, held(at, "false", before), stopped},
		"its own repeat, the property was never set": {reply, held(at, "", before), stopped},
		"its own repeat, a sequence began since":     {reply, held(at, "false", after), said{}},
		"a sequence that began after it":             {reply, held("", "", after), marked},
		"a sequence that began with it":              {reply, held("", "", at), both},
		"in milliseconds, older":                     {reply, held("1768746192124", "", before), nil},
		"in milliseconds, the same":                  {reply, held("1768746192123", "true", before), said{}},
		"in milliseconds, a sequence after it":       {reply, held("1768746192122", "", "1768746192124"), marked},
		"with an offset, older":                      {reply, held("2026-01-18T15:23:12.124+01:00", "", before), nil},
		"edited by hand beyond reading":              {reply, held("last Sunday", "maybe", "2026-01-18"), both},
		"only to be marked":                          {mark, held(before, "", before), marked},
		"only to be marked, older":                   {mark, held(after, "", before), nil},
		"only to be ended":                           {cancel, held(before, "", before), stopped},
		"only to be ended, asked for already":        {cancel, held(before, "true", before), said{}},
		"only to be ended, older":                    {cancel, held(after, "", before), nil},
	}
	b, _, err := Binding{BaseURL: "https://x.test", Token: "t"}.check()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, answered(c.reply, c.held, b.Properties)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
