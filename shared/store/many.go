package store

import (
	"context"
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
