package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// Known is what a message knows its sender by.
type Known string

// What people are known by. Both in one message prove that they are one person's.
const (
	byPhone Known = ""
	byUser  Known = "user" // what the channel calls them
	byBoth  Known = "both"
)

// joiners are people who are known by two things before the end.
const joiners = 24

// joins decides in which order people come to be known by two things: by the one and then by both, by the other and then by both, or by each alone, so
// that they are two people until an event proves that they are one. From then on they write by any.
func (p *Plan) joins(random *rand.Rand, size Size) {
	p.Joins = make([][]Webhook, joiners)
	for person := range p.Joins {
		webhooks := thread(random, size)
		proof := min(len(webhooks)-1, 2+random.IntN(1+len(webhooks)/3))
		for i := range webhooks {
			w := &webhooks[i]
			w.Overlap, w.Delay = false, 0
			switch {
			case i > proof:
				w.By = []Known{byPhone, byUser, byBoth}[random.IntN(3)]
			case i == proof:
				w.By = byBoth
			case person%3 == 1 || person%3 == 2 && i >= proof/2:
				w.By = byUser
			}
		}
		p.Joins[person] = webhooks
	}
}

// user returns what a channel calls the n-th person.
func user(n int) string { return fmt.Sprintf("US.9001%09d", n) }

// persons are the people of a history, each with what they wrote, oldest first.
type persons map[string][]*message

func personsOf(messages map[string]*message) persons {
	all := persons{}
	for _, m := range messages {
		if !m.acked.IsZero() && !m.machine {
			all[m.person] = append(all[m.person], m)
		}
	}
	for _, wrote := range all {
		slices.SortFunc(wrote, func(a, b *message) int { return cmp.Or(a.sent.Compare(b.sent), cmp.Compare(a.id, b.id)) })
	}
	return all
}

// proof returns the place of the first message that proves who its sender is, the number of messages if there is none.
func proof(wrote []*message) int {
	if i := slices.IndexFunc(wrote, func(m *message) bool { return m.proves }); i >= 0 {
		return i
	}
	return len(wrote)
}

// records returns how many records a CRM is to hold of people: one of each, and two of who was known by two things before anything proved it.
func (p persons) records() (n int) {
	for _, wrote := range p {
		before := map[string]bool{}
		for _, m := range wrote[:proof(wrote)] {
			before[m.thread] = true
		}
		n += max(1, len(before))
	}
	return n
}

// joined looks for people whose messages are on several records although it had been proved who they are.
func (r *Report) joined(crm string, people persons, whose map[string][]string) {
	for _, person := range slices.Sorted(maps.Keys(people)) {
		wrote := people[person]
		records := map[string]bool{}
		for _, m := range wrote[min(len(wrote), proof(wrote)+1):] {
			records[strings.Join(whose[m.id], " and ")] = true
		}
		if len(records) > 1 {
			r.add(People, crm, person, "what they wrote once it was proved who they are is on the records "+strings.Join(slices.Sorted(maps.Keys(records)), ", "))
		}
	}
}
