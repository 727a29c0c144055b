package store

import (
	"context"
	"iter"
	"slices"
)

// WriteEach makes any number of independent changes by s, MaxWrite a call, and returns one Outcome each.
func WriteEach(ctx context.Context, s interface {
	WriteEach(ctx context.Context, changes ...Change) []Outcome
}, changes []Change,
) (outcomes []Outcome) {
	for some := range slices.Chunk(changes, MaxWrite) {
		outcomes = append(outcomes, s.WriteEach(ctx, some...)...)
	}
	return outcomes
}

// Note puts any number of pointers by s, MaxWrite a call. With an error some of them are written.
func Note(ctx context.Context, s interface {
	Note(ctx context.Context, pointers ...Record) error
}, pointers []Record,
) error {
	for some := range slices.Chunk(pointers, MaxWrite) {
		if err := s.Note(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// Pages yields the pages of a range by s, one call each, none of them empty. After an error there is none.
func Pages(ctx context.Context, s interface {
	List(ctx context.Context, r Range) (page []Record, more bool, err error)
}, r Range,
) iter.Seq2[[]Record, error] {
	return func(yield func([]Record, error) bool) {
		for more := true; more; {
			var page []Record
			var err error
			page, more, err = s.List(ctx, r)
			if err == nil && len(page) == 0 || !yield(page, err) || err != nil {
				return
			}
			r.After = page[len(page)-1].Sort
		}
	}
}
