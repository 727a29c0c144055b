package ring1

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
)

// down refuses what is sent.
func down(c memqueue.Call) memqueue.Fault {
	if c.Operation != memqueue.OperationSend {
		return memqueue.Fault{}
	}
	return memqueue.Fault{Before: errors.New("down")}
}

func TestAQueueOutageLosesNothing(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.events.Inject(down)
		sender := p.conversation(20, 3)
		if held := p.events.Counters().Sent; held != 0 {
			t.Fatalf("%d messages reached a queue that is down", held)
		}
		time.Sleep(10 * time.Minute)
		p.events.Inject(nil)
		p.drainUntilEmpty()
		p.settled(time.Hour)
		p.check(20, sender) // the spool keeps the order of what it holds
	})
}

func TestWithoutAnyDurablePlaceTheWebhookIsRefused(t *testing.T) {
	broken := func(memstore.Call) memstore.Fault { return memstore.Before }
	run(t, options{spoolFault: broken}, func(t *testing.T, p *pipeline) {
		p.events.Inject(down)
		if status := p.send(message{number: number(0), from: "+15552010001", text: "hello"}); status != http.StatusServiceUnavailable {
			t.Errorf("answered %d though nothing was kept", status)
		}
	})
}

func TestBadInput(t *testing.T) {
	cases := map[string]struct {
		account, provider, line string // of another than the demo tenant's
		token                   secret.Value
		status                  int
		dead                    string // code of the dead letter, empty for none
	}{
		"a wrong token":           {token: "not the token", status: http.StatusForbidden},
		"an account nobody knows": {account: "nobody", status: http.StatusNotFound},
		"a provider nobody knows": {provider: "nobody", status: http.StatusNotFound},
		"a line nobody owns":      {line: "+15550009999", status: http.StatusOK, dead: "unowned_address"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				s := p.sample(message{number: number(0), from: "+15552010001", text: "hello", line: c.line})
				path := "/v1/accounts/" + cmp.Or(c.account, p.account) + "/" + cmp.Or(c.provider, p.provider) + s.Path[strings.LastIndex(s.Path, "/"):]
				before := records(p.state, p.spool)
				if status := p.receive(p.adapter, p.postedBy(s, path, cmp.Or(c.token, secret.Value(p.authToken)))); status != c.status {
					t.Errorf("answered %d, not %d", status, c.status)
				}
				time.Sleep(time.Minute)
				if len(p.people()) > 0 || p.events.Counters().Sent > 0 {
					t.Error("it went further than the adapter")
				}
				if c.dead == "" {
					if after := records(p.state, p.spool); after != before {
						t.Errorf("%d records were stored", after-before)
					}
					return
				}
				if len(p.dead()) == 0 || !strings.Contains(p.logs.text(), c.dead) {
					t.Errorf("dead letters %v; none says %s", p.dead(), c.dead)
				}
			})
		})
	}
}

func records(stores ...*memstore.Store) int {
	count := 0
	for _, s := range stores {
		for range s.All() {
			count++
		}
	}
	return count
}

func TestConsentNeverChangesByAnOlderEvent(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.send(message{number: number(0), from: "+15552010001", text: "hello"})
		p.settled(time.Hour)
		p.events.Inject(down)
		p.send(message{number: number(1), from: "+15552010001", text: "START"}) // waits in the spool
		p.events.Inject(nil)
		time.Sleep(time.Minute)
		p.send(message{number: number(2), from: "+15552010001", text: " stop "})
		p.settled(time.Hour)
		p.drainUntilEmpty()
		p.settled(time.Hour)
		if out := p.people()[0].Properties[p.about.OptedOut]; out != "true" {
			t.Errorf("after a later STOP the person is opted out: %q", out)
		}
		p.checkOnce(3, func(int) string { return "a" })
	})
}

func TestWhatBringsAConnectorDownThriceIsADeadLetter(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.panics(p.api, 24*time.Hour)
		p.send(message{number: number(0), from: "+15552010001", text: "the poison message"})
		p.settled(12 * time.Hour)
		if dead := p.dead(); len(dead) == 0 {
			t.Fatalf("no dead letter\n%s", p.logs.text())
		}
		if !strings.Contains(p.logs.text(), `"crashed"`) {
			t.Error("the dead letter does not say that it crashed")
		}
		p.outage.begin("", 0, "", 0)
		p.send(message{number: number(1), from: "+15552010001", text: "the next one of the thread"})
		p.settled(12 * time.Hour)
		if got := len(p.messages()); got != 1 {
			t.Errorf("%d messages: the thread did not go on", got)
		}
	})
}

// TestNothingPrivateLeaves runs everything that logs and looks for what must not be in logs, metrics or names of messages.
func TestNothingPrivateLeaves(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		private := []string{"+15552019876", "15552019876", "5552019876", "a very private question", "Ira Private", p.line, p.line[1:], p.authToken, "local-use-only"}
		var mu sync.Mutex
		var names []string
		watch := func(c memqueue.Call) memqueue.Fault {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range c.Messages {
				names = append(names, m.ID, m.Group, m.Trace)
			}
			return memqueue.Fault{}
		}
		p.eventsDead.Inject(watch)
		p.deliverDead.Inject(watch)
		p.deliver.Inject(watch)
		p.events.Inject(watch)
		p.send(message{number: number(0), from: "+15552019876", text: "a very private question"})
		p.send(message{number: number(1), from: "+15552019876", channel: canonical.WhatsApp, text: "a very private question", name: "Ira Private"})
		p.send(message{number: number(2), from: "+15552019876", line: "+15550009999", text: "a very private question"})
		p.settled(time.Hour)
		const told = `{"message":"a very private question from +15552019876 is invalid"`
		for i, body := range []string{strings.Replace(string(p.about.Refusals.Data.Body), "{", told+",", 1), told + "}"} {
			p.outage.begin(p.api, http.StatusBadRequest, body, time.Hour)
			p.send(message{number: number(10 + i), from: "+15552019876", text: "a very private question"})
			p.settled(2 * time.Hour)
		}
		p.outage.panics(p.api, time.Hour)
		p.send(message{number: number(99), from: "+15552019876", text: "a very private question"})
		p.settled(12 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if len(names) == 0 || len(p.logs.text()) < 1000 {
			t.Fatal("nothing was observed")
		}
		for _, word := range private {
			if at := strings.Index(p.logs.text(), word); at >= 0 {
				t.Errorf("the logs hold %q: …%s…", word, p.logs.text()[max(0, at-200):min(len(p.logs.text()), at+100)])
			}
			for _, name := range names {
				if strings.Contains(name, word) {
					t.Errorf("the queue shows %q in %q", word, name)
				}
			}
		}
		for record := range p.config.All() {
			if strings.Contains(fmt.Sprint(record.Partition, record.Sort, string(record.Data)), p.authToken) {
				t.Errorf("%s %s holds a credential in the clear", record.Partition, record.Sort)
			}
		}
	})
}
