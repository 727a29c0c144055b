package ring1

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/samples"
)

// register tells of something that was sent to a person, as a sales tool would, and returns the status.
func (p *pipeline) register(id, to string, at time.Time) int {
	p.t.Helper()
	s := p.client.New(samples.Load{Kind: samples.Outreach, Number: id, Person: to, Sent: at})
	p.registered[p.client.MessageKey(s)] = 0
	return p.receive(p.newAdapter(s.Provider(), p.events), p.posted(p.client, s))
}

// personAt returns the record of who has a phone number, the zero Record when there is none.
func (p *pipeline) personAt(phone string) simulatortest.Record {
	for _, person := range p.people() {
		if has(person, phone) {
			return person
		}
	}
	return simulatortest.Record{}
}

// shows fails unless the person with a phone number shows a reply of this time, or none when it is zero.
func (p *pipeline) shows(phone string, replied time.Time) {
	p.t.Helper()
	c := p.personAt(phone)
	stop := map[bool]string{false: "true"}[replied.IsZero()]
	at, got := c.Properties[p.about.Replied], c.Properties[p.about.Ended]
	if !samples.Time(at).Equal(replied.Truncate(time.Millisecond)) || got != stop {
		p.t.Errorf("the record of %s shows a reply at %q and %q, want %s and %q\n%s", phone, at, got, replied, stop, p.logs.text())
	}
}

// TestAReplyEndsWhatItAnswers through the whole path, from the signed requests to the person.
func TestAReplyEndsWhatItAnswers(t *testing.T) {
	const phone = "+15552010001"
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.send(message{number: number(0), from: phone, text: "a first question"})
		p.settled(time.Hour)
		before := time.Now()
		p.shows(phone, time.Time{})
		for range 3 { // a tool repeats what it does not know to be accepted
			if status := p.register("out-1", phone, before); status != http.StatusAccepted {
				t.Fatalf("answered %d", status)
			}
		}
		for i, text := range []string{"Automatic reply: I am out of office", "Liked “Shall we talk?”", " "} {
			p.send(message{number: number(1 + i), from: phone, text: text})
		}
		p.settled(time.Hour)
		p.shows(phone, time.Time{})
		replied := time.Now()
		p.send(message{number: number(4), from: phone, text: "yes, tell me more"})
		p.settled(time.Hour)
		p.send(message{number: number(5), from: phone, text: "and another thing"})
		p.settled(time.Hour)
		p.shows(phone, replied)
		// One told of a day late, that the first message had answered before the others came.
		p.register("out-2", phone, replied.Add(-48*time.Hour))
		p.settled(time.Hour)
		p.shows(phone, replied)
		p.check(6, func(int) string { return phone })
	})
}

// TestOneIDForTwoPeople: the second is a dead letter that says so, and nobody's words come to another's contact.
func TestOneIDForTwoPeople(t *testing.T) {
	const first, second = "+15552010001", "+15552010002"
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.send(message{number: number(0), from: second, text: "hello"})
		p.settled(time.Hour)
		for _, phone := range []string{first, second} {
			if status := p.register("step-1", phone, time.Now().Add(-time.Hour)); status != http.StatusAccepted {
				t.Fatalf("answered %d", status)
			}
			p.settled(time.Hour)
		}
		if dead := p.dead(); len(dead) != 1 || !strings.Contains(p.logs.text(), `"event_id_reused"`) {
			t.Errorf("dead letters: %q", dead)
		}
		replied := time.Now()
		p.send(message{number: number(1), from: first, text: "yes"})
		p.settled(time.Hour)
		p.shows(first, replied)
		p.shows(second, time.Time{})
		for n, phone := range []string{second, first} {
			c := p.personAt(phone)
			for _, record := range p.messages() {
				of := record.Associations[p.about.People[0]]
				if record.Properties[p.about.Key] == p.key(n) && !slices.Equal(of, []string{c.ID}) {
					t.Errorf("the message of %s is with %v, want %s", phone, of, c.ID)
				}
			}
		}
	})
}

