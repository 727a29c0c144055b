package edge

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/functions/adapter/adaptertest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

// TestTheSeedsExampleIsAccepted holds the sample and the case against the event that was agreed on first, byte for byte.
func TestTheSeedsExampleIsAccepted(t *testing.T) {
	agreed, err := os.ReadFile("../../../events/canonical-rcs.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"testdata/seed/request.json", "samples/14-canonical-event.json"} {
		p := provider(t)
		p.Sample = adaptertest.ReadCase(t, file)
		if diff := cmp.Diff(strings.TrimSpace(string(agreed)), string(p.Sample.JSON)); diff != "" {
			t.Errorf("%s: -agreed +sent:\n%s", file, diff)
		}
		events := adaptertest.Events(t, p)
		if len(events) != 1 || events[0].Sender.Phone != "+15551234567" || events[0].Message.Text != "Interested in pricing for product X" {
			t.Errorf("%s becomes %v", file, events)
		}
	}
}

// TestEveryExampleIsAccepted sends the examples of canonical events, each with a line of this account's in place of its own.
func TestEveryExampleIsAccepted(t *testing.T) {
	files, err := filepath.Glob("../../../events/canonical-*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e map[string]any
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		ours := "recipient"
		if e["direction"] != "inbound" {
			ours = "sender"
		}
		e[ours] = map[string]any{"phone": "+15557654321"}
		if e["channel"] == "imessage" {
			e[ours] = map[string]any{"channelAddress": "support@acme.example"}
		}
		p := provider(t)
		p.Sample.JSON, _ = json.Marshal(e)
		if events := adaptertest.Events(t, p); len(events) != 1 {
			t.Errorf("%s becomes %d events", file, len(events))
		}
	}
}

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }
