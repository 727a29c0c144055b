// Command bluebubbles-reparse parses dead letters of bluebubbles again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/bluebubbles"
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("bluebubbles-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f, wire.Receipts).Reparser(&bluebubbles.Channel{}).Reparse, redrive.Refuse))
}
