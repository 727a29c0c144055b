// Command edge-receive takes canonical events from programs, and from pages that a program vouches for: POST /v1/accounts/{account}/edge/events.
// It returns what was sent to the visitor of a page: GET /v1/accounts/{account}/edge/replies.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/edge"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("edge-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts, wire.Requests, wire.Outbox).Adapter(&edge.Channel{}).Receive))
}
