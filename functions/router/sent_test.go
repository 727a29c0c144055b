package router_test

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

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
		"an agent's message of long ago ends none":   {sent(1, agent, func(e *canonical.Event) { e.Flags.Historical = true }), rules.Default(), []delivery.Action{held}},
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

// tells returns an event of minute n that tells of one message of ours: a registration where the account is one of a sales tool, or an echo.
func tells(account string, n int, text, actor string) canonical.Event {
	return sent(n, func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", account, account, "event", "1")
		e.Provider, e.AccountID, e.ProviderMessageID = "acme", "acme-1", "M1"
		if e.Actor.Kind, e.Message.Text = actor, text; text == "" {
			e.Message = &canonical.Message{Summary: "[outreach]"}
		}
	})
}

// TestAMessageThatIsToldTwiceIsOne: in whatever order, what the CRM is to show last is what says most, at the time that was told first, and
// one outreach waits. A repeat of either changes nothing of that.
func TestAMessageThatIsToldTwiceIsOne(t *testing.T) {
	t.Parallel()
	full, bare := tells("tool", 1, "Shall we talk?", "automation"), tells("tool", 1, "", "automation")
	echo, agents := tells("door", 2, "Shall we talk?", "automation"), tells("door", 2, "Shall we talk?", "agent")
	for sentence, c := range map[string]struct {
		told  []canonical.Event
		shown []canonical.EventID // by each delivery that logs
		ends  int                 // deliveries that end sequences
	}{
		"a registration and its echo":                          {[]canonical.Event{full, echo}, []canonical.EventID{full.EventID}, 0},
		"an echo and its registration":                         {[]canonical.Event{echo, full}, []canonical.EventID{echo.EventID}, 0},
		"an echo of a registration without words":              {[]canonical.Event{bare, echo}, []canonical.EventID{bare.EventID, echo.EventID}, 0},
		"a registration without words of what was seen":        {[]canonical.Event{echo, bare}, []canonical.EventID{echo.EventID}, 0},
		"an echo that knows who wrote it":                      {[]canonical.Event{full, agents}, []canonical.EventID{full.EventID, agents.EventID}, 1},
		"a registration of what is known to be somebody's":     {[]canonical.Event{agents, full}, []canonical.EventID{agents.EventID}, 1},
		"a registration without words of what is somebody's":   {[]canonical.Event{agents, bare}, []canonical.EventID{agents.EventID}, 1},
		"somebody's message that was registered without words": {[]canonical.Event{bare, agents}, []canonical.EventID{bare.EventID, agents.EventID}, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			for range 2 {
				for _, e := range c.told {
					if err := w.route(t, message(t, e)); err != nil {
						t.Fatal(err)
					}
				}
			}
			var shown []canonical.EventID
			ends := 0
			for _, d := range w.deliveries(t) {
				if !d.Event.Timestamp.Equal(c.told[0].Timestamp) {
					t.Errorf("%s is shown at %s", d.Event.EventID, d.Event.Timestamp)
				}
				for _, a := range d.Actions {
					if a.Kind == delivery.LogActivity {
						shown = append(shown, d.Event.EventID)
					}
					if a.Kind == delivery.CancelSequences {
						ends++
					}
				}
			}
			if want := append(c.shown, c.shown...); !cmp.Equal(shown, want) || ends != 2*c.ends { // once more by the repeat
				t.Errorf("shown by %s, want %s; %d end sequences, want %d", shown, want, ends, 2*c.ends)
			}
			if head := w.head(t, c.told[0]); len(head.Outreach) != 1 || head.Outreach[0].Event != c.told[0].EventID {
				t.Errorf("these wait: %+v", head.Outreach)
			}
		})
	}
}

// TestACrashAtAnyCallLosesNoWords: the one that says more is shown although its router is killed at any call.
func TestACrashAtAnyCallLosesNoWords(t *testing.T) {
	t.Parallel()
	bare, full := tells("tool", 1, "", "automation"), tells("door", 2, "Shall we talk?", "agent")
	for call := 0; ; call++ {
		w := newWorld()
		if err := w.route(t, message(t, bare)); err != nil {
			t.Fatal(err)
		}
		before := len(w.calls)
		w.fault = func(n int) memstore.Fault {
			if n >= before+call {
				return memstore.After
			}
			return memstore.None
		}
		err := w.route(t, message(t, full))
		w.fault = nil
		if err == nil {
			return
		}
		if err := w.route(t, message(t, full)); err != nil {
			t.Fatal(err)
		}
		record, _ := w.record(t, full)
		all := w.deliveries(t)
		last := all[len(all)-1]
		if record.Decision.Told == nil || last.Event.EventID != full.EventID || last.Actions[0].Kind != delivery.LogActivity || !last.Event.Timestamp.Equal(bare.Timestamp) {
			t.Errorf("call %d: %+v", call, last)
		}
		if head := w.head(t, bare); len(head.Outreach) != 1 {
			t.Errorf("call %d: these wait: %+v", call, head.Outreach)
		}
	}
}

// TestAMessageThatIsToldTwiceIsOneOfItsDay: whoever tells of it tells it of a line of their own with one address, and it is counted once.
func TestAMessageThatIsToldTwiceIsOneOfItsDay(t *testing.T) {
	t.Parallel()
	bare, full := tells("tool", 1, "", "automation"), tells("door", 2, "Shall we talk?", "agent")
	full.LineID = "demo-door"
	for _, told := range [][]canonical.Event{{bare, full}, {full, bare}} {
		w := shownBy(nil)
		w.tenant.Lines = []tenant.Line{
			{ID: "demo-number", Address: "+15557654321", Timeline: w.tenant.Timeline}, {ID: "demo-door", Address: "sms:+15557654321", Timeline: w.tenant.Timeline},
		}
		w.routeAll(t, spoken("hello", 0))
		w.routeAll(t, told...)
		w.routeAll(t, told...)
		shown, states := w.sessions(t, bare)
		if diff := cmp.Diff(map[string]string{day: "hello, Shall we talk?"}, shown); diff != "" {
			t.Error(diff)
		}
		if c := states.All; len(c) != 1 || c[0].Messages != 2 || c[0].Status != conversation.WaitingForThem || !c[0].LastOutbound.Equal(told[0].Timestamp) {
			t.Errorf("the conversations are %+v", c)
		}
	}
}
