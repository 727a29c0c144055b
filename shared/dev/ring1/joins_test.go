package ring1

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
)

// known is how a webhook names its sender.
type known uint8

const (
	byPhone known = iota
	byBoth
	byUser
)

// writes sends the n-th message, of a person who is named in one way.
func (p *pipeline) writes(n, person int, by known) {
	p.t.Helper()
	m := message{number: number(n), text: fmt.Sprintf("message %d", n), channel: canonical.WhatsApp}
	if by != byUser {
		m.from = fmt.Sprintf("+1555201%04d", person)
	}
	if by != byPhone {
		m.user = fmt.Sprintf("US.9001002003%04d", person)
	}
	if status := p.send(m); status != http.StatusOK {
		p.t.Fatalf("message %d: status %d", n, status)
	}
}

// TestOnePersonStaysOneWhileProcessesDie lets people write by a phone number, by a user id and by both, at random, while routers and
// connectors die. Each message is in the CRM once, each identifier's in their order, and whoever has been proved to be one person gets no further
// record: from the first message that names both where that came first, and from the end of it all where it did not.
func TestOnePersonStaysOneWhileProcessesDie(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	total := 0
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const people, count = 3, 40
				p := newPipeline(t, options{concurrency: 1 + int(seed%3), quiet: true})
				r := &reaper{random: rand.New(rand.NewPCG(seed, 12)), kills: map[string]int{}}
				p.startMortal(r)
				defer p.halt()
				proved := seed%2 == 0
				person, by, sent := map[int]int{}, map[int]known{}, map[int]time.Time{}
				write := func(n, who int, how known) {
					person[n], by[n], sent[n] = who, how, time.Now()
					p.writes(n, who, how)
				}
				n := 0
				for ; proved && n < people; n++ {
					write(n, n, byBoth)
				}
				p.settled(48 * time.Hour)
				random := rand.New(rand.NewPCG(seed, 13))
				for ; n < count; n++ {
					write(n, random.IntN(people), known(random.IntN(3)))
				}
				p.settled(48 * time.Hour)
				for who := range people { // whoever was not yet
					write(n, who, byBoth)
					n++
				}
				p.settled(48 * time.Hour)
				made := len(p.people())
				last := n
				for who := range people {
					for how := range byUser + 1 {
						write(n, who, how)
						n++
					}
				}
				p.settled(48 * time.Hour)
				if now := len(p.people()); now != made || proved && made != people {
					t.Errorf("%d people have %d records, and had %d when all was proved", people, now, made)
				}
				p.checkJoined(n, last, person, by, sent)
				total += r.total
			})
		})
	}
	if total < int(seeds) {
		t.Errorf("only %d processes died", total)
	}
}

// checkJoined fails unless each message is held once, behind those before it that named its sender in the same way, and those from the last
// on are their person's one record's. For one that took longer than five minutes whoever becomes part of another thread does not wait.
func (p *pipeline) checkJoined(count, last int, person map[int]int, by map[int]known, sent map[int]time.Time) {
	p.t.Helper()
	if dead := p.dead(); len(dead) > 0 {
		p.t.Errorf("dead letters: %v\n%s", dead, p.logs.text())
	}
	numbers := map[string]int{}
	for n := range count {
		numbers[p.key(n)] = n
	}
	before, seen, record := map[string]int{}, map[int]int{}, map[int]string{}
	for _, c := range p.messages() { // oldest first
		n := numbers[c.Properties[p.about.Key]]
		seen[n]++
		sender := fmt.Sprint(person[n], by[n])
		created, err := time.Parse(time.RFC3339, c.CreatedAt)
		if err != nil {
			p.t.Fatal(err)
		}
		if was, ok := before[sender]; ok && was > n && created.Sub(sent[n]) < 5*time.Minute {
			p.t.Errorf("message %d was written after message %d of its sender", n, was)
		}
		before[sender] = n
		whose := c.Associations[p.about.People[0]]
		if len(whose) != 1 {
			p.t.Errorf("message %d is associated with %d people", n, len(whose))
			continue
		}
		if other, ok := record[person[n]]; n >= last && ok && other != whose[0] {
			p.t.Errorf("message %d is of %s, and one before of %s", n, whose[0], other)
		}
		if n >= last {
			record[person[n]] = whose[0]
		}
	}
	for n := range count {
		if seen[n] != 1 {
			p.t.Errorf("message %d is in the CRM %d times", n, seen[n])
		}
	}
}
