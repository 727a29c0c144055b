package connector

import (
	"slices"
	"strconv"

	"signalbox/shared/delivery"
)

// ResultOthers is under what the result of a change says how many records it is on beside the person's own.
const ResultOthers = "others"

// Others are the records that a change is for beside the person's own: those that hold the same address. The zero value, and nil, has
// none.
type Others struct {
	ids  [][]string
	errs []error
}

// FindOthers looks for those of each step, side by side, unless the number was somebody else's, whose records these are, or there is none.
// Own returns a step's person, and the id of the record that is theirs.
func FindOthers[R any](w Batch[R], own func(R) (delivery.Person, string), find func(delivery.Person) (ids []string, err error)) *Others {
	o := &Others{ids: make([][]string, w.Len()), errs: make([]error, w.Len())}
	w.Each(w.All(), func(i int) {
		person, id := own(w.Request(i))
		if person.Phone == "" || person.Unmatched {
			return
		}
		var found []string
		found, o.errs[i] = find(person)
		slices.Sort(found)
		o.ids[i] = slices.DeleteFunc(slices.Compact(found), func(other string) bool { return other == id })
	})
	return o
}

// Of returns those of a step.
func (o *Others) Of(i int) []string {
	if o == nil {
		return nil
	}
	return o.ids[i]
}

// Count returns how many a step has, "" for none.
func (o *Others) Count(i int) string {
	if n := len(o.Of(i)); n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}

// Outcome returns err, what became of a step, or else why its others could not be found: what could be written is, and the step is
// tried again for the rest.
func (o *Others) Outcome(i int, err error) error {
	if err != nil || o == nil {
		return err
	}
	return o.errs[i]
}
