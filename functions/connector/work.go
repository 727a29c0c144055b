package connector

// Work is some of the steps of one Do and where their outcomes go: a CRM that has one call for several steps of one kind
// collects them in a Work and speaks of them by their place in it.
type Work[R any] struct {
	steps    []Step[R]
	outcomes []Outcome
	at       []int
}

// NewWork returns the Work of the steps at these indexes. Outcomes is as long as steps and is what Do answers.
func NewWork[R any](steps []Step[R], outcomes []Outcome, at []int) Work[R] {
	return Work[R]{steps, outcomes, at}
}

// Len answers how many steps there are.
func (w Work[R]) Len() int { return len(w.at) }

// Request answers the request of a step.
func (w Work[R]) Request(i int) R { return w.steps[w.at[i]].Request }

// Intended says whether an earlier try of a Once step may have been carried out.
func (w Work[R]) Intended(i int) bool { return w.steps[w.at[i]].Intended }

// Fail makes err the outcome of a step.
func (w Work[R]) Fail(i int, err error) { w.outcomes[w.at[i]] = Outcome{Err: err} }

// FailAll makes err the outcome of every step.
func (w Work[R]) FailAll(err error) {
	for i := range w.at {
		w.Fail(i, err)
	}
}

// Succeed makes a result of names and values, in turn, the outcome of a step. What has no value is left out.
func (w Work[R]) Succeed(i int, pairs ...string) {
	result := make(Result, len(pairs)/2)
	for k := 0; k+1 < len(pairs); k += 2 {
		if pairs[k+1] != "" {
			result[pairs[k]] = pairs[k+1]
		}
	}
	w.outcomes[w.at[i]] = Outcome{Result: result}
}
