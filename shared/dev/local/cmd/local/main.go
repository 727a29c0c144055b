// Command local runs Signalbox on this machine. `local run` serves until it is interrupted; `local demo` sends the sample messages
// and shows that each is in every CRM exactly once.
package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strings"

	"signalbox/shared/aws/sigv4"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/demo"
)

func main() {
	debug.SetGCPercent(400) // as of the functions, with which it shares the machine
	command := strings.Join(os.Args[1:], " ")
	local.Main(func(ctx context.Context, root string) error {
		ports, err := local.Ports(root, os.LookupEnv, command == "run")
		if err != nil {
			return err
		}
		o := local.Options{Root: root, Ports: ports, CRMLimits: true, Signed: sigv4.CheckEmulated}
		switch command {
		case "run":
			if base := os.Getenv("PUBLIC_BASE_URL"); base != "" {
				o.Parameters = map[string]string{"PublicBaseUrl": base}
			}
			o.Logs = os.Stderr
			return local.Serve(ctx, os.Stdout, o)
		case "demo":
			o.LogFile = "demo.log"
			return demo.Run(ctx, os.Stdout, o)
		}
		return errors.New("usage: local run | local demo")
	})
}
