package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The kinds of Problem.
const (
	Lost         = "lost"         // acknowledged, and not in a CRM
	Twice        = "twice"        // in a CRM more than once
	OutOfOrder   = "out of order" // written before one that was acknowledged before it was sent
	DeadLettered = "dead-lettered"
	Again        = "waits to be parsed again" // acknowledged, and kept as a dead letter that a schedule parses again by itself
	Unanswered   = "unanswered"               // sent again and again, and never acknowledged
	Waiting      = "waiting"                  // the queues did not become empty
	Unknown      = "unknown"                  // in a CRM, and never sent
	People       = "people"                   // a person became several records, or none
	Status       = "status"                   // a message of ours shows another state than the furthest that was reported
	Reply        = "reply"                    // a person's reply is not shown, or one is shown that is none
)

// Problem is one thing that must not be.
type Problem struct {
	Kind, CRM, Message, Detail string
}

// Outcome is what is left at the end.
type Outcome struct {
	Messages map[string][]string            // by CRM: the messages of people whose records it holds, oldest first
	Statuses map[string]map[string][]string // by CRM and message of ours: the state that each of its records shows
	Replies  map[string]map[string][]Shown  // by CRM and person: what each of their records shows
	Also     map[string][]string            // by CRM and another object: the messages whose keys its records hold
	People   map[string]map[string]int      // by CRM and object: how many records there are of people
	Whose    map[string]map[string][]string // by CRM and message: the people whose it is
	Asks     map[string][]string            // by CRM: the outreaches whose records it holds
	Days     map[string][][]string          // by CRM: the notes that each activity of several shows, in its order
	Spooled  map[string]bool                // what took the spool: it may be late
	Dead     []string                       // the dead letters that wait for a person
	Again    []string                       // those of webhooks that a schedule parses again by itself
	Left     int                            // messages still in queues or in the spool
}

// Report is what the checker says.
type Report struct {
	Messages, Webhooks, Duplicates, Retries, Spooled int
	Outbound, Receipts                               int            // messages of ours; what was sent about them, repetitions not counted
	Asked, Replied                                   int            // outreach; people who certainly answered one
	Joined                                           int            // people who were known by two things, of whom it was proved
	Shown                                            int            // messages in activities of several, in all CRMs
	By                                               map[string]int // messages, by the account they came by
	Pairs                                            int            // whose order was checked, in all CRMs
	Problems                                         []Problem
}

// message is what the history says of one.
type message struct {
	id, thread        string
	person            string // who
	machine, proves   bool
	note              string // what it is found by where it is shown among others
	said              time.Time
	nobodys           bool      // perhaps: a machine wrote it, of somebody who had written nothing, and nobody is made of that
	sent, acked, over time.Time // first send; first answer 2xx, zero if there was none; end of the last send
}

// books are what a history says.
type books struct {
	messages map[string]*message  // of people
	outbound map[string]*reported // of ours
	talks    map[string]*talk     // by person
	open     map[string]bool      // what was sent, by its name; true if it was not acknowledged
	by       map[string]int       // messages of people, by the account they came by
}

func (b *books) talk(person string) *talk {
	if b.talks[person] == nil {
		b.talks[person] = &talk{}
	}
	return b.talks[person]
}

// Check holds what is left against what was sent.
func Check(history []Send, o Outcome) Report {
	r := Report{Spooled: len(o.Spooled)}
	sent := r.read(history)
	sent.findNobodys(o.Spooled)
	lacking, people := o.lacking(sent.messages), personsOf(sent.messages)
	for _, name := range slices.Sorted(maps.Keys(sent.open)) {
		if sent.open[name] {
			r.add(Unanswered, "", name, "")
		}
	}
	for _, crm := range slices.Sorted(maps.Keys(o.Messages)) {
		r.once(crm, sent.messages, o.Messages[crm], lacking)
		r.order(crm, sent.messages, o)
		r.days(crm, sent.messages, o.Days[crm], lacking)
		r.statuses(crm, sent.outbound, o.Statuses[crm])
		r.replies(crm, sent.talks, o.Replies[crm])
		r.asks(crm, sent.talks, o)
		r.joined(crm, people, o.Whose[crm])
	}
	for _, object := range slices.Sorted(maps.Keys(o.Also)) {
		r.twice(object, o.Also[object])
	}
	if len(o.Messages) == 0 {
		r.add(Lost, "", "", "there is no CRM")
	}
	for _, d := range o.Dead {
		r.add(DeadLettered, "", "", d)
	}
	for _, d := range o.Again {
		r.add(Again, "", "", d)
	}
	if o.Left > 0 {
		r.add(Waiting, "", "", fmt.Sprintf("%d messages", o.Left))
	}
	r.people(people, o.People)
	return r
}

