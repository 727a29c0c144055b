package ring1

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/race"
	"signalbox/shared/store"
)

// TestWhatWaitedForAPersonSurvivesTheRushAfterwards: everything is older than patience once the token works again, and then
// the portal throttles and fails as a portal does that is asked for everything at once.
func TestWhatWaitedForAPersonSurvivesTheRushAfterwards(t *testing.T) {
	t.Parallel()
	rush := map[string]func(p *pipeline) simulatortest.Fault{
		"it throttles": func(p *pipeline) simulatortest.Fault { return p.about.Refusals.Limit },
		"it fails": func(p *pipeline) simulatortest.Fault {
			return simulatortest.Fault{Match: p.api, Status: http.StatusBadGateway}
		},
	}
	for name, of := range rush {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				p.outage.refuse(p.about.Refusals.Credential, 3*24*time.Hour)
				f := of(p)
				f.Count = 20
				p.spoil(f)
				sender := p.conversation(60, 4)
				p.settled(5 * 24 * time.Hour)
				p.check(60, sender)
			})
		})
	}
}

// TestAThrottleOfOneSecondDoesNotUseTheReceivesUp: a queue allows a message a thousand receives.
func TestAThrottleOfOneSecondDoesNotUseTheReceivesUp(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.refuse(p.about.Refusals.Limit, 6*time.Hour)
		sender := p.conversation(30, 3)
		p.settled(48 * time.Hour)
		p.check(30, sender)
		if moved := p.deliver.Counters().Moved; moved > 0 {
			t.Errorf("the queue moved %d messages itself", moved)
		}
	})
}

// TestWhatNobodyUnblocksBecomesADeadLetterBeforeTheQueueLosesIt: a thread of more messages than a batch holds, so that the
// last ones are first received when the queue is about to forget them.
func TestWhatNobodyUnblocksBecomesADeadLetterBeforeTheQueueLosesIt(t *testing.T) {
	withoutTheDetector(t)
	t.Parallel()
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.refuse(p.about.Refusals.Credential, 60*24*time.Hour)
		p.conversation(35, 1)
		p.settled(20 * 24 * time.Hour)
		if c := p.deliver.Counters(); c.Expired > 0 || c.Moved > 0 {
			t.Errorf("the queue forgot %d messages and moved %d", c.Expired, c.Moved)
		}
		if dead := p.dead(); len(dead) != 35 {
			t.Errorf("%d of 35 are dead letters", len(dead))
		}
		if !strings.Contains(p.logs.text(), `"code":"`+p.kind+`_`) {
			t.Error("the dead letters do not say why")
		}
	})
}

// TestWhatWaitedForOurselvesSurvivesTheFirstFailureAfterwards: the functions were switched off for longer than patience, and
// are switched on while the connector's queue refuses what the router sends.
func TestWhatWaitedForOurselvesSurvivesTheFirstFailureAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(t, options{})
		sender := p.conversation(20, 3)
		time.Sleep(3 * 24 * time.Hour)
		p.deliver.Inject(down)
		p.start()
		defer p.halt()
		time.Sleep(5 * time.Minute)
		p.deliver.Inject(nil)
		p.settled(24 * time.Hour)
		p.check(20, sender)
	})
}

// TestTheCRMDownForDaysCostsNoMessageItsTenDays: it is not the messages' fault, and what waited behind another is not given ten days of its own.
func TestTheCRMDownForDaysCostsNoMessageItsTenDays(t *testing.T) {
	withoutTheDetector(t)
	t.Parallel()
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.begin(p.api, http.StatusBadGateway, "", 30*24*time.Hour)
		p.conversation(10, 1)
		time.Sleep(9 * 24 * time.Hour)
		if dead := p.dead(); len(dead) > 0 {
			t.Errorf("after nine days there are dead letters: %v", dead)
		}
		p.settled(2 * 24 * time.Hour)
		if dead := p.dead(); len(dead) != 10 || p.deliver.Counters().Moved > 0 {
			t.Errorf("%d of 10 are dead letters", len(dead))
		}
	})
}

// TestStrangeMessagesReachTheCRM sends what a parser, an encoder or a limit may stumble over.
func TestStrangeMessagesReachTheCRM(t *testing.T) {
	cases := map[string]struct {
		m    message
		body string // what the record of the message shows
		not  string
		none bool // nobody is made of the sender
	}{
		"markup":                      {m: message{text: `<script>alert(1)</script><img src=x onerror="x">`}, body: "&lt;script&gt;", not: "<script"},
		"a zero byte":                 {m: message{text: "a\x00b"}, body: "ab"},
		"bytes that are no UTF-8":     {m: message{text: "a\xed\xa0\x80\xffb"}, body: "a"},
		"noncharacters":               {m: message{text: "a\ufffe\uffffb"}, body: "a"},
		"an override of direction":    {m: message{text: "a\u202eb"}, body: "b"},
		"a family of one glyph":       {m: message{text: "👨‍👩‍👧‍👦"}, body: "👨‍👩‍👧‍👦"},
		"nothing but angle brackets":  {m: message{text: strings.Repeat("<", 60_000)}, body: "&lt;&lt;"},
		"a very long text":            {m: message{text: strings.Repeat("long \U0001F600 ", 9_000)}, body: "long"},
		"a text that fills an event":  {m: message{text: strings.Repeat("\U0001F600", 50_000)}, body: "\U0001F600"},
		"a short code":                {m: message{from: "72345", text: "hello"}, none: true},
		"a sender's name":             {m: message{from: "Acme & Co", text: "hello"}, none: true},
		"a number nobody has":         {m: message{from: "+99999999999", text: "hello"}, body: "hello"},
		"a user without a number":     {m: message{from: "US.13491208655302741918", channel: canonical.WhatsApp, text: "hello"}, body: "hello"},
		"a name of control bytes":     {m: message{channel: canonical.WhatsApp, text: "hello", name: "\x01\x02"}, body: "hello"},
		"a name of many, many words":  {m: message{channel: canonical.WhatsApp, text: "hello", name: strings.Repeat("<b>名前 ", 100)}, body: "hello"},
		"an address that runs a word": {m: message{text: "hello", media: "https://media.example/a\"onmouseover=x"}, not: `"onmouseover`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				c.m.number = number(0)
				if c.m.from == "" {
					c.m.from = "+15552010001"
				}
				if status := p.send(c.m); status != http.StatusOK {
					t.Fatalf("answered %d", status)
				}
				p.settled(time.Hour)
				if c.none {
					if held := p.messages(); len(held) != 0 {
						t.Errorf("%d messages of nobody's", len(held))
					}
					return
				}
				p.check(1, func(int) string { return "a" })
				for _, record := range p.messages() {
					body := record.Properties[p.about.Text]
					if !strings.Contains(body, c.body) || c.not != "" && strings.Contains(body, c.not) {
						t.Errorf("the body is %.300q", body)
					}
				}
			})
		})
	}
}

// TestThePersonChangesInTheCRM: between two messages somebody changes the person, or the store forgets the link to it.
func TestThePersonChangesInTheCRM(t *testing.T) {
	cases := map[string]func(p *pipeline){
		"nothing happens":             func(*pipeline) {},
		"the person is deleted":       (*pipeline).removePerson,
		"the link is lost":            (*pipeline).forgetLinks,
		"deleted, and the link, lost": func(p *pipeline) { p.removePerson(); p.forgetLinks() },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				from := "+15552010001"
				p.send(message{number: number(0), from: from, text: "hello"})
				p.settled(time.Hour)
				change(p)
				p.send(message{number: number(1), from: from, channel: canonical.RCS, line: p.lineOf(canonical.RCS), text: "and more"})
				p.send(message{number: number(2), from: from, channel: canonical.WhatsApp, text: "STOP"})
				p.settled(time.Hour)
				p.checkOnce(3, func(int) string { return from })
				if out := p.people()[0].Properties[p.about.OptedOut]; out != "true" {
					t.Errorf("opted out: %q", out)
				}
			})
		})
	}
}

// removePerson deletes the first person as a user of the CRM would.
func (p *pipeline) removePerson() {
	p.control(http.MethodDelete, "/records?"+url.Values{"object": {p.about.People[0]}, "id": {p.people()[0].ID}}.Encode(), nil, nil)
}

// lineOf returns a line of the demo tenant that serves a channel.
func (p *pipeline) lineOf(channel canonical.Channel) string {
	for _, l := range p.file.Lines {
		if slices.Contains(l.Channels, channel) {
			return l.Address
		}
	}
	p.t.Fatalf("no line serves %s", channel)
	return ""
}

// forgetLinks removes the heads of all threads.
func (p *pipeline) forgetLinks() {
	for record := range p.state.All() {
		if record.Sort != "head" {
			continue
		}
		if _, err := p.state.Write(p.t.Context(), store.Change{Kind: store.Delete, Record: record}); err != nil {
			p.t.Error(err)
		}
	}
}

// TestTwoHoldersOfOneMessage: the queue hands a message out again while its first holder still works on it.
func TestTwoHoldersOfOneMessage(t *testing.T) {
	run(t, options{visibility: 3 * time.Second}, func(t *testing.T, p *pipeline) {
		p.spoil(simulatortest.Fault{Match: p.api, DelayMS: 2500, Count: 200})
		sender := p.conversation(20, 3)
		p.settled(24 * time.Hour)
		p.check(20, sender)
		if !strings.Contains(p.logs.text(), "message is held by another worker") {
			t.Error("no message had two holders")
		}
	})
}

// withoutTheDetector skips a test under the race detector. It waits for weeks, in which little is done, and is run without it.
func withoutTheDetector(t *testing.T) {
	t.Helper()
	if race.Enabled {
		t.Skip("SKIPPED under -race: make test runs it without it")
	}
}
