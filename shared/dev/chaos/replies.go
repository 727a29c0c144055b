package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"signalbox/shared/dev/samples"
)

// Asked is one outreach to a person. It says itself when it was sent, and comes to be known at another time: before the answer or
// long after it.
type Asked struct {
	At        time.Duration   `json:"at"`                  // it is registered, from the beginning
	Sent      time.Duration   `json:"sent"`                // as it says; below zero is before the beginning
	Duplicate []time.Duration `json:"duplicate,omitempty"` // registered again, so long after the first time
}

// An outreach is either older than everything, or says that it is yet to be sent, as by a clock that is ahead: then it counts as
// sent when it was received. The API takes nothing that is more than five minutes ahead.
const (
	longAgo = 10 * time.Second
	ahead   = 270 * time.Second
)

// strangers are people who are asked and never write: nobody is to make records of them.
const strangers = 12

// asked decides who is asked and whose messages a machine writes, all of them or the first.
func (p *Plan) asked(random *rand.Rand, size Size) {
	before := func() Asked {
		return register(random, size, func(time.Duration) time.Duration { return -longAgo - time.Duration(random.Int64N(int64(ahead))) })
	}
	after := func() Asked {
		return register(random, size, func(at time.Duration) time.Duration { return at + ahead })
	}
	p.Asked = make([][]Asked, size.Threads+strangers)
	for person := range p.Asked {
		lot := random.IntN(10)
		switch {
		case person >= size.Threads:
			p.Asked[person] = []Asked{before()}
			continue
		case lot < 3:
			p.Asked[person] = []Asked{before()}
		case lot == 3:
			p.Asked[person] = []Asked{before(), before()}
		case lot == 4:
			p.Asked[person] = []Asked{before(), after()}
		case lot == 5:
			p.Asked[person] = []Asked{after()}
		case lot == 6:
			p.Asked[person] = []Asked{before()}
			machine(p.Threads[person])
		case lot == 7:
			machine(p.Threads[person])
		case lot == 8:
			p.Asked[person] = []Asked{before()}
			machine(p.Threads[person][:1])
		}
	}
}

func register(random *rand.Rand, size Size, sent func(at time.Duration) time.Duration) Asked {
	a := Asked{At: time.Duration(random.Int64N(int64(size.Duration)))}
	a.Sent = sent(a.At)
	switch random.IntN(4) {
	case 0:
		a.Duplicate = []time.Duration{0}
	case 1:
		a.Duplicate = []time.Duration{time.Duration(random.Int64N(int64(5 * time.Second)))}
	}
	return a
}

func machine(webhooks []Webhook) {
	for i := range webhooks {
		webhooks[i].Machine = true
	}
}

// Shown is what a CRM's record of a person shows of replies.
type Shown struct {
	Stop string // whether automation is to stop: "true"
	At   string // of the last reply; empty for none
}

// slack is how far the time of an event may be from when it was sent and answered: another machine's clock, and whole seconds.
const slack = mostSkew + time.Second

// question is one outreach in the history.
type question struct {
	id          string
	says        time.Time // when it was sent, by its own word
	first, over time.Time // it was received between these: any of its copies may be the one that counts
	acked       bool
}

// earliest and latest answer between which times its event's is.
func (q *question) earliest() time.Time { return sooner(q.says, q.first) }

func (q *question) latest() time.Time { return sooner(q.says, q.over) }

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// talk is what the history says of one person: what they were asked and what they wrote themselves.
type talk struct {
	asked []*question
	wrote []*message
}

// answered reports whether a message of theirs certainly is an answer, and whether it can be one at all.
func (t *talk) answered() (certainly, possibly bool) {
	for _, m := range t.wrote {
		for _, q := range t.asked {
			certainly = certainly || q.acked && !m.acked.IsZero() && m.sent.Add(-slack).After(q.latest())
			possibly = possibly || m.over.Add(slack).After(q.earliest())
		}
	}
	return certainly, possibly
}

// at reports whether a reply can have been at this time: it is that of a message they wrote after they were asked.
func (t *talk) at(reply time.Time) bool {
	return slices.ContainsFunc(t.wrote, func(m *message) bool {
		return !reply.Before(m.sent.Add(-slack)) && !reply.After(m.over.Add(slack)) &&
			slices.ContainsFunc(t.asked, func(q *question) bool { return reply.Add(slack).After(q.earliest()) })
	})
}

// replies holds what a CRM shows of people's replies against what they were asked and wrote.
func (r *Report) replies(crm string, talks map[string]*talk, shown map[string][]Shown) {
	for _, person := range slices.Sorted(maps.Keys(talks)) {
		certainly, possibly := talks[person].answered()
		if certainly && len(shown[person]) == 0 {
			r.add(Reply, crm, person, "they answered, and there is no record of them")
		}
		for _, s := range shown[person] {
			stopped, at := s.Stop == "true", samples.Time(s.At)
			switch {
			case certainly && !stopped:
				r.add(Reply, crm, person, "they answered, and automation goes on")
			case certainly && at.IsZero():
				r.add(Reply, crm, person, fmt.Sprintf("they answered, and the last reply was at %q", s.At))
			case !possibly && (stopped || s.At != ""):
				r.add(Reply, crm, person, fmt.Sprintf("they answered nothing, and it shows a reply at %q, stop %q", s.At, s.Stop))
			case !at.IsZero() && !talks[person].at(at):
				r.add(Reply, crm, person, fmt.Sprintf("it shows a reply at %s, when they wrote none", s.At))
			}
		}
	}
}

// asks looks for outreaches that are not on the timeline of whoever had written before, or there twice. Of who had not, the CRM may hold
// nobody, and nobody is made of what we send.
func (r *Report) asks(crm string, talks map[string]*talk, o Outcome) {
	times := r.twice(crm, o.Asks[crm])
	for _, person := range slices.Sorted(maps.Keys(talks)) {
		for _, q := range talks[person].asked {
			wrote := slices.ContainsFunc(talks[person].wrote, func(m *message) bool {
				return !m.acked.IsZero() && m.acked.Before(q.first) && !o.Spooled[m.id]
			})
			if wrote && q.acked && times[q.id] == 0 {
				r.add(Lost, crm, q.id, "an outreach to somebody who had written")
			}
		}
	}
}
