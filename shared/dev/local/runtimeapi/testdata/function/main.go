// Command function misbehaves as its event asks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do string `json:"do"`
}

func main() {
	if os.Getenv("BREAK") == "init" {
		panic("broken at the start")
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, e event) (map[string]string, error) {
	fmt.Fprintln(os.Stderr, "asked to "+e.Do)
	switch e.Do {
	case "fail":
		return nil, errors.New("failed as asked")
	case "panic":
		panic("panicked as asked")
	case "exit":
		os.Exit(3)
	case "hang":
		select {}
	case "wait":
		time.Sleep(300 * time.Millisecond)
	}
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	return map[string]string{
		"key": os.Getenv("AWS_ACCESS_KEY_ID"), "api": os.Getenv("AWS_LAMBDA_RUNTIME_API"), "arn": lc.InvokedFunctionArn, "request": lc.AwsRequestID,
		"trace": os.Getenv("_X_AMZN_TRACE_ID"), "left": time.Until(deadline).Round(time.Second).String(),
	}, nil
}
