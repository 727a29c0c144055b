package ring1

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/conversation"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/tenant"
)

// deliver posts a sample to its provider's adapter, and fails the test if it is not taken.
func (l *lane) deliver(s samples.Sample) {
	l.t.Helper()
	if answer := l.receive(l.newAdapter(s.Provider(), l.events), l.posted(l.client, s)); answer/100 != 2 {
		l.t.Errorf("%s was answered %d", s.Name, answer)
	}
}

// orders returns all orders of what happens.
func orders(all []string) [][]string {
	if len(all) < 2 {
		return [][]string{all}
	}
	var found [][]string
	for i, first := range all {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		for _, order := range orders(rest) {
			found = append(found, append([]string{first}, order...))
		}
	}
	return found
}

// TestAMessageOfOursIsOneWhoeverTellsOfIt: it is registered by a sales tool, told of by a program, and its receipts come from the provider that
// carried it, in any order: there is one record with the furthest state, and one outreach waits.
func TestAMessageOfOursIsOneWhoeverTellsOfIt(t *testing.T) {
	const phone = "+15552010000"
	for kind := range plugins.CRMs() {
		for _, order := range orders([]string{"registration", "echo", "sent", "delivered"}) {
			t.Run(kind+" "+strings.Join(order, " "), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPipeline(t, options{crm: kind})
					p.file.Tenant.Timeline = &tenant.TimelineContent{Granularity: tenant.ByMessage}
					p.publish()
					l := withReceipts(p)
					l.start()
					defer l.halt()
					l.send(message{number: number(9), from: phone, text: "hello"})
					l.settled(time.Hour)
					l.happens(order, phone)
					l.holdsOnce(phone)
				})
			})
		}
	}
}

// happens tells of message 0 of ours to a person: that it was registered, that it was seen, and what its provider says of it.
func (l *lane) happens(order []string, phone string) {
	l.t.Helper()
	s := l.ours(0)
	of := samples.MessageOf{Provider: s.Provider(), Account: s.Account(), ID: l.client.ID(s)}
	for _, what := range order {
		switch what {
		case "registration":
			l.deliver(l.client.New(samples.Load{Kind: samples.Outreach, Number: "out-1", Person: phone, Sent: time.Now(), Of: of}))
		case "echo":
			l.deliver(l.client.New(samples.Load{Kind: samples.Answer, Number: "echo-1", Person: phone, Sent: time.Now(), Text: "Shall we talk?", Name: "Ann", Of: of}))
		default:
			l.status(0, what)
		}
		l.settled(time.Hour)
		l.rest(time.Hour)
	}
}

// holdsOnce fails unless the CRM holds message 0 of ours once, delivered, beside what the person wrote, and one outreach waits.
func (l *lane) holdsOnce(phone string) {
	l.t.Helper()
	if dead := l.dead(); len(dead) > 0 {
		l.t.Errorf("dead letters: %q", dead)
	}
	if shown := l.shown(); len(shown) != 2 || shown[l.oursKey(0)] != "delivered" {
		l.t.Errorf("the CRM shows %v, and %s is ours", shown, l.oursKey(0))
	}
	i := slices.IndexFunc(l.messages(), func(r simulatortest.Record) bool { return r.Properties[l.about.Key] == l.oursKey(0) })
	if r := l.messages()[i]; !strings.Contains(strings.Join(r.Associations[l.about.People[0]], " "), l.personAt(phone).ID) || !strings.Contains(r.Properties[l.about.Text], "Shall we talk") {
		l.t.Errorf("it is %v of %v", r.Properties, r.Associations)
	}
	if waiting := l.waiting(); waiting != 1 {
		l.t.Errorf("%d outreaches wait", waiting)
	}
}

// waiting returns how many outreaches wait for an answer.
func (p *pipeline) waiting() (waiting int) {
	p.t.Helper()
	for record := range p.state.All() {
		if record.Sort != "head" {
			continue
		}
		head, err := conversation.Decode(record.Data)
		if err != nil {
			p.t.Fatal(err)
		}
		waiting += len(head.Outreach)
	}
	return waiting
}
