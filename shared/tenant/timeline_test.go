package tenant_test

import (
	"testing"
	"time"

	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// TestAFileSaysHowTimelinesAre holds what functions see of it: a tenant's of lines that say nothing, and what stands in for what both leave
// out.
func TestAFileSaysHowTimelinesAre(t *testing.T) {
	t.Parallel()
	defaults := tenant.Timeline{
		Granularity: tenant.ByDay, Silence: 4 * time.Hour, Window: time.Minute, SealAfter: 168 * time.Hour, Words: tenant.WordsShown, Conversations: true,
		Close: 72 * time.Hour, Files: tenant.FilesByLink, FilesFor: 720 * time.Hour,
	}
	all := tenant.TimelineContent{
		Granularity: tenant.BySession, Silence: "90m", Window: "0s", SealAfter: "24h", Words: tenant.WordsDigest, Conversations: new(false), Close: "1h30m",
		Files: tenant.FilesByAddress, FilesFor: "2h",
	}
	everything := tenant.Timeline{
		Granularity: tenant.BySession, Silence: 90 * time.Minute, Window: 0, SealAfter: 24 * time.Hour, Words: tenant.WordsDigest, Close: 90 * time.Minute,
		Files: tenant.FilesByAddress, FilesFor: 2 * time.Hour,
	}
	digest := defaults
	digest.Words = tenant.WordsDigest
	messages := digest
	messages.Granularity = tenant.ByMessage
	for name, c := range map[string]struct {
		tenant, first         *tenant.TimelineContent
		want, ofFirst, others tenant.Timeline
	}{
		"nothing":                {nil, nil, defaults, defaults, defaults},
		"everything":             {&all, nil, everything, everything, everything},
		"of a line":              {nil, &all, defaults, everything, defaults},
		"words of all, one line": {&tenant.TimelineContent{Words: tenant.WordsDigest}, &tenant.TimelineContent{Granularity: tenant.ByMessage}, digest, messages, digest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := demo(t)
			f.Tenant.Timeline, f.Lines[0].Timeline = c.tenant, c.first
			s, box := memstore.New(), newBox()
			publish(t, s, box, f)
			got, err := directory(s, box).Tenant(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			seen := []tenant.Timeline{got.TimelineOf(""), got.TimelineOf(f.Lines[0].ID), got.TimelineOf(f.Lines[1].ID)}
			if diff := cmp.Diff([]tenant.Timeline{c.want, c.ofFirst, c.others}, seen); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDurationsOfATimeline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		timeline tenant.TimelineContent
		want     []tenant.Problem
	}{
		"the least":      {tenant.TimelineContent{Silence: "5m", Window: "0s", SealAfter: "24h", Close: "1h"}, nil},
		"the most":       {tenant.TimelineContent{Silence: "168h", Window: "15m", SealAfter: "1440h", Close: "8760h", FilesFor: "2160h"}, nil},
		"below":          {tenant.TimelineContent{Silence: "299s"}, []tenant.Problem{{"silence", "is not a duration from 5m to 168h, such as 90m or 72h"}}},
		"above":          {tenant.TimelineContent{Window: "16m"}, []tenant.Problem{{"window", "is not a duration from 0s to 15m, such as 90m or 72h"}}},
		"without a unit": {tenant.TimelineContent{SealAfter: "7"}, []tenant.Problem{{"sealAfter", "is not a duration from 24h to 1440h, such as 90m or 72h"}}},
		"days":           {tenant.TimelineContent{Close: "3d"}, []tenant.Problem{{"close", "is not a duration from 1h to 8760h, such as 90m or 72h"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := demo(t)
			f.Tenant.Timeline, f.Lines[1].Timeline = &c.timeline, &c.timeline
			var want []tenant.Problem
			for _, path := range []string{"tenant.timeline.", "lines[1].timeline."} {
				for _, p := range c.want {
					want = append(want, tenant.Problem{Path: path + p.Path, Reason: p.Reason})
				}
			}
			if diff := cmp.Diff(want, tenant.Validate(f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
