// Package lambdainvoke starts functions that are invoked directly, with JSON in and JSON out, rather than by an event source.
package lambdainvoke

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

// Start serves invocations with handle and never returns. What handle returns as an error is told to the caller: it holds
// nothing that may not be logged.
func Start[In, Out any](handle func(ctx context.Context, in In) (Out, error)) { lambda.Start(handle) }
