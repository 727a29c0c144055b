package ring1

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/tenant"
)

// daily runs a pipeline of a kind of CRM that shows a conversation's day as one activity, where somebody has written.
func daily(t *testing.T, kind, phone string, f func(l *lane)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(t, options{crm: kind})
		p.file.Tenant.Timeline = &tenant.TimelineContent{Granularity: tenant.ByDay, Window: "0s"}
		p.publish()
		l := withReceipts(p)
		l.start()
		defer l.halt()
		l.send(message{number: number(9), from: phone, text: "hello"})
		l.settled(time.Hour)
		f(l)
		l.settled(time.Hour)
		l.rest(time.Hour)
		if dead := l.dead(); len(dead) > 0 {
			t.Errorf("dead letters: %q\n%s", dead, l.logs.text())
		}
	})
}

// texts returns what the CRM's activities say.
func (l *lane) texts() (all []string) {
	for _, object := range l.about.Objects {
		for _, r := range l.held(object) {
			for _, value := range r.Properties {
				if strings.Contains(value, "hello") && strings.Contains(value, "Shall we talk") && !slices.Contains(all, value) {
					all = append(all, value)
				}
			}
		}
	}
	return all
}

// TestACampaignThatWasSentElsewhereWritesNothing: nobody told of its messages, and a hundred receipts of them cost the CRM no call; what a
// recipient said by one of them reaches it.
func TestACampaignThatWasSentElsewhereWritesNothing(t *testing.T) {
	const phone = "+15552010000"
	for kind := range plugins.CRMs() {
		t.Run(kind, func(t *testing.T) {
			daily(t, kind, phone, func(l *lane) {
				before := len(l.messages())
				for n := range 100 {
					l.status(100+n, []string{"sent", "delivered", "failed"}[n%3])
				}
				l.settled(time.Hour)
				l.rest(time.Hour)
				if told := l.updates.Counters().Sent; told != 0 {
					t.Errorf("the CRM's lane got %d updates", told)
				}
				l.callback(samples.Load{Kind: samples.Refused, Number: number(1), Person: phone, Sent: time.Now()})
				l.settled(time.Hour)
				l.rest(time.Hour)
				if p := l.personAt(phone); p.Properties[l.about.OptedOut] != "true" {
					t.Errorf("the person shows %v", p.Properties)
				}
				if len(l.messages()) != before || l.updates.Counters().Sent != 0 {
					t.Errorf("%d messages, before %d; %d updates", len(l.messages()), before, l.updates.Counters().Sent)
				}
			})
		})
	}
}

// TestAFailureIsShownInItsDay, whether it comes before its message or after, and the last message's receipt on the conversation.
func TestAFailureIsShownInItsDay(t *testing.T) {
	t.Parallel()
	const phone = "+15552010000"
	for kind := range plugins.CRMs() {
		for _, order := range orders([]string{"echo", "failed", "registration"}) {
			t.Run(kind+" "+strings.Join(order, " "), func(t *testing.T) {
				daily(t, kind, phone, func(l *lane) {
					l.happens(order, phone)
					said := l.texts()
					if len(said) != 1 || strings.Count(said[0], "Shall we talk") != 1 || !strings.Contains(said[0], "not delivered") {
						t.Errorf("the activities say %q", said)
					}
				})
			})
		}
	}
}

// TestAMessageOfOursIsOneOfItsDay: in whatever order it is told of and its receipts come, the day has it once and the conversation shows how
// far it got.
func TestAMessageOfOursIsOneOfItsDay(t *testing.T) {
	t.Parallel()
	const phone = "+15552010000"
	for kind := range plugins.CRMs() {
		for _, order := range orders([]string{"registration", "echo", "sent", "delivered"}) {
			t.Run(kind+" "+strings.Join(order, " "), func(t *testing.T) {
				daily(t, kind, phone, func(l *lane) {
					l.happens(order, phone)
					if said := l.texts(); len(said) != 1 || strings.Count(said[0], "Shall we talk") != 1 || strings.Contains(said[0], "not delivered") {
						t.Errorf("the activities say %q", said)
					}
					if !slices.ContainsFunc(l.about.Objects, func(object string) bool {
						return slices.ContainsFunc(l.held(object), func(r simulatortest.Record) bool { return has(r, "delivered") })
					}) {
						t.Error("nothing shows that it was delivered")
					}
					if waiting := l.waiting(); waiting != 1 {
						t.Errorf("%d outreaches wait", waiting)
					}
				})
			})
		}
	}
}
