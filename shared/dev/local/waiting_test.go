package local_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
)

// TestWhatIsDueIsLookedAt with unmodified binaries and what their roles allow: who has waited for too long is told of, and a silence of
// hours has closed their conversation, once each, however often the schedule comes.
func TestWhatIsDueIsLookedAt(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	file, err := w.Tenant()
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := file["lines"].([]any)
	i := slices.IndexFunc(lines, func(l any) bool { return l.(map[string]any)["id"] == "demo-day" }) // one that shows how conversations stand
	line, _ := lines[i].(map[string]any)
	line["leads"] = map[string]any{"owner": "ana", "waitMinutes": 1}
	timeline, _ := line["timeline"].(map[string]any)
	timeline["close"] = "1h"
	if got := w.apply(ctx, file); got != nil {
		t.Fatal(got)
	}
	said, err := json.Marshal(map[string]any{
		"eventId": "evt-waits", "channel": "sms", "direction": "inbound", "sender": map[string]string{"phone": "+15552010091"},
		"recipient": map[string]any{"phone": line["address"]}, "message": map[string]string{"text": "Are you there?"},
		"timestamp": time.Now().Add(-3 * time.Hour).UTC().Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.deliver(ctx, samples.Sample{Name: "evt-waits", Path: fmt.Sprintf("/v1/accounts/%s/edge/events", line["account"]), JSON: said})
	w.rest(ctx)
	for range 2 {
		w.invoke(ctx, "SpoolDrain", struct{}{})
		w.rest(ctx)
	}
	for crm, about := range w.Simulated {
		records, err := w.client.Records(ctx, crm, about.Tasks)
		waiting := slices.DeleteFunc(records, func(r samples.Record) bool {
			return !strings.HasPrefix(r.Properties[about.Subject], "Waiting for an answer since ")
		})
		if err != nil || len(waiting) != 1 || waiting[0].Properties[about.Owner] == "" {
			t.Errorf("%s: %d tasks tell that somebody waits, want one of somebody: %v, %v", crm, len(waiting), waiting, err)
		}
		standing, err := w.client.Records(ctx, crm, about.Standing.Object)
		if err != nil || len(standing) != 1 || standing[0].Properties[about.Standing.Text] != "closed" {
			t.Errorf("%s: conversations %v, want one that is closed: %v", crm, standing, err)
		}
	}
	if out := w.redrive(ctx, map[string]string{"ACTION": "plan"}); out != "plan: nothing\n" {
		t.Errorf("left: %s", out)
	}
}
