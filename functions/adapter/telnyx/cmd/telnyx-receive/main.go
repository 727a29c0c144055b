// Command telnyx-receive takes the webhooks of telnyx: POST /v1/accounts/{account}/telnyx/messages.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/telnyx"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("telnyx-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&telnyx.Channel{}).Receive))
}
