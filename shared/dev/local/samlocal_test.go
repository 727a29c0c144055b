package local_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samlocal"
)

// TestFunctionsTakeTheEventsOfSamLocal hands every function its event in events/invoke, signed now, with unmodified binaries.
func TestFunctionsTakeTheEventsOfSamLocal(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	maker, err := samlocal.New(root, w.PublicBaseURL, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	functions := w.Functions()
	for _, id := range slices.Sorted(maps.Keys(functions)) { // a CRM's message is there before its receipt
		function := functions[id]
		event, err := maker.Event(t.Context(), function, "")
		if err != nil {
			t.Errorf("%s: %v", function, err)
			continue
		}
		answer, failed, err := w.Invoke(t.Context(), id, event)
		if err != nil || failed != "" {
			t.Errorf("%s: %s, %s, %v", function, answer, failed, err)
		}
		var told struct {
			StatusCode int               `json:"statusCode"`
			Failures   []json.RawMessage `json:"batchItemFailures"`
			Problems   []json.RawMessage `json:"problems"`
		}
		if string(answer) != "null" && json.Unmarshal(answer, &told) != nil || len(told.Failures)+len(told.Problems) > 0 ||
			strings.HasSuffix(function, "-receive") && told.StatusCode/100 != 2 {
			t.Errorf("%s returned %s", function, answer)
		}
	}
}
