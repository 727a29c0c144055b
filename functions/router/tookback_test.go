package router_test

import (
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/tenant"
)

// TestWhichReactionWasTakenBackIsShown: where the provider does not tell, the thread's last events do. A copy shows the same.
func TestWhichReactionWasTakenBackIsShown(t *testing.T) {
	t.Parallel()
	react := func(n int, about, emoji string, removed bool) canonical.Event {
		return said(n, "", func(e *canonical.Event) {
			e.Type, e.Message, e.Reaction = canonical.TypeReaction, nil, &canonical.Reaction{Emoji: emoji, Removed: removed}
			e.RelatesTo = &canonical.Relation{Kind: "reaction", ProviderMessageID: about}
		})
	}
	for sentence, c := range map[string]struct {
		before []canonical.Event
		event  canonical.Event
		want   string
	}{
		"the one that there is":             {[]canonical.Event{react(1, "SM1", "👍", false)}, react(3, "SM1", " ", true), "👍"},
		"the last one":                      {[]canonical.Event{react(1, "SM1", "👍", false), react(2, "SM1", "❤️", false)}, react(3, "SM1", " ", true), "❤️"},
		"the provider tells":                {[]canonical.Event{react(1, "SM1", "👍", false)}, react(3, "SM1", "❤️", true), "❤️"},
		"of another message":                {[]canonical.Event{react(1, "SM2", "👍", false)}, react(3, "SM1", " ", true), " "},
		"one that was put later, came late": {[]canonical.Event{react(4, "SM1", "👍", false)}, react(3, "SM1", " ", true), " "},
	} {
		w := shownBy(func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage })
		w.link(t, event("", nil))
		w.routeAll(t, append(c.before, c.event, c.event)...)
		for _, d := range w.deliveries(t)[len(c.before):] {
			if got := d.Event.Reaction; got == nil || got.Emoji != c.want || !got.Removed {
				t.Errorf("%s: %+v", sentence, got)
			}
		}
	}
}
