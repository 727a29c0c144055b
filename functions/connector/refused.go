package connector

import (
	"slices"
	"strings"
	"time"

	"signalbox/shared/fault"
)

// Meaning is what some of a CRM's own words for refusals, with blanks between them, mean.
type Meaning struct {
	Words string
	Kind  fault.Kind
	Code  string
	Wait  time.Duration
}

// MeaningOf returns the fault that a word means, nil if it decides nothing.
func MeaningOf(word string, all []Meaning) *fault.Error {
	for _, m := range all {
		if slices.Contains(strings.Fields(m.Words), word) {
			return &fault.Error{Kind: m.Kind, Code: m.Code, Wait: m.Wait}
		}
	}
	return nil
}
