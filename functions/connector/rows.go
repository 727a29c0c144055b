package connector

import "signalbox/shared/fault"

// Rows are rows of which a CRM takes several in one call.
type Rows struct {
	Most int                  // how many rows one call takes
	Size func(i int) int      // how many a row counts as; nil: one
	Keys func(i int) []string // what no two rows of a call may have in common; nil: they may have everything
	// Call makes one call for the rows at. It concludes them, all but those it returns, of which the reply says nothing. An error is
	// that of the call as a whole.
	Call func(at []int) (silent []int, err error)
	Fail func(i int, err error)
}

// Send makes as few calls as there can be for the rows at. Those of a call that is refused for good, and those of which its reply
// says nothing, are sent alone: one bad row never fails its neighbours. One of which even its own reply says nothing has failed.
func (r Rows) Send(at []int) {
	for len(at) > 0 {
		now, later := r.distinct(at)
		silent, err := r.Call(now)
		if err != nil {
			silent = now
		}
		alone := len(now) > 1 && (err == nil || fault.Of(err).Kind == fault.Permanent)
		for _, i := range silent {
			unsaid, err := []int{i}, err
			if alone {
				unsaid, err = r.Call([]int{i})
			}
			if err == nil && len(unsaid) > 0 {
				err = fault.New(fault.Retryable, CodeAnswers, nil)
			}
			if err != nil {
				r.Fail(i, err)
			}
		}
		at = later
	}
}

// distinct returns the rows of the next call, and the others.
func (r Rows) distinct(at []int) (now, later []int) {
	seen, full := map[string]bool{}, 0
	for _, i := range at {
		size, keys := 1, []string(nil)
		if r.Size != nil {
			size = r.Size(i)
		}
		if r.Keys != nil {
			keys = r.Keys(i)
		}
		clash := len(now) > 0 && full+size > r.Most
		for _, key := range keys {
			clash = clash || seen[key]
		}
		if clash {
			later = append(later, i)
			continue
		}
		for _, key := range keys {
			seen[key] = true
		}
		now, full = append(now, i), full+size
	}
	return now, later
}

// Indices returns the indices of n rows.
func Indices(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}
