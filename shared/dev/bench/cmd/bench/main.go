// Command bench measures Signalbox on this machine and prints the figures beside those of the last committed run:
// bench [-quick] [-json file] [-keep]. -keep replaces the committed run. The variables PEER and PEER_* name another product that is driven
// with the same load: see bench.NewPeer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/shared/dev/bench"
	"signalbox/shared/dev/local"
)

// limit is how long everything may take, compiling included.
const limit = 15 * time.Minute

func main() {
	quick := flag.Bool("quick", false, "count in full, but time only so far that everything runs once")
	file := flag.String("json", "", "also write the run to this file")
	beside := flag.Bool("beside", false, "measure the peer only, and what it is compared with")
	keep := flag.Bool("keep", false, "make this run the one that later ones are compared with")
	flag.Parse()
	local.Main(func(ctx context.Context, root string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("bench: stopped after %s", limit))
		defer cancel()
		kept := filepath.Join(root, filepath.FromSlash(bench.Kept))
		before, err := bench.Read(kept)
		if err != nil {
			return err
		}
		peer, err := bench.NewPeer(os.Getenv)
		if err != nil {
			return err
		}
		report, err := bench.Run(ctx, bench.Options{Root: root, Quick: *quick, Log: os.Stderr, Peer: peer, Beside: *beside})
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if worse := report.Print(os.Stdout, before); len(worse) > 0 {
			fmt.Println("more than a tenth worse than the committed run:", strings.Join(worse, "; "))
		}
		if *file != "" {
			err = report.Write(*file)
		}
		if *keep {
			err = errors.Join(err, report.Write(kept))
		}
		return err
	})
}
