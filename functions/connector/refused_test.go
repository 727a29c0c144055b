package connector_test

import (
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

func TestTheFirstMeaningOfAWordCounts(t *testing.T) {
	all := []connector.Meaning{
		{Words: "BUSY LOCKED", Kind: fault.Throttled, Code: "busy", Wait: time.Second},
		{Words: "GONE", Kind: fault.Permanent, Code: "gone"},
		{Words: "BUSY", Kind: fault.Blocked, Code: "second"},
	}
	for word, want := range map[string]*fault.Error{
		"BUSY":        {Kind: fault.Throttled, Code: "busy", Wait: time.Second},
		"LOCKED":      {Kind: fault.Throttled, Code: "busy", Wait: time.Second},
		"GONE":        {Kind: fault.Permanent, Code: "gone"},
		"BUSY LOCKED": nil,
		"LOCK":        nil,
		"":            nil,
	} {
		got := connector.MeaningOf(word, all)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q means %v, want %v", word, got, want)
		}
	}
}
