// Command operate is what make apply, connect, health, resume, redrive, smoke, deploy, recover and remove run: it applies tenant files, connects CRMs, has what is parked delivered, puts dead letters back, sends
// one signed webhook, checks that what a deployment takes away is not in use, and takes back or deletes what a deleted stack kept, in a deployed stack or a local one at ENDPOINT. What it
// is to do is in the environment, so that no text and no credential is ever part of a command line.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"signalbox/shared/aws/awsstack"
	"signalbox/shared/operations/operate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	open := func(ctx context.Context, name, endpoint string) (operate.Stack, error) {
		at, err := awsstack.Open(ctx, name, endpoint)
		if err != nil {
			return operate.Stack{}, err
		}
		return operate.Stack{Invoke: at.Invoke, Outputs: at.Outputs, Sign: at.Sign, Importer: at, Remover: at, Deployed: at}, nil
	}
	err := operate.Command(ctx, os.Stdout, ".", strings.Join(os.Args[1:], " "), os.Getenv, open)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(operate.ExitStatus(err))
}
