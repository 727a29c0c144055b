// Command telnyx-reparse parses dead letters of Telnyx again, from the bytes that were received, and asks Telnyx for what never came. It is
// invoked directly, by make redrive and make backfill, and by a schedule.
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
	asking := wire.New(f, wire.Receipts).Asking(&telnyx.Channel{}, telnyx.NewFetcher(wire.Client(f)))
	f.Start(lambdainvoke.Handler(asking.Handle, redrive.Refuse))
}
