// Command edge-receive takes canonical events from programs: POST /v1/accounts/{account}/edge/events.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/edge"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("edge-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts, wire.Requests).Adapter(&edge.Channel{}).Receive))
}
