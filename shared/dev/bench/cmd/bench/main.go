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
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"signalbox/shared/dev/bench"
	"signalbox/shared/dev/local"
)

// limit is how long everything may take.
const limit = 5 * time.Minute

func main() {
	debug.SetGCPercent(400) // as of the functions, with which it shares the machine
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := command(ctx)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context) error {
	quick := flag.Bool("quick", false, "count in full, but time only so far that everything runs once")
	file := flag.String("json", "", "also write the run to this file")
	beside := flag.Bool("beside", false, "measure the peer only, and what it is compared with")
	keep := flag.Bool("keep", false, "make this run the one that later ones are compared with")
	strict := flag.Bool("strict", false, "fail if a count is more than a tenth worse than in the committed run")
	flag.Parse()
	root, err := local.Root()
	if err != nil {
		return err
	}
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
		return err
	}
	worse := report.Print(os.Stdout, before)
	for _, path := range []string{*file, map[bool]string{true: kept}[*keep]} {
		if path == "" {
			continue
		}
		if err := report.Write(path); err != nil {
			return err
		}
	}
	if len(worse) > 0 {
		fmt.Println("more than a tenth worse than the committed run:", strings.Join(worse, "; "))
		if *strict {
			return errors.New("bench: worse than the committed run")
		}
	}
	return nil
}
