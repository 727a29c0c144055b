// Command applebusiness-receive takes the webhooks of Apple Messages for Business: POST /v1/accounts/{account}/applebusiness/message.
package main

import (
	"signalbox/functions/adapter/applebusiness"
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("applebusiness-receive")
	f.Start(lambdahttp.Handler(wire.New(f).Adapter(&applebusiness.Channel{}).Receive))
}
