// Command bluebubbles-receive takes the webhooks of bluebubbles: POST /v1/accounts/{account}/bluebubbles/messages.
package main

import (
	"signalbox/functions/adapter/bluebubbles"
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("bluebubbles-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&bluebubbles.Channel{}).Receive))
}
