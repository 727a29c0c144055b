// Command local runs Signalbox on this machine. `local run` serves until it is interrupted; `local demo` sends the sample messages
// and shows that each is in every CRM exactly once.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/demo"
)

func main() {
	debug.SetGCPercent(400) // as of the functions, with which it shares the machine
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, arguments []string) error {
	root, err := local.Root()
	if err != nil {
		return err
	}
	switch {
	case len(arguments) == 1 && arguments[0] == "run":
		ports, err := local.Ports(root, os.LookupEnv, true)
		if err != nil {
			return err
		}
		parameters := map[string]string{}
		if base := os.Getenv("PUBLIC_BASE_URL"); base != "" {
			parameters["PublicBaseUrl"] = base
		}
		return local.Serve(ctx, os.Stdout, local.Options{Root: root, Parameters: parameters, Ports: ports, CRMLimits: true, Logs: os.Stderr})
	case len(arguments) == 1 && arguments[0] == "demo":
		ports, err := local.Ports(root, os.LookupEnv, false)
		if err != nil {
			return err
		}
		return demo.Run(ctx, os.Stdout, local.Options{Root: root, Ports: ports, CRMLimits: true, LogFile: "demo.log"})
	}
	return errors.New("usage: local run | local demo")
}
