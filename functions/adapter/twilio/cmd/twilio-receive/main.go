// Command twilio-receive answers Twilio's webhooks: POST /v1/accounts/{account}/twilio/messages and .../status.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/twilio"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("twilio-receive")
	parts := wire.New(f, wire.Receipts, wire.Later)
	channel, err := twilio.New(f.String("PUBLIC_BASE_URL"))
	f.Check(err)
	f.Start(lambdahttp.Handler(parts.Adapter(channel).Receive))
}
