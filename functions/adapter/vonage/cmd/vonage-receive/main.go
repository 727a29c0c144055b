// Command vonage-receive takes the webhooks of Vonage: POST /v1/accounts/{account}/vonage/messages and .../status.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/vonage"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("vonage-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&vonage.Channel{}).Receive))
}
