// Command edge-reparse parses dead letters of the door again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/edge"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("edge-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f, wire.Receipts, wire.Outbox).Reparser(&edge.Channel{}).Reparse, redrive.Refuse))
}
