package router_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/store"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// words returns what waits to be told providers of two accounts, and checks that no number is in it in the clear.
func (w *world) words(t *testing.T) (all []string) {
	t.Helper()
	for _, account := range []string{"demo-twilio", "demo-other"} {
		for page, err := range store.Pages(t.Context(), w.store, consent.Waiting(account)) {
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				word, sealed, ok := consent.ReadWord(r)
				address, err := w.ring.Open(t.Context(), word.Place(), sealed)
				if !ok || err != nil || string(address) != "+15551234567" {
					t.Errorf("%s is of %q: %v", r.Data, address, err)
				}
				all = append(all, fmt.Sprint(word.Line, " ", word.Channel, " ", word.State, " ", word.Source))
			}
		}
	}
	return all
}

// TestProvidersAreToldOfConsent holds which lines' providers are told of what is said, and by whom.
func TestProvidersAreToldOfConsent(t *testing.T) {
	t.Parallel()
	says := func(words string, change func(*canonical.Event)) canonical.Event {
		return event(words, func(e *canonical.Event) {
			e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", words)
			if change != nil {
				change(e)
			}
		})
	}
	verdict := func(e *canonical.Event) {
		e.Consent = &canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceProvider}
	}
	byOperator := says("", func(e *canonical.Event) {
		e.Type, e.Direction, e.Provider, e.AccountID, e.LineID, e.Message = canonical.TypeConsent, canonical.Status, consent.Operator, "", "", nil
		e.Consent = &canonical.Consent{Keyword: consent.Stop, State: consent.OptedOut, Source: consent.SourceAgent}
	})
	byOperator.Sender, byOperator.Recipient = byOperator.Recipient, byOperator.Sender
	all := []string{"demo-number sms opted_out phrase", "demo-second sms opted_out phrase"}
	for name, c := range map[string]struct {
		said  []canonical.Event
		scope string
		want  []string
	}{
		"plain words, to one line of several": {[]canonical.Event{says("please stop texting me", nil)}, consent.ScopeTenant, all},
		"of one line, where lines are apart":  {[]canonical.Event{says("please stop texting me", nil)}, consent.ScopeLine, all[:1]},
		"talk":                                {[]canonical.Event{says("when do you open?", nil)}, consent.ScopeTenant, nil},
		"what the provider said of its line":  {[]canonical.Event{says("STOP", verdict)}, consent.ScopeTenant, []string{"demo-second sms opted_out provider"}},
		"by a channel that is closed with it": {[]canonical.Event{says("STOP", func(e *canonical.Event) { e.Channel, e.LineID = canonical.RCS, "demo-agent" })}, consent.ScopeTenant, []string{"demo-number sms opted_out keyword", "demo-second sms opted_out keyword"}},
		"by one that is not":                  {[]canonical.Event{says("STOP", func(e *canonical.Event) { e.Channel, e.LineID = canonical.WhatsApp, "demo-wa" })}, consent.ScopeTenant, nil},
		"by an operator":                      {[]canonical.Event{byOperator}, consent.ScopeTenant, []string{"demo-number sms opted_out agent", "demo-second sms opted_out agent"}},
		"twice":                               {[]canonical.Event{says("please stop texting me", nil), says("please stop texting me", nil)}, consent.ScopeTenant, all},
		"older than what holds": {[]canonical.Event{
			says("START", func(e *canonical.Event) { e.Timestamp = at.Add(time.Hour) }), says("please stop texting me", nil),
		}, consent.ScopeTenant, []string{"demo-number sms opted_in keyword", "demo-second sms opted_in keyword"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			line := func(id, account string, tells bool, channel canonical.Channel) tenant.Line {
				return tenant.Line{ID: id, TenantID: "demo", AccountID: account, Address: id, Channels: []canonical.Channel{channel}, Tells: tells}
			}
			w.tenant.Lines = []tenant.Line{
				line("demo-number", "demo-twilio", true, canonical.SMS), line("demo-second", "demo-twilio", true, canonical.SMS),
				line("demo-agent", "demo-rbm", false, canonical.RCS), line("demo-wa", "demo-wa", false, canonical.WhatsApp), line("demo-third", "demo-other", false, canonical.SMS),
			}
			w.tenant.Consent = consent.DefaultPolicy()
			w.tenant.Consent.Scope = c.scope
			w.tenant.Channels = []canonical.Channel{canonical.RCS, canonical.SMS, canonical.WhatsApp}
			thread := event("", nil).ThreadID
			for _, e := range c.said {
				e.ThreadID = thread
				if err := w.route(t, message(t, e)); err != nil {
					t.Fatal(err)
				}
			}
			got := w.words(t)
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