// correspondence is what happens between us and some people in a run: everything is decided beforehand.
type correspondence struct {
	random *rand.Rand
	people int
	spoken [][]time.Time // by person, when they wrote and it was no automatic note
	sent   [][]time.Time // by person, when we wrote
}

// expected returns when a person last answered: each thing we sent is answered by the first that they wrote after it.
func (c *correspondence) expected(person int) (last time.Time) {
	for _, sent := range c.sent[person] {
		for _, spoken := range c.spoken[person] {
			if spoken.After(sent) {
				if spoken.After(last) {
					last = spoken
				}
				break
			}
		}
	}
	return last
}

// hold sends messages, notes and outreach in a random order; what was sent is registered once or twice, at once or late.
func (c *correspondence) hold(p *pipeline, messages int) {
	type late struct {
		id   string
		who  int
		sent time.Time
	}
	var untold []late
	tell := func(l late) {
		for range 1 + c.random.IntN(2) {
			if status := p.register(l.id, phoneOf(l.who), l.sent); status != http.StatusAccepted {
				p.t.Errorf("answered %d", status)
			}
		}
	}
	for n := range messages {
		time.Sleep(time.Duration(1+c.random.IntN(20_000)) * time.Millisecond)
		who := n % c.people
		if c.random.IntN(2) == 0 {
			l := late{fmt.Sprintf("out-%d", n), who, time.Now().Truncate(time.Millisecond)}
			c.sent[who] = append(c.sent[who], l.sent)
			if untold = append(untold, l); c.random.IntN(2) == 0 {
				tell(l)
				untold = untold[:len(untold)-1]
			}
			time.Sleep(time.Second)
		}
		text := "message"
		if c.random.IntN(4) == 0 && n >= c.people { // who has never written is not made by a note
			text = "Automatic reply: not here"
		} else {
			c.spoken[who] = append(c.spoken[who], time.Now().Truncate(time.Millisecond))
		}
		if status := p.send(message{number: number(n), from: phoneOf(who), text: text}); status != http.StatusOK {
			p.t.Errorf("answered %d", status)
		}
		for len(untold) > 0 && c.random.IntN(3) == 0 {
			at := c.random.IntN(len(untold))
			tell(untold[at])
			untold = slices.Delete(untold, at, at+1)
		}
	}
	for _, l := range untold {
		tell(l)
	}
}

func phoneOf(person int) string { return fmt.Sprintf("+1555201%04d", person) }

// TestEveryReplyIsTold: whatever the order in which outreach and messages come to be known, who dies over them and what the CRM
// does, everybody shows the reply that event time makes the last.
func TestEveryReplyIsTold(t *testing.T) {
	worlds := map[string]func(p *pipeline, r *reaper){
		"all is well": func(p *pipeline, _ *reaper) { p.start() },
		"the CRM is down for an hour": func(p *pipeline, _ *reaper) {
			p.outage.begin(p.api, http.StatusBadGateway, "", time.Hour)
			p.start()
		},
		"processes die": func(p *pipeline, r *reaper) { p.startMortal(r) },
	}
	for name, begin := range worlds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				synctest.Test(t, func(t *testing.T) {
					const people, messages = 5, 60
					p := newPipeline(t, options{})
					begin(p, &reaper{random: rand.New(rand.NewPCG(seed, 7)), kills: map[string]int{}})
					defer p.halt()
					c := &correspondence{random: rand.New(rand.NewPCG(seed, 8)), people: people}
					c.spoken, c.sent = make([][]time.Time, people), make([][]time.Time, people)
					c.hold(p, messages)
					p.settled(48 * time.Hour)
					p.check(messages, func(n int) string { return phoneOf(n % people) })
					for person := range people {
						p.shows(phoneOf(person), c.expected(person))
					}
					if strings.Contains(p.logs.text(), "Shall we talk") {
						t.Error("a log line holds what was sent")
					}
				})
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}
