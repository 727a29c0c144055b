// Command whatsapp-receive takes the webhooks of the WhatsApp Cloud API: /v1/accounts/{account}/whatsapp/messages.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/whatsapp"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("whatsapp-receive")
	f.Start(lambdahttp.Handler(wire.New(f, wire.Receipts).Adapter(&whatsapp.Channel{}).Receive))
}
