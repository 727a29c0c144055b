// Command sinch-reparse parses dead letters of the Sinch Conversation API again, from the bytes that were received, and asks Sinch for what never
// came. It is invoked directly, by make redrive and make backfill, and by a schedule.
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
	asking := wire.New(f, wire.Receipts).Asking(&sinch.Channel{}, sinch.NewFetcher(wire.Client(f)))
	f.Start(lambdainvoke.Handler(asking.Handle, redrive.Refuse))
}
