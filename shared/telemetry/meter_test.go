package telemetry_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

func TestAMetricIsALineOfTheEmbeddedMetricFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := telemetry.NewMeter(&out, telemetry.Identity{Function: "Fn", Version: "7", Stack: "box"})
		m.Duration("Took", 1500*time.Microsecond, telemetry.Label{Name: "stage", Value: "a \"b\"\n\\ é\x00"})
		m.Count("Seen", 3)
		for i, want := range []struct {
			name, unit string
			value      float64
			stage      any
		}{{"Took", "Milliseconds", 1.5, "a \"b\"\n\\ é\x00"}, {"Seen", "Count", 3, nil}} {
			line, err := out.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("%d: %v in %s", i, err, line)
			}
			expected := map[string]any{
				"Function": "Fn", "Stack": "box", "Version": "7", want.name: want.value,
				"_aws": map[string]any{
					"Timestamp": float64(time.Now().UnixMilli()),
					"CloudWatchMetrics": []any{map[string]any{
						"Namespace": "Signalbox", "Dimensions": []any{[]any{"Stack"}, []any{"Function"}, []any{"Function", "Version"}},
						"Metrics": []any{map[string]any{"Name": want.name, "Unit": want.unit}},
					}},
				},
			}
			if want.stage != nil {
				expected["stage"] = want.stage
			}
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}
