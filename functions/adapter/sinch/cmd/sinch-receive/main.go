// Command sinch-receive takes the webhooks of the Sinch Conversation API: POST /v1/accounts/{account}/sinch/events.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/sinch"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("sinch-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&sinch.Channel{}).Receive))
}
