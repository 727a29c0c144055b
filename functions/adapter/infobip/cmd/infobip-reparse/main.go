// Command infobip-reparse parses dead letters of infobip again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/infobip"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("infobip-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f, wire.Receipts).Reparser(&infobip.Channel{}).Reparse, redrive.Refuse))
}
