package connector

import (
	"slices"

	"signalbox/shared/fault"
)

// Amendment changes what a CRM holds of persons, by what it holds: H. Deliveries of one thread come one after the other, which keeps
// two changes from meeting between the reading and the writing.
type Amendment[H any] struct {
	Who      func(i int) string                             // the person of a step
	Also     func(i int) []string                           // others whom the step is about, too, each once; nil is nobody
	Read     func(persons []string) (map[string]*H, error)  // who is not there is left out
	Change   func(i int, held *H) (changed bool, err error) // changes what is held, which is nil of a step's person who is not there
	Write    func(persons []string, changed []*H) []error   // returns an error each; nil is changed of who is not there
	Gone     func(err error) bool                           // reports whether Write found nobody; needed with Also
	Conclude func(i int, err error)
}

// Make carries out steps. What is held of a person is read once and, where the steps about the person change anything, written once.
// What becomes of that becomes of them all: one that had nothing to change may have had nothing to change only because another did.
// A step fails with whatever failed of its person, or else of the others, of whom those who are not there do not count.
func (a Amendment[H]) Make(steps int) {
	about, persons := a.persons(steps)
	if len(persons) == 0 {
		return
	}
	errs := make([]error, steps)
	failed := func(i int, who string, err error) {
		if err != nil && (who == a.Who(i) || errs[i] == nil) {
			errs[i] = err
		}
	}
	held, unread := a.Read(persons)
	slices.Sort(persons) // two calls that write some of the same records then write them in one order
	differs := map[string]bool{}
	for _, who := range persons {
		about[who] = slices.DeleteFunc(about[who], func(i int) bool {
			changed, err := false, unread
			if err == nil && (held[who] != nil || who == a.Who(i)) {
				changed, err = a.Change(i, held[who])
			}
			failed(i, who, err)
			differs[who] = differs[who] || changed
			return err != nil
		})
	}
	a.write(slices.DeleteFunc(persons, func(who string) bool { return !differs[who] }), held, func(who string, err error) {
		for _, i := range about[who] {
			if who == a.Who(i) || a.Gone == nil || !a.Gone(err) {
				failed(i, who, err)
			}
		}
	})
	for i, err := range errs {
		a.Conclude(i, err)
	}
}

// persons returns all whom the steps are about, and the steps about each.
func (a Amendment[H]) persons(steps int) (about map[string][]int, persons []string) {
	about = map[string][]int{}
	for i := range steps {
		all := []string{a.Who(i)}
		if a.Also != nil {
			all = append(all, a.Also(i)...)
		}
		for _, who := range all {
			if about[who] == nil {
				persons = append(persons, who)
			}
			about[who] = append(about[who], i)
		}
	}
	return about, persons
}

// write writes what was changed of persons and tells what failed.
func (a Amendment[H]) write(persons []string, held map[string]*H, failed func(who string, err error)) {
	if len(persons) == 0 {
		return
	}
	changed := make([]*H, len(persons))
	for k, who := range persons {
		changed[k] = held[who]
	}
	errs := a.Write(persons, changed)
	for k, who := range persons {
		err := error(fault.New(fault.Retryable, "write_unanswered", nil)) // no outcome is not a good one
		if k < len(errs) {
			err = errs[k]
		}
		if err != nil {
			failed(who, err)
		}
	}
}
