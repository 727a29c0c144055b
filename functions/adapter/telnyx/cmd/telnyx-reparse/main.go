// Command telnyx-reparse parses dead letters of telnyx again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/telnyx"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("telnyx-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f, wire.Receipts).Reparser(&telnyx.Channel{}).Reparse, redrive.Refuse))
}
