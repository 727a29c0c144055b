package connector

import (
	"slices"

	"signalbox/shared/fault"
)

// Amendment changes what a CRM holds of persons, by what it holds: H. Deliveries of one thread come one after the other, which keeps
// two changes from meeting between the reading and the writing.
type Amendment[H any] struct {
	Who      func(i int) string                             // the person of a step
	Read     func(persons []string) (map[string]*H, error)  // who is not there is left out
	Change   func(i int, held *H) (changed bool, err error) // changes what is held, which is nil of who is not there
	Write    func(persons []string, changed []*H) []error   // returns an error each; nil is changed of who is not there
	Conclude func(i int, err error)
}

// Make carries out steps. What is held of a person is read once and, where the steps about the person change anything, written once.
// What becomes of that becomes of them all: one that had nothing to change may have had nothing to change only because another did.
func (a Amendment[H]) Make(steps int) {
	about := map[string][]int{}
	var persons []string
	for i := range steps {
		who := a.Who(i)
		if about[who] == nil {
			persons = append(persons, who)
		}
		about[who] = append(about[who], i)
	}
	if len(persons) == 0 {
		return
	}
	held, unread := a.Read(persons)
	slices.Sort(persons) // two calls that write some of the same records then write them in one order
	differs := map[string]bool{}
	for _, who := range persons {
		about[who] = slices.DeleteFunc(about[who], func(i int) bool {
			changed, err := false, unread
			if err == nil {
				changed, err = a.Change(i, held[who])
			}
			if err != nil {
				a.Conclude(i, err)
			}
			differs[who] = differs[who] || changed
			return err != nil
		})
		for _, i := range about[who] {
			if !differs[who] {
				a.Conclude(i, nil)
			}
		}
	}
	a.write(slices.DeleteFunc(persons, func(who string) bool { return !differs[who] }), held, about)
}

// write writes what was changed and concludes the steps about it.
func (a Amendment[H]) write(persons []string, held map[string]*H, about map[string][]int) {
	if len(persons) == 0 {
		return
	}
	changed := make([]*H, len(persons))
	for k, who := range persons {
		changed[k] = held[who]
	}
	errs := a.Write(persons, changed)
	for k := range persons {
		err := error(fault.New(fault.Retryable, "write_unanswered", nil)) // no outcome is not a good one
		if k < len(errs) {
			err = errs[k]
		}
		for _, i := range about[persons[k]] {
			a.Conclude(i, err)
		}
	}
}
