package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentiles(t *testing.T) {
	var all []time.Duration
	for i := range 101 {
		all = append(all, time.Duration(100-i)*time.Second)
	}
	for n, want := range map[int]Percentiles{0: {}, 1: {100, 100, 100}, 101: {50, 95, 100}} {
		if diff := cmp.Diff(want, percentiles(slices.Clone(all[:n]))); diff != "" {
			t.Errorf("%d: %s", n, diff)
		}
	}
}

// TestARecordIsWrittenAsJSONAndAsAPage writes one with and one without anomalies: a reader finds an empty list, not none.
func TestARecordIsWrittenAsJSONAndAsAPage(t *testing.T) {
	for _, anomalies := range [][]Problem{{}, {{Kind: Lost, CRM: "hubspot", Message: "SM1", Detail: "acknowledged"}}} {
		path := filepath.Join(t.TempDir(), "deep", "chaos.json")
		rec := Record{
			At: time.Date(2026, 11, 27, 4, 0, 0, 0, time.UTC), Seed: 7, Plan: "abc", Anomalies: anomalies, Checks: map[string]int{Lost: len(anomalies)},
			Troubles: map[string]int{"kills": 3}, Recovery: map[string]Recovery{"Route": {Messages: 2, Done: Percentiles{1, 2, 2.34}}},
		}
		if err := rec.write(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var back Record
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, back); diff != "" || len(anomalies) == 0 && !strings.Contains(string(data), `"anomalies": []`) {
			t.Errorf("%s %s", diff, data)
		}
		page, err := os.ReadFile(strings.TrimSuffix(path, ".json") + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"# 3 kills, seed 7\n", "| lost ", "| Route ", "| 2.3 "} {
			if !strings.Contains(string(page), want) {
				t.Errorf("the page has no %q:\n%s", want, page)
			}
		}
		if strings.Contains(string(page), "SM1") != (len(anomalies) > 0) {
			t.Errorf("the page tells of other anomalies:\n%s", page)
		}
	}
}
