// Command bluebubbles-relay runs on an agent's Mac, beside a BlueBubbles server, and forwards what its configuration allows: see README.md of the
// channel's folder. It is never deployed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"signalbox/functions/adapter/bluebubbles/relay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := relay.Main(ctx, os.Args[1:], os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bluebubbles-relay:", err)
		os.Exit(1)
	}
}
