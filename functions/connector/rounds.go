package connector

import "signalbox/shared/delivery"

// What the results of steps say in the same words for every CRM.
const (
	ResultGone  = "gone"  // the id of the person whom the CRM has no more
	ResultNamed = "named" // "true" if the CRM calls the person by a name
	ResultMade  = "made"  // the person was made by this delivery: MadeNow, or by an earlier try of it or by another delivery: MadeBefore

	MadeNow    = "now"
	MadeBefore = "before"
)

// What the result of the step says that finds whose a person is who was made.
const (
	ResultOwner  = "owner"
	ResultBefore = "before" // the person was there before
)

// again marks the steps of the second round.
const again = ".again"

// Rounds is a delivery with what it has achieved, in one round or two: the first is with the person of the thread's link, or the one
// who was found or created. If the CRM has that person no more, the second is with another one.
type Rounds struct {
	Delivery delivery.Delivery
	Done     Progress
	Gone     string // the person of the first round, "" while that is the only one
}

// RoundsOf returns how far a delivery got.
func RoundsOf(d delivery.Delivery, done Progress) Rounds {
	r := Rounds{Delivery: d, Done: done}
	for _, result := range done {
		if gone := result[ResultGone]; gone != "" {
			r.Gone = gone
		}
	}
	return r
}

// Name returns the name of a step in this round.
func (r Rounds) Name(step string) string {
	if r.Gone != "" {
		return step + again
	}
	return step
}

// Result returns what a step of this round learned, nil if it is not done.
func (r Rounds) Result(step string) Result { return r.Done[r.Name(step)] }

// Finished reports whether a step is done, in whichever round. One that met a person who is gone is not, nor one that showed less than has
// been said by now.
func (r Rounds) Finished(step string) bool {
	for _, name := range []string{step, step + again} {
		if result, ok := r.Done[name]; ok && result[ResultGone] == "" && result[ResultBehind] == "" {
			return true
		}
	}
	return false
}

// Says reports whether a step of either round has something in its result.
func (r Rounds) Says(step, key string) bool {
	return r.Done[step][key] != "" || r.Done[step+again][key] != ""
}

// Linked returns who is linked under a key of delivery.Person.Links, in the first round.
func (r Rounds) Linked(key string) string {
	if r.Gone != "" {
		return ""
	}
	return r.Delivery.Person.Links[key]
}

// Named reports whether the person of this round is known to have a name: by the link, or by one of the steps that find or create.
func (r Rounds) Named(linked bool, steps ...string) bool {
	if linked && r.Delivery.Person.Links[LinkNamed] == "true" {
		return true
	}
	for _, step := range steps {
		if r.Result(step)[ResultNamed] == "true" {
			return true
		}
	}
	return false
}

// Links returns what Linker returns: under a key who the person turned out to be, which the results of steps have under the same key,
// and whether there is a name.
func (r Rounds) Links(key string, named bool, steps ...string) map[string]string {
	links, known := make(map[string]string, 2), r.Delivery.Person.Links
	for _, step := range steps {
		if id := r.Result(step)[key]; id != "" {
			links[key] = id
		}
	}
	switch {
	case named:
		links[LinkNamed] = "true"
	case links[key] != "" && links[key] != known[key] && known[LinkNamed] != "": // that was another person
		links[LinkNamed] = "false"
	}
	return links
}
