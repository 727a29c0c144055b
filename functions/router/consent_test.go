package router_test

import (
	"testing"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// refusal returns what an adapter makes of a receipt by which a provider refuses to send to somebody who opted out.
func refusal(id string, after time.Duration) canonical.Event {
	e := event("", func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "consent", id)
		e.Type, e.Direction, e.Actor, e.Message, e.ProviderMessageID = canonical.TypeConsent, canonical.Status, nil, nil, ""
		e.RelatesTo = &canonical.Relation{Kind: "receipt", ProviderMessageID: id}
		e.Consent = &canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceReceipt}
		e.Timestamp = at.Add(after)
	})
	e.Sender, e.Recipient = e.Recipient, e.Sender // sender and recipient of the message that was not sent
	return e
}

// subject returns whose consent the sender of an event is asked for.
func subject(e canonical.Event) consent.Subject {
	pepper := canonical.NewPepper("local-use-only-pepper", "demo")
	return consent.NewSubject(pepper, "demo", e.Sender.Phone, canonical.PersonKey(pepper, e.Sender.Phone), false)
}

// may returns whether the sender of an event may be messaged, and the head of its thread.
func (w *world) may(t *testing.T, e canonical.Event) (consent.Answer, conversation.Head) {
	t.Helper()
	held, err := consent.Read(t.Context(), w.store, subject(e))
	if err != nil {
		t.Fatal(err)
	}
	records, err := w.store.Get(t.Context(), conversation.Key("demo", e.ThreadID))
	if err != nil {
		t.Fatal(err)
	}
	head, err := conversation.Decode(records[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return w.tenant.Consent.May(held.Address, held.Person, consent.Question{Channel: e.Channel, Line: e.LineID, Purpose: consent.Messaging}), head
}

// TestAReceiptThatSaysTheRecipientOptedOutChangesTheConsent is what changed nothing: the provider knew that the person had opted
// out, and every record here said that they might be messaged.
func TestAReceiptThatSaysTheRecipientOptedOutChangesTheConsent(t *testing.T) {
	t.Parallel()
	type step struct {
		event canonical.Event
		tells bool // a CRM
	}
	text := func(words string, after time.Duration) canonical.Event {
		return event(words, func(e *canonical.Event) {
			e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", words)
			e.Timestamp = at.Add(after)
		})
	}
	for name, c := range map[string]struct {
		steps []step
		state string
		since time.Duration
	}{
		"nothing was known":                       {[]step{{refusal("SM1", 0), true}}, consent.OptedOut, 0},
		"an earlier opt-in gives way":             {[]step{{text("START", -time.Hour), true}, {refusal("SM1", 0), true}}, consent.OptedOut, 0},
		"a later opt-in stays":                    {[]step{{text("START", time.Hour), true}, {refusal("SM1", 0), false}}, consent.OptedIn, time.Hour},
		"a second message tells nothing anew":     {[]step{{refusal("SM1", 0), true}, {refusal("SM2", time.Hour), false}}, consent.OptedOut, 0},
		"the person's own opt-out keeps its time": {[]step{{text("STOP", -time.Hour), true}, {refusal("SM1", 0), false}}, consent.OptedOut, -time.Hour},
		"an opt-in afterwards is one":             {[]step{{refusal("SM1", 0), true}, {text("START", time.Hour), true}}, consent.OptedIn, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.link(t, event("", nil))
			for _, s := range c.steps {
				w.sent = nil
				s.event.ThreadID = event("", nil).ThreadID
				if err := w.route(t, message(t, s.event)); err != nil {
					t.Fatal(err)
				}
				var kinds []delivery.Kind
				for _, d := range w.deliveries(t) {
					for _, a := range d.Actions {
						kinds = append(kinds, a.Kind)
					}
				}
				want := []delivery.Kind(nil)
				if s.tells {
					want = []delivery.Kind{delivery.SetConsent}
				}
				if s.event.Type == canonical.TypeMessage {
					want = append(want, delivery.LogActivity)
				}
				if diff := cmp.Diff(want, kinds); diff != "" {
					t.Errorf("%s: %s", s.event.Type, diff)
				}
			}
			now, head := w.may(t, event("", nil))
			if now.Mark.State != c.state || !now.Mark.At.Equal(at.Add(c.since)) {
				t.Errorf("%+v: want %s since %v", now, c.state, c.since)
			}
			if head.Consent[canonical.SMS].State != c.state {
				t.Errorf("the thread's head says %+v", head.Consent)
			}
		})
	}
}

// TestAReceiptThatSaysTheRecipientOptedOutIsNoAnswer: the person wrote nothing, and nobody is made in a CRM because of it.
func TestAReceiptThatSaysTheRecipientOptedOutIsNoAnswer(t *testing.T) {
	t.Parallel()
	w, e := newWorld(), refusal("SM1", time.Hour)
	e.ThreadID = event("", nil).ThreadID
	sent := event("Shall we talk?", func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "outreach", "demo", "outreach", "1")
		e.Direction, e.Actor = canonical.Outbound, nil
	})
	sent.Sender, sent.Recipient = sent.Recipient, sent.Sender
	sent.ThreadID = e.ThreadID
	for _, e := range []canonical.Event{sent, e} {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range w.deliveries(t) {
		for _, a := range d.Actions {
			if d.Event.EventID == e.EventID && a.Kind != delivery.SetConsent || a.MakesPerson() {
				t.Errorf("a CRM is to %s", a.Kind)
			}
		}
	}
	if record, _ := w.record(t, e); record.Decision.Reply != nil || record.Decision.Consent == nil {
		t.Errorf("decided %+v", record.Decision)
	}
}

