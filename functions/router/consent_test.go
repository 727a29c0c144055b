package router_test

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"

	"github.com/google/go-cmp/cmp"
)

// refusal returns what an adapter makes of a receipt by which a provider refuses to send to somebody who opted out.
func refusal(id string, after time.Duration) canonical.Event {
	e := event("", func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "consent", id)
		e.Type, e.Direction, e.Actor, e.Message, e.ProviderMessageID = canonical.TypeConsent, canonical.Status, nil, nil, ""
		e.RelatesTo = &canonical.Relation{Kind: "receipt", ProviderMessageID: id}
		e.Consent = &canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceProvider}
		e.Timestamp = at.Add(after)
	})
	e.Sender, e.Recipient = e.Recipient, e.Sender // sender and recipient of the message that was not sent
	return e
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
			w, person := newWorld(), ""
			w.link(t, event("", nil))
			for _, s := range c.steps {
				w.sent = nil
				s.event.ThreadID = event("", nil).ThreadID
				if err := w.route(t, message(t, s.event)); err != nil {
					t.Fatal(err)
				}
				var kinds []delivery.Kind
				for _, d := range w.deliveries(t) {
					person = d.Person.Key
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
			held, err := w.store.Get(t.Context(), consent.Key("demo", person, canonical.SMS), conversation.Key("demo", event("", nil).ThreadID))
			if err != nil {
				t.Fatal(err)
			}
			now, err := consent.Decode(held[0].Data)
			if err != nil || now.State != c.state || !now.At.Equal(at.Add(c.since)) {
				t.Errorf("%+v, %v: want %s since %v", now, err, c.state, c.since)
			}
			head, err := conversation.Decode(held[1].Data)
			if err != nil || head.Consent[canonical.SMS].State != c.state {
				t.Errorf("the thread's head says %+v, %v", head.Consent, err)
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
			if a.Kind != delivery.SetConsent {
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
