// Command sinch-reparse parses dead letters of the Sinch Conversation API again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/sinch"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("sinch-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f, wire.Receipts).Reparser(&sinch.Channel{}).Reparse, redrive.Refuse))
}