// TestAnOptOutThatIsOlderThanThePersonInTheCRMIsShown: the provider refused to send to somebody whom no CRM held. Nobody was told,
// and the person who was made later looked as if they might be messaged.
func TestAnOptOutThatIsOlderThanThePersonInTheCRMIsShown(t *testing.T) {
	t.Parallel()
	thread := event("", nil).ThreadID
	hello := event("hello there", func(e *canonical.Event) { e.Timestamp = at.Add(time.Hour) })
	for name, c := range map[string]struct {
		second canonical.Event
		linked bool
		want   []delivery.Kind
	}{
		"the person writes and is made":                  {hello, false, []delivery.Kind{delivery.EnsurePerson, delivery.SetConsent, delivery.LogActivity}},
		"a person that the CRM holds was told":           {hello, true, []delivery.Kind{delivery.LogActivity}},
		"somebody added the person, and it is told anew": {refusal("SM2", time.Hour), false, []delivery.Kind{delivery.SetConsent}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			first := refusal("SM1", 0)
			first.ThreadID, c.second.ThreadID = thread, thread
			if err := w.route(t, message(t, first)); err != nil {
				t.Fatal(err)
			}
			if c.linked {
				w.link(t, first)
			}
			w.sent = nil
			if err := w.route(t, message(t, c.second)); err != nil {
				t.Fatal(err)
			}
			var kinds []delivery.Kind
			for _, d := range w.deliveries(t) {
				for _, a := range d.Actions {
					kinds = append(kinds, a.Kind)
					if a.Kind == delivery.SetConsent && a.Value["at"] != at.UTC().Format(time.RFC3339Nano) {
						t.Errorf("the consent is of %s, want that of the first refusal", a.Value["at"])
					}
				}
			}
			if diff := cmp.Diff(c.want, kinds); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAStopClosesItsFamilyOfChannels is what left SMS open to whoever had said STOP by RCS.
func TestAStopClosesItsFamilyOfChannels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		channel  canonical.Channel
		policy   consent.Policy
		sms      consent.Verdict
		channels string
	}{
		"RCS with SMS":   {canonical.RCS, consent.DefaultPolicy(), consent.Denied, "rcs;sms"},
		"SMS with RCS":   {canonical.SMS, consent.DefaultPolicy(), consent.Denied, "rcs;sms"},
		"WhatsApp alone": {canonical.WhatsApp, consent.DefaultPolicy(), consent.Unknown, ""},
		"kept apart":     {canonical.RCS, consent.Policy{}, consent.Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.tenant.Consent, w.tenant.Channels = c.policy, []canonical.Channel{canonical.RCS, canonical.SMS, canonical.WhatsApp}
			stop := event("Stop", func(e *canonical.Event) { e.Channel = c.channel })
			if err := w.route(t, message(t, stop)); err != nil {
				t.Fatal(err)
			}
			if now, _ := w.may(t, event("", nil)); now.Verdict != c.sms {
				t.Errorf("SMS is %+v, want %s", now, c.sms)
			}
			for _, d := range w.deliveries(t) {
				for _, a := range d.Actions {
					if a.Kind == delivery.SetConsent && (a.Value["channel"] != string(c.channel) || a.Value["channels"] != c.channels) {
						t.Errorf("a CRM is told %v", a.Value)
					}
				}
			}
			// The CRM is not linked in this world: the next message makes the person again, and tells of what is closed once.
			w.sent = nil
			hello := event("hello there", func(e *canonical.Event) {
				e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", "SM2")
			})
			if err := w.route(t, message(t, hello)); err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, d := range w.deliveries(t) {
				for _, a := range d.Actions {
					if a.Kind == delivery.SetConsent {
						told = append(told, a.Value["channels"])
					}
				}
			}
			if diff := cmp.Diff([]string{c.channels}, told); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAYesIsAnOptInWhereOneIsPending is what opened an address because its owner said yes to something else.
func TestAYesIsAnOptInWhereOneIsPending(t *testing.T) {
	t.Parallel()
	yes := event("Yes", func(e *canonical.Event) { e.Timestamp = at.Add(time.Hour) })
	mark := func(state string, after time.Duration) consent.Mark {
		return consent.Mark{State: state, Channel: canonical.SMS, Purpose: consent.Messaging, At: at.Add(after), EventID: canonical.EventID(state), Source: consent.SourceForm}
	}
	for name, c := range map[string]struct {
		before []consent.Mark
		want   consent.Verdict
	}{
		"nobody asked":                       {nil, consent.Unknown},
		"they had stopped, and nobody asked": {[]consent.Mark{mark(consent.OptedOut, 0)}, consent.Denied},
		"they were asked":                    {[]consent.Mark{mark(consent.Pending, 0)}, consent.Allowed},
		"they had stopped, and were asked":   {[]consent.Mark{mark(consent.OptedOut, 0), mark(consent.Pending, time.Minute)}, consent.Allowed},
		"they were asked, and stopped":       {[]consent.Mark{mark(consent.Pending, 0), mark(consent.OptedOut, time.Minute)}, consent.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			for _, m := range c.before {
				if _, err := consent.Apply(t.Context(), w.store, subject(yes), consent.Entry{Mark: m}); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // a copy of the webhook changes nothing
				if err := w.route(t, message(t, yes)); err != nil {
					t.Fatal(err)
				}
			}
			now, _ := w.may(t, yes)
			if now.Verdict != c.want {
				t.Errorf("%+v, want %s", now, c.want)
			}
			record, _ := w.record(t, yes)
			if opens := record.Decision.Consent != nil; opens != (c.want == consent.Allowed) {
				t.Errorf("decided %+v", record.Decision.Consent)
			}
		})
	}
}

// TestEvidenceSaysWhereAChangeCameFrom holds what is kept of each kind.
func TestEvidenceSaysWhereAChangeCameFrom(t *testing.T) {
	t.Parallel()
	provider := event("STOPPEN BITTE", func(e *canonical.Event) {
		e.Consent = &canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceProvider}
	})
	receipt := refusal("SM9", 0)
	for name, c := range map[string]struct {
		event               canonical.Event
		source, actor, list string
		words               bool
	}{
		"a keyword":              {event("STOP", nil), consent.SourceKeyword, "customer", consent.ListVersion(), true},
		"plain words":            {event("please stop texting me", nil), consent.SourcePhrase, "customer", consent.ListVersion(), true},
		"the provider's verdict": {provider, consent.SourceProvider, "provider", "", true},
		"a refusal to send":      {receipt, consent.SourceReceipt, "provider", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.event.ThreadID = event("", nil).ThreadID
			if err := w.route(t, message(t, c.event)); err != nil {
				t.Fatal(err)
			}
			log, err := consent.Evidence(t.Context(), w.store, subject(event("", nil)))
			if err != nil || len(log) != 1 {
				t.Fatalf("%d pieces of evidence, %v", len(log), err)
			}
			got, m := log[0], log[0].Mark
			if m.Source != c.source || got.Actor != c.actor || got.List != c.list || got.Words != "" != c.words || m.EventID != c.event.EventID || m.Line != "demo-number" || !m.At.Equal(at) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestALineNamesWhoRepliesToKeywords: a HELP that the provider replies to is owed nothing, and a STOP only where it is ours to reply.
func TestALineNamesWhoRepliesToKeywords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		line tenant.Answers
		want string
	}{
		"help, nothing is said":     {"HELP", tenant.Answers{}, router.OwedHelp},
		"help, we do":               {"HELP", tenant.Answers{Help: tenant.Us}, router.OwedHelp},
		"help, the provider does":   {"HELP", tenant.Answers{Help: tenant.Provider}, ""},
		"help, nobody does":         {"HELP", tenant.Answers{Help: tenant.Nobody}, ""},
		"stop, nothing is said":     {"STOP", tenant.Answers{}, ""},
		"stop, we do":               {"STOP", tenant.Answers{Stop: tenant.Us}, router.OwedStop},
		"stop, the provider does":   {"STOP", tenant.Answers{Stop: tenant.Provider}, ""},
		"a message is owed nothing": {"hello", tenant.Answers{Stop: tenant.Us, Help: tenant.Us}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, e := newWorld(), event(c.text, nil)
			w.tenant.Answers = map[string]tenant.Answers{"demo-number": c.line}
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
			if record, _ := w.record(t, e); record.Decision.Owed != c.want {
				t.Errorf("%q is owed, want %q", record.Decision.Owed, c.want)
			}
		})
	}
}

// TestAMachinesPlainWordsAreNoOptOut: a note of absence that repeats what it was sent asks for nothing.
func TestAMachinesPlainWordsAreNoOptOut(t *testing.T) {
	t.Parallel()
	w, e := newWorld(), event("Automatic reply: I am away until Monday. Please do not contact me.", nil)
	if err := w.route(t, message(t, e)); err != nil {
		t.Fatal(err)
	}
	if now, _ := w.may(t, e); now.Verdict != consent.Unknown {
		t.Errorf("%+v", now)
	}
}
