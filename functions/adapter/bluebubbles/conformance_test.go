package bluebubbles

import (
	"flag"
	"regexp"
	"testing"

	"signalbox/functions/adapter/adaptertest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }

// TestThePageSaysEveryCode: the codes are constants here, which the suite does not look for.
func TestThePageSaysEveryCode(t *testing.T) {
	if n := adaptertest.Named(t, regexp.MustCompile(`\tCode\w+ += "(\w+)"`)); n < 5 {
		t.Errorf("only %d were found", n)
	}
}
