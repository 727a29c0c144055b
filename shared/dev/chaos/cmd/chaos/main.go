// Command chaos breaks a local Signalbox and checks that nothing is lost, doubled, out of order or given up:
// chaos -seed 42 -kills 100 -duration 45s. Without a seed it takes one from the clock. It writes a report.
package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"time"

	"signalbox/shared/dev/chaos"
	"signalbox/shared/dev/local"
)

func main() {
	seed := flag.Uint64("seed", 0, "of the plan; 0 takes one from the clock")
	kills := flag.Int("kills", 100, "how many processes to kill")
	duration := flag.Duration("duration", 0, "over which the kills are spread; 0 is 400 ms a kill")
	record := flag.String("report", filepath.Join(".build", "chaos.json"), "where to write the report, below the repository; the page is beside it")
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	local.Main(func(ctx context.Context, root string) error {
		return chaos.Run(ctx, os.Stdout, chaos.Options{Root: root, Seed: *seed, Kills: *kills, Duration: *duration, Record: filepath.Join(root, *record)})
	})
}
