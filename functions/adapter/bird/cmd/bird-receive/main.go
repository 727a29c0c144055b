// Command bird-receive takes the webhooks of bird: POST /v1/accounts/{account}/bird/messages.
package main

import (
	"signalbox/functions/adapter/bird"
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("bird-receive")
	parts := wire.New(f, wire.Receipts)
	channel, err := bird.New(f.String("PUBLIC_BASE_URL"))
	f.Check(err)
	f.Start(lambdahttp.Handler(parts.Adapter(channel).Receive))
}