func (r *Report) add(kind, crm, id, detail string) {
	r.Problems = append(r.Problems, Problem{kind, crm, id, detail})
}

// read returns what a history says.
func (r *Report) read(history []Send) books {
	b := books{messages: map[string]*message{}, outbound: map[string]*reported{}, talks: map[string]*talk{}, open: map[string]bool{}, by: map[string]int{}}
	for _, s := range history {
		r.Webhooks++
		switch {
		case s.Attempt == 0:
			r.Duplicates++
		case s.Attempt > 1:
			r.Retries++
		}
		open, again := b.open[s.name()]
		b.open[s.name()] = (open || !again) && !s.Acknowledged()
		switch s.Kind {
		case OfReceipt:
			b.receipt(s)
		case OfAsking:
			b.asking(s)
		default:
			b.message(s)
		}
		switch {
		case again:
		case s.Kind == OfReceipt:
			r.Receipts++
		case s.Kind == OfAsking:
			r.Asked++
		}
	}
	for _, t := range b.talks {
		if certainly, _ := t.answered(); certainly {
			r.Replied++
		}
	}
	r.Messages, r.Outbound, r.By = len(b.messages), len(b.outbound), b.by
	return b
}

func (b *books) message(s Send) {
	m := b.messages[s.Message]
	if m == nil {
		m = &message{id: s.Message, thread: s.Thread, person: cmp.Or(s.Person, s.Thread), machine: s.Machine, proves: s.Proves, note: s.Note, said: s.Said, sent: s.At}
		b.messages[s.Message] = m
		b.by[s.Sender]++
		if t := b.talk(m.person); !s.Machine {
			t.wrote = append(t.wrote, m)
		}
	}
	if s.At.Before(m.sent) {
		m.sent = s.At
	}
	if s.Answered.After(m.over) {
		m.over = s.Answered
	}
	if s.Acknowledged() && (m.acked.IsZero() || s.Answered.Before(m.acked)) {
		m.acked = s.Answered
	}
}

// findNobodys finds the messages that need not be in a CRM.
func (b *books) findNobodys(spooled map[string]bool) {
	for _, m := range b.messages {
		m.nobodys = m.machine && !slices.ContainsFunc(b.talk(m.person).wrote, func(w *message) bool {
			return !w.acked.IsZero() && w.acked.Before(m.sent) && !spooled[w.id] // what took the spool may be late
		})
	}
}

func (b *books) receipt(s Send) {
	if b.outbound[s.Message] == nil {
		b.outbound[s.Message] = &reported{id: s.Message, said: map[string]bool{}}
	}
	b.outbound[s.Message].note(s)
}

func (b *books) asking(s Send) {
	t := b.talk(s.Thread)
	i := slices.IndexFunc(t.asked, func(q *question) bool { return q.id == s.Message })
	if i < 0 {
		i = len(t.asked)
		t.asked = append(t.asked, &question{id: s.Message, says: s.Asked, first: s.At})
	}
	q := t.asked[i]
	q.acked = q.acked || s.Acknowledged()
	if s.At.Before(q.first) {
		q.first = s.At
	}
	if s.Answered.After(q.over) {
		q.over = s.Answered
	}
}

