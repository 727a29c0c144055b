package router_test

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"

	"github.com/google/go-cmp/cmp"
)

// everybody are rules that want a person and an activity of whatever happens.
func everybody() rules.Set {
	return rules.Set{Rules: []rules.Rule{{ID: "everybody", Then: []rules.Action{
		{CRM: rules.AnyCRM, Kind: delivery.EnsurePerson}, {CRM: rules.AnyCRM, Kind: delivery.LogActivity},
	}}}}
}

// TestWhatWeSentIsOnTheTimelineAndMakesNobody: by the default rules, and whatever others ask for, of somebody unknown and of somebody linked,
// who may be gone from the CRM by then.
func TestWhatWeSentIsOnTheTimelineAndMakesNobody(t *testing.T) {
	t.Parallel()
	agent := func(e *canonical.Event) { e.Actor = &canonical.Actor{Kind: "agent", Via: "inbox"} }
	held := delivery.Action{Kind: delivery.LogActivity, Value: map[string]string{delivery.OfWhom: delivery.Held}}
	made := delivery.Action{Kind: delivery.LogActivity}
	ends := delivery.Action{Kind: delivery.CancelSequences, Value: map[string]string{"at": minute(1).Format(time.RFC3339Nano)}}
	about := func(kind canonical.Type, direction canonical.Direction) canonical.Event {
		return said(1, "x", func(e *canonical.Event) {
			e.Type, e.Direction = kind, direction
			if direction == canonical.Outbound {
				e.Actor, e.Sender, e.Recipient = &canonical.Actor{Kind: "agent"}, e.Recipient, e.Sender
			}
			if e.RelatesTo = (&canonical.Relation{Kind: string(kind), ProviderMessageID: "SM0"}); kind == canonical.TypeReaction {
				e.Message, e.Reaction = nil, &canonical.Reaction{Emoji: "👍"}
			}
		})
	}
	for sentence, c := range map[string]struct {
		event canonical.Event
		set   rules.Set
		want  []delivery.Action
	}{
		"a program's message":                        {sent(1), rules.Default(), []delivery.Action{held}},
		"an agent's message ends sequences":          {sent(1, agent), rules.Default(), []delivery.Action{held, ends}},
		"an agent's absence note ends none":          {sent(1, agent, func(e *canonical.Event) { e.Flags.AutoReply = true }), rules.Default(), []delivery.Action{held}},
		"rules that want everybody get no recipient": {sent(1, agent), everybody(), []delivery.Action{held}},
		"the customer's reaction":                    {about(canonical.TypeReaction, canonical.Inbound), rules.Default(), []delivery.Action{held}},
		"the customer's edit":                        {about(canonical.TypeEdit, canonical.Inbound), rules.Default(), []delivery.Action{held}},
		"our retraction":                             {about(canonical.TypeRetract, canonical.Outbound), rules.Default(), []delivery.Action{held}},
		"our reaction to rules that want everybody":  {about(canonical.TypeReaction, canonical.Outbound), everybody(), []delivery.Action{held}},
		"a reaction whose person rules want": {
			about(canonical.TypeReaction, canonical.Inbound), everybody(),
			[]delivery.Action{{Kind: delivery.EnsurePerson}, made},
		},
	} {
		for _, linked := range []bool{false, true} {
			w := newWorld()
			if w.tenant.Rules = c.set; linked {
				w.link(t, c.event)
			}
			if err := w.route(t, message(t, c.event)); err != nil {
				t.Fatal(sentence, err)
			}
			got := w.deliveries(t)[0].Actions
			for i, a := range got {
				if a.Kind == delivery.EnsurePerson {
					got[i].Value = nil
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, linked %t: %s", sentence, linked, diff)
			}
		}
	}
}
