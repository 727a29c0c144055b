// Command rbm-receive takes the webhooks of RCS for Business: POST /v1/accounts/{account}/rbm/messages.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/rbm"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("rbm-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&rbm.Channel{}).Receive))
}
