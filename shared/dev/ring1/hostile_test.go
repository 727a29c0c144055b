package ring1

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/store"
)

// Refusals in HubSpot's words.
const (
	refusedToken = `{"status":"error","category":"INVALID_AUTHENTICATION"}`
	burst        = `{"status":"error","category":"RATE_LIMITS","policyName":"TEN_SECONDLY_ROLLING"}`
	secondly     = `{"status":"error","category":"RATE_LIMITS","policyName":"SECONDLY"}`
)

// TestWhatWaitedForAPersonSurvivesTheRushAfterwards: everything is older than patience once the token works again, and then
// the portal throttles and fails as a portal does that is asked for everything at once.
func TestWhatWaitedForAPersonSurvivesTheRushAfterwards(t *testing.T) {
	rush := map[string]simulator.Fault{
		"it throttles": {Match: "/crm", Status: http.StatusTooManyRequests, Body: []byte(burst), Count: 20},
		"it fails":     {Match: "/crm", Status: http.StatusBadGateway, Count: 20},
	}
	for name, f := range rush {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				p.outage.begin("/crm", http.StatusUnauthorized, refusedToken, 3*24*time.Hour)
				p.portal.Spoil(f)
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
		p.outage.begin("/crm", http.StatusTooManyRequests, secondly, 6*time.Hour)
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
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.begin("/crm", http.StatusUnauthorized, refusedToken, 60*24*time.Hour)
		p.conversation(35, 1)
		p.settled(20 * 24 * time.Hour)
		if c := p.deliver.Counters(); c.Expired > 0 || c.Moved > 0 {
			t.Errorf("the queue forgot %d messages and moved %d", c.Expired, c.Moved)
		}
		if dead := p.dead(); len(dead) != 35 {
			t.Errorf("%d of 35 are dead letters", len(dead))
		}
		if !strings.Contains(p.logs.text(), `"code":"hubspot_unauthenticated"`) {
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

// TestTheCRMDownForDaysCostsADayAndNotADayAMessage: what waited behind a message that ran out of patience is not given a day
// of its own, or a thread of ten would hold its last one back for ten days.
func TestTheCRMDownForDaysCostsADayAndNotADayAMessage(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.begin("/crm", http.StatusBadGateway, "", 30*24*time.Hour)
		p.conversation(10, 1)
		p.settled(48 * time.Hour)
		if dead := p.dead(); len(dead) != 10 || p.deliver.Counters().Moved > 0 {
			t.Errorf("%d of 10 are dead letters", len(dead))
		}
	})
}

// TestStrangeMessagesReachTheCRM sends what a parser, an encoder or a limit may stumble over.
func TestStrangeMessagesReachTheCRM(t *testing.T) {
	cases := map[string]struct {
		m    message
		body string // what the communication's body holds
		not  string
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
		"a short code":                {m: message{from: "72345", text: "hello"}, body: "hello"},
		"a sender's name":             {m: message{from: "Acme & Co", text: "hello"}, body: "hello"},
		"a number nobody has":         {m: message{from: "+99999999999", text: "hello"}, body: "hello"},
		"a user without a number":     {m: message{from: "whatsapp:", to: "whatsapp:" + line, text: "hello", more: map[string]string{"From": "", "ExternalUserId": "whatsapp:US.13491208655302741918"}}, body: "hello"},
		"a name of control bytes":     {m: message{from: "whatsapp:+15552010009", to: "whatsapp:" + line, text: "hello", more: map[string]string{"ProfileName": "\x01\x02"}}, body: "hello"},
		"a name of many, many words":  {m: message{from: "whatsapp:+15552010009", to: "whatsapp:" + line, text: "hello", more: map[string]string{"ProfileName": strings.Repeat("<b>名前 ", 100)}}, body: "hello"},
		"an address that runs a word": {m: message{text: "hello", more: map[string]string{"NumMedia": "1", "MediaUrl0": "https://media.example/a\"onmouseover=x", "MediaContentType0": "image/<b>"}}, not: `"onmouseover`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				c.m.sid = sid(0)
				if c.m.from == "" {
					c.m.from = "+15552010001"
				}
				if status := p.send(c.m); status != http.StatusOK {
					t.Fatalf("answered %d", status)
				}
				p.settled(time.Hour)
				p.check(1, func(int) string { return "a" })
				for _, communication := range p.held("communications") {
					body := communication.Properties["hs_communication_body"]
					if !strings.Contains(body, c.body) || c.not != "" && strings.Contains(body, c.not) {
						t.Errorf("the body is %.300q", body)
					}
				}
			})
		})
	}
}

// TestThePersonChangesInTheCRM: between two messages somebody changes the contact, or the store forgets the link to it.
func TestThePersonChangesInTheCRM(t *testing.T) {
	cases := map[string]func(p *pipeline){
		"nothing happens":             func(*pipeline) {},
		"the contact is deleted":      func(p *pipeline) { p.portal.Archive("contacts", p.held("contacts")[0].ID) },
		"the link is lost":            (*pipeline).forgetLinks,
		"deleted, and the link, lost": func(p *pipeline) { p.portal.Archive("contacts", p.held("contacts")[0].ID); p.forgetLinks() },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				from := "+15552010001"
				p.send(message{sid: sid(0), from: from, text: "hello"})
				p.settled(time.Hour)
				change(p)
				p.send(message{sid: sid(1), from: "rcs:" + from, to: "rcs:acme_demo_agent", text: "and more"})
				p.send(message{sid: sid(2), from: "whatsapp:" + from, to: "whatsapp:" + line, text: "STOP"})
				p.settled(time.Hour)
				p.checkOnce(3, func(int) string { return from })
				contact := p.held("contacts")[0]
				if contact.Properties["msg_opt_out_channel"] != "whatsapp" {
					t.Errorf("opted out of %q", contact.Properties["msg_opt_out_channel"])
				}
			})
		})
	}
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
		p.portal.Spoil(simulator.Fault{Match: "/crm", DelayMS: 2500, Count: 200})
		sender := p.conversation(20, 3)
		p.settled(24 * time.Hour)
		p.check(20, sender)
		if !strings.Contains(p.logs.text(), "message is held by another worker") {
			t.Error("no message had two holders")
		}
	})
}
