// Command outreach-receive registers outreaches: POST /v1/accounts/{account}/outreach/messages.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/outreach"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("outreach-receive")
	f.Start(lambdahttp.Handler(wire.New(f).Adapter(&outreach.Channel{}).Receive))
}
