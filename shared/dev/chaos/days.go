package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"
)

// dayLine is the demo tenant's line whose conversations are one activity a day.
const dayLine = "demo-day"

// chatters are people who write to that line.
const chatters = 24

// toldAfter is how long before it is sent a message of theirs was written, by what it says itself: a time that is to come would not count.
const toldAfter = time.Minute

// days lets people write to the line of days. What is held up on its way lands at its place.
func (p *Plan) days(random *rand.Rand, size Size) {
	for range chatters {
		webhooks := thread(random, size)
		for i := range webhooks {
			webhooks[i].Day = true
		}
		p.Days = append(p.Days, webhooks)
	}
}

// noteOf names the n-th message of a person who writes there, and words are its text, in which it is found.
func noteOf(person, n int) string { return fmt.Sprintf("%d-%d", person, n) }

func words(person, n int) string { return "note " + noteOf(person, n) + " of today" }

var noteWords = regexp.MustCompile(`\bnote (\d+-\d+) of today\b`)

// notesOf returns the messages that a text shows, in its order.
func notesOf(text string) (ids []string) {
	for _, found := range noteWords.FindAllStringSubmatch(text, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

// days looks at what activities show of several messages: each message once, in the order of their times, and no more activities than the
// conversation had days.
func (r *Report) days(crm string, messages map[string]*message, shown [][]string, lacking func(id string) string) {
	notes, days := map[string]*message{}, map[string]map[string]bool{}
	for _, m := range messages {
		if m.note == "" {
			continue
		}
		notes[m.note] = m
		if days[m.thread] == nil {
			days[m.thread] = map[string]bool{}
		}
		days[m.thread][m.said.UTC().Format(time.DateOnly)] = true
	}
	times, records := map[string]int{}, map[string]int{}
	for _, activity := range shown {
		for i, id := range activity {
			times[id]++
			switch m := notes[id]; {
			case m == nil:
				r.add(Unknown, crm, id, "")
			case i == 0:
				records[m.thread]++
			case notes[activity[i-1]] != nil && m.said.Before(notes[activity[i-1]].said):
				r.add(OutOfOrder, crm, m.id, fmt.Sprintf("it was written %s before what it stands behind", notes[activity[i-1]].said.Sub(m.said)))
			}
		}
		r.Shown += len(activity)
	}
	for _, id := range slices.Sorted(maps.Keys(notes)) {
		switch m := notes[id]; {
		case times[id] == 0 && !m.acked.IsZero():
			r.add(lacking(m.id), crm, m.id, "acknowledged at "+m.acked.Format(time.RFC3339Nano))
		case times[id] > 1:
			r.add(Twice, crm, m.id, fmt.Sprintf("%d times in activities", times[id]))
		}
	}
	for _, thread := range slices.Sorted(maps.Keys(days)) {
		if n := records[thread]; n > len(days[thread]) {
			r.add(Twice, crm, thread, fmt.Sprintf("%d activities of %d days", n, len(days[thread])))
		}
	}
}
