// Command infobip-receive takes the webhooks of infobip: POST /v1/accounts/{account}/infobip/messages.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/infobip"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("infobip-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&infobip.Channel{}).Receive))
}
