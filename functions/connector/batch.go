package connector

import (
	"context"
	"slices"
	"sync"

	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// Batch is the steps of one Do and what becomes of them. A CRM speaks of a step by its index.
type Batch[R any] struct {
	steps    []Step[R]
	outcomes []Outcome
}

// Outcomes is the body of a Do: it returns what do makes of the steps. A step that do does not conclude has failed.
func Outcomes[R any](steps []Step[R], do func(Batch[R])) []Outcome {
	b := Batch[R]{steps, make([]Outcome, len(steps))}
	b.FailAll(fault.New(fault.Retryable, CodeAnswers, nil))
	if len(steps) > 0 {
		do(b)
	}
	return b.outcomes
}

// Carry is the body of a Do of a CRM that carries out a step by its kind: with what open returns for whose the steps are, which are of one binding, by
// what do returns for the kind that they all are of, nil for one that the CRM does not know. Request returns the request of a step as this try has it.
func Carry[R, E any](
	ctx context.Context, steps []Step[R], request func(Step[R]) R, open func(context.Context, R) (E, error), do func(R) func(E, context.Context, Batch[R]),
) []Outcome {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].Request = request(steps[i])
	}
	return Outcomes(steps, func(b Batch[R]) {
		first := b.Request(0)
		at, err := open(ctx, first)
		carry := do(first)
		switch {
		case err != nil:
			b.FailAll(err)
		case carry == nil:
			b.FailAll(fault.New(fault.Permanent, CodeStep, nil))
		default:
			carry(at, ctx, b)
		}
	})
}

// Len returns how many steps there are.
func (b Batch[R]) Len() int { return len(b.steps) }

// Request returns the request of a step.
func (b Batch[R]) Request(i int) R { return b.steps[i].Request }

// Intended reports whether an earlier try of a Once step may have been carried out.
func (b Batch[R]) Intended(i int) bool { return b.steps[i].Intended }

// Again reports whether an earlier try may have written what a step is to write.
func (b Batch[R]) Again(i int) bool { return b.steps[i].Again }

// Activity returns what is to be shown of a step's session, nil if it has none.
func (b Batch[R]) Activity(i int) *Activity { return b.steps[i].Activity }

// File returns the file that a step puts into the CRM, nil for a step about a message.
func (b Batch[R]) File(i int) *File { return b.steps[i].File }

// Fields returns the fields that the tenant of a step fills in a record: all of one that is made, and of any other those that are written
// each time.
func (b Batch[R]) Fields(i int, o mapping.Object, made bool) []mapping.Field {
	return b.steps[i].Fields.Of(o, made)
}

// Stands returns how the conversation of a step stands, nil if that is not to be shown.
func (b Batch[R]) Stands(i int) *Standing { return b.steps[i].Stands() }

// Each calls do for each of the steps at, side by side: for what the CRM has no call for several. One that is slow holds up none
// of the others.
func (b Batch[R]) Each(at []int, do func(i int)) { Each(at, do) }

// Each calls do for each of at, side by side. A panic in one of them is one of its caller.
func Each(at []int, do func(i int)) {
	if len(at) == 1 {
		do(at[0])
		return
	}
	panics := make(chan any, len(at))
	var running sync.WaitGroup
	for _, i := range at {
		running.Go(func() {
			defer func() {
				if value := recover(); value != nil {
					panics <- value
				}
			}()
			do(i)
		})
	}
	running.Wait()
	if len(panics) > 0 {
		panic(<-panics) // whoever called Do recovers
	}
}

// All returns the indices of all steps.
func (b Batch[R]) All() []int { return Indices(len(b.steps)) }

// Fail makes err the outcome of a step.
func (b Batch[R]) Fail(i int, err error) { b.outcomes[i] = Outcome{Err: err} }

// FailAll makes err the outcome of every step.
func (b Batch[R]) FailAll(err error) {
	for i := range b.steps {
		b.Fail(i, err)
	}
}

// Succeed makes a result of names and values, in turn, the outcome of a step. What has no value is left out.
func (b Batch[R]) Succeed(i int, pairs ...string) {
	result := make(Result, len(pairs)/2)
	for k := 0; k+1 < len(pairs); k += 2 {
		if pairs[k+1] != "" {
			result[pairs[k]] = pairs[k+1]
		}
	}
	b.outcomes[i] = Outcome{Result: result}
}
