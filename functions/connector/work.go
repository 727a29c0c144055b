package connector

import "signalbox/shared/delivery"

// Work is some of the steps of one Do and where their outcomes go: a CRM that has one call for several steps of one kind
// collects them in a Work and speaks of them by their place in it.
type Work[R any] struct {
	steps    []Step[R]
	outcomes []Outcome
	at       []int
}

// Place is one CRM of one tenant.
type Place struct{ Tenant, CRM string }

// PlaceOf returns where a delivery goes.
func PlaceOf(d delivery.Delivery) Place { return Place{d.Event.TenantID, d.CRM} }

// Carry is the Do of a CRM that takes steps by what they are: those of one place and kind are a Work, places one after the other,
// and in each the kinds in the order given. Enter makes ready for a place; if it cannot, the steps that go there fail with its error.
func Carry[R, P any, K comparable](
	steps []Step[R], kinds []K, of func(R) (Place, K), enter func(Place) (P, error), do func(P, K, Work[R]),
) []Outcome {
	outcomes := make([]Outcome, len(steps))
	places := make(map[Place]map[K][]int, 1)
	for i, s := range steps {
		at, kind := of(s.Request)
		if places[at] == nil {
			places[at] = make(map[K][]int, 1)
		}
		places[at][kind] = append(places[at][kind], i)
	}
	for at, of := range places {
		place, err := enter(at)
		for _, kind := range kinds {
			switch w := (Work[R]{steps, outcomes, of[kind]}); {
			case w.Len() == 0:
			case err != nil:
				w.FailAll(err)
			default:
				do(place, kind, w)
			}
		}
	}
	return outcomes
}

// Len returns how many steps there are.
func (w Work[R]) Len() int { return len(w.at) }

// Request returns the request of a step.
func (w Work[R]) Request(i int) R { return w.steps[w.at[i]].Request }

// Intended reports whether an earlier try of a Once step may have been carried out.
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
