// Command bench-noop is a receiver that acknowledges and does nothing: what it reaches is what the local runner allows.
package main

import (
	"context"
	"net/http"

	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
	"signalbox/shared/webhook"
)

func main() {
	acknowledge := func(context.Context, webhook.Request) webhook.Response {
		return webhook.Response{Status: http.StatusOK}
	}
	function.Begin("bench-noop").Start(lambdahttp.Handler(acknowledge))
}
