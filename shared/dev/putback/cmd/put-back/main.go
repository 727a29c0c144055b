// Command put-back puts dead letters back and routes stored events again, deployed or locally: make redrive.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"signalbox/shared/dev/putback"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "redrive:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context) error {
	choice, err := putback.New(os.Getenv)
	if err != nil {
		return err
	}
	if endpoint := os.Getenv("ENDPOINT"); endpoint != "" {
		if choice.Stack == "" {
			choice.Stack = putback.LocalStack
		}
		return choice.Run(ctx, os.Stdout, putback.Local(endpoint))
	}
	if choice.Stack == "" {
		fmt.Fprintln(os.Stderr, putback.Usage)
		return errors.New("say which stack")
	}
	return choice.Run(ctx, os.Stdout, putback.Deployed())
}