// lacking returns the kind of Problem that a message in no CRM is. A webhook that waits to be parsed again tells nobody whose it is: so
// many of these messages are not lost as there are such webhooks, and if there are more of them, each may be.
func (o Outcome) lacking(messages map[string]*message) func(id string) string {
	held := map[string]bool{}
	for _, ids := range o.Messages {
		for _, id := range ids {
			held[id] = true
		}
	}
	for _, activities := range o.Days {
		for _, note := range slices.Concat(activities...) {
			held[note] = true
		}
	}
	missing := 0
	for id, m := range messages {
		if !held[cmp.Or(m.note, id)] && !m.acked.IsZero() && !m.nobodys {
			missing++
		}
	}
	return func(id string) string {
		if m := messages[id]; !held[cmp.Or(m.note, id)] && missing <= len(o.Again) {
			return Again
		}
		return Lost
	}
}

// once looks for what is not there once. What was never acknowledged may be there or not, and not twice either.
func (r *Report) once(crm string, messages map[string]*message, held []string, lacking func(id string) string) {
	times := r.twice(crm, held)
	for _, id := range slices.Sorted(maps.Keys(messages)) {
		if times[id] == 0 && !messages[id].acked.IsZero() && !messages[id].nobodys && messages[id].note == "" {
			r.add(lacking(id), crm, id, "acknowledged at "+messages[id].acked.Format(time.RFC3339Nano))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(times)) {
		if messages[id] == nil {
			r.add(Unknown, crm, id, "")
		}
	}
}

// twice looks for what is there more than once, and returns how often each is there.
func (r *Report) twice(where string, held []string) map[string]int {
	times := map[string]int{}
	for _, id := range held {
		times[id]++
	}
	for _, id := range slices.Sorted(maps.Keys(times)) {
		if times[id] > 1 {
			r.add(Twice, where, id, fmt.Sprintf("%d records", times[id]))
		}
	}
	return times
}

// order looks at every two messages of a thread of which one was acknowledged before the other was first sent.
func (r *Report) order(crm string, messages map[string]*message, o Outcome) {
	place := map[string]int{}
	for i, id := range o.Messages[crm] {
		if _, again := place[id]; !again {
			place[id] = i
		}
	}
	threads := map[string][]*message{}
	for _, id := range slices.Sorted(maps.Keys(messages)) {
		m := messages[id]
		if _, there := place[m.id]; there {
			threads[m.thread] = append(threads[m.thread], m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(threads)) {
		r.pairs(crm, threads[name], place, o.Spooled)
	}
}

// pairs looks at every two messages of one thread. One that took the spool may be late: those behind it need not wait for it. It
// never comes before one that was acknowledged before it was sent.
func (r *Report) pairs(crm string, thread []*message, place map[string]int, spooled map[string]bool) {
	slices.SortFunc(thread, func(a, b *message) int { return cmp.Or(a.sent.Compare(b.sent), cmp.Compare(a.id, b.id)) })
	for i, later := range thread {
		for _, earlier := range thread[:i] {
			if earlier.acked.IsZero() || !earlier.acked.Before(later.sent) || spooled[earlier.id] {
				continue
			}
			r.Pairs++
			if place[later.id] < place[earlier.id] {
				r.add(OutOfOrder, crm, later.id, fmt.Sprintf("before %s, which was acknowledged %s before it was sent",
					earlier.id, later.sent.Sub(earlier.acked)))
			}
		}
	}
}

// people compares how many records of people there are with how many people wrote.
func (r *Report) people(wrote persons, held map[string]map[string]int) {
	for _, one := range wrote {
		if at := proof(one); at < len(one) {
			r.Joined++
		}
	}
	want := wrote.records()
	for _, crm := range slices.Sorted(maps.Keys(held)) {
		for _, object := range slices.Sorted(maps.Keys(held[crm])) {
			if n := held[crm][object]; n != want {
				r.add(People, crm, "", fmt.Sprintf("%d people wrote who were to become %d records, and there are %d %s", len(wrote), want, n, object))
			}
		}
	}
}
