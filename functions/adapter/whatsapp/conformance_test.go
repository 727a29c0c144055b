package whatsapp

import (
	"flag"
	"testing"

	"signalbox/functions/adapter/adaptertest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }
