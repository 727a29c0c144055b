// Command operate is what make apply and make redrive run: it applies tenant files and puts dead letters back through a
// deployed stack, or a local one at ENDPOINT. What it is to do is in the environment, so that no text and no credential is ever
// part of a command line.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"signalbox/shared/aws/awsstack"
	"signalbox/shared/operations/operate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if _, ok := errors.AsType[*operate.UsageError](err); ok {
		os.Exit(2)
	}
	os.Exit(1)
}

func command(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "apply":
		stack, err := open(ctx, operate.ApplyUsage)
		if err != nil {
			return err
		}
		return operate.Apply(ctx, os.Stdout, cmp.Or(os.Getenv("ACTION"), "apply"), os.Getenv("TENANT"), stack.Invoke)
	case len(arguments) == 1 && arguments[0] == "redrive":
		choice, err := operate.NewChoice(os.Getenv)
		if err != nil {
			return err
		}
		stack, err := open(ctx, operate.RedriveUsage)
		if err != nil {
			return err
		}
		return choice.Run(ctx, os.Stdout, stack.Invoke)
	}
	return &operate.UsageError{Reason: "operate apply | operate redrive", Usage: operate.ApplyUsage + "\n" + operate.RedriveUsage}
}

func open(ctx context.Context, usage string) (*awsstack.Stack, error) {
	name, err := operate.StackName(os.Getenv, usage)
	if err != nil {
		return nil, err
	}
	return awsstack.Open(ctx, name, os.Getenv("ENDPOINT"))
}
